"""Time that passes at once: a program that waits is where it would be after waiting, on a busy machine too."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from types import ModuleType, SimpleNamespace
from typing import TypeVar

import pytest

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Waits for nothing that only time brings; ``passed`` is how many seconds that would have taken."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(None if timeout is None else 0)
        if not ready and timeout:
            self.passed += timeout
        return ready


def run(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType | None, scenario: Callable[[], Coroutine[None, None, T]]
) -> T:
    """Run a coroutine on a clock of its own, which ``time.monotonic`` of the module tells as well, if it asks that."""
    selector = _Selector()
    loop = asyncio.SelectorEventLoop(selector)
    monkeypatch.setattr(loop, "time", lambda: selector.passed)
    if module:
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=loop.time, time=time.time))
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(scenario())
