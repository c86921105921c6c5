"""How an unchanged update grows with the number of containers: a stand-in that sleeps, once, and many times."""

from __future__ import annotations

import json
import os
import secrets
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from docker_access import labels
from docker_access.client import docker_client
from tests.bench.side_by_side import (
    COMPOSE,
    ENGINE,
    UNCHANGED,
    VERSION_OF,
    Seconds,
    as_compose,
    composing,
    run,
    time_of,
    version_of,
)
from tests.integration.deployment import PROJECT
from tooling.machine.progress import say

COUNTS: Final = (1, 4, 16, 64)
ROUNDS: Final = 3
IMAGE: Final = "docker.io/valkey/valkey:8.0.1-alpine"
"""What the stand-in is made from: small, and there."""

PROJECT_FILE: Final = """\
name: growth
runtime: python
stackConfigDir: stacks
options: {refresh: always}
config:
  count: {type: integer}
  image: {type: string}
"""
PROGRAM: Final = """\
import pulumi
import pulumi_docker as docker

config = pulumi.Config()
marks = {"pulumi.project": pulumi.get_project(), "pulumi.stack": pulumi.get_stack()}
name = "growth-" + pulumi.get_stack()
network = docker.Network(
    "network", name=name, labels=[docker.NetworkLabelArgs(label=key, value=value) for key, value in marks.items()]
)
for number in range(1, config.require_int("count") + 1):
    docker.Container(
        f"replica-{number}", name=f"{name}-{number}", image=config.require("image"),
        entrypoints=["sleep"], command=["86400"], must_run=True, restart="unless-stopped",
        labels=[docker.ContainerLabelArgs(label=key, value=value) for key, value in marks.items()],
        envs=[f"REPLICA={number}"],
        networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network.name)],
        opts=pulumi.ResourceOptions(delete_before_replace=True),
    )
"""


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Seconds of an unchanged update, by the number of containers.

    Attributes:
        embedded: The embedded engine's.
        compose: Those of ``docker compose``; empty where it is not on this machine.
    """

    embedded: Mapping[int, float]
    compose: Mapping[int, float]


def slope(seconds: Mapping[int, float]) -> float:
    """What each further container costs, in seconds: least squares over the counts."""
    return statistics.linear_regression(list(seconds), list(seconds.values())).slope


def growth(counts: Sequence[int] = COUNTS, rounds: int = ROUNDS) -> Growth:
    """Deploy the stand-in so many times, and ask for it again.

    Raises:
        CommandFailed: a command failed.
    """
    found: dict[str, dict[int, float]] = {ENGINE: {}, COMPOSE: {}}
    for count in counts:
        say(f"growth: {count} containers")
        with tempfile.TemporaryDirectory(prefix="open-webui-bench-") as directory:
            for (who, _), seconds in _measure(Path(directory), count, rounds).items():
                found[who][count] = statistics.median(seconds)
    return Growth(embedded=found[ENGINE], compose=found[COMPOSE])


def _measure(directory: Path, count: int, rounds: int) -> Seconds:
    stack, seconds = f"b{secrets.token_hex(3)}", Seconds()
    _write(directory, stack, count)
    file, state = directory / "compose.json", directory / f".pulumi-state/.pulumi/stacks/growth/{stack}.json"
    compose = composing(file, stack)
    # As a deployment's: what is measured is no compilation.
    left_out = ("PULUMI_", "PYTHONDONTWRITEBYTECODE")
    variables = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}

    def engine(command: str) -> Callable[[], None]:
        words = [sys.executable, "-m", "tooling.engine", command, "--cwd", str(directory), "--stack", stack]
        return lambda: run(words, PROJECT, variables)

    with_compose = bool(version_of(VERSION_OF[COMPOSE]))
    try:
        engine("up")()
        for _ in range(rounds):
            time_of(seconds, ENGINE, UNCHANGED, engine("up"))
        if with_compose:
            file.write_text(json.dumps(as_compose(state.read_bytes(), stack)), encoding="utf-8")
        engine("destroy")()
        if with_compose:
            run([*compose, "up", "--detach", "--wait"], directory)
            for _ in range(rounds):
                time_of(seconds, COMPOSE, UNCHANGED, lambda: run([*compose, "up", "--detach", "--wait"], directory))
    finally:
        if file.exists():
            run([*compose, "down", "--timeout", "0", "--volumes"], directory)
        _remove(stack)
    return seconds


def _remove(stack: str) -> None:
    own: dict[str, str | list[str] | bool] = {"label": f"{labels.STACK}={stack}"}
    with closing(docker_client()) as client:
        for container in client.containers.list(all=True, filters=own):
            container.remove(force=True, v=True)
        for network in client.networks.list(filters=own):
            network.remove()


def _write(directory: Path, stack: str, count: int) -> None:
    (directory / "stacks").mkdir()
    (directory / "Pulumi.yaml").write_text(PROJECT_FILE, encoding="utf-8")
    (directory / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    config = f"config: {{growth:count: {count}, growth:image: {IMAGE}}}\n"
    (directory / f"stacks/Pulumi.{stack}.yaml").write_text(config, encoding="utf-8")
