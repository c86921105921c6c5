"""The verification does not cry wolf: run after run under a load of events, and right after Valkey was away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack

import aiohttp
import pytest

from tests.bench.figures import Recorded
from tests.bench.traffic import Sockets, publishing
from tests.integration.hand_made import APP_IMAGE, PAIR_URL, STAND_IN, Pair, ensure_images
from verification.report.terminal import as_text
from verification.subject import PublishedPort

pytestmark = pytest.mark.docker

EVENTS_PER_SECOND = 200.0
SOCKETS_EACH = 20
LONGEST_SECONDS = 1500.0
"""How long the load may last at most: 50 runs take about a minute on a machine that does nothing else."""
AWAY_SECONDS = 6
"""Long enough for the apps' listeners to have failed and to be waiting for their next try."""


@pytest.fixture(scope="module", params=[STAND_IN, pytest.param(APP_IMAGE, marks=pytest.mark.nightly)])
def apps(pair: Pair, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Two replicas."""
    ensure_images(request.param)
    with pair.another_app("1", image=request.param) as one, pair.another_app("2", image=request.param) as other:
        yield one, other


@pytest.mark.parametrize(
    ("apps", "runs"),
    [(STAND_IN, 8), pytest.param(APP_IMAGE, 200, marks=[pytest.mark.nightly, pytest.mark.timeout(1800)])],
    indirect=["apps"],
)
def test_all_runs_under_a_load_of_events_are_proved(pair: Pair, apps: tuple[str, str], runs: int) -> None:
    door = PublishedPort(address=pair.address(apps[0]), port=8080)

    async def prove_under_load() -> tuple[list[str], int]:
        told, recorded = [], Recorded()
        async with AsyncExitStack() as stack:
            for app in apps:
                url = f"http://{pair.address(app)}:8080"
                session = await stack.enter_async_context(aiohttp.ClientSession(url))
                sockets = Sockets(session=session, recorded=Recorded())
                stack.push_async_callback(sockets.close)
                await sockets.connect(SOCKETS_EACH)
                # Each app's sockets are sent events by the other one, so that Valkey carries all of them.
                other = apps[0] if app == apps[1] else apps[1]
                await stack.enter_async_context(publishing(sockets.recorded, other, EVENTS_PER_SECOND, LONGEST_SECONDS))
                recorded = sockets.recorded
            for _ in range(runs):
                report = await asyncio.to_thread(pair.verified, *apps, url=PAIR_URL, door=door)
                told += [as_text(report)] if report["verdict"] != "proved" else []
            arrived = len(recorded.arrived)
        return told, arrived

    told, arrived = asyncio.run(prove_under_load())

    assert not told, f"{len(told)} of {runs} runs are not proved; the first:\n{told[0]}"
    assert arrived > runs  # there was a load


def test_after_valkey_was_away_the_apps_are_waited_for_and_proved(pair: Pair, apps: tuple[str, str]) -> None:
    pair.verified(*apps)  # a socket to each, so that their listeners have begun
    valkey = pair.container(pair.valkey)
    valkey.stop(timeout=1)
    time.sleep(AWAY_SECONDS)
    valkey.start()

    report = pair.verified(*apps)

    assert report["verdict"] == "proved", as_text(report)
