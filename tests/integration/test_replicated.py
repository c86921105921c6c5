"""The life of a replicated stack of the real application: proved, killed in parts, repaired, re-created on its data."""

import ssl
from typing import Any

import pytest

from tests.integration.deployment import Deployment, authority, no_changes, sh
from tests.integration.people import ask

pytestmark = [pytest.mark.docker, pytest.mark.chained, pytest.mark.xdist_group("prod")]

ADMIN = "admin@example.com"
PASSWORD_AT_VALKEY = "0f" * 32


def through_gateway(stack: Deployment, path: str, content: Any = None, token: str = "") -> tuple[int, Any]:
    """Post, or get where there is no content, through the gateway, trusting its own authority alone."""
    context = ssl.create_default_context(cadata=authority(stack))
    method = "GET" if content is None else "POST"
    return ask(f"{stack.config['publicUrl']}{path}", method, token, content, context)


def sign_in(stack: Deployment) -> tuple[int, str]:
    """Sign the administrator in: the status and the token."""
    password = stack.outputs("--show-secrets")["admin_password"]
    status, account = through_gateway(stack, "/api/v1/auths/signin", {"email": ADMIN, "password": password})
    assert status != 200 or account["role"] == "admin"
    return status, account["token"] if account else ""


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
    assert sign_in(prod)[0] == 200
    stranger = {"email": "stranger@example.com", "password": "a-strangers-password", "name": "stranger"}
    assert through_gateway(prod, "/api/v1/auths/signup", stranger)[0] == 403


def test_what_the_administrator_saves_in_the_panel_holds_on_all_replicas_but_for_what_the_stack_file_says(
    prod: Deployment,
) -> None:
    _, token = sign_in(prod)
    path, before = "/api/v1/auths/admin/config", prod.ids()
    _, settings = through_gateway(prod, path, token=token)
    changed = {**settings, "ENABLE_SIGNUP": True, "DEFAULT_USER_ROLE": "user"}
    assert through_gateway(prod, path, changed, token)[0] == 200

    def saved(name: str) -> set[Any]:
        """What the gateway's replicas, which take turns, say of a setting."""
        return {through_gateway(prod, path, token=token)[1][name] for _ in range(8)}

    assert saved("ENABLE_SIGNUP") == {True}
    assert saved("DEFAULT_USER_ROLE") == {"user"}
    assert '- otherwise_in_panel[0]: "ui.enable_signup"' in prod.succeed("preview")
    prod.succeed("up")
    assert saved("ENABLE_SIGNUP") == {False}
    assert saved("DEFAULT_USER_ROLE") == {"user"}
    assert prod.ids() == before


def test_each_killed_container_is_missed_by_the_verification_and_one_update_mends_them_all(prod: Deployment) -> None:
    roles = ("valkey", "gateway", "postgres", "app-1")
    for role in roles:
        # What is told to be killed, Docker does not restart.
        sh("docker", "kill", prod.names[role])
        assert f"{prod.names[role]} is exited" in prod.fail("verify", "--no-idle")
        sh("docker", "start", prod.names[role])
    sh("docker", "kill", *(prod.names[role] for role in roles))
    assert "proved: " in prod.succeed("up")
    assert no_changes(prod.succeed("preview"))


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
    assert f"make destroy STACK={prod.stack} YES=1" in prod.fail("destroy")
    prod.succeed("destroy", "--yes")
    left = prod.left()
    kept = ("app_data", "gateway_data", "postgres_data", "valkey_data")
    assert left == {"containers": [], "networks": [], "volumes": sorted(prod.names[name] for name in kept)}
    prod.succeed("up")
    assert sign_in(prod)[0] == 200
