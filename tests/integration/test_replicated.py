"""The life of a replicated stack on real Docker: proved, secrets out of sight, scaled, migrated, destroyed."""

import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import docker_access
from tests.integration.deployment import Deployment, sh
from tests.integration.people import ask
from tests.integration.test_deployment import no_changes
from tests.lease import free_port

pytestmark = pytest.mark.docker

ADMIN = "admin@example.com"
PASSWORD_AT_VALKEY = "0f" * 32


def team(directory: Path, engine: str, **changes: Any) -> Deployment:
    """What stacks/Pulumi.prod.yaml says, on ports of its own."""
    port = free_port()
    config = {
        "topology": "replicated", "production": True, "replicas": 2, "tls": "internal", "uiPort": port,
        "publicUrl": f"https://localhost:{port}", "adminEmail": ADMIN,
        "openWebuiImage": "ghcr.io/open-webui/open-webui:v0.12.4",
    }  # fmt: skip
    return Deployment(directory, engine, config={**config, **changes})


@pytest.fixture(scope="module")
def prod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A stack as for production, deployed and proved; its tests share it and leave it proved."""
    deployment = team(tmp_path_factory.mktemp("project"), "embedded")
    try:
        first = deployment.make("up")
        assert first.returncode == 0, first.stdout
        yield deployment
    finally:
        deployment.remove_everything()


def post(stack: Deployment, path: str, content: dict[str, str]) -> tuple[int, Any]:
    """Post through the gateway, trusting its own authority alone."""
    authority = sh("docker", "exec", stack.names["gateway"], "cat", "/var/tmp/caddy/pki/authorities/local/root.crt")
    context = ssl.create_default_context(cadata=authority)
    return ask(f"{stack.config['publicUrl']}{path}", "POST", "", content, context)


def sign_in(stack: Deployment) -> int:
    password = stack.outputs("--show-secrets")["admin_password"]
    status, account = post(stack, "/api/v1/auths/signin", {"email": ADMIN, "password": password})
    assert status != 200 or account["role"] == "admin"
    return status


def ids(stack: Deployment) -> dict[str, str]:
    """Ids of the stack's containers by name."""
    client = docker_access.client()
    try:
        return {
            str(one.name): str(one.id)
            for one in client.containers.list(all=True, filters=stack.marks(), ignore_removed=True)
        }
    finally:
        client.close()


def test_it_is_proved_and_a_second_up_and_a_preview_change_nothing(prod: Deployment) -> None:
    report = prod.outputs()["verification"]
    assert report["verdict"] == "proved"
    # With the account that the migration made, from the file that only the migration has.
    assert {row["id"]: row["status"] for row in report["checks"]}["account"] == "passed"
    assert no_changes(prod.succeed("up"))
    assert no_changes(prod.succeed("preview"))


def test_the_verification_finds_it_by_itself_as_its_outputs_describe_it(prod: Deployment) -> None:
    assert prod.is_found_as_described()


def test_a_websocket_on_which_nobody_speaks_outlives_a_ping_interval_through_the_gateway(prod: Deployment) -> None:
    printed = " ".join(prod.succeed("verify", "--idle").split())

    assert "a silent websocket got its first ping after" in printed
    assert "proved: " in printed


def test_the_administrator_signs_in_and_nobody_else_signs_up(prod: Deployment) -> None:
    assert sign_in(prod) == 200
    stranger = {"email": "stranger@example.com", "password": "a-strangers-password", "name": "stranger"}
    assert post(prod, "/api/v1/auths/signup", stranger)[0] == 403


@pytest.mark.parametrize("role", ["valkey", "postgres", "gateway", "app-1"])
def test_a_killed_container_is_missed_by_the_verification_and_mended_by_an_update(prod: Deployment, role: str) -> None:
    # What is told to be killed, Docker does not restart.
    sh("docker", "kill", prod.names[role])
    assert f"{prod.names[role]} is exited" in prod.fail("verify")
    assert "proved: " in prod.succeed("up")
    assert no_changes(prod.succeed("preview"))


def test_a_change_of_replicas_touches_only_the_difference(prod: Deployment) -> None:
    before = ids(prod)
    prod.configure({"replicas": 3})
    assert "to each of 3 replicas" in prod.succeed("up")
    scaled = ids(prod)
    written = prod.names["gateway_files"]
    assert {name for name in before if scaled.get(name) != before[name]} == {written}
    assert scaled.keys() - before.keys() == {prod.names["app-3"]}
    prod.configure({"replicas": 2})
    assert "to each of 2 replicas" in prod.succeed("up")
    assert {name for name in before if ids(prod)[name] != before[name]} == {written}
    assert no_changes(prod.succeed("preview"))


