"""How much longer than on an idle machine an answer may take."""

from __future__ import annotations

import os
from typing import Final

MOST: Final = 4.0
"""However busy a machine is, a limit grows to no more than so many times its length."""


def load(path: str = "/proc/loadavg") -> tuple[float, int]:
    """What wants a CPU of this host, and how many there are; a container sees its host's.

    The load average of the last minute, or what wants one right now where that is more: the average is late.

    Source: https://www.kernel.org/doc/html/v6.6/filesystems/proc.html (``loadavg``)
    """
    try:
        with open(path, encoding="ascii") as file:  # noqa: PTH123 - one text with programs without pathlib
            average, _, _, running, _ = file.read().split()
        wanted = max(float(average), float(running.partition("/")[0]))
    except (OSError, ValueError):  # not Linux, or hidden
        wanted = 0.0
    return wanted, os.cpu_count() or 1


def stretch(wanted: float, cpus: int) -> float:
    """By what a limit on an answer is multiplied, from 1 to :data:`MOST`: by how many share a CPU."""
    return min(max(wanted / cpus, 1.0), MOST)


def on_busy_host(seconds: float) -> float:
    """A limit, lengthened by how busy this host is now."""
    return seconds * stretch(*load())


LOAD: Final = load()
"""As it was when this process began: a program that runs inside a container lives for one verification."""
STRETCH: Final = stretch(*LOAD)
