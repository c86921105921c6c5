"""The edges of a stack's life, under each engine: what exists before it, what stays after it, and what cannot start.

They are about containers, networks, volumes and the order of their changes: Open WebUI is stood in for.
"""

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from docker_access.client import docker_client
from tests.documents import commands
from tests.integration.deployment import ENGINES, Deployment, no_changes, sh
from tests.integration.empty_docker import empty_docker
from tests.lease import free_port
from tooling.pulumi_files.project import environment, load_project

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module", params=ENGINES)
def light(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A single stack that is deployed and proved; its tests leave it proved."""
    with Deployment(tmp_path_factory.mktemp("project"), request.param, stand_in=True).deployed() as stack:
        yield stack


def test_another_docker_is_refused_and_the_state_kept(light: Deployment) -> None:
    before = light.state()
    with empty_docker() as host:
        for command in ("preview", "up", "refresh", "destroy", "drift"):
            refused = light.make(command, DOCKER_HOST=host)
            assert refused.returncode == 1, refused.stdout
            assert "lives on another Docker host" in refused.stdout
    assert light.state() == before
    assert no_changes(light.succeed("preview"))


def test_the_report_of_a_preview_on_another_docker_says_so(light: Deployment) -> None:
    engine = ["pulumi"] if light.engine == "pulumi" else [sys.executable, "-m", "tooling.engine"]
    command = [*engine, "preview", "--json", "--non-interactive", "--stack", light.stack]
    variables = {**light.environment(), **environment(load_project(light.directory), make=False)}
    with empty_docker() as host:
        seen = subprocess.run(
            command, cwd=light.directory, env={**variables, "DOCKER_HOST": host}, stdout=subprocess.PIPE, check=False
        )
    report = subprocess.run(
        [sys.executable, "-m", "tooling.preview_report"],
        input=seen.stdout,
        cwd=light.directory,
        capture_output=True,
        check=False,
    )
    assert seen.returncode == 1
    assert report.returncode == 2, report.stdout
    assert b"lives on another Docker host" in report.stdout


def test_a_stack_that_was_moved_here_with_its_data_is_taken_and_its_host_remembered(light: Deployment) -> None:
    client = docker_client()
    here = client.info()["ID"].encode()
    client.close()
    file = light.directory / f".pulumi-state/.pulumi/stacks/open-webui/{light.stack}.json"
    file.write_bytes(light.state().replace(here, b"WHERE:IT:WAS"))
    # Bytes that the Pulumi CLI keeps a checksum of elsewhere.
    file.with_name(f"{file.name}.attrs").unlink(missing_ok=True)
    light.succeed("refresh")
    assert here in light.state()
    assert b"WHERE:IT:WAS" not in light.state()
    assert no_changes(light.succeed("preview"))


def test_the_report_of_a_preview_that_changes_nothing_is_one_line(light: Deployment) -> None:
    typed = commands("docs/pull-requests.md", "The report", team=light.stack)
    tools = f"{light.directory / '.venv/bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", typed], cwd=light.directory, env={**light.environment(), "PATH": tools}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1:] == [f"### Preview of stack `{light.stack}`", "", "Nothing changes."]


def test_a_paused_valkey_fails_the_verification_and_the_update_and_both_name_the_way_out(light: Deployment) -> None:
    light.pause("valkey")
    try:
        for output in (light.fail("verify"), light.fail("up")):
            assert "valkey-paused" in output
            assert f"docker unpause {light.names['valkey']}" in output
    finally:
        sh("docker", "unpause", light.names["valkey"])
    assert "proved" in light.succeed("up")
    assert "proved" in light.succeed("verify")


@pytest.mark.parametrize(
    ("stopped", "removed"), [("valkey", "app"), ("app", "valkey")], ids=["the app removed", "Valkey removed"]
)
def test_a_container_that_is_stopped_or_removed_is_noticed_and_mended(
    light: Deployment, stopped: str, removed: str
) -> None:
    sh("docker", "stop", light.names[stopped])
    sh("docker", "rm", "-fv", light.names[removed])
    assert not no_changes(light.succeed("preview"))
    assert "proved" in light.succeed("up")
    assert all(light.inspect(role)["State"]["Running"] for role in (stopped, removed))
    assert no_changes(light.succeed("preview"))


def test_an_update_may_always_verify(light: Deployment) -> None:
    light.configure({"verification": "always"})
    assert "proved" in light.succeed("up")
    before = light.outputs()["verification"]["asked_at"]
    assert "proved" in light.succeed("up")
    assert light.outputs()["verification"]["asked_at"] != before
    light.configure({"verification": None})


def test_the_debug_port_lets_this_host_ask_valkey_and_publishes_on_loopback_only(light: Deployment) -> None:
    port = free_port()
    light.configure({"valkeyDebugPort": port})
    light.succeed("up")
    with redis.Redis(port=port) as client:
        assert client.ping()
    bindings = light.inspect("valkey")["HostConfig"]["PortBindings"]
    assert bindings == {"6379/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}
    light.configure({"valkeyDebugPort": None})
    light.succeed("up")
    assert not light.inspect("valkey")["HostConfig"]["PortBindings"]


def test_an_upgrade_stops_the_app_then_migrates_then_starts_it(light: Deployment) -> None:
    before = light.config["openWebuiImage"]
    with changed(before, "LABEL newer=yes") as newer:
        light.configure({"openWebuiImage": newer})
        steps = light.starts_and_ends("up")
        app, migration = light.names["app"], light.names["migration"]
        assert steps == [f"die {app}", f"start {migration}", f"die {migration}", f"start {app}"]
        light.configure({"openWebuiImage": before})
        light.succeed("up")


@contextmanager
def changed(image: str, change: str = "", files: Mapping[Path, str] | None = None) -> Iterator[str]:
    """An image that differs in a line of a Dockerfile, or has more files, for a while."""
    name = f"open-webui-test/{secrets.token_hex(3)}:v0.12.4"
    container = sh("docker", "create", image)
    try:
        with tempfile.TemporaryDirectory() as folder:
            for place, text in (files or {}).items():
                file = Path(folder) / place.name
                file.write_text(text)
                file.chmod(0o644)
                sh("docker", "cp", str(file), f"{container}:{place}")
        sh("docker", "commit", *(["--change", change] if change else []), container, name)
    finally:
        sh("docker", "rm", container)
    try:
        yield name
    finally:
        sh("docker", "rmi", "--force", name)


@pytest.mark.parametrize("stood_in", ENGINES, indirect=True)
def test_destroy_leaves_nothing_but_the_data_and_the_next_up_takes_it_up(stood_in: Deployment) -> None:
    stood_in.succeed("up")
    stood_in.run_in("app", "sh", "-c", "echo kept > /app/backend/data/kept")
    stood_in.run_in("valkey", "valkey-cli", "set", "kept", "yes")
    output = stood_in.succeed("destroy")
    volumes = sorted([stood_in.names["app_data"], stood_in.names["valkey_data"]])
    assert stood_in.left() == {"containers": [], "networks": [], "volumes": volumes}
    assert all(volume in output for volume in volumes)
    assert "proved" in stood_in.succeed("up")
    assert stood_in.run_in("app", "cat", "/app/backend/data/kept") == "kept"
    assert stood_in.run_in("valkey", "valkey-cli", "get", "kept") == "yes"
    stood_in.configure({"dataOnDestroy": "delete"})
    stood_in.succeed("up")
    stood_in.succeed("destroy")
    assert stood_in.left() == {"containers": [], "networks": [], "volumes": []}


@pytest.mark.parametrize("stood_in", ENGINES, indirect=True)
def test_a_network_and_volumes_that_exist_are_joined_and_outlive_the_stack(stood_in: Deployment) -> None:
    names = stood_in.names
    stood_in.configure({"networkExternal": True, "volumesExternal": True, "dataOnDestroy": "delete"})
    refusal = stood_in.fail("up")
    assert f"docker network create {names['network']}" in refusal
    assert f"docker volume create {names['app_data']}" in refusal
    sh("docker", "network", "create", names["network"])
    sh("docker", "volume", "create", names["app_data"])
    sh("docker", "volume", "create", names["valkey_data"])
    try:
        assert "proved" in stood_in.succeed("up")
        stood_in.succeed("destroy")
        sh("docker", "network", "inspect", names["network"])
        sh("docker", "volume", "inspect", names["app_data"], names["valkey_data"])
    finally:
        stood_in.remove_everything()
        sh("docker", "network", "rm", names["network"])
        sh("docker", "volume", "rm", names["app_data"], names["valkey_data"])


@pytest.mark.parametrize("stood_in", ENGINES, indirect=True)
def test_a_failed_migration_stops_the_app_from_starting_and_the_next_up_runs_it_again(stood_in: Deployment) -> None:
    client = docker_client()
    volume = client.volumes.create(
        stood_in.names["app_data"], labels={"pulumi.project": "open-webui", "pulumi.stack": stood_in.stack}
    )
    client.close()
    image = stood_in.config["openWebuiImage"]
    spoil = ("docker", "run", "--rm", "--entrypoint", "sh", "-v", f"{volume.name}:/data", image, "-c")
    sh(*spoil, "echo this is no database > /data/webui.db")
    failed = stood_in.make("up")
    assert failed.returncode != 0
    assert "exited with code 1" in failed.stdout
    assert "file is not a database" in failed.stdout
    assert stood_in.names["app"] not in stood_in.left()["containers"]
    sh(*spoil, "rm /data/webui.db")
    assert "proved" in stood_in.succeed("up")


@pytest.mark.parametrize("stood_in", ENGINES, indirect=True)
def test_an_app_that_exits_fails_the_update_with_its_exit_code_and_last_lines(stood_in: Deployment) -> None:
    sound = stood_in.config["openWebuiImage"]
    with changed(sound, 'CMD ["sh", "-c", "echo no luck today; exit 3"]') as broken:
        stood_in.configure({"openWebuiImage": broken})
        output = stood_in.fail("up")
        assert "exit code 3" in output
        assert "no luck today" in output
        stood_in.configure({"openWebuiImage": sound})
        assert "proved" in stood_in.succeed("up")
        stood_in.remove_everything()
