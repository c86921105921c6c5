"""Settings: what the files say, what is refused, and how it is said."""

import json
from collections.abc import Callable, Collection, Mapping
from contextvars import copy_context
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pulumi
import pulumi.runtime
import pytest
import yaml
from pydantic import ValidationError

from components.accounts import Oidc
from components.authority import generate
from components.limits import DEFAULTS, DEFAULTS_OF_SINGLE, Limits
from settings import Settings
from settings.models import KEYS, SECRET_KEYS
from settings.references import parse_pinned
from settings.values import Invalid, authorities_in_file, save_policy
from tooling.images import version

REPLICATED = {"topology": "replicated", "adminEmail": "admin@example.com"}
PROJECT = yaml.safe_load(Path("Pulumi.yaml").read_text(encoding="utf-8"))


def read(
    overrides: Mapping[str, str] | None = None, *, stack: str = "team", secret: Collection[str] | None = None
) -> Settings:
    """The settings of a stack whose file holds some overrides, as either engine hands them over.

    Args:
        overrides: Values by key, without the project's namespace.
        stack: Its name.
        secret: Keys that are encrypted in the file; all that should be, where none are named.
    """
    defaults = {key: as_config(declared["default"]) for key, declared in PROJECT["config"].items()}
    config = {f"open-webui:{key}": value for key, value in {**defaults, **(overrides or {})}.items()}
    encrypted = [f"open-webui:{key}" for key in ({*SECRET_KEYS, "oidc"} if secret is None else secret)]

    def run() -> Settings:
        pulumi.runtime.set_all_config(config, encrypted)
        pulumi.runtime.settings.configure(pulumi.runtime.settings.Settings(project="open-webui", stack=stack))
        return Settings.from_config()

    return copy_context().run(run)


