"""Prints the app's Valkey URLs with their passwords masked; runs inside the app's container, see ``runner.py``."""

from __future__ import annotations

from typing import Any

from verification.inside.environment import URLS, app_environment, mask
from verification.inside.program import print_answer


async def valkey_urls(_config: dict[str, Any]) -> dict[str, str]:
    """The URLs by variable, of the app's own process: its entrypoint may have read them from a file."""
    _, environment = app_environment()
    return {name: mask(environment[name]) for name in URLS if name in environment}


if __name__ == "__main__":
    print_answer(valkey_urls, seconds=8)
