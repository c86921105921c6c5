"""A replicated stack on another machine, reached through ssh: its Docker restarts, and it is found as it was."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

import docker_access
from tests.integration.deployment import Deployment
from tests.integration.hand_made import CADDY_IMAGE, POSTGRES_IMAGE, STAND_IN, VALKEY_IMAGE, ensure_images
from tests.integration.second_docker import SecondDocker, second_docker, wait_for

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(os.geteuid() != 0, reason="starts a Docker daemon of its own, which needs root"),
    pytest.mark.skipif("DOCKER_HOST" in os.environ, reason="starts a Docker daemon beside this machine's own"),
]

IMAGES = (STAND_IN, VALKEY_IMAGE, POSTGRES_IMAGE, CADDY_IMAGE)
HEALTHY_SECONDS = 180
KEEP = "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('yes')"


@pytest.fixture
def remote() -> Iterator[SecondDocker]:
    ensure_images(*IMAGES)
    with second_docker(*IMAGES) as made:
        yield made


@pytest.fixture
def stack(remote: SecondDocker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """A replicated stack there; every command is run through ssh."""
    made = Deployment(tmp_path, "embedded", stand_in=True)
    made.configure({"topology": "replicated", "replicas": 2, "enableSignup": True})
    for name, value in remote.over_ssh.items():
        monkeypatch.setenv(name, value)
    return made


def all_are_healthy(stack: Deployment) -> bool:
    with closing(docker_access.client()) as client:
        found = [
            client.api.inspect_container(name)["State"]
            for name in (*stack.apps, *(stack.names[role] for role in ("valkey", "postgres", "gateway")))
        ]
    return all(state["Running"] and state.get("Health", {}).get("Status") == "healthy" for state in found)


def in_postgres(stack: Deployment, statement: str) -> str:
    return stack.run_in("postgres", "psql", "-U", "postgres", "-tAc", statement)


def test_a_restart_of_docker_needs_no_update_and_loses_nothing(remote: SecondDocker, stack: Deployment) -> None:
    assert "proved" in stack.succeed("up")
    stack.run_in("app-1", "sh", "-c", "echo yes > /app/backend/data/kept")
    in_postgres(stack, KEEP)

    remote.restart()

    wait_for(lambda: all_are_healthy(stack), HEALTHY_SECONDS)
    assert "proved" in stack.succeed("verify", "--no-idle")
    assert re.search(r"Resources:\n +\d+ unchanged\n", stack.succeed("preview"))
    assert stack.run_in("app-2", "cat", "/app/backend/data/kept") == "yes"
    assert in_postgres(stack, "SELECT word FROM kept") == "yes"
