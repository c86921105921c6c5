"""A negative cache: what did not answer a short while ago is not asked again. A set-up without network stays quick."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Final

from tooling.machine.uv import CACHE

SECONDS: Final = 600
"""How long a failure is remembered."""

_FILE: Final = CACHE / "unreachable.json"


def recent_failure(server: str) -> str:
    """Why ``server`` is not asked again yet; empty if it may be."""
    at = _read().get(server)
    if at is None:
        return ""
    age = time.time() - at
    return f"{server} did not answer {age:.0f} s ago" if 0 <= age < SECONDS else ""


def remember_failure(server: str) -> None:
    """``server`` did not answer just now."""
    # Without a place to remember it, it is asked again: that costs seconds only.
    with contextlib.suppress(OSError):
        _FILE.parent.mkdir(parents=True, exist_ok=True)
        _FILE.write_text(json.dumps({**_read(), server: time.time()}), encoding="utf-8")


def _read() -> dict[str, float]:
    try:
        return {str(server): float(at) for server, at in json.loads(_FILE.read_text(encoding="utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {}
