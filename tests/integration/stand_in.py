"""Stands in for Open WebUI inside its own image: everything is right with it but how it treats events.

``python3 -c SOURCE MODE``: ``deaf`` listens and passes nothing on, ``shared`` knows only the shared channel, ``echo``
passes on whatever is published anywhere, ``broadcast`` hears the right channels and tells everybody, ``right`` does it
right. ``STAND_IN_VERSION`` is what it says of its version, nothing where that is empty; ``STAND_IN_HEALTH`` is the
status of its /health.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import socketio  # type: ignore[import-not-found,unused-ignore]
from aiohttp import web
from redis import asyncio as redis

MODE = sys.argv[1]
URL = os.environ["WEBSOCKET_REDIS_URL"]
VERSION = os.environ.get("STAND_IN_VERSION", "0.12.4")
HEALTH = int(os.environ.get("STAND_IN_HEALTH", "200"))

# An instance that knows rooms' channels subscribes to them itself; python-socketio's own manager does not.
manager = socketio.AsyncRedisManager(URL) if MODE == "shared" else None
origins = os.environ.get("CORS_ALLOW_ORIGIN", "*")
server: Any = socketio.AsyncServer(
    async_mode="aiohttp",
    cors_allowed_origins=origins,
    client_manager=manager,
    ping_interval=float(os.environ.get("WEBSOCKET_SERVER_PING_INTERVAL", "25")),
)
listener = redis.Redis.from_url(URL).pubsub()


async def connected(sid: str, _environ: dict[str, Any], _auth: Any = None) -> None:
    await listener.subscribe(f"socketio#/#{sid}")
    await server.emit("verification", f"room-{sid}", to=sid)  # a guess: no nonce


async def listen() -> None:
    await listener.subscribe("socketio")
    if MODE == "echo":
        await listener.psubscribe("socketio#*")
    async for message in listener.listen():
        if message["type"] in {"message", "pmessage"} and MODE != "deaf":
            published = json.loads(message["data"])
            to = published["room"] if MODE == "right" else None
            await server.emit(published["event"], tuple(published["data"]), to=to)


async def start(_application: web.Application) -> None:
    if MODE != "shared":
        server.listening = asyncio.create_task(listen())


async def said(request: web.Request) -> web.Response:
    told = request.path == "/api/version" and VERSION
    status = HEALTH if request.path == "/health" else 200
    return web.json_response({"version": VERSION} if told else {"status": True}, status=status)


if __name__ == "__main__":
    application = web.Application()
    application.on_startup.append(start)
    application.add_routes([web.get(path, said) for path in ("/health", "/ready", "/api/version")])
    server.attach(application, socketio_path="/ws/socket.io")
    if MODE != "shared":
        server.on("connect", connected)
    web.run_app(application, port=8080, print=None)
