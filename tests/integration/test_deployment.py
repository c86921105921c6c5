"""The life of a stack on real Docker, under each engine: deployed, proved, broken, repaired, destroyed."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request

import pytest
import redis

import docker_access
from engine.workspace import environment, load_project
from tests.documents import commands
from tests.integration.conftest import ENGINES
from tests.integration.deployment import Deployment, sh
from tests.integration.empty_docker import empty_docker
from tests.lease import free_port

OPEN_WEBUI = "ghcr.io/open-webui/open-webui:main"


def no_changes(output: str) -> bool:
    """Whether an engine said that everything stayed as it was."""
    summary = output[output.rindex("Resources:") :]
    changes = re.search(r"\d+ (to|created|updated|replaced|deleted)\b", summary)
    return bool(re.search(r"^ +\d+ unchanged$", summary, re.MULTILINE)) and not changes


def test_a_first_up_is_proved_and_says_where_the_ui_answers(stack: Deployment) -> None:
    outputs = stack.outputs()
    assert outputs["url"] == f"http://127.0.0.1:{stack.config['uiPort']}"
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


def test_the_verification_finds_it_by_itself_as_its_outputs_describe_it(stack: Deployment) -> None:
    assert stack.is_found_as_described()


def test_a_second_up_and_a_preview_change_nothing(stack: Deployment) -> None:
    assert no_changes(stack.succeed("up"))
    assert no_changes(stack.succeed("preview"))


def test_another_docker_is_refused_and_the_state_kept(stack: Deployment) -> None:
    before = stack.state()
    with empty_docker() as host:
        for command in ("preview", "up", "refresh", "destroy", "drift"):
            refused = stack.make(command, DOCKER_HOST=host)
            assert refused.returncode == 1, refused.stdout
            assert "lives on another Docker host" in refused.stdout
    assert stack.state() == before
    assert no_changes(stack.succeed("preview"))


def test_the_report_of_a_preview_on_another_docker_says_so(stack: Deployment) -> None:
    engine = ["pulumi"] if stack.engine == "pulumi" else [sys.executable, "-m", "engine"]
    command = [*engine, "preview", "--json", "--non-interactive", "--stack", stack.stack]
    variables = {**stack.environment(), **environment(load_project(stack.directory), make=False)}
    with empty_docker() as host:
        seen = subprocess.run(
            command, cwd=stack.directory, env={**variables, "DOCKER_HOST": host}, stdout=subprocess.PIPE, check=False
        )
    report = subprocess.run(
        [sys.executable, "-m", "preview_report"],
        input=seen.stdout,
        cwd=stack.directory,
        capture_output=True,
        check=False,
    )
    assert seen.returncode == 1
    assert report.returncode == 2, report.stdout
    assert b"lives on another Docker host" in report.stdout


def test_a_stack_that_was_moved_here_with_its_data_is_taken_and_its_host_remembered(stack: Deployment) -> None:
    client = docker_access.client()
    here = client.info()["ID"].encode()
    client.close()
    file = stack.directory / f".pulumi-state/.pulumi/stacks/open-webui/{stack.stack}.json"
    file.write_bytes(stack.state().replace(here, b"WHERE:IT:WAS"))
    # Bytes that the Pulumi CLI keeps a checksum of elsewhere.
    file.with_name(f"{file.name}.attrs").unlink(missing_ok=True)
    stack.succeed("refresh")
    assert here in stack.state()
    assert b"WHERE:IT:WAS" not in stack.state()
    assert no_changes(stack.succeed("preview"))


def test_the_report_of_a_preview_that_changes_nothing_is_one_line(stack: Deployment) -> None:
    typed = commands("docs/pull-requests.md", "The report", team=stack.stack)
    tools = f"{stack.directory / '.venv/bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", typed], cwd=stack.directory, env={**stack.environment(), "PATH": tools}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == [f"### Preview of stack `{stack.stack}`", "", "Nothing changes."]


@pytest.mark.parametrize("role", ["valkey", "app"])
def test_a_stopped_container_is_noticed_and_repaired(stack: Deployment, role: str) -> None:
    sh("docker", "stop", stack.names[role])
    assert not no_changes(stack.succeed("preview"))
    assert "proved" in stack.succeed("up")
    assert stack.inspect(role)["State"]["Running"]
    assert no_changes(stack.succeed("preview"))


@pytest.mark.parametrize("role", ["valkey", "app"])
def test_a_removed_container_is_made_anew(stack: Deployment, role: str) -> None:
    sh("docker", "rm", "-fv", stack.names[role])
    assert "proved" in stack.succeed("up")
    assert stack.inspect(role)["State"]["Running"]


def test_a_restarted_container_is_proved_again(stack: Deployment) -> None:
    asked_at = stack.outputs()["verification"]["asked_at"]
    sh("docker", "restart", stack.names["valkey"])
    assert "proved" in stack.succeed("up")
    assert stack.outputs()["verification"]["asked_at"] != asked_at


def test_a_valkey_that_refuses_the_app_fails_the_update_with_the_cause_and_then_recovers(stack: Deployment) -> None:
    stack.configure({"verification": "always"})
    stack.succeed("up")
    try:
        stack.run_in("valkey", "valkey-cli", "config", "set", "requirepass", "somebody-elses")
        # What is connected stays connected; only a new connection meets the password.
        sh("docker", "restart", stack.names["app"])
        output = stack.fail("up")
        assert "auth" in output.lower()
        assert "proved:" not in output
    finally:
        sh("docker", "restart", stack.names["valkey"])
    assert "proved" in stack.succeed("up")
    stack.configure({"verification": None})
    stack.succeed("up")


def test_a_paused_valkey_fails_the_update_and_names_the_way_out(stack: Deployment) -> None:
    sh("docker", "pause", stack.names["valkey"])
    try:
        output = stack.fail("up")
        assert "valkey-paused" in output
        assert f"docker unpause {stack.names['valkey']}" in output
    finally:
        sh("docker", "unpause", stack.names["valkey"])
    assert "proved" in stack.succeed("up")


def test_an_always_verification_runs_on_every_up(stack: Deployment) -> None:
    stack.configure({"verification": "always"})
    stack.succeed("up")
    before = stack.outputs()["verification"]["asked_at"]
    stack.succeed("up")
    assert stack.outputs()["verification"]["asked_at"] != before
    stack.configure({"verification": None})
    stack.succeed("up")


def test_the_secret_key_has_64_digits_survives_updates_and_is_in_no_output(stack: Deployment) -> None:
    def key(role: str) -> str:
        variables: dict[str, str] = dict(item.split("=", 1) for item in stack.inspect(role)["Config"]["Env"])
        return variables["WEBUI_SECRET_KEY"]

    before = key("app")
    assert re.fullmatch(r"[0-9a-f]{64}", before)
    assert key("migration") == before
    stack.configure({"logLevel": "INFO"})
    printed = stack.succeed("up")
    assert key("app") == before
    assert before.encode() not in stack.state()
    assert before not in printed + json.dumps(stack.outputs())
    stack.configure({"logLevel": "DEBUG"})
    stack.succeed("up")


def test_data_survives_the_replacement_of_both_containers(stack: Deployment) -> None:
    stack.run_in("app", "sh", "-c", "echo kept > /app/backend/data/kept")
    stack.run_in("valkey", "valkey-cli", "set", "kept", "yes")
    stack.configure({"valkeySave": "60 1", "logLevel": "WARNING"})
    assert "proved" in stack.succeed("up")
    assert stack.run_in("app", "cat", "/app/backend/data/kept") == "kept"
    assert stack.run_in("valkey", "valkey-cli", "get", "kept") == "yes"
    stack.configure({"valkeySave": None, "logLevel": "DEBUG"})
    stack.succeed("up")


def test_the_debug_port_lets_this_host_ask_valkey_and_publishes_on_loopback_only(stack: Deployment) -> None:
    port = free_port()
    stack.configure({"valkeyDebugPort": port})
    stack.succeed("up")
    with redis.Redis(port=port) as client:
        assert client.ping()
    bindings = stack.inspect("valkey")["HostConfig"]["PortBindings"]
    assert bindings == {"6379/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}
    stack.configure({"valkeyDebugPort": None})
    stack.succeed("up")
    assert not stack.inspect("valkey")["HostConfig"]["PortBindings"]


def test_verify_asks_the_same_questions_at_any_time(stack: Deployment) -> None:
    assert "proved" in stack.succeed("verify")
    sh("docker", "pause", stack.names["valkey"])
    try:
        assert "valkey-paused" in stack.fail("verify")
    finally:
        sh("docker", "unpause", stack.names["valkey"])


def test_a_second_stack_lives_beside_the_first(stack: Deployment, fresh: Deployment) -> None:
    fresh.engine = stack.engine
    assert "proved" in fresh.succeed("up")
    assert no_changes(stack.succeed("preview"))
    fresh.succeed("destroy")
    assert fresh.left()["containers"] == []
    assert stack.outputs()["verification"]["verdict"] == "proved"
    assert "proved" in stack.succeed("verify")


@pytest.mark.parametrize("fresh", ENGINES, indirect=True)
def test_destroy_leaves_nothing_but_the_data_and_the_next_up_takes_it_up(fresh: Deployment) -> None:
    fresh.succeed("up")
    fresh.run_in("app", "sh", "-c", "echo kept > /app/backend/data/kept")
    fresh.run_in("valkey", "valkey-cli", "set", "kept", "yes")
    output = fresh.succeed("destroy")
    volumes = sorted([fresh.names["app_data"], fresh.names["valkey_data"]])
    assert fresh.left() == {"containers": [], "networks": [], "volumes": volumes}
    assert all(volume in output for volume in volumes)
    assert "proved" in fresh.succeed("up")
    assert fresh.run_in("app", "cat", "/app/backend/data/kept") == "kept"
    assert fresh.run_in("valkey", "valkey-cli", "get", "kept") == "yes"
    fresh.configure({"dataOnDestroy": "delete"})
    fresh.succeed("up")
    fresh.succeed("destroy")
    assert fresh.left() == {"containers": [], "networks": [], "volumes": []}


@pytest.mark.parametrize("fresh", ENGINES, indirect=True)
def test_a_network_and_volumes_that_exist_are_joined_and_outlive_the_stack(fresh: Deployment) -> None:
    names = fresh.names
    fresh.configure({"networkExternal": True, "volumesExternal": True, "dataOnDestroy": "delete"})
    refusal = fresh.fail("up")
    assert f"docker network create {names['network']}" in refusal
    assert f"docker volume create {names['app_data']}" in refusal
    sh("docker", "network", "create", names["network"])
    sh("docker", "volume", "create", names["app_data"])
    sh("docker", "volume", "create", names["valkey_data"])
    try:
        assert "proved" in fresh.succeed("up")
        fresh.succeed("destroy")
        sh("docker", "network", "inspect", names["network"])
        sh("docker", "volume", "inspect", names["app_data"], names["valkey_data"])
    finally:
        fresh.remove_everything()
        sh("docker", "network", "rm", names["network"])
        sh("docker", "volume", "rm", names["app_data"], names["valkey_data"])


@pytest.mark.parametrize("fresh", ENGINES, indirect=True)
def test_a_failed_migration_stops_the_app_from_starting_and_the_next_up_runs_it_again(fresh: Deployment) -> None:
    client = docker_access.client()
    volume = client.volumes.create(
        fresh.names["app_data"], labels={"pulumi.project": "open-webui", "pulumi.stack": fresh.stack}
    )
    client.close()
    spoil = ("docker", "run", "--rm", "--entrypoint", "sh", "-v", f"{volume.name}:/data", OPEN_WEBUI, "-c")
    sh(*spoil, "echo this is no database > /data/webui.db")
    output = fresh.fail("up")
    assert "exited with code 1" in output
    assert "file is not a database" in output
    assert fresh.names["app"] not in fresh.left()["containers"]
    sh(*spoil, "rm /data/webui.db")
    assert "proved" in fresh.succeed("up")


def test_an_upgrade_stops_the_app_then_migrates_then_starts_it(stack: Deployment) -> None:
    newer = f"open-webui-test/{stack.stack}:v0.12.4"
    container = sh("docker", "create", OPEN_WEBUI)
    sh("docker", "commit", "--change", "LABEL newer=yes", container, newer)
    sh("docker", "rm", container)
    try:
        stack.configure({"openWebuiImage": newer})
        steps = stack.starts_and_ends("up")
        app, migration = stack.names["app"], stack.names["migration"]
        assert steps == [f"die {app}", f"start {migration}", f"die {migration}", f"start {app}"]
    finally:
        stack.configure({"openWebuiImage": None})
        stack.succeed("up")
        sh("docker", "rmi", newer)


@pytest.mark.parametrize("fresh", ENGINES, indirect=True)
def test_an_app_that_exits_fails_the_update_at_once_with_its_exit_code_and_last_lines(fresh: Deployment) -> None:
    broken = f"open-webui-test/{fresh.stack}:v0.12.4"
    container = sh("docker", "create", OPEN_WEBUI)
    sh("docker", "commit", "--change", 'CMD ["sh", "-c", "echo no luck today; exit 3"]', container, broken)
    sh("docker", "rm", container)
    try:
        fresh.configure({"openWebuiImage": broken})
        started = time.monotonic()
        output = fresh.fail("up")
        assert "last exit code 3" in output or "exit code 3" in output
        assert "no luck today" in output
        assert time.monotonic() - started < 60
        fresh.configure({"openWebuiImage": None})
        assert "proved" in fresh.succeed("up")
    finally:
        fresh.remove_everything()
        sh("docker", "rmi", broken)
