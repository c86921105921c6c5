"""What is left when an engine is killed, or the state is lost: the next command repairs it, and no data go."""

import shutil
import subprocess
import sys
import time
from contextlib import closing

import psutil
import pytest

from docker_access import labels
from docker_access.client import docker_client
from tests.integration.deployment import ENGINES, Deployment, sh
from tests.integration.hand_made import APP_IMAGE
from tooling.pulumi_files.backend import Backend
from tooling.pulumi_files.checkpoint import timestamp


@pytest.mark.parametrize("stood_in", ENGINES, indirect=True)
def test_a_lost_state_is_made_anew_around_the_data(stood_in: Deployment) -> None:
    stood_in.succeed("up")
    stood_in.run_in("app", "sh", "-c", "echo kept > /app/backend/data/kept")
    stood_in.run_in("valkey", "valkey-cli", "set", "kept", "yes")
    shutil.rmtree(stood_in.directory / ".pulumi-state")
    # The passphrase went with it, and the stack file still holds its salt.
    assert "remove `encryptionsalt`" in stood_in.fail("up", TAKE_OVER="1")
    stood_in.stack_file.unlink()
    stood_in.configure({})
    assert "TAKE_OVER=1" in stood_in.fail("up")
    assert len(stood_in.left()["containers"]) == 3
    assert "proved" in stood_in.succeed("up", TAKE_OVER="1")
    assert len(stood_in.left()["containers"]) == 3
    assert stood_in.run_in("app", "cat", "/app/backend/data/kept") == "kept"
    assert stood_in.run_in("valkey", "valkey-cli", "get", "kept") == "yes"
    shutil.rmtree(stood_in.directory / ".pulumi-state")
    stood_in.stack_file.unlink()
    stood_in.configure({})
    assert f"removed container {stood_in.names['app']}" in stood_in.succeed("destroy", TAKE_OVER="1")
    assert stood_in.left() == {
        "containers": [],
        "networks": [],
        "volumes": sorted([stood_in.names["app_data"], stood_in.names["valkey_data"]]),
    }


@pytest.mark.parametrize("stood_in", ENGINES, indirect=True)
def test_a_killed_update_is_taken_up_by_the_next(stood_in: Deployment) -> None:
    command = [sys.executable, "-m", "tooling.launcher", "up", "--stack", stood_in.stack, "--engine", stood_in.engine]
    started = subprocess.Popen(
        command,
        cwd=stood_in.directory,
        env=stood_in.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    client = docker_client()
    try:
        deadline = time.monotonic() + 60
        while not client.api.containers(all=True, filters=stood_in.marks()) and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        client.close()
        launcher = psutil.Process(started.pid)
        for process in [*launcher.children(recursive=True), launcher]:
            process.kill()
        started.wait(10)
    output = stood_in.succeed("up")
    assert "proved" in output
    assert "Taking over a lock" in output
    assert len(stood_in.left()["containers"]) == 3


@pytest.mark.parametrize("stood_in", ENGINES[:1], indirect=True)
def test_what_docker_still_makes_for_a_killed_run_is_no_remainder(stood_in: Deployment) -> None:
    marks = [f"--label={labels.PROJECT}=open-webui", f"--label={labels.STACK}={stood_in.stack}"]
    # Docker copies there what the image has, which takes seconds.
    volume = ["--volume", f"{stood_in.names['app_data']}:/usr/local/lib"]
    command = ["docker", "create", *marks, *volume, "--name", stood_in.names["app"], APP_IMAGE]
    client = docker_client()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as asking, closing(client):
        try:
            while not client.api.containers(all=True, filters=stood_in.marks()):
                assert asking.poll() is None
        finally:
            asking.kill()
        # It carries no mark of a state, and there is none: only whoever says so has it removed.
        assert f"removed container {stood_in.names['app']}" in stood_in.succeed("destroy", TAKE_OVER="1")
        assert stood_in.left()["containers"] == []
        client.volumes.get(stood_in.names["app_data"]).remove()


@pytest.mark.parametrize("stood_in", ENGINES, indirect=True)
def test_what_another_run_is_making_is_no_stray(stood_in: Deployment) -> None:
    ours = [f"--label={labels.PROJECT}=open-webui", f"--label={labels.STACK}={stood_in.stack}"]
    sh("docker", "create", *ours, "--name", stood_in.names["app"], "docker.io/valkey/valkey:8.0.1-alpine")
    backend = Backend(stood_in.directory / ".pulumi-state", "open-webui", stood_in.stack)
    backend.locks.mkdir(parents=True)
    lock = f'{{"pid":1,"username":"u","hostname":"elsewhere","timestamp":"{timestamp()}"}}'
    (backend.locks / "0.json").write_text(lock)
    assert "is locked" in stood_in.fail("destroy", TAKE_OVER="1")
    assert stood_in.left()["containers"] == [stood_in.names["app"]]


@pytest.mark.parametrize("stood_in", ENGINES, indirect=True)
def test_a_network_that_was_removed_by_hand_is_made_anew_with_its_containers_on_it(stood_in: Deployment) -> None:
    stood_in.succeed("up")
    for role in ("app", "valkey"):
        sh("docker", "network", "disconnect", "--force", stood_in.names["network"], stood_in.names[role])
    sh("docker", "network", "rm", stood_in.names["network"])
    assert "proved" in stood_in.succeed("up")
