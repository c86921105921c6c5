"""The project's own resources: when they are re-created, when they change, and what they say when they fail."""

import base64
import json
import subprocess
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from docker.errors import NotFound
from pulumi.dynamic import DiffResult

import components
from components import pids_limit, reload
from components.certificate import CertificateProvider
from components.pids_limit import PidsLimitProvider
from components.reload import ReloadError, ReloadProvider
from components.secret import SecretProvider
from docker_access.commands import Ran
from tests.unit.recorder import variant


def verdict(found: DiffResult) -> str:
    if not found.changes:
        return "same"
    return "replaced" if found.replaces else "changed"


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ({"size_bytes": 32}, {"size_bytes": 32}, "same"),
        ({"size_bytes": 32.0}, {"size_bytes": 32}, "same"),  # Pulumi's numbers are floats.
        ({"size_bytes": 32}, {"size_bytes": 32, "generation": None}, "same"),  # Made before generations were.
        ({"size_bytes": 32, "generation": "a"}, {"size_bytes": 32, "generation": "a"}, "same"),
        ({"size_bytes": 32, "value": "x"}, {"size_bytes": 32}, "same"),  # An output, which nobody asks for.
        ({"size_bytes": 32}, {"size_bytes": 32, "generation": "a"}, "replaced"),
        ({"size_bytes": 32, "generation": "a"}, {"size_bytes": 32, "generation": "b"}, "replaced"),
        ({"size_bytes": 32}, {"size_bytes": 16}, "replaced"),
    ],
)
def test_a_secret_is_re_created_for_another_length_or_generation(
    old: dict[str, Any], new: dict[str, Any], wanted: str
) -> None:
    assert verdict(SecretProvider().diff("id", old, new)) == wanted


def test_a_secret_has_the_length_that_is_asked_for_and_never_the_same_value() -> None:
    first, second = (SecretProvider().create({"size_bytes": 16.0, "generation": "a"}) for _ in range(2))
    assert first.outs is not None
    assert second.outs is not None
    assert first.outs.keys() == {"size_bytes", "generation", "value"}
    assert len(bytes.fromhex(first.outs["value"])) == 16
    assert first.outs["value"] != second.outs["value"]
    assert first.id not in first.outs["value"]


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ({"host": "redis", "ca_pem": "x"}, {"host": "redis"}, "same"),
        ({"host": "redis"}, {"host": "redis", "generation": None}, "same"),
        ({"host": "redis"}, {"host": "redis", "generation": "a"}, "replaced"),
        ({"host": "redis"}, {"host": "valkey"}, "replaced"),
    ],
)
def test_a_certificate_is_re_created_for_another_host_or_generation(
    old: dict[str, Any], new: dict[str, Any], wanted: str
) -> None:
    assert verdict(CertificateProvider().diff("id", old, new)) == wanted


def test_a_certificate_is_kept_with_what_it_was_made_for() -> None:
    made = CertificateProvider().create({"host": "redis", "generation": "a"}).outs
    assert made is not None
    assert made.keys() == {"host", "generation", "ca_pem", "cert_pem", "key_pem"}


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ({"container_id": "a", "limit": 512.0}, {"container_id": "a", "limit": 512}, "same"),
        ({"container_id": "a", "limit": 512}, {"container_id": "a", "limit": 256}, "changed"),
        ({"container_id": "a", "limit": 0}, {"container_id": "a", "limit": 256}, "changed"),  # Taken off by hand.
        ({"container_id": "a", "limit": 512}, {"container_id": "b", "limit": 512}, "replaced"),
    ],
)
def test_a_limit_is_set_in_place_and_goes_with_its_container(
    old: dict[str, Any], new: dict[str, Any], wanted: str
) -> None:
    assert verdict(PidsLimitProvider().diff("id", old, new)) == wanted


CHANGES: list[dict[str, Any]] = [{"container": "b"}, {"command": ["d"]}, {"triggers": {"configuration": "2"}}]


@pytest.mark.parametrize("changed", CHANGES)
def test_a_reload_runs_again_after_any_change(changed: dict[str, Any]) -> None:
    old = {"container": "a", "command": ["c"], "triggers": {"configuration": "1"}}
    assert verdict(ReloadProvider().diff("id", old, dict(old))) == "same"
    assert verdict(ReloadProvider().diff("id", old, old | changed)) == "changed"


