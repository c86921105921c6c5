"""The life of a single stack of the real application, under each engine: deployed, proved, broken, repaired."""

import json
import os
import re
import subprocess
import sys
import urllib.request

import pytest

import docker_access
from engine.workspace import environment, load_project
from tests.documents import commands
from tests.integration.deployment import Deployment, no_changes, sh
from tests.integration.empty_docker import empty_docker

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


def test_another_docker_is_refused_and_the_state_kept(dev: Deployment) -> None:
    before = dev.state()
    with empty_docker() as host:
        for command in ("preview", "up", "refresh", "destroy", "drift"):
            refused = dev.make(command, DOCKER_HOST=host)
            assert refused.returncode == 1, refused.stdout
            assert "lives on another Docker host" in refused.stdout
    assert dev.state() == before
    assert no_changes(dev.succeed("preview"))


def test_the_report_of_a_preview_on_another_docker_says_so(dev: Deployment) -> None:
    engine = ["pulumi"] if dev.engine == "pulumi" else [sys.executable, "-m", "engine"]
    command = [*engine, "preview", "--json", "--non-interactive", "--stack", dev.stack]
    variables = {**dev.environment(), **environment(load_project(dev.directory), make=False)}
    with empty_docker() as host:
        seen = subprocess.run(
            command, cwd=dev.directory, env={**variables, "DOCKER_HOST": host}, stdout=subprocess.PIPE, check=False
        )
    report = subprocess.run(
        [sys.executable, "-m", "preview_report"],
        input=seen.stdout,
        cwd=dev.directory,
        capture_output=True,
        check=False,
    )
    assert seen.returncode == 1
    assert report.returncode == 2, report.stdout
    assert b"lives on another Docker host" in report.stdout


def test_a_stack_that_was_moved_here_with_its_data_is_taken_and_its_host_remembered(dev: Deployment) -> None:
    client = docker_access.client()
    here = client.info()["ID"].encode()
    client.close()
    file = dev.directory / f".pulumi-state/.pulumi/stacks/open-webui/{dev.stack}.json"
    file.write_bytes(dev.state().replace(here, b"WHERE:IT:WAS"))
    # Bytes that the Pulumi CLI keeps a checksum of elsewhere.
    file.with_name(f"{file.name}.attrs").unlink(missing_ok=True)
    dev.succeed("refresh")
    assert here in dev.state()
    assert b"WHERE:IT:WAS" not in dev.state()
    assert no_changes(dev.succeed("preview"))


def test_the_report_of_a_preview_that_changes_nothing_is_one_line(dev: Deployment) -> None:
    typed = commands("docs/pull-requests.md", "The report", team=dev.stack)
    tools = f"{dev.directory / '.venv/bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", typed], cwd=dev.directory, env={**dev.environment(), "PATH": tools}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == [f"### Preview of stack `{dev.stack}`", "", "Nothing changes."]


def test_stopped_containers_are_noticed_started_and_proved_again(dev: Deployment) -> None:
    sh("docker", "stop", dev.names["valkey"], dev.names["app"])
    assert not no_changes(dev.succeed("preview"))
    assert "proved" in dev.succeed("up")
    assert all(dev.inspect(role)["State"]["Running"] for role in ("valkey", "app"))
    assert no_changes(dev.succeed("preview"))


def test_a_valkey_that_was_restarted_is_proved_again(dev: Deployment) -> None:
    asked_at = dev.outputs()["verification"]["asked_at"]
    sh("docker", "restart", dev.names["valkey"])
    assert "proved" in dev.succeed("up")
    assert dev.outputs()["verification"]["asked_at"] != asked_at


def test_a_paused_valkey_fails_the_verification_and_the_update_and_both_name_the_way_out(dev: Deployment) -> None:
    sh("docker", "pause", dev.names["valkey"])
    try:
        for output in (dev.fail("verify"), dev.fail("up")):
            assert "valkey-paused" in output
            assert f"docker unpause {dev.names['valkey']}" in output
    finally:
        sh("docker", "unpause", dev.names["valkey"])
    assert "proved" in dev.succeed("up")
    assert "proved" in dev.succeed("verify")


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


def test_removed_containers_are_made_anew_and_an_update_may_always_verify(dev: Deployment) -> None:
    sh("docker", "rm", "-fv", dev.names["valkey"], dev.names["app"])
    dev.configure({"verification": "always"})
    assert "proved" in dev.succeed("up")
    before = dev.outputs()["verification"]["asked_at"]
    assert "proved" in dev.succeed("up")
    assert dev.outputs()["verification"]["asked_at"] != before


def test_a_valkey_that_refuses_the_app_fails_the_update_with_the_cause_and_then_recovers(dev: Deployment) -> None:
    assert dev.config["verification"] == "always"
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
