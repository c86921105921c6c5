"""Durations as Go writes them.

Source: https://pkg.go.dev/time#ParseDuration
"""

from __future__ import annotations

import re
from typing import Final

PATTERN: Final = r"0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+"
_NANOSECONDS: Final = {
    "ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9
}  # fmt: skip


def nanoseconds(duration: str) -> int:
    """A duration as Go writes it, such as ``1m30s``, in nanoseconds."""
    parts = re.findall(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)", duration)
    return round(sum(float(number) * _NANOSECONDS[unit] for number, unit in parts))


def duration_text(value: int) -> str:
    """Nanoseconds as Go's ``Duration.String`` writes them: ``0s``, ``1.5s``, ``1m0s``."""
    if value < _NANOSECONDS["s"]:
        unit = next((u for u in ("ms", "µs", "ns") if value >= _NANOSECONDS[u]), "")
        return f"{_decimal(value, _NANOSECONDS[unit])}{unit}" if unit else "0s"
    minutes, rest = divmod(value, _NANOSECONDS["m"])
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, _NANOSECONDS['s'])}s"
    return f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}" if minutes else text


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    digits = str(unit + rest)[1:].rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)
