"""Open WebUI's environment, and how its secrets get into it."""

import ast
import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pulumi
import pytest

import components.open_webui.containers
from components.accounts import Oidc
from components.limits import Pools
from components.open_webui.containers import USER, preparing
from components.open_webui.environment import as_shell, base_environment, migration_environment, replicated_environment
from components.schema import INPUTS, SchemaProvider, schema_id
from settings.blocks import OidcBlock
from tests.unit.recorder import LOOP

OIDC = Oidc(provider_url="https://id.example.com/.well-known/openid-configuration", client_id="chat")


def environment(**changes: Any) -> dict[str, str]:
    return replicated_environment(
        **{
            "log_level": "INFO",
            "public_url": "https://chat.example.com",
            "cors_allow_origin": "https://chat.example.com",
            "enable_signup": False,
            "panel_settings": True,
            "pools": Pools(size=7, overflow=3, vector_size=2, vector_overflow=1),
            "oidc": None,
            "compute_threads": 2,
            **changes,
        }
    )


def test_valkey_is_the_websocket_manager_in_both_topologies() -> None:
    for found in (base_environment(log_level="INFO"), environment()):
        assert found["ENABLE_WEBSOCKET_SUPPORT"] == "true"
        assert found["WEBSOCKET_MANAGER"] == "redis"
        assert found["ENABLE_DB_MIGRATIONS"] == "false"


def test_no_boot_waits_for_a_hub_that_a_firewall_hides() -> None:
    for found in (base_environment(log_level="INFO"), environment()):
        assert found["RAG_EMBEDDING_MODEL_AUTO_UPDATE"] == "false"
        assert found["RAG_RERANKING_MODEL_AUTO_UPDATE"] == "false"


def test_what_embeds_documents_is_said_so_that_no_image_changes_it() -> None:
    for found in (base_environment(log_level="INFO"), environment()):
        assert found["RAG_EMBEDDING_ENGINE"] == ""
        assert found["RAG_EMBEDDING_MODEL"] == "sentence-transformers/all-MiniLM-L6-v2"


def test_libraries_that_compute_start_no_more_threads_than_they_have_cpus() -> None:
    found = environment(compute_threads=3)
    assert (found["OMP_NUM_THREADS"], found["OPENBLAS_NUM_THREADS"]) == ("3", "3")
    assert found["TOKENIZERS_PARALLELISM"] == "false"


def test_the_migration_migrates_and_logs_no_debugging() -> None:
    found = migration_environment(base_environment(log_level="DEBUG"))
    assert found["ENABLE_DB_MIGRATIONS"] == "true"
    assert found["GLOBAL_LOG_LEVEL"] == "INFO"


def test_the_migration_is_the_application_in_everything_else() -> None:
    application = environment()
    found = migration_environment(application, ["A", "B"])
    assert found.pop("STACK_FILE_VARIABLES") == "A B"
    assert {name for name in found if found[name] != application[name]} == {"ENABLE_DB_MIGRATIONS"}


@pytest.mark.parametrize(("url", "secure"), [("https://chat.example.com", "true"), ("http://127.0.0.1:3001", "false")])
def test_cookies_are_secure_where_the_url_is(url: str, secure: str) -> None:
    found = environment(public_url=url)
    assert found["WEBUI_SESSION_COOKIE_SECURE"] == found["WEBUI_AUTH_COOKIE_SECURE"] == secure
    assert found["WEBUI_URL"] == url


@pytest.mark.parametrize(("allowed", "text"), [(True, "true"), (False, "false")])
def test_sign_up_is_always_said_because_its_default_is_open(allowed: bool, text: str) -> None:  # noqa: FBT001 - a case
    assert environment(enable_signup=allowed)["ENABLE_SIGNUP"] == text


