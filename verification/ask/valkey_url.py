"""Asks a Valkey that is none of this Docker's containers by a URL: from this host, or where it cannot, from an app's.

The URL is a secret: a container gets it in the environment of one process, and no command line holds it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from docker_access.background import bounded
from docker_access.polling import Clock, poll
from verification.ask.valkey_client import SETTLE_SECONDS
from verification.ask.view import CommandRunner
from verification.evidence.inside import Probe
from verification.evidence.valkey import Denial, Valkey
from verification.inside import runner, valkey_by_url
from verification.inside.environment import mask

ASK_SECONDS: Final = 12.0
HERE: Final = "this host"
UNREACHED: Final = frozenset({"resolve", "refused", "timeout", "tls", "other"})
"""Problems that a client on another network may not have."""

Keys = list[tuple[int, str]]


def ask_elsewhere(view: CommandRunner, url: str, probes: Mapping[str, Probe], expected: int, clock: Clock) -> Valkey:
    """What Valkey says to the URL; asked again for a moment where the number of subscribers is not the expected one."""
    known: Valkey | None = None
    for _ in poll(SETTLE_SECONDS, clock=clock):
        found = ask_by_url(view, url, probes, keys=known is None)
        if known:
            found = known if found.problem else replace(found, found=known.found)
        known = found
        if found.subscribers in {None, expected}:
            break
    return found


def ask_by_url(view: CommandRunner, url: str, probes: Mapping[str, Probe], *, keys: bool = True) -> Valkey:
    """What Valkey says to the URL.

    With ``keys``, the keys are looked for that the apps have left, as their ``probes`` say. They are there once.
    """
    left = left_by(probes.values()) if keys else []
    found = read_answer(from_here(url, left), mask(url), HERE)
    answering = [name for name, answered in probes.items() if not answered.problem]
    hung = found.problem == "timeout" and "connecting" not in found.answer.lower()
    if found.problem not in UNREACHED or hung or not answering:
        return found
    return read_answer(from_container(view, answering[0], url, left), mask(url), answering[0])


def left_by(probes: Iterable[Probe]) -> Keys:
    """Database and name of each key that the apps have left."""
    connections = [connection for answered in probes for connection in answered.connections.values()]
    return [
        (int(connection.database) if connection.database.isdecimal() else 0, connection.left)
        for connection in connections
        if connection.left
    ]


def from_here(url: str, keys: Keys) -> dict[str, Any]:
    """Ask from this process."""
    try:
        return bounded(lambda: asyncio.run(valkey_by_url.ask_by_url(url, keys)), ASK_SECONDS)
    except TimeoutError:
        return {"problem": "timeout", "error": f"no answer within {ASK_SECONDS:.0f} s"}


def from_container(view: CommandRunner, name: str, url: str, keys: Keys) -> dict[str, Any]:
    """Ask from inside a container of Open WebUI, with its libraries."""
    secret = {valkey_by_url.URL_VARIABLE: url}
    executed = runner.run(view, name, "valkey_by_url", {"keys": keys}, seconds=ASK_SECONDS, environment=secret)
    try:
        return executed.answer()
    except ValueError:
        return {"problem": executed.problem or "failed", "error": executed.error[-300:]}


def read_answer(answer: Mapping[str, Any], url: str, place: str) -> Valkey:
    """Read what :func:`verification.inside.valkey_by_url.ask_by_url` returned; each part may have been refused."""
    info = {name: str(value) for name, value in (answer.get("info") or {}).items() if not isinstance(value, dict)}
    clients, numsub, denials, found = (answer.get(name) for name in ("clients", "numsub", "denials", "found"))
    return Valkey(
        url=url,
        client=place,
        answer=answer.get("error") or "PONG",
        problem=answer.get("problem", ""),
        version=info.get("valkey_version") or info.get("redis_version", ""),
        info=info,
        subscribers=int(numsub[0][1]) if numsub else None,
        subscriber_addresses=None
        if clients is None
        else tuple(sorted(item["addr"].rpartition(":")[0].strip("[]") for item in clients if str(item["sub"]) != "0")),
        denials=None if denials is None else tuple(map(Denial.from_entry, denials)),
        found=None if found is None else frozenset(found),
        seconds=float(answer.get("seconds", 0.0)),
    )
