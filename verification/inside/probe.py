"""Asks one app everything that only its own container can tell; runs there, see ``runner.py``.

It has the app's environment, DNS and libraries (python-socketio, aiohttp, redis). Passwords never leave it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import os
import time
from typing import Any, Final

from verification.inside.connector import KEY_SECONDS, Connector, connect_all, is_fickle, leads_elsewhere
from verification.inside.environment import SHOWN, URLS, app_environment, mask
from verification.inside.errors import one_line
from verification.inside.live_events import SOCKETS_EACH, LiveEvents, receive_events
from verification.inside.load import LOAD, STRETCH
from verification.inside.models import SETTINGS, ask_models
from verification.inside.program import print_answer
from verification.inside.schema import DATABASE_SECONDS, panel, schema

OK: Final = 200
PATHS: Final = ("/health", "/ready", "/api/version")
UPGRADE_PATH: Final = "/ws/socket.io/?EIO=4&transport=websocket"
HTTP_SECONDS: Final = 8.0 * STRETCH
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


async def read_database(answer: dict[str, Any], environment: dict[str, str], keys: tuple[str, ...]) -> dict[str, Any]:
    """Read how far the database is migrated, and settings of the admin panel; returns those with these keys."""
    asked = asyncio.gather(asyncio.to_thread(schema, environment), asyncio.to_thread(panel, environment, keys))
    settings: dict[str, Any] = {}
    with contextlib.suppress(Exception):
        answer["schema"], answer["panel"] = await asyncio.wait_for(asked, DATABASE_SECONDS + 1)
        settings = answer["panel"].pop("settings")
    return settings if environment.get("ENABLE_PERSISTENT_CONFIG", "true").lower() == "true" else {}


async def ask(answer: dict[str, Any], config: dict[str, Any]) -> None:
    """Answer every question; what is answered before an interruption stays in ``answer``."""
    import aiohttp  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - the app's library, not ours

    answer["process"], environment = app_environment()
    answer["load"] = LOAD
    salt = str(config["salt"])
    answer["environment"] = {name: value for name, value in environment.items() if name in SHOWN}
    answer["environment"] |= {name: mask(environment[name]) for name in URLS if name in environment}
    answer["digests"] = {
        name: hmac.new(salt.encode(), value.encode(), hashlib.sha256).hexdigest() for name, value in environment.items()
    }
    connectors = [Connector(name, environment) for name in URLS]
    answer["connections"] = {name: connector.answer for name, connector in zip(URLS, connectors, strict=True)}
    reading = asyncio.create_task(read_database(answer, environment, SETTINGS if config["models"] else ()))
    address = f"http://127.0.0.1:{environment.get('PORT') or 8080}"
    timeout = aiohttp.ClientTimeout(total=HTTP_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        answers = asyncio.gather(*(get(session, address, path) for path in PATHS))
        opened = asyncio.ensure_future(upgrade(session, address, config["origin"])) if config["origin"] else None
        await connect_all(connectors)
        strangers = (it for it in connectors if it.client and leads_elsewhere(it.answer, config["valkey"]))
        await asyncio.gather(*(connector.identify() for connector in strangers))
        answer["http"] = dict(zip(PATHS, await answers, strict=True))
        if opened:
            answer["upgrade"] = await opened
    settings = await reading
    listing = asyncio.ensure_future(ask_models(settings, environment)) if config["models"] else None
    events = LiveEvents(connectors[0], address, environment, salt)
    answer["live"] = events.answer
    workers = environment.get("UVICORN_WORKERS", "1")
    # Only a listener that could be backing off deserves patience.
    enabled = environment.get("ENABLE_WEBSOCKET_SUPPORT", "true").lower() == "true"
    manager = enabled and environment.get("WEBSOCKET_MANAGER", "") == "redis"
    well = answer["http"]["/health"].get("status") == OK and not connectors[0].answer["problem"]
    hopeful = manager and well and not is_fickle(connectors[0].answer, config["valkey"])
    await receive_events(events, hopeful=hopeful, patience=float(config["patience"]))
    several = hopeful and workers.isdigit() and int(workers) > 1
    if several and not config["counts"]:
        await events.join(SOCKETS_EACH * int(workers))
    if connectors[0].client is not None and config["counts"]:
        processes = int(workers) * int(config["replicas"]) if workers.isdigit() else 0
        answer["subscribers"] = await events.count_listeners(processes, several=several)
    # Only now: whoever counts the listeners would count this one.
    if hopeful and events.complete:
        await events.provoke_sending()
    if config["leave"]:
        keys = {f"verification:{os.urandom(8).hex()}": connector for connector in connectors if connector.client}
        seconds = int(config["patience"]) + KEY_SECONDS
        await asyncio.gather(*(connector.leave(key, seconds) for key, connector in keys.items()))
    await events.close()
    if listing:
        answer["models"] = await listing


async def main(config: dict[str, Any]) -> dict[str, Any]:
    """Ask within the time allowed; a question without an end leaves the others answered."""
    started = time.monotonic()
    answer: dict[str, Any] = {}
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ask(answer, config), float(config["patience"]) + 20 * STRETCH)
    answer["seconds"] = time.monotonic() - started
    return answer


if __name__ == "__main__":
    print_answer(main, seconds=30)
