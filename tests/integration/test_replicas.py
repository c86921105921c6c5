"""A replicated stack of stand-ins: scaled, changed in one stroke, with a Valkey elsewhere, under both engines."""

import ipaddress
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from docker_access.client import docker_client
from tests.documents import commands
from tests.integration.deployment import Deployment, no_changes, settings_of, sh
from tests.lease import free_port

pytestmark = pytest.mark.docker

PASSWORD_AT_VALKEY = "0f" * 32
CLIENT_SECRET = "c11ent-5ecret"


def like_prod(directory: Path, **changes: object) -> Deployment:
    """What ``stacks/Pulumi.prod.yaml`` says, but for the administrator: the stand-in has no accounts."""
    port = free_port()
    light = {"production": None, "adminEmail": None, "enableSignup": True}
    own = {"uiPort": port, "publicUrl": f"https://localhost:{port}", "valkeyTls": True}
    return Deployment(directory, "embedded", config=settings_of("prod", {**light, **own, **changes}), stand_in=True)


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Two stand-ins behind a gateway, deployed and proved; its tests leave them proved."""
    with like_prod(tmp_path_factory.mktemp("project")).deployed() as stack:
        yield stack


def test_a_change_of_replicas_touches_only_the_difference(replicas: Deployment) -> None:
    before = replicas.ids()
    replicas.configure({"replicas": 4})
    assert "by each of 4 replicas" in replicas.succeed("up")
    scaled = replicas.ids()
    written = replicas.names["gateway_files"]
    assert {name for name in before if scaled.get(name) != before[name]} == {written}
    assert scaled.keys() - before.keys() == {replicas.names["app-3"], replicas.names["app-4"]}
    replicas.configure({"replicas": 2})
    assert "by each of 2 replicas" in replicas.succeed("up")
    assert {name for name in before if replicas.ids()[name] != before[name]} == {written}
    assert no_changes(replicas.succeed("preview"))


def test_a_changed_environment_stops_all_then_migrates_then_starts_all(replicas: Deployment) -> None:
    replicas.configure({"extraEnvironment": {"DEFAULT_LOCALE": "de-DE"}})
    steps = replicas.starts_and_ends("up")
    migration, apps = replicas.names["migration"], set(replicas.apps)
    began, ended = steps.index(f"start {migration}"), steps.index(f"die {migration}")
    assert {f"die {name}" for name in apps} <= set(steps[:began])
    assert steps[began + 1 : ended] == []
    assert set(steps[ended + 1 :]) == {f"start {name}" for name in apps}
    assert "DEFAULT_LOCALE=de-DE" in replicas.run_in("app-1", "cat", "/run/secrets/open-webui.env").splitlines()


def test_what_is_saved_in_the_admin_panel_stays_but_for_what_the_stack_file_says(replicas: Deployment) -> None:
    """Open WebUI saves it in a table. The stand-in has no panel: by hand."""

    def psql(statement: str) -> list[str]:
        return replicas.run_in(
            "postgres", "psql", "-U", "postgres", "-d", "openwebui", "-Atc", statement
        ).splitlines()  # fmt: skip

    before = replicas.ids()
    psql("UPDATE config SET value = 'false' WHERE key = 'ui.enable_signup'")
    psql("""INSERT INTO config VALUES ('ui.banners', '["hello"]', 1)""")
    assert '- otherwise_in_panel[0]: "ui.enable_signup"' in replicas.succeed("preview")
    assert "the admin panel has ui.enable_signup otherwise than the stack file" in replicas.succeed(
        "verify", "--no-idle"
    )
    assert "setting ui.enable_signup, value: changed in the admin panel" in replicas.make("drift").stdout
    replicas.succeed("up")
    assert no_changes(replicas.succeed("preview"))
    assert replicas.ids() == before
    assert {"ui.enable_signup|true", 'ui.banners|["hello"]'} <= {*psql("SELECT key, value FROM config")}


def test_with_files_alone_the_table_stays_empty(stood_in: Deployment) -> None:
    stood_in.configure({"topology": "replicated", "enableSignup": True, "panelSettings": False})
    assert "settings-agree" in stood_in.succeed("up")
    assert "open-webui-panel" not in stood_in.state().decode()
    count = stood_in.run_in(
        "postgres", "psql", "-U", "postgres", "-d", "openwebui", "-Atc", "SELECT count(*) FROM config"
    )
    assert count == "0"


def test_in_a_single_stack_a_variable_of_the_file_wins_over_the_panel_too(stood_in: Deployment) -> None:
    stood_in.configure({"extraEnvironment": {"DEFAULT_LOCALE": "de-DE"}})
    stood_in.succeed("up")
    before = stood_in.ids()
    execute = (
        "import sqlite3; database = sqlite3.connect('/app/backend/data/webui.db'); "
        "print(database.execute({!r}).fetchall()); database.commit()"
    )
    said = "SELECT value FROM config WHERE key = 'ui.default_locale'"
    assert "de-DE" in stood_in.run_in("app", "python3", "-c", execute.format(said))
    change = """UPDATE config SET value = '"fr-FR"' WHERE key = 'ui.default_locale'"""
    stood_in.run_in("app", "python3", "-c", execute.format(change))
    assert '- otherwise_in_panel[0]: "ui.default_locale"' in stood_in.succeed("preview")
    stood_in.succeed("up")
    assert "de-DE" in stood_in.run_in("app", "python3", "-c", execute.format(said))
    assert stood_in.ids() == before


def test_a_valkey_elsewhere_is_asked_before_anything_starts_and_then_carries_the_events(stood_in: Deployment) -> None:
    port, name = free_port(), f"{stood_in.stack}-elsewhere"
    with closing(docker_client()) as client:
        # Once it was started again, Docker 20.10 no longer names the bridge's own address: the first one.
        subnet = ipaddress.ip_network(client.networks.get("bridge").attrs["IPAM"]["Config"][0]["Subnet"])
    address = str(next(subnet.hosts()))
    url = f"redis://:{PASSWORD_AT_VALKEY}@{address}:{port}"
    stood_in.configure({"topology": "replicated", "replicas": 2, "enableSignup": True})
    subprocess.run(
        [sys.executable, "-m", "tooling.engine", "config", "set", "valkeyUrl", "--secret", "--stack", stood_in.stack],
        cwd=stood_in.directory, env=stood_in.environment(), input=url, text=True, check=True, timeout=60,
    )  # fmt: skip
    try:
        said = stood_in.fail("up")
        assert f"{address}:{port}" in said
        assert "refused" in said
        assert PASSWORD_AT_VALKEY not in said
        assert not any(name in stood_in.ids() for name in stood_in.apps)
        sh(
            "docker", "run", "-d", "--name", name, "-p", f"{address}:{port}:6379",
            "docker.io/valkey/valkey:8.0.1-alpine", "valkey-server", "--requirepass", PASSWORD_AT_VALKEY,
        )  # fmt: skip
        assert "proved: live events through Valkey are sent and received by each of 2 replicas" in stood_in.succeed(
            "up"
        )
        assert PASSWORD_AT_VALKEY not in stood_in.state().decode()
    finally:
        sh("sh", "-c", f"docker rm -f -v {name} || true")


def test_a_secret_of_a_provider_is_stored_encrypted(stood_in: Deployment) -> None:
    stood_in.configure({"topology": "replicated"})
    stood_in.type_in(commands("docs/replicated.md", "Sign-up and sign-in", team=stood_in.stack), answer=CLIENT_SECRET)
    written = stood_in.stack_file.read_text(encoding="utf-8")
    assert "secure: v1:" in written
    assert CLIENT_SECRET not in written
    assert CLIENT_SECRET in stood_in.type_in(f"python -m tooling.engine config get oidc --stack {stood_in.stack}")
    assert not any(stood_in.left().values())


@pytest.mark.pulumi_cli
def test_both_engines_work_on_one_replicated_stack_and_see_no_change_of_the_others(tmp_path: Path) -> None:
    stack = like_prod(tmp_path)
    stack.engine = "pulumi"
    try:
        assert "by each of 2 replicas" in stack.succeed("up")
        stack.engine = "embedded"
        assert no_changes(stack.succeed("preview"))
        before = stack.ids()
        stack.configure({"replicas": 3})
        assert "by each of 3 replicas" in stack.succeed("up")
        stack.engine = "pulumi"
        assert no_changes(stack.succeed("preview"))
        stack.configure({"replicas": 2})
        assert "by each of 2 replicas" in stack.succeed("up")
        assert {name for name in before if stack.ids()[name] != before[name]} == {stack.names["gateway_files"]}
        stack.succeed("destroy")
        assert stack.left()["containers"] == []
    finally:
        stack.remove_everything()