@pytest.mark.parametrize(("kept", "text"), [(True, "true"), (False, "false")])
def test_what_is_saved_in_the_admin_panel_is_kept_unless_it_is_not_to_be(kept: bool, text: str) -> None:  # noqa: FBT001
    assert environment(panel_settings=kept)["ENABLE_PERSISTENT_CONFIG"] == text


def test_a_browser_may_come_from_the_origins_that_are_named() -> None:
    origins = "https://chat.example.com;https://other.example.com"
    assert environment(cors_allow_origin=origins)["CORS_ALLOW_ORIGIN"] == origins


def test_pools_are_as_large_as_was_reckoned() -> None:
    found = environment()
    assert found["DATABASE_POOL_SIZE"] == "7"
    assert found["DATABASE_POOL_MAX_OVERFLOW"] == "3"
    assert found["PGVECTOR_POOL_SIZE"] == "2"
    assert found["PGVECTOR_POOL_MAX_OVERFLOW"] == "1"


def test_vectors_are_in_the_database_because_chroma_has_one_writer() -> None:
    found = environment()
    assert found["VECTOR_DB"] == "pgvector"
    # The role may not: the setup does.
    assert found["PGVECTOR_CREATE_EXTENSION"] == "false"


def test_nothing_is_installed_while_it_runs() -> None:
    assert environment()["ENABLE_PIP_INSTALL_FRONTMATTER_REQUIREMENTS"] == "false"


def test_a_replica_is_one_process_because_replicas_are_what_is_counted() -> None:
    assert environment()["UVICORN_WORKERS"] == "1"


def test_connecting_to_a_valkey_that_is_gone_takes_seconds() -> None:
    assert environment()["REDIS_SOCKET_CONNECT_TIMEOUT"] == "5"


def test_the_environment_holds_no_address_with_a_password() -> None:
    assert not {"DATABASE_URL", "REDIS_URL", "WEBSOCKET_REDIS_URL", "WEBUI_SECRET_KEY"} & environment().keys()


def test_without_a_provider_nothing_speaks_of_one() -> None:
    assert not [name for name in environment() if name.startswith(("OAUTH", "OPENID", "ENABLE_OAUTH"))]


def test_a_provider_sends_people_back_to_the_public_url() -> None:
    found = environment(oidc=OIDC)
    assert found["OPENID_REDIRECT_URI"] == "https://chat.example.com/oauth/oidc/callback"
    assert found["OPENID_PROVIDER_URL"] == OIDC.provider_url
    assert found["OAUTH_CLIENT_ID"] == "chat"
    assert found["OAUTH_SCOPES"].split()[0] == "openid"
    assert "OAUTH_CLIENT_SECRET" not in found


def test_merging_accounts_is_said_either_way_because_who_owns_an_address_at_a_provider_gets_the_account() -> None:
    assert environment(oidc=OIDC)["OAUTH_MERGE_ACCOUNTS_BY_EMAIL"] == "false"
    merging = dataclasses.replace(OIDC, merge_accounts_by_email=True)
    assert environment(oidc=merging)["OAUTH_MERGE_ACCOUNTS_BY_EMAIL"] == "true"


def test_strangers_get_an_account_from_the_provider_where_that_is_set() -> None:
    assert environment(oidc=dataclasses.replace(OIDC, enable_signup=False))["ENABLE_OAUTH_SIGNUP"] == "false"
    assert environment(oidc=dataclasses.replace(OIDC, enable_signup=True))["ENABLE_OAUTH_SIGNUP"] == "true"


def test_a_provider_has_all_that_the_settings_know_of_it_but_the_secret() -> None:
    component = {field.name for field in dataclasses.fields(Oidc)}
    assert component == OidcBlock.model_fields.keys() - {"client_secret"}


