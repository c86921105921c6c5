"""What is left when an engine is killed, or the state is lost: the next command mends it, and no data go."""

import shutil
import subprocess
import sys
import time
from contextlib import closing

import psutil
import pytest

import docker_access
import labels
from engine.state import Backend, timestamp
from tests.integration.deployment import ENGINES, Deployment, sh
from tests.integration.test_deployment import OPEN_WEBUI


@pytest.mark.parametrize("fresh", ENGINES, indirect=True)
def test_a_lost_state_is_made_anew_around_the_data(fresh: Deployment) -> None:
    fresh.succeed("up")
    fresh.run_in("app", "sh", "-c", "echo kept > /app/backend/data/kept")
    fresh.run_in("valkey", "valkey-cli", "set", "kept", "yes")
    shutil.rmtree(fresh.directory / ".pulumi-state")
    # The passphrase went with it, and the stack file still holds its salt.
    assert "remove `encryptionsalt`" in fresh.fail("up")
    fresh.stack_file.unlink()
    fresh.configure({})
    assert "proved" in fresh.succeed("up")
    assert len(fresh.left()["containers"]) == 3
    assert fresh.run_in("app", "cat", "/app/backend/data/kept") == "kept"
    assert fresh.run_in("valkey", "valkey-cli", "get", "kept") == "yes"
    shutil.rmtree(fresh.directory / ".pulumi-state")
    fresh.stack_file.unlink()
    fresh.configure({})
    assert f"removed container {fresh.names['app']}" in fresh.succeed("destroy")
    assert fresh.left() == {
        "containers": [],
        "networks": [],
        "volumes": sorted([fresh.names["app_data"], fresh.names["valkey_data"]]),
    }


@pytest.mark.parametrize("fresh", ENGINES, indirect=True)
def test_a_killed_update_is_taken_up_by_the_next(fresh: Deployment) -> None:
    command = [sys.executable, "-m", "launcher", "up", "--stack", fresh.stack, "--engine", fresh.engine]
    started = subprocess.Popen(
        command, cwd=fresh.directory, env=fresh.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    client = docker_access.client()
    try:
        deadline = time.monotonic() + 60
        while not client.api.containers(all=True, filters=fresh.marks()) and time.monotonic() < deadline:
            time.sleep(0.02)
    finally:
        client.close()
        launcher = psutil.Process(started.pid)
        for process in [*launcher.children(recursive=True), launcher]:
            process.kill()
        started.wait(10)
    output = fresh.succeed("up")
    assert "proved" in output
    assert "Taking over a lock" in output
    assert len(fresh.left()["containers"]) == 3


@pytest.mark.parametrize("fresh", ENGINES[:1], indirect=True)
def test_what_docker_still_makes_for_a_killed_run_is_no_remainder(fresh: Deployment) -> None:
    marks = [f"--label={labels.PROJECT}=open-webui", f"--label={labels.STACK}={fresh.stack}"]
    # Docker copies there what the image has, which takes seconds.
    volume = ["--volume", f"{fresh.names['app_data']}:/usr/local/lib"]
    command = ["docker", "create", *marks, *volume, "--name", fresh.names["app"], OPEN_WEBUI]
    client = docker_access.client()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as asking, closing(client):
        try:
            while not client.api.containers(all=True, filters=fresh.marks()):
                assert asking.poll() is None
        finally:
            asking.kill()
        assert f"removed container {fresh.names['app']}" in fresh.succeed("destroy")
        assert fresh.left()["containers"] == []
        client.volumes.get(fresh.names["app_data"]).remove()


@pytest.mark.parametrize("fresh", ENGINES, indirect=True)
def test_what_another_run_is_making_is_no_stray(fresh: Deployment) -> None:
    ours = [f"--label={labels.PROJECT}=open-webui", f"--label={labels.STACK}={fresh.stack}"]
    sh("docker", "create", *ours, "--name", fresh.names["app"], "docker.io/valkey/valkey:8.0.1-alpine")
    backend = Backend(fresh.directory / ".pulumi-state", "open-webui", fresh.stack)
    backend.locks.mkdir(parents=True)
    lock = f'{{"pid":1,"username":"u","hostname":"elsewhere","timestamp":"{timestamp()}"}}'
    (backend.locks / "0.json").write_text(lock)
    assert "is locked" in fresh.fail("destroy")
    assert fresh.left()["containers"] == [fresh.names["app"]]


@pytest.mark.parametrize("fresh", ENGINES, indirect=True)
def test_a_network_that_was_removed_by_hand_is_made_anew_with_its_containers_on_it(fresh: Deployment) -> None:
    fresh.succeed("up")
    for role in ("app", "valkey"):
        sh("docker", "network", "disconnect", "--force", fresh.names["network"], fresh.names[role])
    sh("docker", "network", "rm", fresh.names["network"])
    assert "proved" in fresh.succeed("up")
