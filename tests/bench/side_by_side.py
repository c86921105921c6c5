"""The embedded engine beside ``docker compose`` and the Pulumi CLI: the same containers, the same images, one run."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from docker_access import labels
from docker_access.client import api_client
from tests.bench.compose import CONTAINER, compose_file
from tests.integration.deployment import PROJECT, Deployment
from tests.lease import free_port
from tooling.machine.progress import say
from tooling.pulumi_files.project import environment, load_project

ROUNDS: Final = 5
COMMAND_SECONDS: Final = 600
STACK: Final = "dev"
"""Whose settings are measured, under another name and port."""

ENGINE: Final = "embedded engine"
MAKE: Final = "make"
COMPOSE: Final = "docker compose"
CLI: Final = "Pulumi CLI"

FROM_NOTHING: Final = "from nothing"
UNCHANGED: Final = "unchanged"
UNCHANGED_SERVICES: Final = "unchanged, services only"
PREVIEW: Final = "preview"
DESTROY: Final = "destroy"

Seconds = dict[tuple[str, str], list[float]]
"""What was measured, by who did it and what."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What the embedded engine may take.

    Attributes:
        what: Doing what.
        other: Compared with whom.
        theirs: Doing what.
        ratio: At most so many times that.
    """

    what: str
    other: str
    theirs: str
    ratio: float


BARS: Final = (
    Bar(what=FROM_NOTHING, other=COMPOSE, theirs=FROM_NOTHING, ratio=1.0),
    Bar(what=UNCHANGED, other=COMPOSE, theirs=UNCHANGED, ratio=1.0),
    Bar(what=UNCHANGED, other=COMPOSE, theirs=UNCHANGED_SERVICES, ratio=1.0),
    Bar(what=UNCHANGED, other=CLI, theirs=UNCHANGED, ratio=0.35),
    Bar(what=PREVIEW, other=CLI, theirs=PREVIEW, ratio=0.5),
    Bar(what=DESTROY, other=COMPOSE, theirs=DESTROY, ratio=1.0),
)


@dataclass(frozen=True, kw_only=True)
class SideBySide:
    """Seconds of every round.

    Attributes:
        seconds: By contestant and what it did.
        absent: Contestants that are not on this machine.
        versions: Those that are, and their versions.
    """

    seconds: Seconds
    absent: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)

    def median(self, who: str, what: str) -> float | None:
        """Median of the rounds; None where it was not measured."""
        measured = self.seconds.get((who, what))
        return statistics.median(measured) if measured else None

    def ratio(self, bar: Bar) -> float | None:
        """What the embedded engine takes, as a multiple of the other; None where one was not measured."""
        ours, theirs = self.median(ENGINE, bar.what), self.median(bar.other, bar.theirs)
        return ours / theirs if ours and theirs else None


def side_by_side(rounds: int = ROUNDS) -> SideBySide:
    """Let each do the same in turn, as often as asked for.

    Raises:
        CommandFailed: a command failed.
        AssertionError: ``setup`` failed.
    """
    versions = {who: version for who, command in VERSION_OF.items() if (version := version_of(command))}
    seconds: Seconds = {}
    with tempfile.TemporaryDirectory(prefix="open-webui-bench-") as directory:
        deployment = _deployment(Path(directory) / "project")
        file = Path(directory) / "compose.json"
        try:
            deployment.succeed("setup")
            for number in range(1, rounds + 1):
                say(f"side by side: round {number} of {rounds}")
                _embedded(deployment, seconds, file)
                if COMPOSE in versions:
                    _compose(file, deployment.stack, seconds)
                if CLI in versions:
                    _cli(deployment, seconds)
        finally:
            if COMPOSE in versions and file.exists():
                run([*composing(file, deployment.stack), "down", "--volumes"], directory)
            deployment.remove_everything()
    return SideBySide(seconds=seconds, absent=[who for who in VERSION_OF if who not in versions], versions=versions)


VERSION_OF: Final = {COMPOSE: ["docker", "compose", "version", "--short"], CLI: ["pulumi", "version"]}


def version_of(command: Sequence[str]) -> str:
    """What a program says of its version; empty where it is not on this machine."""
    if not shutil.which(command[0]):
        return ""
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    return done.stdout.strip().removeprefix("v") if done.returncode == 0 else ""


def _deployment(directory: Path) -> Deployment:
    """The settings of :data:`STACK` under a name and a port of their own."""
    written = yaml.safe_load((PROJECT / f"stacks/Pulumi.{STACK}.yaml").read_text(encoding="utf-8"))["config"]
    config = {key.partition(":")[2]: value for key, value in written.items()}
    return Deployment(directory, "embedded", config={**config, "tutorialNames": False, "uiPort": free_port()})


def _embedded(deployment: Deployment, seconds: Seconds, file: Path) -> None:
    def engine(*words: str) -> Callable[[], None]:
        command = [sys.executable, "-m", "tooling.engine", *words, "--stack", deployment.stack]
        return lambda: run(command, deployment.directory, deployment.environment())

    def make(command: str) -> Callable[[], None]:
        words = ["make", "--silent", command, f"STACK={deployment.stack}", "ENGINE=embedded"]
        return lambda: run(words, deployment.directory, deployment.environment())

    time_of(seconds, ENGINE, FROM_NOTHING, engine("up"))
    file.write_text(json.dumps(as_compose(deployment.state(), deployment.stack)), encoding="utf-8")
    time_of(seconds, ENGINE, UNCHANGED, engine("up"))
    time_of(seconds, MAKE, UNCHANGED, make("up"))
    time_of(seconds, ENGINE, PREVIEW, engine("preview"))
    time_of(seconds, MAKE, PREVIEW, make("preview"))
    time_of(seconds, ENGINE, DESTROY, engine("destroy"))
    deployment.remove_everything()


def _compose(file: Path, project: str, seconds: Seconds) -> None:
    compose = composing(file, project)
    described = json.loads(file.read_text(encoding="utf-8"))["services"]
    stay = [name for name, service in described.items() if service.get("restart") != "no"]
    up = [*compose, "up", "--detach", "--wait"]

    def asked(*command: str) -> Callable[[], None]:
        return lambda: run(command, file.parent)

    time_of(seconds, COMPOSE, FROM_NOTHING, asked(*up))
    time_of(seconds, COMPOSE, UNCHANGED, asked(*up))
    time_of(seconds, COMPOSE, UNCHANGED_SERVICES, asked(*up, "--no-deps", *stay))
    time_of(seconds, COMPOSE, DESTROY, asked(*compose, "down"))
    run([*compose, "down", "--volumes"], file.parent)


def composing(file: Path, project: str) -> list[str]:
    """``docker compose`` on a file, which prints no progress."""
    return ["docker", "compose", "--progress", "quiet", "--project-name", project, "--file", str(file)]


def _cli(deployment: Deployment, seconds: Seconds) -> None:
    own = environment(load_project(deployment.directory), environ=deployment.environment(), make=False)
    variables = {**deployment.environment(), **own}

    def pulumi(*words: str) -> Callable[[], None]:
        command = ["pulumi", *words, "--non-interactive", "--suppress-outputs", "--stack", deployment.stack]
        return lambda: run(command, deployment.directory, variables)

    time_of(seconds, CLI, FROM_NOTHING, pulumi("up", "--yes", "--skip-preview"))
    time_of(seconds, CLI, UNCHANGED, pulumi("up", "--yes", "--skip-preview"))
    time_of(seconds, CLI, PREVIEW, pulumi("preview"))
    time_of(seconds, CLI, DESTROY, pulumi("destroy", "--yes", "--skip-preview"))
    deployment.remove_everything()


def as_compose(state: bytes, stack: str) -> dict[str, Any]:
    """What was deployed, as a compose file.

    Args:
        state: The stack's state file.
        stack: The stack's name, which its networks are labelled with.
    """
    resources = json.loads(state)["checkpoint"]["latest"]["resources"]
    with closing(api_client()) as client:
        made = [resource["id"] for resource in resources if resource["type"] == CONTAINER]
        networks = client.networks(filters={"label": f"{labels.STACK}={stack}"})
        return compose_file([client.inspect_container(one) for one in made], networks, resources)


def time_of(seconds: Seconds, who: str, what: str, do: Callable[[], None]) -> None:
    """Do it, and add how long that took."""
    began = time.monotonic()
    do()
    seconds.setdefault((who, what), []).append(time.monotonic() - began)


class CommandFailed(Exception):  # noqa: N818 - it is what happened
    """A command that is measured ended with another exit code than 0; its text is what it printed."""


def run(command: Sequence[str], directory: Path | str, variables: Mapping[str, str] | None = None) -> None:
    """Run a command with nobody at a terminal.

    Raises:
        CommandFailed: its exit code is not 0.
    """
    done = subprocess.run(
        command, cwd=directory, env=variables, timeout=COMMAND_SECONDS, encoding="utf-8", check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    if done.returncode:
        raise CommandFailed(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")
