"""``make test``: tiers of tests, the quick ones first; it stops at the first that is red.

Set-up of Docker and of the images comes after what needs neither. What the tests leave behind is red too: containers,
networks, volumes, listening ports, processes, files outside their temporary folder. At the end are the seconds of each
tier. Exit codes: 0 everything passed, 1 something did not, 130 it was interrupted.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests import packages
from tests.seed import SEED
from tests.stand_in import ensure_stand_in
from tests.traces import RUN, Traces, left, traces
from tooling.images.__main__ import main as ensure_images
from tooling.images.errors import ImageError
from tooling.launcher.__main__ import main as launch
from tooling.launcher.gate import read_settings
from tooling.launcher.stack import open_stack
from tooling.machine.progress import say

MINUTES: Final = 60
ENDING_SECONDS: Final = 30
HOST_SECONDS: Final = 330
"""A language host whose Pulumi CLI was killed looks for it every five minutes, and then ends.

https://github.com/pulumi/pulumi/blob/v3.259.0/sdk/go/common/util/rpcutil/health.go
"""
INTERRUPTED: Final = 130
SKIPS: Final = 0
"""How many tests may be skipped by root, who may start a Docker daemon and mount a file system."""
SKIPS_OF_OTHERS: Final = 16
"""How many by any other user."""
WORKERS: Final = ("-n", "auto", "--maxprocesses", "4")
CONTAINERS: Final = (
    "-n",
    str(min(4, (os.cpu_count() or 1) + 1)),  # they wait more than they work, and a machine has one Docker
    "--dist",
    "loadgroup",
    "--no-loadscope-reorder",
    "-v",
    "--durations",
    "15",
)


@dataclass(frozen=True, kw_only=True)
class Tier:
    """Tests that are run together.

    Attributes:
        name: What it is called, in one word.
        command: What runs it.
        minutes: How long it may take; then it is ended, and red.
        containers: Whether it needs Docker and the images.
        nightly: Whether only ``make test-all`` runs it.
        asked: Whether it is run only where it is named.
        about: What is said of it when it begins.
    """

    name: str
    command: Sequence[str]
    minutes: float
    containers: bool = False
    nightly: bool = False
    asked: bool = False
    about: str = ""


def pytest(*options: str) -> tuple[str, ...]:
    """A command that runs tests."""
    skips = SKIPS if os.geteuid() == 0 else SKIPS_OF_OTHERS
    return (sys.executable, "-m", "pytest", "--skips-allowed", str(skips), *options)


TIERS: Final = (
    Tier(name="lint", command=("make", "--no-print-directory", "lint"), minutes=10),
    Tier(name="unit", command=("make", "--no-print-directory", "unit"), minutes=10),
    Tier(
        name="engine",
        command=pytest(*WORKERS, "-q", "-m", "processes and not (docker or nightly)", "tests"),
        minutes=10,
    ),
    Tier(
        name="containers",
        command=pytest("--seed", str(SEED), "-m", "docker and not nightly", *CONTAINERS, "tests"),
        minutes=60,
        containers=True,
        about=f" (a quarter of the faults, drawn by TESTS_SEED={SEED})",
    ),
    Tier(
        name="nightly-engine",
        command=pytest(*WORKERS, "-q", "-m", "nightly and not docker", "tests"),
        minutes=60,
        nightly=True,
    ),
    Tier(
        name="nightly",
        command=pytest("--seed", str(SEED), "-m", "docker and nightly", *CONTAINERS, "-n", "1", "tests"),
        minutes=180,
        containers=True,
        nightly=True,
    ),
    Tier(
        name="cli",
        command=pytest("--pulumi-cli", "-m", "not nightly", *CONTAINERS, "tests"),
        minutes=60,
        containers=True,
        asked=True,
    ),
    Tier(
        name="nightly-cli",
        command=pytest("--pulumi-cli", "-m", "nightly", *CONTAINERS, "-n", "1", "tests"),
        minutes=60,
        containers=True,
        asked=True,
    ),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the tiers; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.tiers", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--all", action="store_true", help="the nightly tier too, with nothing beside it")
    names = [tier.name for tier in TIERS]
    parser.add_argument("--only", choices=names, action="append", help="one of the tiers, and again for another")
    options = parser.parse_args(arguments)
    usual = [tier.name for tier in TIERS if not tier.asked and (options.all or not tier.nightly)]
    chosen = [tier for tier in TIERS if tier.name in (options.only or usual)]
    interrupted: list[int] = []
    # Ctrl-C reaches pytest too: it removes what its tests have made, and is waited for.
    signal.signal(signal.SIGINT, lambda number, _: interrupted.append(number))
    code = run(chosen)
    return INTERRUPTED if interrupted else code


def run(tiers: Sequence[Tier]) -> int:
    """Run tiers until one is red, and say how long each took."""
    folder = Path(tempfile.mkdtemp(prefix="tests-"))
    folder.chmod(0o1777)  # mmdebstrap works as another user
    mark = secrets.token_hex(8)
    environment = {**os.environ, RUN: mark, "TMPDIR": str(folder)}
    seconds: dict[str, float] = {}
    before: Traces | None = None
    red = ""
    for tier in tiers:
        began = time.monotonic()
        if tier.containers and before is None:
            if set_up_containers():
                red = "set-up"
                break
            seconds["set-up"] = time.monotonic() - began
            before, began = traces(mark), time.monotonic()
        say(f"tests: {tier.name}{tier.about}")
        code = run_one(tier, environment)
        seconds[tier.name] = time.monotonic() - began
        if code:
            red = tier.name
            break
    kept = remains(folder, keep=bool(red))
    seconds_to_end = HOST_SECONDS if {"cli", "nightly-cli"} & seconds.keys() else ENDING_SECONDS
    leaks = lasting(before, mark, seconds_to_end) if before is not None else []
    for line in leaks:
        say(f"tests: left behind: {line}")
    told = ", ".join(f"{name} {length:.0f} s" for name, length in seconds.items())
    say(f"tests: {told}; {sum(seconds.values()):.0f} s in all")
    if red or leaks:
        say(f"tests: RED: {red or f'{len(leaks)} things were left behind'}{kept}")
        return 1
    say("tests: everything passed")
    return 0


def set_up_containers() -> int:
    """Have Docker, the programs and the images that several modules need; 0 if all are there."""
    return (
        launch(["setup", "--stack", "dev"]) or packages.main() or ensure_images(needed_images()) or ensure_a_stand_in()
    )


def ensure_a_stand_in() -> int:
    """Have the image that stands in for Open WebUI's; 0 if it is there."""
    try:
        ensure_stand_in()
    except ImageError as error:
        say(f"error: {error}")
        return 1
    return 0