AWKWARD = {
    "PLAIN": "value",
    "EMPTY": "",
    "QUOTE": "it's",
    "DOUBLE": 'say "no"',
    "DOLLAR": "$HOME ${PATH} $(id) $$",
    "BACKTICK": "`id`",
    "BACKSLASH": r"C:\new\$x",
    "NEWLINE": "first\nsecond",
    "TRAILING_NEWLINE": "line\n",
    "BANG_AND_HASH": "#no comment! ~ * ?",
    "SEMICOLON": "a; exit 1",
    "UNICODE": "Größe ☃",
    "TAB_AND_CARRIAGE_RETURN": "a\tb\rc",
    "URL": "postgresql://u:p%40w@postgres:5432/db?x=1&y=2",
}


def environment_after(command: tuple[str, ...]) -> dict[str, str]:
    """The environment in which a command line's last program finds itself."""
    show = ("/usr/bin/env", "-0")
    done = subprocess.run([*command, *show], env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=True)
    return dict(line.split("=", 1) for line in done.stdout.decode().split("\0") if line)


def test_a_shell_reads_every_value_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "variables.env"
    file.write_bytes(as_shell(AWKWARD).encode())
    found = environment_after(preparing(variables=[str(file)]))
    assert {name: found.get(name) for name in AWKWARD} == AWKWARD


def test_variables_come_in_an_order_of_their_own() -> None:
    """Otherwise the file's hash would change with it, and restart every replica."""
    assert as_shell({"B": "2", "A": "1"}) == as_shell({"A": "1", "B": "2"}) == "A=1\nB=2\n"


def test_several_files_are_read_one_after_the_other(tmp_path: Path) -> None:
    first, second = tmp_path / "first.env", tmp_path / "second.env"
    first.write_text("A=1\nB=1\n")
    second.write_text("B=2\n")
    found = environment_after(preparing(variables=[str(first), str(second)]))
    assert (found["A"], found["B"]) == ("1", "2")