class Docker:
    """Docker's client, as far as the providers use it."""

    base_url, api_version = "http://docker", "1.41"

    def __init__(self, *, limit: int | None = None, gone: bool = False, code: int = 0, said: str = "") -> None:
        self.limit, self.gone, self.code, self.said = limit, gone, code, said
        self.posted: list[tuple[str, Any]] = []
        self.executed: list[tuple[str, list[str]]] = []

    def inspect_container(self, name: str) -> dict[str, Any]:
        if self.gone:
            raise NotFound(f"No such container: {name}")
        return {"HostConfig": {"PidsLimit": self.limit}}

    def post(self, address: str, *, json: Any, timeout: int) -> SimpleNamespace:
        self.posted.append((address, json))
        return SimpleNamespace(raise_for_status=lambda: None)

    def run_inside(self, _client: object, container: str, command: list[str]) -> Ran:
        self.executed.append((container, command))
        return Ran(self.code, self.said, "")

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def docker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Docker:
    fake: Docker = getattr(request, "param", None) or Docker()
    for module in (pids_limit, reload):
        monkeypatch.setattr(module, "api_client", lambda *_: fake)
    monkeypatch.setattr(reload, "run_inside", fake.run_inside)
    return fake


def test_a_limit_is_given_to_docker_as_a_whole_number(docker: Docker) -> None:
    PidsLimitProvider().create({"container_id": "abc", "limit": 512.0})
    ((address, body),) = docker.posted
    assert address == "http://docker/v1.41/containers/abc/update"
    assert json.dumps(body) == '{"PidsLimit": 512}'


@pytest.mark.parametrize(
    ("docker", "limit"), [(Docker(limit=256), 256), (Docker(limit=None), 0), (Docker(limit=0), 0)], indirect=["docker"]
)
def test_a_limit_changed_by_hand_is_seen(docker: Docker, limit: int) -> None:
    outs = PidsLimitProvider().read("abc", {"container_id": "abc", "limit": 512.0}).outs
    assert outs == {"container_id": "abc", "limit": limit}


@pytest.mark.parametrize("docker", [Docker(gone=True)], indirect=True)
def test_the_limit_of_a_container_that_is_gone_is_left_to_its_successor(docker: Docker) -> None:
    read = PidsLimitProvider().read("abc", {"container_id": "abc", "limit": 512.0})
    assert (read.id, read.outs) == ("abc", {"container_id": "abc", "limit": 512.0})


RELOADED = {"container": "gateway", "command": ["caddy", "reload"], "triggers": {}}


def test_a_reload_runs_its_command_in_the_container(docker: Docker) -> None:
    ReloadProvider().create(RELOADED)
    ReloadProvider().update("reload", RELOADED, RELOADED)
    assert docker.executed == [("gateway", ["caddy", "reload"])] * 2


@pytest.mark.parametrize("docker", [Docker(code=1, said="Error: line 3: unknown directive")], indirect=True)
def test_a_configuration_that_is_refused_fails_the_update_with_what_was_said_and_a_command_to_try(
    docker: Docker,
) -> None:
    with pytest.raises(ReloadError) as failed:
        ReloadProvider().create(RELOADED)
    text = str(failed.value)
    assert "gateway refuses its configuration (exit code 1) and keeps the old one" in text
    assert "line 3: unknown directive" in text
    assert "docker exec gateway caddy reload" in text


def test_a_container_that_does_not_answer_fails_the_update(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    monkeypatch.setattr(reload, "SECONDS", 0)
    monkeypatch.setattr(reload, "run_inside", lambda *_: answered.wait(10))
    try:
        with pytest.raises(ReloadError, match="gateway has not reloaded its configuration within 0 s"):
            ReloadProvider().create(RELOADED)
    finally:
        answered.set()


@pytest.mark.parametrize(
    ("name", "module", "provider"),
    [
        ("open-webui-secret-key", "components.secret", "SecretProvider"),
        ("valkey-certificate", "components.certificate", "CertificateProvider"),
        ("valkey-container-pids", "components.pids_limit", "PidsLimitProvider"),
        ("gateway-reload", "components.reload", "ReloadProvider"),
        ("verification", "verification.provider", "VerificationProvider"),
    ],
)
def test_state_refers_to_providers_by_names_that_never_change(name: str, module: str, provider: str) -> None:
    """Whoever cannot import what the state names can neither update nor destroy it."""
    stored = base64.b64decode(variant("valkeyTls").inputs(name)["__provider"])
    assert module.encode() in stored
    assert provider.encode() in stored
    # By reference, and not the code itself.
    assert len(stored) < 300


def test_loading_a_provider_does_not_load_pulumis_docker_sdk() -> None:
    """It would take a second of every update, in the process that answers for dynamic resources."""
    modules = ("components.secret", "components.certificate", "components.reload", "components.pids_limit")
    code = f"import {', '.join(modules)}, sys; print('pulumi_docker' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_every_name_that_components_offer_can_be_imported() -> None:
    assert sorted(name for names in components._MODULES.values() for name in names) == sorted(components.__all__)
    assert all(getattr(components, name) for name in components.__all__)