def as_config(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def refusal(overrides: Mapping[str, str], secret: Collection[str] | None = None) -> str:
    with pytest.raises(pulumi.RunError) as refused:
        read(overrides, secret=secret)
    return str(refused.value)


def test_every_declared_key_is_read_and_every_key_read_is_declared() -> None:
    assert set(PROJECT["config"]) == KEYS


def test_every_declared_key_has_a_type_a_description_and_a_default() -> None:
    for key, declared in PROJECT["config"].items():
        assert {"type", "description", "default"} <= set(declared), key


def test_names_carry_project_and_stack() -> None:
    names = read(stack="staging").names
    assert all(name.startswith("open-webui-staging") for name in vars(names).values() if name)
    assert len({names.open_webui, names.valkey, names.migration}) == 3
    assert names.open_webui_volume != names.valkey_volume


def test_the_dev_stack_has_the_names_of_the_tutorial() -> None:
    names = read({"tutorialNames": "true"}).names
    assert (names.valkey, names.open_webui, names.network) == ("redis-valkey", "open-webui", "openwebui-network")
    assert (names.valkey_volume, names.open_webui_volume) == ("redis-data", "open-webui")


def test_names_of_replicas_carry_project_and_stack_and_are_all_different() -> None:
    names = vars(read(REPLICATED, stack="staging").names)
    assert all(name.startswith("open-webui-staging") for name in names.values())
    # Docker keeps networks, volumes and containers apart: the data network and the data volume share a name.
    assert len(set(names.values())) == len(names) - 1
    assert names["data_network"] == names["open_webui_volume"]


def test_a_replicated_stack_has_these_containers_networks_volumes_and_images() -> None:
    settings = read({**REPLICATED, "replicas": "3"}, stack="prod")
    assert settings.replicated
    assert settings.app_containers == ["open-webui-prod-1", "open-webui-prod-2", "open-webui-prod-3"]
    assert settings.containers == [
        "open-webui-prod-valkey-files",
        "open-webui-prod-valkey",
        "open-webui-prod-postgres",
        "open-webui-prod-postgres-setup",
        "open-webui-prod-migration",
        "open-webui-prod-files",
        *settings.app_containers,
        "open-webui-prod-gateway-files",
        "open-webui-prod-gateway",
    ]
    assert settings.networks == ["open-webui-prod-edge", "open-webui-prod-data"]
    assert settings.volumes == [
        "open-webui-prod-valkey-data",
        "open-webui-prod-postgres-data",
        "open-webui-prod-data",
        "open-webui-prod-gateway-data",
    ]
    assert list(settings.images) == ["open-webui", "valkey", "postgres", "gateway"]


def test_a_single_stack_has_these_containers_networks_volumes_and_images() -> None:
    settings = read(stack="team")
    assert settings.app_containers == ["open-webui-team"]
    assert settings.containers == ["open-webui-team-valkey", "open-webui-team-migration", "open-webui-team"]
    assert settings.networks == ["open-webui-team-network"]
    assert settings.volumes == ["open-webui-team-valkey-data", "open-webui-team-data"]
    assert list(settings.images) == ["open-webui", "valkey"]
    assert settings.limits == DEFAULTS_OF_SINGLE


def test_the_tutorials_containers_may_have_other_limits() -> None:
    settings = read({"limits": '{"open-webui": {"cpus": 1.5}, "valkey": {"memory": 256}}'})
    assert settings.limits["open-webui"] == Limits(memory=DEFAULTS["open-webui"].memory, cpus=1.5)
    assert settings.limits["valkey"] == Limits(memory=256)


@pytest.mark.parametrize(
    ("tag", "reason", "instead"),
    [
        ("ollama", "starts an Ollama beside", "main"),
        ("v0.12.4-ollama", "starts an Ollama beside", "v0.12.4"),
        ("cuda", "a graphics card", "main"),
        ("main-cuda126", "a graphics card", "main"),
    ],
)
def test_an_image_that_wants_a_graphics_card_or_holds_an_ollama_is_refused(tag: str, reason: str, instead: str) -> None:
    said = refusal({"openWebuiImage": f"ghcr.io/open-webui/open-webui:{tag}"})
    assert reason in said
    assert f"open-webui:openWebuiImage: ghcr.io/open-webui/open-webui:{instead}" in said


def test_a_valkey_elsewhere_leaves_none_of_its_own() -> None:
    settings = read({**REPLICATED, "valkeyUrl": "rediss://u:p@h:6380/0"})
    assert settings.valkey_url == "rediss://u:p@h:6380"
    assert "valkey" not in settings.images
    assert "valkey" not in settings.limits
    assert not [name for name in settings.containers + settings.volumes if "valkey" in name]


def test_the_edge_network_is_the_stacks_own_and_always_the_same() -> None:
    subnets = {read(REPLICATED, stack=stack).edge_subnet for stack in ("staging", "prod", "prod")}
    assert subnets == {"10.213.161.0/24", "10.213.250.0/24"}
    assert read({**REPLICATED, "edgeSubnet": "192.168.7.16/28", "replicasMax": "7"}).edge_subnet == "192.168.7.16/28"
    assert not read().edge_subnet


def test_limits_replace_only_what_is_given() -> None:
    settings = read({**REPLICATED, "limits": '{"open-webui": {"memory": 4096, "cpus": "0.5"}}'})
    assert settings.limits["open-webui"] == Limits(memory=4096, cpus=0.5, pids=1024, nofile=16384)
    assert settings.limits["gateway"] == DEFAULTS["gateway"]


def test_an_administrator_has_a_password_of_their_own_or_a_generated_one() -> None:
    generated = read(REPLICATED).admin
    assert generated
    assert (generated.email, generated.name, generated.password) == ("admin@example.com", "Admin", None)
    own = read({**REPLICATED, "adminName": "Ada", "adminPassword": "hush-hush"}).admin
    assert own
    assert (own.name, own.password) == ("Ada", "hush-hush")


def test_oidc_is_typed_and_has_open_webuis_defaults() -> None:
    block = '{"providerUrl": "https://id.example.com/.well-known/openid-configuration", "clientId": "a", '
    settings = read({**REPLICATED, "oidc": block + '"clientSecret": "hush", "enableSignup": "true"}'})
    oidc = settings.oidc
    assert oidc
    assert settings.oidc_client_secret == "hush"
    assert (oidc.client_id, oidc.provider_name) == ("a", "SSO")
    assert (oidc.scopes, oidc.enable_signup, oidc.merge_accounts_by_email) == ("openid email profile", True, False)


def test_a_provider_has_the_defaults_of_the_component() -> None:
    given = {"providerUrl": "https://id/.well-known/openid-configuration", "clientId": "a", "clientSecret": "hush"}
    assert read({**REPLICATED, "enableSignup": "true", "oidc": json.dumps(given)}).oidc == Oidc(
        provider_url=given["providerUrl"], client_id="a"
    )


def test_a_proxy_that_is_named_twice_is_one() -> None:
    proxies = read({**REPLICATED, "trustedProxies": '["192.0.2.7", "10.1.0.0/24", "192.0.2.7"]'}).trusted_proxies
    assert proxies == ("10.1.0.0/24", "192.0.2.7/32")


def test_what_is_not_given_has_its_default() -> None:
    settings = Settings.of("web", "team", {"web:uiPort": "3100", "other:uiPort": "1"})
    assert (settings.ui_port, settings.valkey_save, settings.log_level) == (3100, ((30, 1),), "INFO")


def test_extra_variables_are_text_as_open_webui_reads_it() -> None:
    given = '{"A": true, "B": 1.0, "C": 0.5, "D": "", "E": "x y"}'
    environment = read({**REPLICATED, "extraEnvironment": given}).extra_environment
    assert environment == {"A": "true", "B": "1", "C": "0.5", "D": "", "E": "x y"}


def test_a_date_without_quotes_rotates_the_same_under_either_engine() -> None:
    dates = '{"secret-key": "2026-01-31 00:00:00 +0000 UTC", "valkey-tls": "2026-01-31", "valkey-verify": 3}'
    rotated = read({**REPLICATED, "valkeyTls": "true", "rotated": dates}).rotated
    assert rotated == {"secret-key": "2026-01-31", "valkey-tls": "2026-01-31", "valkey-verify": "3"}


def test_no_secret_is_in_what_settings_print() -> None:
    oidc = '{"providerUrl": "https://id/.well-known/openid-configuration", "clientId": "a", "clientSecret": "hush"}'
    given = {"adminPassword": "hush-hush", "valkeyUrl": "redis://:hush@h", "oidc": oidc}
    assert "hush" not in repr(read({**REPLICATED, **given, "extraEnvironment": '{"TOKEN": "hush"}'}))


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:3000"),
        ({"uiPort": "80"}, "http://127.0.0.1"),
        ({"tls": "internal", "uiPort": "3443"}, "https://127.0.0.1:3443"),
        ({"tls": "internal", "uiPort": "443", "uiBindAddress": "::"}, "https://[::1]"),
        ({"publicUrl": "http://Chat.Example.com:80/"}, "http://chat.example.com"),
        ({"tls": "internal", "publicUrl": "https://chat.example.com:443"}, "https://chat.example.com"),
        ({"tls": "internal", "publicUrl": "https://[2001:DB8::1]:8443"}, "https://[2001:db8::1]:8443"),
    ],
)
def test_the_public_url_is_what_a_browser_sends_as_origin(given: Mapping[str, str], url: str) -> None:
    settings = read({**REPLICATED, **given})
    assert settings.public_url == settings.cors_allow_origin == url