def test_without_its_secrets_nothing_starts(tmp_path: Path) -> None:
    command = [*preparing(variables=[str(tmp_path / "missing.env")]), "echo", "started"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "started" not in done.stdout


def test_the_shell_gives_way_to_what_it_starts_so_that_signals_reach_that(tmp_path: Path) -> None:
    file = tmp_path / "variables.env"
    file.write_text("A=1\n")
    command = [*preparing(variables=[str(file)]), "sh", "-c", "echo $$"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert int(process.communicate()[0]) == process.pid


def test_arguments_reach_the_program_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "variables.env"
    file.write_text("A=1\n")
    words = ["two words", "$A", "*"]
    done = subprocess.run(
        [*preparing(variables=[str(file)]), "printf", "%s\n", *words], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == words


def test_private_authorities_join_those_of_the_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, joined = tmp_path / "own.pem", tmp_path / "joined.pem"
    own.write_text("own\n")
    monkeypatch.setattr(components.open_webui.containers, "PRIVATE_CA", str(own))
    monkeypatch.setattr(components.open_webui.containers, "CA_BUNDLE", str(joined))
    python = tmp_path / "python3"
    python.write_text(f"#!/bin/sh\n[ \"$*\" = '-m certifi' ] && echo {tmp_path}/public.pem\n")
    python.chmod(0o755)
    (tmp_path / "public.pem").write_text("public\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    done = subprocess.run([*preparing(ca="own"), "cat", str(joined)], capture_output=True, text=True, check=True)
    assert done.stdout == "public\nown\n"
    (tmp_path / "public.pem").unlink()
    failed = subprocess.run([*preparing(ca="own"), "echo", "started"], capture_output=True, text=True, check=False)
    assert failed.returncode
    assert "started" not in failed.stdout


def test_the_migration_becomes_the_user_that_replicas_are() -> None:
    source = Path(components.open_webui.__file__).with_name("migrate.py").read_text(encoding="utf-8")
    (pair,) = [
        ast.literal_eval(node.value)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "(UID, GID)"
    ]
    assert "{}:{}".format(*pair) == USER


IN_ANOTHER_PLACE = """
import os, runpy, sys
for name in ("chown", "setgroups", "setgid", "setuid"):
    setattr(os, name, lambda *_, **__: None)
runpy.run_path(sys.argv[1])
"""
"""Runs a script without the rights it gives up, and with nothing on its path but what is installed."""


@pytest.mark.parametrize("client", ["None", "object()"])
def test_the_migration_finds_open_webui_in_its_working_directory_and_makes_the_vector_table_of_the_slim_image(
    tmp_path: Path, client: str
) -> None:
    """As in the official images, where the package is not installed, and slim makes the table at its first use only."""
    scripts = Path(str(components.open_webui.__file__)).parent
    installed, app, data = (tmp_path / name for name in ("installed", "app", "data"))
    vector = app / "open_webui/retrieval/vector"
    vector.mkdir(parents=True)
    installed.mkdir()
    data.mkdir()
    (installed / "psycopg2.py").write_text("connect = None\nclass OperationalError(Exception): pass\n")
    (installed / "redis.py").write_text(
        "class RedisError(Exception): pass\nclass Redis:\n"
        "    from_url = classmethod(lambda cls, *_, **__: cls())\n    ping = lambda self: True\n"
    )
    (app / "open_webui/config.py").write_text(
        "print('migrated')\nDEFAULT_CONFIG = {}\nasync def seed_registered_defaults(): print('filled the settings')\n"
    )
    (app / "open_webui/models").mkdir()
    (app / "open_webui/models/config.py").write_text("class Config: pass\n")
    (vector / "factory.py").write_text(
        f"VECTOR_DB_CLIENT = {client}\ndef get_vector_db_client(): print('made the vector table')\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", IN_ANOTHER_PLACE, scripts / "migrate.py"],
        cwd=app, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": f"{installed}:{scripts}", "DATA_DIR": str(data), "REDIS_URL": "", "WEBSOCKET_REDIS_URL": ""},
    )  # fmt: skip
    assert done.stderr == ""
    made = ["made the vector table"] if client == "None" else []
    assert done.stdout.splitlines() == ["migrated", *made, "filled the settings"]


# What replicas agree on

AGREED = {"image": "sha256:1", "database": "d1", "environment": "e1", "files": "f1"}


def test_a_schema_of_the_same_has_the_same_id_whatever_ran_since() -> None:
    assert schema_id(AGREED) == schema_id({**AGREED}) == SchemaProvider().create(AGREED).id
    assert schema_id({"image": "sha256:1"}) == schema_id({"image": "sha256:1", "database": "", "__provider": "x"})
    assert not SchemaProvider().diff("", AGREED, {**AGREED}).changes


@pytest.mark.parametrize("name", INPUTS)
def test_another_image_database_setting_or_file_is_another_schema_and_the_old_ones_go_first(name: str) -> None:
    other = {**AGREED, name: "another"}
    assert schema_id(other) != schema_id(AGREED)
    found = SchemaProvider().diff("", AGREED, other)
    assert found.replaces == [name]
    assert found.delete_before_replace


@pytest.mark.parametrize(("preview", "known"), [(True, True), (False, False)])
def test_a_preview_knows_that_replicas_stay_while_a_migration_that_is_gone_is_re_created(
    monkeypatch: pytest.MonkeyPatch, *, preview: bool, known: bool
) -> None:
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)

    async def ask() -> tuple[bool, str | None]:
        async def of(value: Any) -> Any:
            return value

        schema: Any = SimpleNamespace(id=pulumi.Output.from_input("s1"))
        migration: Any = SimpleNamespace(urn=pulumi.Output.from_input("urn"))
        migrated: pulumi.Output[str] = pulumi.Output(set(), of(None), of(False))
        ready = components.open_webui._ready(schema, migration, None, migrated)
        return await ready.is_known(), await ready.future()

    assert LOOP.run_until_complete(ask()) == (known, "s1" if known else None)
