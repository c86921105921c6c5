"""Outage drills: something breaks under live sockets, steady requests and events, and what clients noticed is measured.

Each drill leaves the stack proved. Sockets are connected again for each, so they are spread evenly over the replicas.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from docker_access.client import docker_client
from tests.bench.figures import Outage, Recorded, outage
from tests.bench.target import Target
from tests.bench.traffic import Sockets, TrafficError, ask, bearer, client, publishing, sign_in, steady_gets

SOCKETS: Final = 40
EVENTS_PER_SECOND: Final = 100
GETS_PER_SECOND: Final = 20
CALM_SECONDS: Final = 2.0
"""Traffic before anything breaks."""
SETTLED_SECONDS: Final = 3.0
"""An outage is over when nothing was lost and nothing failed for so long."""
LIMIT_SECONDS: Final = 90.0
"""How long clients may notice an outage: the app's listener backs off up to 60 s."""
ARRIVAL_SECONDS: Final = 1.0
"""An event that has not arrived after this is taken for lost while the drill runs."""
DOWN_SECONDS: Final = 10.0
RESTART_SECONDS: Final = 20.0
MOST_SECONDS: Final = 900.0
"""End of a publisher that nobody stops."""

Break = Callable[[], Awaitable[float]]
"""Breaks something, and returns the moment from which the recovery counts (monotonic seconds)."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What was stored before an outage, and has to be there after it."""

    token: str
    revoked: str
    chat: str


async def store(target: Target) -> Stored:
    """Sign in twice, sign out once, and begin a chat.

    Raises:
        TrafficError: the API refused.
    """
    async with client(target) as session:
        token, revoked = await sign_in(session, target), await sign_in(session, target)
        await ask(session, "POST", "/api/v1/auths/signout", token=revoked)
        chat = await ask(session, "POST", "/api/v1/chats/new", token=token, json={"chat": {"title": "kept"}})
        stored = Stored(token=token, revoked=revoked, chat=str(chat["id"]))
    if lost := await missing(target, stored):
        raise TrafficError(f"before any outage: {', '.join(lost)}")
    return stored


async def missing(target: Target, stored: Stored) -> list[str]:
    """What of the stored is no longer as it was, on any replica; empty when all is."""
    problems = []
    async with client(target) as session:
        for what, token, path, wanted in (
            ("the chat", stored.token, f"/api/v1/chats/{stored.chat}", 200),
            ("the revoked token", stored.revoked, "/api/v1/auths/", 401),
        ):
            # The gateway takes turns: so each replica is asked.
            for _ in target.containers("open-webui"):
                async with session.get(path, headers=bearer(token)) as answer:
                    if answer.status != wanted:
                        problems.append(f"{what}: {answer.status} instead of {wanted}")
    return problems


async def valkey_killed(target: Target, token: str) -> Outage:
    """Valkey gets SIGKILL."""
    return await drill(target, token, lambda: kill(target, "valkey"))


async def valkey_down(target: Target, token: str) -> Outage:
    """Valkey is stopped for 10 s; counted from its start."""

    async def stop_and_start() -> float:
        with closing(docker_client()) as daemon:
            valkey = daemon.containers.get(target.containers("valkey")[0])
            await asyncio.to_thread(valkey.stop)
            await asyncio.sleep(DOWN_SECONDS)
            await asyncio.to_thread(valkey.start)
        return time.monotonic()

    return await drill(target, token, stop_and_start)


async def replica_killed(target: Target, token: str) -> Outage:
    """The last replica gets SIGKILL; events come from the first."""
    return await drill(target, token, lambda: kill(target, "open-webui"))


async def postgres_killed(target: Target, token: str) -> Outage:
    """Postgres' first process gets SIGKILL."""
    return await drill(target, token, lambda: kill(target, "postgres"))


async def gateway_killed(target: Target, token: str) -> Outage:
    """The gateway gets SIGKILL: the one container whose loss every socket notices."""
    return await drill(target, token, lambda: kill(target, "gateway"))