def stack_file(file: Path) -> tuple[str, dict[str, Any]]:
    """Name of a stack, and what its file holds; without secrets, which only its passphrase opens."""
    written = yaml.safe_load(file.read_text(encoding="utf-8"))["config"]
    given = {key.removeprefix("open-webui:"): value for key, value in written.items() if "secure" not in str(value)}
    return file.name.split(".")[1], given


STACKS = dict(stack_file(Path(f"stacks/Pulumi.{name}.yaml")) for name in ("dev", "prod", "staging"))
"""Those the project comes with: who tests it may have more."""


@pytest.mark.parametrize("stack", STACKS)
def test_a_stack_file_is_accepted_and_holds_only_what_differs_from_the_defaults(stack: str) -> None:
    read({key: as_config(value) for key, value in STACKS[stack].items()}, stack=stack)
    same = {key for key, value in STACKS[stack].items() if value == PROJECT["config"][key]["default"]}
    # Production names its versions itself: no change of a default is to change them.
    assert {key for key in same if not (stack == "prod" and key.endswith("Image"))} == set()


def test_production_names_a_version_without_known_flaws_of_each_image() -> None:
    named = {key: value.rpartition(":")[2] for key, value in STACKS["prod"].items() if key.endswith("Image")}
    assert named.keys() == {"openWebuiImage", "valkeyImage", "postgresImage", "gatewayImage"}
    assert version.key(named["valkeyImage"]) >= (8, 1, 4)
    assert version.key(named["postgresImage"]) >= (0, 8, 3)
    assert version.key(named["gatewayImage"]) >= (2, 9)


