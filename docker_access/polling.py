"""Waiting for what nobody tells of, by looking again and again: the one loop for that, on a clock that tests replace.

What runs inside a container has one of its own, in :mod:`verification.inside`: it waits without blocking, and imports
nothing of the project's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Time, to be replaced in tests.

    Attributes:
        now: Seconds on a clock that only goes forward.
        sleep: Waits for some seconds.
    """

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def poll(
    limit_seconds: float,
    *,
    every_seconds: float = 0.25,
    tell: Callable[[float], None] = lambda _: None,
    tell_every_seconds: float = 5.0,
    clock: Clock | None = None,
) -> Iterator[None]:
    """Have a loop look at once, then again and again until it leaves, or a look after the time limit was in vain.

    As in ``for _ in poll(30): if there(): return``, and after the loop what is done about it.

    Args:
        limit_seconds: The time limit; with 0 the loop looks once.
        every_seconds: Time between two looks.
        tell: Is told now and then how many seconds it has been.
        tell_every_seconds: Time between two times.
        clock: Time; None for the real one.
    """
    clock = clock or Clock()
    began = told = clock.now()
    while True:
        yield
        now = clock.now()
        if now - began >= limit_seconds:
            return
        if now - told >= tell_every_seconds:
            told = now
            tell(now - began)
        clock.sleep(every_seconds)
