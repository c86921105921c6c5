"""How long the stack takes from nothing to proved, against the least that any way of starting it would take."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from docker_access.client import docker_client
from tests.bench.target import Target
from tests.integration.deployment import Deployment

UNTIL_READY: Final = "until curl --silent --fail --output /dev/null http://127.0.0.1:8080/ready; do sleep 0.05; done"


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Seconds, with all images present.

    Attributes:
        proved: From nothing to the end of a green ``up``.
        migration: The migration's container in it, from its start to its end.
        ready: One replica of Open WebUI, started alone with all it needs running, until ``/ready`` answers 200.
        healthy: The same until Docker calls it healthy, which asks every few seconds.
        unchanged: ``up`` again with nothing changed.
        verify: ``verify``, the verification alone, without the idle websocket.
    """

    proved: float
    migration: float
    ready: float
    healthy: float
    unchanged: float
    verify: float

    @property
    def ratio(self) -> float:
        """From nothing to proved, as a multiple of the slowest container's time to be healthy plus the migration."""
        return self.proved / (self.healthy + self.migration)


@dataclass(frozen=True, kw_only=True)
class Commands:
    """Seconds of the commands that deployed a stack: the first ``up``, one that changes nothing, and ``verify``."""

    up: float
    unchanged: float
    verify: float


def deploy(deployment: Deployment) -> Commands:
    """Deploy a stack from nothing but images, and ask for it again."""
    deployment.succeed("setup")
    return Commands(
        up=_timed(deployment, "up"),
        unchanged=_timed(deployment, "up"),
        verify=_timed(deployment, "verify", "--no-idle"),
    )


def speed(target: Target, commands: Commands) -> Speed:
    """Compare with what the stack's slowest container and its migration take by themselves.

    Raises:
        TimeoutError: the replicas, stopped and started again, did not become healthy.
    """
    with closing(docker_client()) as daemon:
        migration = daemon.containers.get(target.containers("migration", every=True)[0]).attrs["State"]
        began, ended = (datetime.fromisoformat(migration[key]) for key in ("StartedAt", "FinishedAt"))
        replicas = [daemon.containers.get(name) for name in target.containers("open-webui")]
        for replica in replicas:
            replica.stop()
        started = time.monotonic()
        replicas[0].start()
        replicas[0].exec_run(["sh", "-c", UNTIL_READY])
        ready = time.monotonic() - started
        while daemon.containers.get(str(replicas[0].id)).health != "healthy":
            time.sleep(0.05)
        healthy = time.monotonic() - started
        for replica in replicas[1:]:
            replica.start()
    target.wait_until_healthy(120)
    return Speed(
        proved=commands.up,
        unchanged=commands.unchanged,
        verify=commands.verify,
        ready=ready,
        healthy=healthy,
        migration=(ended - began).total_seconds(),
    )


def _timed(deployment: Deployment, *command: str) -> float:
    began = time.monotonic()
    deployment.succeed(*command)
    return time.monotonic() - began