def test_the_stacks_of_the_project_share_a_host() -> None:
    stacks = [read({key: as_config(value) for key, value in given.items()}, stack=s) for s, given in STACKS.items()]
    for taken in ("containers", "volumes", "networks"):
        names = [name for settings in stacks for name in getattr(settings, taken)]
        assert len(names) == len(set(names))
    assert len({settings.ui_port for settings in stacks}) == len(stacks)
    assert len({settings.edge_subnet for settings in stacks}) == len(stacks)


def test_the_network_can_be_named() -> None:
    assert read({"networkName": "shared"}).names.network == "shared"


def test_a_debug_port_of_zero_publishes_nothing() -> None:
    assert read({"valkeyDebugPort": "0"}).valkey_debug_port is None
    assert read({"valkeyDebugPort": "6379"}).valkey_debug_port == 6379


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:3000"),
        ("0.0.0.0", "http://127.0.0.1:3000"),  # noqa: S104 - a setting
        ("::", "http://[::1]:3000"),
        ("::1", "http://[::1]:3000"),
        ("192.0.2.7", "http://192.0.2.7:3000"),
    ],
)
def test_the_url_is_one_that_this_host_can_open(address: str, url: str) -> None:
    assert read({"uiBindAddress": address}).public_url == url


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("uiPort", "70000", "1 to 65535"),
        ("uiPort", "0", "1 to 65535"),
        ("uiPort", "-1", "1 to 65535"),
        ("uiPort", "http", "1 to 65535"),
        ("valkeyDebugPort", "65536", "0 publishes nothing"),
        ("uiBindAddress", "localhost", "IP address"),
        ("uiBindAddress", "127.0.0.1:3000", "IP address"),
        ("valkeySave", "30", "SECONDS CHANGES"),
        ("valkeySave", "30 minutes", "SECONDS CHANGES"),
        ("valkeySave", "0 1", "SECONDS CHANGES"),
        ("logLevel", "debug", "DEBUG, INFO"),
        ("verification", "sometimes", "on, always, off"),
        ("dataOnDestroy", "maybe", "keep, delete"),
        ("verificationTimeoutSeconds", "0", "from 1 to 3600"),
        ("networkName", "-x", "Docker name"),
        ("valkeyImage", "docker.io/valkey/valkey", "a tag or a digest is missing"),
        ("valkeyImage", "docker.io/Valkey/valkey:8", "not an image reference"),
        ("valkeyImage", "https://docker.io/valkey:8", "not an image reference"),
        ("openWebuiImage", "ghcr.io/open-webui/open-webui:v0.11.9", "before 0.12.0"),
        ("openWebuiImage", "ghcr.io/open-webui/open-webui:0.6.41-slim", "before 0.12.0"),
        ("tutorialNames", "yes", "true or false"),
    ],
)
def test_a_value_that_cannot_work_is_named_with_the_rule_and_a_line_that_would(key: str, value: str, says: str) -> None:
    text = refusal({key: value})
    assert f"open-webui:{key} is {value!r}" in text
    assert says in text
    assert "stacks/Pulumi.team.yaml" in text
    assert text.splitlines()[-1].strip().startswith(f"open-webui:{key}: ")


def test_the_line_that_would_work_does_work() -> None:
    for key in (
        "uiPort",
        "valkeyDebugPort",
        "uiBindAddress",
        "valkeySave",
        "logLevel",
        "verification",
        "dataOnDestroy",
    ):
        line = refusal({key: "no such value"}).splitlines()[-1]
        value = yaml.load(line, Loader=yaml.BaseLoader)[f"open-webui:{key}"]  # noqa: S506 - keeps strings
        read({key: value})


def test_all_problems_are_told_at_once() -> None:
    text = refusal({"uiPort": "0", "logLevel": "loud"})
    assert "open-webui:uiPort" in text
    assert "open-webui:logLevel" in text


def test_a_mistyped_key_is_refused_with_the_key_that_was_meant() -> None:
    assert "open-webui:uiport ('3000') is not a setting. Did you mean uiPort?" in refusal({"uiport": "3000"})


def test_the_ui_and_the_debug_port_cannot_be_the_same() -> None:
    assert "the UI is published on this port" in refusal({"uiPort": "6379", "valkeyDebugPort": "6379"})