def needed_images() -> list[str]:
    """References of the images that several modules need; two that build one would each give it another id."""
    stacks = ("dev", "staging", "prod")
    return sorted({image for stack in stacks for image in read_settings(open_stack(stack)).images.values()})


def run_one(tier: Tier, environment: dict[str, str]) -> int:
    """Run a tier; its exit code, and one of its own where it has to be ended."""
    with subprocess.Popen(tier.command, env=environment) as process:
        try:
            return process.wait(tier.minutes * MINUTES)
        except subprocess.TimeoutExpired:
            say(f"tests: {tier.name} is ended after {tier.minutes} minutes, which is too long")
            process.send_signal(signal.SIGINT)
            try:
                process.wait(5 * MINUTES)
            except subprocess.TimeoutExpired:
                process.kill()
            return 1


def lasting(before: Traces, run: str, seconds: float) -> list[str]:
    """What the tests have left; a process whose parent was killed is given time to notice."""
    end = time.monotonic() + seconds
    while (leaks := left(before, traces(run))) and time.monotonic() < end:
        time.sleep(1)
    return leaks


def remains(folder: Path, *, keep: bool) -> str:
    """Remove the temporary folder of the tests, or say where it is."""
    if keep:
        return f"; what its tests wrote is in {folder}"
    shutil.rmtree(folder)
    return ""


if __name__ == "__main__":
    sys.exit(main())
