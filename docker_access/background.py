"""Calls on threads of their own, which keep no process alive: one that hangs is left behind."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def in_background(call: Callable[[], T]) -> Future[T]:
    """Start a call; its result, or what it raises, comes from the future."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:  # noqa: BLE001 - raised again by result()
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def bounded(call: Callable[[], T], seconds: float) -> T:
    """Result of a call.

    Raises:
        TimeoutError: There is none after that many seconds.
    """
    return in_background(call).result(timeout=seconds)