async def scaled(target: Target, token: str, scale: Callable[[int], None]) -> Outage:
    """One replica more, then one less; counted from the end of the second update.

    Args:
        target: The stack.
        token: A token of its account.
        scale: Updates the stack to so many replicas, and returns when that is proved.
    """
    replicas = len(target.containers("open-webui"))

    async def there_and_back() -> float:
        for count in (replicas + 1, replicas):
            await asyncio.to_thread(scale, count)
            if (found := len(target.containers("open-webui"))) != count:
                raise TrafficError(f"scaled to {count} replicas, and {found} run")
        return time.monotonic()

    return await drill(target, token, there_and_back)


Drill = Callable[[Target, str], Coroutine[Any, Any, Outage]]
"""A drill of a stack, with a token of its account."""

DRILLS: Final[Mapping[str, Drill]] = {
    "Valkey killed": valkey_killed,
    "Valkey down for 10 s": valkey_down,
    "a replica killed": replica_killed,
    "Postgres killed": postgres_killed,
    "the gateway killed": gateway_killed,
}
"""The drills that need nothing but Docker, by what happens."""


async def drill(target: Target, token: str, break_it: Break) -> Outage:
    """Break something under traffic, and measure until clients notice nothing any more.

    Raises:
        TrafficError: traffic could not be made, or clients still noticed something 90 s after the proof.
    """
    recorded = Recorded()
    async with client(target) as session:
        sockets = Sockets(session=session, recorded=recorded)
        try:
            # Before the requests begin, so that the gateway's turns spread them evenly over the replicas.
            await sockets.connect(SOCKETS)
            publisher = target.containers("open-webui")[0]
            async with (
                publishing(recorded, publisher, EVENTS_PER_SECOND, MOST_SECONDS),
                steady_gets(session, recorded, GETS_PER_SECOND, token),
            ):
                await asyncio.sleep(CALM_SECONDS)
                since = await break_it()
                await asyncio.to_thread(target.prove)
                proved = time.monotonic()
                await settled(recorded)
            await asyncio.sleep(ARRIVAL_SECONDS)
        finally:
            await sockets.close()
    return outage(recorded, since=since, proved=proved)


async def settled(recorded: Recorded) -> None:
    """Wait until clients have noticed nothing for a while.

    Raises:
        TrafficError: they still did after 90 s.
    """
    began = now = time.monotonic()
    while now - began < LIMIT_SECONDS:
        noticed = [began, *recorded.missing(now - ARRIVAL_SECONDS)[-1:]]
        noticed += [get.ended for get in recorded.gets if get.failed]
        speaking = bool(recorded.sent) and now - max(sent.at for sent in recorded.sent.values()) < ARRIVAL_SECONDS
        if speaking and now - max(noticed) >= SETTLED_SECONDS:
            return
        await asyncio.sleep(0.2)
        now = time.monotonic()
    raise TrafficError(f"{LIMIT_SECONDS:.0f} s after the stack was proved again, events or requests still get lost")


async def kill(target: Target, role: str) -> float:
    """Send SIGKILL to the first process of a role's last container, as a crash does; when it died (monotonic seconds).

    ``docker kill`` is no crash: Docker restarts nothing that it was told to kill. The signal comes from a container
    that sees the host's processes: this needs no rights but Docker's.

    Raises:
        TrafficError: Docker did not restart it.
    """
    name = target.containers(role)[-1]
    with closing(docker_client()) as daemon:
        victim = daemon.containers.get(name)
        before, pid = victim.attrs["State"]["StartedAt"], victim.attrs["State"]["Pid"]
        image = daemon.containers.get(target.containers("open-webui")[0]).attrs["Image"]
        await asyncio.to_thread(
            daemon.containers.run, image, ["-c", f"kill -9 {pid}"], entrypoint="sh", user="0",
            pid_mode="host", network_mode="none", remove=True,
        )  # fmt: skip
        end = time.monotonic() + RESTART_SECONDS
        while victim.attrs["State"]["StartedAt"] == before:
            if time.monotonic() > end:
                raise TrafficError(f"Docker did not restart {name} within {RESTART_SECONDS:.0f} s of a SIGKILL")
            await asyncio.sleep(0.05)
            await asyncio.to_thread(victim.reload)
    died = datetime.fromisoformat(victim.attrs["State"]["FinishedAt"])
    return time.monotonic() - (time.time() - died.timestamp())