def test_a_changed_environment_stops_all_replicas_then_migrates_then_starts_all(prod: Deployment) -> None:
    prod.configure({"extraEnvironment": {"DEFAULT_LOCALE": "de-DE"}})
    steps = prod.starts_and_ends("up")
    migration, replicas = prod.names["migration"], set(prod.apps)
    began, ended = steps.index(f"start {migration}"), steps.index(f"die {migration}")
    assert {f"die {name}" for name in replicas} <= set(steps[:began])
    assert steps[began + 1 : ended] == []
    assert set(steps[ended + 1 :]) == {f"start {name}" for name in replicas}
    assert "DEFAULT_LOCALE=de-DE" in prod.run_in("app-1", "cat", "/run/secrets/open-webui.env").splitlines()


def test_what_a_client_claims_of_its_address_is_believed_of_nobody_but_the_gateway(prod: Deployment) -> None:
    claim = "curl -s -o /dev/null -H 'X-Forwarded-For: 203.0.113.7' http://{}:8080/api/version"
    for network in ("network", "data_network"):
        name = prod.names[network]
        address = prod.inspect("app-2")["NetworkSettings"]["Networks"][name]["IPAddress"]
        prod.run_in("app-1", "sh", "-c", claim.format(address))
    assert "203.0.113.7" not in sh("sh", "-c", f"docker logs --tail 50 {prod.names['app-2']} 2>&1")
    spoofed = 'wget -q -O /dev/null --header "X-Forwarded-For: 203.0.113.8" http://{}:8080/api/version'
    address = prod.inspect("app-2")["NetworkSettings"]["Networks"][prod.names["network"]]["IPAddress"]
    prod.run_in("gateway", "sh", "-c", spoofed.format(address))
    assert "203.0.113.8" in sh("sh", "-c", f"docker logs --tail 50 {prod.names['app-2']} 2>&1")


def test_data_outlives_destroy_and_the_new_secrets_fit_it(prod: Deployment) -> None:
    prod.succeed("destroy")
    left = prod.left()
    kept = ("app_data", "gateway_data", "postgres_data", "valkey_data")
    assert left == {"containers": [], "networks": [], "volumes": sorted(prod.names[name] for name in kept)}
    prod.succeed("up")
    assert sign_in(prod) == 200


def test_a_valkey_elsewhere_is_asked_before_anything_starts_and_then_carries_the_events(fresh: Deployment) -> None:
    port, name = free_port(), f"{fresh.stack}-elsewhere"
    address = docker_access.client().networks.get("bridge").attrs["IPAM"]["Config"][0]["Gateway"]
    url = f"redis://:{PASSWORD_AT_VALKEY}@{address}:{port}"
    fresh.configure({"topology": "replicated", "replicas": 2, "enableSignup": True})
    subprocess.run(
        [sys.executable, "-m", "engine", "config", "set", "valkeyUrl", "--secret", "--stack", fresh.stack],
        cwd=fresh.directory, env=fresh.environment(), input=url, text=True, check=True, timeout=60,
    )  # fmt: skip
    try:
        said = fresh.fail("up")
        assert f"{address}:{port}" in said
        assert "refused" in said
        assert PASSWORD_AT_VALKEY not in said
        assert not any(name in ids(fresh) for name in fresh.apps)
        sh(
            "docker", "run", "-d", "--name", name, "-p", f"{address}:{port}:6379",
            "docker.io/valkey/valkey:8.0.1-alpine", "valkey-server", "--requirepass", PASSWORD_AT_VALKEY,
        )  # fmt: skip
        assert "proved: a live event travelled through Valkey to each of 2 replicas" in fresh.succeed("up")
        assert PASSWORD_AT_VALKEY not in fresh.state().decode()
    finally:
        sh("sh", "-c", f"docker rm -f -v {name} || true")


@pytest.mark.pulumi_cli
def test_both_engines_work_on_one_replicated_stack_and_see_no_change_of_the_others(tmp_path: Path) -> None:
    stack = team(tmp_path, "pulumi", valkeyTls=True)
    try:
        assert "to each of 2 replicas" in stack.succeed("up")
        stack.engine = "embedded"
        assert no_changes(stack.succeed("preview"))
        before = ids(stack)
        stack.configure({"replicas": 3})
        assert "to each of 3 replicas" in stack.succeed("up")
        stack.engine = "pulumi"
        assert no_changes(stack.succeed("preview"))
        stack.configure({"replicas": 2})
        assert "to each of 2 replicas" in stack.succeed("up")
        assert {name for name in before if ids(stack)[name] != before[name]} == {stack.names["gateway_files"]}
        stack.succeed("destroy")
        assert stack.left()["containers"] == []
    finally:
        stack.remove_everything()
