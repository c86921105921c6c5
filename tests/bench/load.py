"""Load: events at a steady rate to many sockets, and sockets that join as fast as they are let in."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from docker_access.client import api_client
from tests.bench.figures import Latency, Recorded, latency
from tests.bench.target import Target
from tests.bench.traffic import Sockets, client, publishing, sign_in

ROLES: Final = ("open-webui", "valkey", "gateway")
LATE_SECONDS: Final = 3.0
"""How long an event may take before it counts as lost."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """One run at a steady rate.

    Attributes:
        replicas: Open WebUI containers.
        sockets: Connected sockets.
        asked: Events per second asked for.
        reached: Events per second published.
        events: Events published.
        lost: Events that did not arrive.
        repeated: Events that arrived twice, or at another's socket.
        sockets_lost: Sockets that were lost.
        latency: How long the others took.
        cpu: Processors used by the containers of each role, in percent of one processor, on average over them.
    """

    replicas: int
    sockets: int
    asked: float
    reached: float
    events: int
    lost: int
    repeated: int
    sockets_lost: int
    latency: Latency
    cpu: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Join:
    """Many sockets joining at once: with an account each signs in and joins its account's rooms."""

    sockets: int
    with_account: bool
    seconds: float

    @property
    def rate(self) -> float:
        """Sockets per second."""
        return self.sockets / self.seconds


async def load(target: Target, *, rate: float, sockets: int, seconds: float) -> Load:
    """Publish events at a steady rate, each to one of many sockets.

    Raises:
        TrafficError: traffic could not be made.
    """
    recorded = Recorded()
    async with client(target) as session:
        connected = Sockets(session=session, recorded=recorded)
        try:
            await connected.connect(sockets)
            return await _run(target, recorded, rate, seconds)
        finally:
            await connected.close()


async def join(target: Target, *, sockets: int, with_account: bool) -> Join:
    """Connect many sockets at once.

    Raises:
        TrafficError: one was refused.
    """
    async with client(target) as session:
        token = await sign_in(session, target) if with_account else ""
        connected = Sockets(session=session, recorded=Recorded())
        try:
            began = time.monotonic()
            await connected.connect(sockets, token)
            return Join(sockets=sockets, with_account=with_account, seconds=time.monotonic() - began)
        finally:
            await connected.close()


async def _run(target: Target, recorded: Recorded, rate: float, seconds: float) -> Load:
    before = await asyncio.to_thread(_processor_seconds, target)
    with _no_garbage_collection():
        async with publishing(recorded, target.containers("open-webui")[0], rate, seconds) as published:
            await published
            await asyncio.sleep(LATE_SECONDS)
    after = await asyncio.to_thread(_processor_seconds, target)
    times = [sent.at for sent in recorded.sent.values()]
    elapsed = max(times) - min(times)
    return Load(
        replicas=len(target.containers("open-webui")),
        sockets=len(recorded.rooms),
        asked=rate,
        reached=(len(times) - 1) / elapsed,
        events=len(times),
        lost=len(recorded.missing()),
        repeated=recorded.repeated,
        sockets_lost=len(recorded.dropped),
        latency=latency(recorded),
        cpu={role: 100 * (after[role] - before[role]) / elapsed for role in before},
    )


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """The client's own pauses are not the server's latency."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _processor_seconds(target: Target) -> dict[str, float]:
    """Processor time used so far by a container of each role, on average over them."""
    api = api_client()
    try:
        used: dict[str, float] = {}
        for role in ROLES:
            names = target.containers(role)
            stats: list[dict[str, Any]] = [api.stats(name, stream=False, one_shot=True) for name in names]
            if names:
                used[role] = sum(one["cpu_stats"]["cpu_usage"]["total_usage"] for one in stats) / len(names) / 1e9
        return used
    finally:
        api.close()