@pytest.mark.parametrize(
    "tag",
    [
        "main",
        "latest",
        "slim",
        "v0.12.4-slim",
        "v0.12.0",
        "0.12.4",
        "v0.12",
        "0.12",
        "v1",
        "v1.0.0",
        "0",
        "git-0a1b2c3",
    ],
)
def test_floating_and_new_enough_tags_are_accepted(tag: str) -> None:
    assert read({"openWebuiImage": f"ghcr.io/open-webui/open-webui:{tag}"}).open_webui_image.endswith(tag)


@pytest.mark.parametrize(
    "reference",
    [
        "valkey:8",
        "docker.io/valkey/valkey:8.0.1-alpine",
        "localhost:5000/a/b_c/d.e:tag",
        f"registry.example.com/x@sha256:{'0' * 64}",
        f"registry.example.com/x:1@sha256:{'a' * 64}",
    ],
)
def test_image_references_are_accepted_as_docker_accepts_them(reference: str) -> None:
    assert parse_pinned(reference)


@pytest.mark.parametrize(
    ("text", "policy"),
    [("30 1", ((30, 1),)), ("3600 1 300 100", ((3600, 1), (300, 100))), ("", ()), (" 30  1 ", ((30, 1),))],
)
def test_a_save_policy_is_pairs_of_seconds_and_changes(text: str, policy: tuple[tuple[int, int], ...]) -> None:
    assert save_policy(text) == policy


@pytest.mark.parametrize(
    "given",
    [{"adminPassword": "hush"}, {"valkeyUrl": "http://:hush@h"}, {"oidc": {"clientSecret": "hush"}}, {"oidc": "hush"}],
)
def test_no_secret_is_in_what_pydantic_says(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({"project": "open-webui", "stack": "team", **given})
    assert "hush" not in str(refused.value)


def test_settings_are_immutable() -> None:
    change: Callable[[], None] = lambda: setattr(read(), "ui_port", 1)  # noqa: E731
    with pytest.raises(ValueError, match="frozen"):
        change()


def test_a_file_of_authorities_is_read_and_a_key_beside_them_is_refused_and_not_shown(tmp_path: Path) -> None:
    made = generate("models.lan")
    both, alone = tmp_path / "both.pem", tmp_path / "alone.pem"
    alone.write_text(f"# of our own\n{made['ca_pem']}\n")
    assert made["ca_pem"] in read({"caFile": str(alone)}).ca
    both.write_text(made["ca_pem"] + made["key_pem"])
    text = refusal({"caFile": str(both)})
    assert f"{both} holds a private key, which no container needs" in text
    assert made["key_pem"].splitlines()[1] not in text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\x30\x82\x01\x0a\xff", "is no text; a PEM file is wanted (openssl x509 -inform der"),
        (
            generate("models.lan")["cert_pem"].encode(),
            "the certificate of the CA's root is wanted, not one of a server",
        ),
    ],
    ids=["nothing", "DER", "a server's"],
)
def test_a_file_that_holds_no_authority_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "ca.pem"
    file.write_bytes(content)
    assert says in refusal({"caFile": str(file)})


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ca.pem"
    file.touch()
    denied = Mock(side_effect=PermissionError(13, "Permission denied"))
    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(Invalid, match=f"{file} cannot be read: Permission denied"):
        authorities_in_file(str(file))


@pytest.mark.parametrize(
    ("ollama", "variables", "hosts"),
    [
        ("", {}, {}),
        ("off", {"ENABLE_OLLAMA_API": "false"}, {}),
        (
            "host",
            {"ENABLE_OLLAMA_API": "true", "OLLAMA_BASE_URLS": "http://host.docker.internal:11434"},
            {"host.docker.internal": "host-gateway"},
        ),
        ("http://gpu.lan:11434/", {"ENABLE_OLLAMA_API": "true", "OLLAMA_BASE_URLS": "http://gpu.lan:11434"}, {}),
    ],
)
def test_where_ollama_is_becomes_variables_and_a_name_of_this_host(
    ollama: str, variables: dict[str, str], hosts: dict[str, str]
) -> None:
    settings = read({"ollama": ollama, "extraEnvironment": '{"A": "1"}', "extraHosts": '["b:10.0.0.1"]'})
    assert settings.variables == {"A": "1", **variables}
    assert settings.hosts == {"b": "10.0.0.1", **hosts}
    own = read({"ollama": ollama, "extraHosts": '["host.docker.internal:10.0.0.1"]'})
    assert own.hosts["host.docker.internal"] == "10.0.0.1"
