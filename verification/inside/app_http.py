"""Asks the app over HTTP, at its own port."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from verification.inside.errors import one_line

PATHS: Final = ("/health", "/ready", "/api/version")
UPGRADE_PATH: Final = "/ws/socket.io/?EIO=4&transport=websocket"
HTTP_SECONDS: Final = 8.0
"""How long an answer of the app may take: on two busy cores the first ones of a replica were seen to take over 5 s."""


async def get(session: Any, address: str, path: str) -> dict[str, Any]:
    """One GET of the app."""
    started = time.monotonic()
    answer: dict[str, Any] = {}
    try:
        async with session.get(address + path) as response:
            answer = {"status": response.status, "body": (await response.text())[:500]}
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
        answer = {"error": one_line(error)}
    return answer | {"seconds": time.monotonic() - started}


async def upgrade(session: Any, address: str, origin: str) -> dict[str, Any]:
    """What the app itself answers to a websocket from a page of the URL: it may be a proxy that refuses it."""
    from aiohttp import WSServerHandshakeError  # noqa: PLC0415 - the app's library, not ours

    started = time.monotonic()
    answer: dict[str, Any] = {}

    async def open_it() -> None:
        async with session.ws_connect(address + UPGRADE_PATH, origin=origin) as opened:
            answer.update(status=101, body=(await opened.receive_str())[:500])

    try:
        await asyncio.wait_for(open_it(), HTTP_SECONDS)
    except WSServerHandshakeError as error:
        answer["status"] = error.status
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
        answer = answer or {"error": one_line(error)}  # what comes after the first message does not matter
    return answer | {"seconds": time.monotonic() - started}
