"""A stack that an earlier version of this project deployed goes on under the present one, its data where they were."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from docker_access.client import docker_client
from tests.integration.deployment import COMMAND_SECONDS, ENGINES, PROJECT, Deployment, no_changes, settings_of
from tests.lease import free_port

if TYPE_CHECKING:
    from pathlib import Path

# What the changelog announces is planned in tests/engine/test_released_states.py: replicas keep settings of the panel.
pytestmark = [pytest.mark.docker, pytest.mark.timeout(1200)]

RELEASED = ("949ef4cb269e87c1ed2b050411c74120006bc394",)
"""Commits whose states people have: before the modules moved into their rooms."""


def settings(topology: str) -> dict[str, Any]:
    """What is deployed in a topology; of the replicated one, more than its file says of what makes files."""
    if topology == "single":
        return {"uiPort": free_port()}
    return settings_of("staging", {"valkeyTls": True, "valkeyRights": "+lpop ~other:*"})


@pytest.mark.parametrize("released", RELEASED, ids=lambda commit: commit[:7])
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("topology", ["single", pytest.param("replicated", marks=pytest.mark.nightly)])
def test_it_is_updated_without_a_change_but_those_that_are_announced_and_proved(
    tmp_path: Path, topology: str, engine: str, released: str
) -> None:
    now = Deployment(tmp_path / "now", engine, config=settings(topology), stand_in=True)
    then = tmp_path / "then"
    check_out(released, then)
    shutil.copy(now.stack_file, then / "stacks")
    try:
        assert "proved" in deploy_as_then(then, now)
        now.run_in("valkey", "sh", "-c", "echo yes > /data/kept")
        before = made(now)
        shutil.move(then / ".pulumi-state", now.directory / ".pulumi-state")
        shutil.copy(then / now.stack_file.relative_to(now.directory), now.stack_file)

        changing = {now.names["migration"], *now.apps} if topology == "replicated" else set()
        if not changing:
            assert no_changes(now.succeed("preview"))
        now.succeed("up")
        assert no_changes(now.succeed("preview"))
        assert "proved: " in now.succeed("verify", "--no-idle")
        after = made(now)
        assert {name for name in {*before, *after} if before.get(name) != after.get(name)} == changing
        assert now.run_in("valkey", "cat", "/data/kept") == "yes"
    finally:
        now.remove_everything()


def check_out(commit: str, folder: Path) -> None:
    """Put the project as it was at a commit into a folder."""
    found = subprocess.run(["git", "-C", PROJECT, "archive", commit], capture_output=True, check=False)
    assert found.returncode == 0, (
        f"{found.stderr.decode()}The commit is not in this clone. Way out: git fetch --unshallow"
    )
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", folder], input=found.stdout, check=True)


def deploy_as_then(folder: Path, now: Deployment) -> str:
    """Deploy a stack with the project as it was, on its own packages; what it printed."""
    done = subprocess.run(
        ["make", "up", f"STACK={now.stack}", f"ENGINE={now.engine}", "YES=1"], cwd=folder, env=now.environment(),
        text=True, timeout=COMMAND_SECONDS, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


def made(deployment: Deployment) -> dict[str, Any]:
    """Ids of the containers and networks of a stack, by name."""
    with closing(docker_client()) as client:
        networks = client.networks.list(filters=deployment.marks())
        return {**deployment.ids(), **{str(network.name): network.id for network in networks}}
