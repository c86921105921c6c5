"""Asks again until an answer is good or the time is up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def poll(ask: Callable[[], Awaitable[T]], good: Callable[[T], bool], *, seconds: float, every: float) -> T:
    """The first good answer, or the last one within so many seconds; ``every`` is the pause after an answer."""
    now = asyncio.get_running_loop().time
    end = now() + seconds
    while not good(answer := await ask()) and now() + every < end:  # noqa: ASYNC110 - what it waits for sets no event
        await asyncio.sleep(every)
    return answer
