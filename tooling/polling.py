"""Waiting for what nobody tells of: one looks again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator


def poll(
    limit_seconds: float,
    *,
    every_seconds: float = 0.1,
    tell: Callable[[float], None] = lambda _: None,
    tell_every_seconds: float = 5.0,
) -> Iterator[None]:
    """Have a loop look at once, then again and again until it leaves, or a look after the time limit was in vain.

    As in ``for _ in poll(30): if there(): return``, and after the loop what is done about it.

    Args:
        limit_seconds: The time limit.
        every_seconds: Time between two looks.
        tell: Is told now and then how many seconds it has been.
        tell_every_seconds: Time between two times.
    """
    began = told = time.monotonic()
    while True:
        yield
        now = time.monotonic()
        if now - began >= limit_seconds:
            return
        if now - told >= tell_every_seconds:
            told = now
            tell(now - began)
        time.sleep(every_seconds)
