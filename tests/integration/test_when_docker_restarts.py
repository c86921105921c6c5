"""The Docker daemon restarts, and the stack is found proved without an update.

Everything on the machine goes down with the daemon, so only continuous integration runs this of itself.
"""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import drills
from bench.staging import staging, target
from tests.integration.deployment import Deployment

pytestmark = [
    pytest.mark.docker,
    pytest.mark.nightly,
    # Docker's SDK leaves the socket of a connection that was refused to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(
        not (os.environ.get("CI") or os.environ.get("RESTART_DOCKER")),
        reason="restarts this machine's Docker daemon, and with it everything in it; RESTART_DOCKER=1 has it run",
    ),
    pytest.mark.skipif(os.geteuid() != 0, reason="restarting Docker needs root"),
    pytest.mark.skipif("DOCKER_HOST" in os.environ, reason="Docker is on another machine"),
]


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with staging(tmp_path, "embedded").deployed() as made:
        yield made


def test_a_restart_of_docker_needs_no_update(deployment: Deployment) -> None:
    stack = target(deployment)
    stored = asyncio.run(drills.store(stack))

    # By hand all were healthy 10 s after Docker answered.
    assert drills.docker_restarted(stack) < 60

    assert "proved" in deployment.succeed("verify", "--no-idle")
    assert asyncio.run(drills.lost_of(stack, stored)) == []
