"""Waiting for something by asking again: the one loop for that, with a clock that tests replace."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

POLL_SECONDS: Final = 0.25

T = TypeVar("T")


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
    ask: Callable[[], T],
    good: Callable[[T], bool],
    *,
    seconds: float,
    every: float = POLL_SECONDS,
    clock: Clock | None = None,
) -> T:
    """The first good answer, or the last one when the time is up: the caller tells which it was.

    Args:
        ask: Asks once; what it raises ends the waiting.
        good: Whether an answer is good.
        seconds: How long to ask again; with 0 it is asked once.
        every: Seconds between an answer and the next question.
        clock: Time; None for the real one.
    """
    clock = clock or Clock()
    end = clock.now() + seconds
    while not good(answer := ask()) and clock.now() < end:
        clock.sleep(every)
    return answer
