"""What was measured, in numbers: pure functions of what was recorded."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

REFUSED: Final = -1
"""Receivers of an event that Valkey did not take."""
OK: Final = 200
SLOW_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Time between publishing an event and its arrival at the client, in milliseconds."""

    p50: float
    p90: float
    p99: float
    maximum: float


@dataclass(frozen=True, kw_only=True)
class Sent:
    """An event that was published: when (monotonic seconds), and to how many replicas Valkey gave it."""

    at: float
    receivers: int


@dataclass(frozen=True, kw_only=True)
class Get:
    """One GET request: monotonic seconds of its begin and end, path, status (0: no answer) and the error."""

    began: float
    ended: float
    path: str
    status: int
    error: str = ""

    @property
    def failed(self) -> bool:
        """Whether the answer was not what a healthy stack gives."""
        return self.status != OK


@dataclass(kw_only=True)
class Recorded:
    """Everything seen while traffic ran.

    Attributes:
        rooms: The sockets' rooms; event ``n`` is for socket ``n % len(rooms)``.
        sent: Events that were published, by number.
        arrived: When each event arrived, by number.
        repeated: How many arrived more than once, or at a socket that is not theirs.
        dropped: When a socket was lost, by its index, and its close code.
        gets: Every GET.
    """

    rooms: list[str] = field(default_factory=list)
    sent: dict[int, Sent] = field(default_factory=dict)
    arrived: dict[int, float] = field(default_factory=dict)
    repeated: int = 0
    dropped: dict[int, tuple[float, int]] = field(default_factory=dict)
    gets: list[Get] = field(default_factory=list)

    def missing(self, before: float = math.inf) -> list[float]:
        """When the events were sent that never reached a socket which is still there.

        Args:
            before: Only events sent before this moment.
        """
        return sorted(
            sent.at
            for number, sent in self.sent.items()
            if sent.at < before and number not in self.arrived and number % len(self.rooms) not in self.dropped
        )


@dataclass(frozen=True, kw_only=True)
class Outage:
    """What clients noticed of an outage.

    Attributes:
        sockets: How many were connected.
        sockets_lost: How many of them were lost.
        sockets_lost_seconds: From the crash, or the start after a stop, to the loss of the last of them.
        gets: How many requests were made.
        gets_failed: How many did not get a 200.
        failures: How they failed, and how many so.
        failing_seconds: Between the begin of the first failed request and the end of the last.
        slowest_seconds: The longest any request took.
        events: How many events were published, or tried to, for sockets that stayed.
        events_lost: How many of them never arrived.
        events_back_seconds: From the crash, or the start after a stop, to the last event that was lost.
        proved_seconds: From the same moment to the end of a green `verify` that began then.
    """

    sockets: int
    sockets_lost: int
    sockets_lost_seconds: float
    gets: int
    gets_failed: int
    failures: dict[str, int]
    failing_seconds: float
    slowest_seconds: float
    events: int
    events_lost: int
    events_back_seconds: float
    proved_seconds: float


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest value that ``share`` (0 to 1) of the sorted values do not exceed (nearest rank)."""
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def latency(recorded: Recorded) -> Latency:
    """How long the events that arrived took.

    Raises:
        ValueError: none arrived.
    """
    ordered = sorted((at - recorded.sent[n].at) * 1000 for n, at in recorded.arrived.items() if n in recorded.sent)
    if not ordered:
        raise ValueError(f"none of {len(recorded.sent)} events arrived at {len(recorded.rooms)} sockets")
    p50, p90, p99 = (percentile(ordered, share) for share in (0.50, 0.90, 0.99))
    return Latency(p50=p50, p90=p90, p99=p99, maximum=ordered[-1])


def outage(recorded: Recorded, *, since: float, proved: float) -> Outage:
    """What the recorded traffic says about an outage.

    Args:
        recorded: The traffic before, in and after it.
        since: The moment from which the recovery counts (monotonic seconds).
        proved: When the stack was proved again.
    """
    failed = [get for get in recorded.gets if get.failed]
    missing = recorded.missing()
    stayed = len(recorded.rooms) - len(recorded.dropped)
    return Outage(
        sockets=len(recorded.rooms),
        sockets_lost=len(recorded.dropped),
        sockets_lost_seconds=max((at - since for at, _ in recorded.dropped.values()), default=0.0),
        gets=len(recorded.gets),
        gets_failed=len(failed),
        failures=dict(Counter(f"{get.path}: {get.error or get.status}" for get in failed)),
        failing_seconds=max(get.ended for get in failed) - min(get.began for get in failed) if failed else 0.0,
        slowest_seconds=max((get.ended - get.began for get in recorded.gets), default=0.0),
        events=sum(number % len(recorded.rooms) not in recorded.dropped for number in recorded.sent) if stayed else 0,
        events_lost=len(missing),
        events_back_seconds=max(missing[-1] - since, 0.0) if missing else 0.0,
        proved_seconds=max(proved - since, 0.0),
    )
