"""``python -m tests.bench``: deploys the staging settings as a stack of its own, measures it, writes the document."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Collection
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import aiohttp
import psutil

from docker_access import labels
from docker_access.client import docker_client
from docker_access.surroundings import print_in_any_encoding
from tests.bench import drills
from tests.bench.figures import Outage
from tests.bench.growth import growth
from tests.bench.load import Join, Load, join, load
from tests.bench.proof import cost
from tests.bench.report import Results, document, updated
from tests.bench.side_by_side import CommandFailed, side_by_side
from tests.bench.speed import deploy, speed
from tests.bench.staging import staging, target
from tests.bench.target import SERVICES, Target
from tests.bench.traffic import TrafficError
from tests.integration.deployment import PROJECT, Deployment
from tooling.machine.progress import say

RATES: Final = (100.0, 500.0, 1000.0, 2000.0)
SOCKETS: Final = 500
SECONDS: Final = 8.0
PROVED_REPLICAS: Final = (1, 2, 3)
SECTIONS: Final = ("events", "joins", "outages", "deployment", "proof", "speed")
"""What can be measured by itself; all but the last share one deployment of staging."""
DOCUMENT: Final = PROJECT / "docs/benchmarks.md"


def main(arguments: list[str] | None = None) -> int:
    """Measure everything; exit code 0 when all of it could be."""
    print_in_any_encoding()
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--engine", default="auto", help="auto, pulumi or embedded (default: %(default)s)")
    parser.add_argument(
        "--only", nargs="*", choices=SECTIONS, metavar="SECTION", help=f"just these: {', '.join(SECTIONS)}"
    )
    options = parser.parse_args(arguments)
    sections = frozenset(options.only or SECTIONS)
    only = f" ONLY={' '.join(options.only)!r}" if options.only else ""
    facts = {
        "command": f"`make bench ENGINE={options.engine}{only}`",
        "other load": f"{os.getloadavg()[0]:.1f} before it began (load average of a minute)",
    }
    try:
        results = _measure(sections, options.engine, facts)
    # A command of the launcher that fails is an assertion's, with what it printed.
    except (AssertionError, CommandFailed, TrafficError, TimeoutError, aiohttp.ClientError) as error:
        say(f"error: {error}")
        return 1
    text = updated(DOCUMENT.read_text(encoding="utf-8"), results) if options.only else document(results)
    DOCUMENT.write_text(text, encoding="utf-8")
    print(text)
    say(f"written to {DOCUMENT.relative_to(PROJECT)}")
    return 0


def _measure(sections: Collection[str], engine: str, facts: dict[str, str]) -> Results:
    results = Results(facts={**_facts(), **facts})
    if "speed" in sections:
        results = replace(results, side_by_side=side_by_side(), growth=growth())
    if set(sections) == {"speed"}:
        return results
    with tempfile.TemporaryDirectory(prefix="open-webui-bench-") as directory:
        deployment = staging(Path(directory), engine)
        try:
            return _measure_staging(deployment, sections, results)
        finally:
            deployment.remove_everything()


def _measure_staging(deployment: Deployment, sections: Collection[str], results: Results) -> Results:
    say(f"deploying the staging settings as stack {deployment.stack}")
    commands = deploy(deployment)
    stack = target(deployment)
    facts = {**results.facts, "versions": _versions(stack)}
    loads, joins, outages = asyncio.run(_traffic(deployment, stack, sections))
    deployed, costs = None, []
    if "deployment" in sections:
        say("starting a replica alone")
        deployed = speed(stack, commands)
    if "proof" in sections:
        say("the proof alone")
        costs = [cost(deployment, stack, replicas) for replicas in PROVED_REPLICAS]
    return replace(results, facts=facts, loads=loads, joins=joins, outages=outages, speed=deployed, costs=costs)


async def _traffic(
    deployment: Deployment, stack: Target, sections: Collection[str]
) -> tuple[list[Load], list[Join], dict[str, Outage]]:
    loads, joins = [], []
    for rate in RATES if "events" in sections else ():
        say(f"{rate:.0f} events/s to {SOCKETS} sockets")
        loads.append(await load(stack, rate=rate, sockets=SOCKETS, seconds=SECONDS))
    if "joins" in sections:
        say("joins")
        joins = [await join(stack, sockets=SOCKETS, with_account=account) for account in (False, True)]
    return loads, joins, await _outages(deployment, stack) if "outages" in sections else {}


async def _outages(deployment: Deployment, stack: Target) -> dict[str, Outage]:
    def scale(replicas: int) -> None:
        deployment.configure({"replicas": replicas})
        deployment.succeed("up")

    stored, outages = await drills.store(stack), {}
    broken: dict[str, drills.Drill] = {
        **drills.DRILLS,
        "scaled by one and back": lambda stack, token: drills.scaled(stack, token, scale),
    }
    for what, drill in broken.items():
        say(f"drill: {what}")
        outages[what] = await drill(stack, stored.token)
        if lost := await drills.missing(stack, stored):
            raise TrafficError(f"after the drill {what!r}: {', '.join(lost)}")
    return outages


def _facts() -> dict[str, str]:
    """When, where and of what."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=PROJECT, capture_output=True, encoding="utf-8", check=False
    )
    memory = psutil.virtual_memory().total / 2**30
    with closing(docker_client()) as daemon:
        version = daemon.version()["Version"]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}",
        "versions": f"Docker Engine {version}",
        "commit": commit.stdout.strip() or "unknown",
    }


def _versions(stack: Target) -> str:
    """Versions of what is deployed, and Docker's."""
    with closing(docker_client()) as daemon:
        versions = []
        for role in SERVICES:
            image = daemon.containers.get(stack.containers(role)[0]).image
            image_labels = image.labels if image else {}
            versions.append(f"{role} {image_labels.get(labels.IMAGE_VERSION, 'of unknown version')}")
        return ", ".join([*versions, f"Docker Engine {daemon.version()['Version']}"])


if __name__ == "__main__":
    sys.exit(main())
