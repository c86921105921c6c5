"""The life of a single stack of the real application, under each engine: deployed, proved, broken, repaired."""

import json
import re
import urllib.request

import pytest

from tests.integration.deployment import Deployment, no_changes, sh

pytestmark = pytest.mark.xdist_group("dev")

OPEN_WEBUI = "ghcr.io/open-webui/open-webui:main"


def test_a_first_up_is_proved_and_says_where_the_ui_answers(dev: Deployment) -> None:
    outputs = dev.outputs()
    assert outputs["url"] == f"http://127.0.0.1:{dev.config['uiPort']}"
    assert outputs["verification"]["verdict"] == "proved"
    assert outputs["open_webui_version"]
    assert outputs["valkey_version"]
    assert {image["reference"] for image in outputs["images"].values()} == {
        "docker.io/valkey/valkey:8.0.1-alpine",
        OPEN_WEBUI,
    }
    assert all(image["origin"] for image in outputs["images"].values())
    with urllib.request.urlopen(f"{outputs['url']}/health", timeout=60) as answer:  # noqa: S310 - http, ours
        assert json.load(answer) == {"status": True}


def test_the_verification_finds_it_by_itself_as_its_outputs_describe_it(dev: Deployment) -> None:
    assert dev.is_found_as_described()


def test_a_second_up_and_a_preview_change_nothing(dev: Deployment) -> None:
    assert no_changes(dev.succeed("up"))
    assert no_changes(dev.succeed("preview"))


def test_a_valkey_that_was_restarted_is_proved_again(dev: Deployment) -> None:
    asked_at = dev.outputs()["verification"]["asked_at"]
    sh("docker", "restart", dev.names["valkey"])
    assert "proved" in dev.succeed("up")
    assert dev.outputs()["verification"]["asked_at"] != asked_at


def test_a_change_of_settings_replaces_the_containers_and_keeps_the_data_and_the_secret_key(dev: Deployment) -> None:
    def key(role: str) -> str:
        variables: dict[str, str] = dict(item.split("=", 1) for item in dev.inspect(role)["Config"]["Env"])
        return variables["WEBUI_SECRET_KEY"]

    dev.run_in("app", "sh", "-c", "echo kept > /app/backend/data/kept")
    dev.run_in("valkey", "valkey-cli", "set", "kept", "yes")
    before, replaced = key("app"), {dev.inspect(role)["Id"] for role in ("app", "valkey")}
    assert re.fullmatch(r"[0-9a-f]{64}", before)
    assert key("migration") == before

    dev.configure({"valkeySave": "60 1", "logLevel": "INFO"})
    printed = dev.succeed("up")

    assert not replaced & {dev.inspect(role)["Id"] for role in ("app", "valkey")}
    assert dev.run_in("app", "cat", "/app/backend/data/kept") == "kept"
    assert dev.run_in("valkey", "valkey-cli", "get", "kept") == "yes"
    assert key("app") == before
    assert before.encode() not in dev.state()
    assert before not in printed + json.dumps(dev.outputs())


def test_a_valkey_that_refuses_the_app_fails_the_update_with_the_cause_and_then_recovers(dev: Deployment) -> None:
    dev.configure({"verification": "always"})
    try:
        dev.run_in("valkey", "valkey-cli", "config", "set", "requirepass", "somebody-elses")
        # What is connected stays connected; only a new connection meets the password.
        sh("docker", "restart", dev.names["app"])
        output = dev.fail("up")
        assert "auth" in output.lower()
        assert "proved:" not in output
    finally:
        sh("docker", "restart", dev.names["valkey"])
    assert "proved" in dev.succeed("up")
