"""Lines on standard error that say what is going on, so that no step longer than a few seconds is silent."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

INTERVAL_SECONDS: Final = 2.5


def say(text: str) -> None:
    """Print one line to standard error; standard output belongs to the result of a command."""
    print(text, file=sys.stderr, flush=True)


class Stage:
    """What a long step is doing at the moment.

    Attributes:
        text: Shown with the next line of progress.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.text = ""
        self.began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.began

    def line(self) -> str:
        """The line of progress as of now."""
        return f"{self.title}: {self.text or 'working'}, {self.seconds:.0f} s"


@contextmanager
def progress(title: str, interval_seconds: float = INTERVAL_SECONDS) -> Iterator[Stage]:
    """Say every ``interval_seconds`` what the step inside the ``with`` is doing."""
    stage = Stage(title)
    over = threading.Event()

    def tick() -> None:
        while not over.wait(interval_seconds):
            say(stage.line())

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    try:
        yield stage
    finally:
        over.set()
        ticker.join()
