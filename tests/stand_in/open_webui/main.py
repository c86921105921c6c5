"""What uvicorn serves: /health, /ready, /api/version, and live events over Valkey.

Everything is right with it but how it treats events, by STAND_IN_MODE: ``deaf`` listens and passes nothing on,
``shared`` knows only the shared channel, ``echo`` passes on whatever is published anywhere, ``broadcast`` hears the
right channels and tells everybody, ``right`` does it right, ``mute`` too but publishes nothing by itself.
STAND_IN_VERSION is what it says of its version, nothing where that is empty; STAND_IN_HEALTH is the status of its
/health.
"""

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import socketio  # type: ignore[import-not-found,unused-ignore]
from open_webui import config  # type: ignore[import-not-found,unused-ignore]
from redis import asyncio as redis
from redis.exceptions import RedisError

PAUSE_SECONDS = 1
"""Between tries to listen: Open WebUI doubles its pause up to a minute, which tests would wait for."""


def told(name: str, default: str = "") -> str:
    """A variable, as Open WebUI reads it."""
    return os.environ.get(name) or default


MODE = told("STAND_IN_MODE", "right")
RIGHT = {"right", "mute"}
HEALTH = int(told("STAND_IN_HEALTH", "200"))
VERSION = os.environ.get("STAND_IN_VERSION", "0.12.4")
STATE_URL = told("REDIS_URL")
EVENTS_URL = told("WEBSOCKET_REDIS_URL", STATE_URL)
WEBSOCKETS = told("ENABLE_WEBSOCKET_SUPPORT", "true").lower() == "true"
ROOM_CHANNELS = told("WEBSOCKET_REDIS_ROOM_CHANNELS", "true").lower() == "true" and MODE != "shared"
OPTIONS: dict[str, Any] = {"socket_connect_timeout": float(told("REDIS_SOCKET_CONNECT_TIMEOUT", "0")) or None}
if hosts := told("WEBSOCKET_SENTINEL_HOSTS"):
    EVENTS_URL = f"redis+sentinel://{hosts}:26379/0/mymaster"

logging.basicConfig(stream=sys.stdout, level=told("GLOBAL_LOG_LEVEL", "INFO"))


class RoomChannels(socketio.AsyncRedisManager):  # type: ignore[misc,unused-ignore]
    """Listens on one channel for each room beside the shared one, from its first socket on, as Open WebUI does.

    Source: https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/socket/redis_room_channels.py
    """

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__(url, **options)
        self.wanted = {self.channel}
        self.listening = asyncio.Event()

    def of_room(self, namespace: str, room: str) -> str:
        return f"{self.channel}#{namespace}#{room}"

    async def connect(self, eio_sid: str, namespace: str) -> Any:
        """Let a client in once its room is listened to."""
        sid = await super().connect(eio_sid, namespace)
        if sid:
            self.wanted.add(self.of_room(namespace, sid))
            await self.listening.wait()
            await self.pubsub.subscribe(self.of_room(namespace, sid))
        return sid

    async def disconnect(self, sid: str, namespace: str, **options: Any) -> Any:
        """Listen to its room no more."""
        self.wanted.discard(self.of_room(namespace, sid))
        if self.listening.is_set():
            with suppress(RedisError):
                await self.pubsub.unsubscribe(self.of_room(namespace, sid))
        return await super().disconnect(sid, namespace, **options)

    async def _publish(self, data: dict[str, Any]) -> None:
        if not self.redis:
            self._redis_connect()
        room = data.get("room") if data["method"] == "emit" else None
        await self.redis.publish(self.of_room(data["namespace"], room) if room else self.channel, json.dumps(data))

    async def _listen(self) -> AsyncIterator[Any]:
        while True:
            try:
                self._redis_connect()
                await self.pubsub.subscribe(*self.wanted)
                if MODE == "echo":
                    await self.pubsub.psubscribe(f"{self.channel}#*")
                self.listening.set()
                async for message in self.pubsub.listen():
                    if message["type"] in {"message", "pmessage"} and MODE != "deaf":
                        published = json.loads(message["data"])
                        yield published if MODE in RIGHT else {**published, "room": None}
            except (RedisError, OSError) as error:
                self.listening.clear()
                print(f"Cannot receive from redis... retrying in {PAUSE_SECONDS} secs: {error}", flush=True)
                await self.pubsub.aclose()
                await asyncio.sleep(PAUSE_SECONDS)


class Application:
    """The application beside its sockets."""

    def __init__(self) -> None:
        self.valkey = redis.Redis.from_url(STATE_URL, **OPTIONS) if STATE_URL else None

    async def answer(self, path: str) -> tuple[int, Any]:
        """Status and body of what is said at a path."""
        match path:
            case "/health":
                return HEALTH, {"status": True}
            case "/ready":
                return await self._ready()
            case "/api/version":
                return 200, {**({"version": VERSION} if VERSION else {}), "deployment_id": ""}
        return 404, {"detail": "Not Found"}

    async def _ready(self) -> tuple[int, Any]:
        try:
            await asyncio.to_thread(config.execute, "SELECT 1")
        except Exception:  # noqa: BLE001 - whatever it is
            return 503, {"detail": "Database not ready"}
        try:
            if self.valkey:
                await self.valkey.ping()
        except (RedisError, OSError):
            return 503, {"detail": "Redis not ready"}
        return 200, {"status": True}

    async def __call__(
        self, scope: dict[str, Any], _receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        status, body = await self.answer(scope["path"])
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def server() -> Any:
    """The server of sockets."""
    origins = told("CORS_ALLOW_ORIGIN", "*").split(";")
    manager: Any = None
    if told("WEBSOCKET_MANAGER") == "redis":
        kind = RoomChannels if ROOM_CHANNELS else socketio.AsyncRedisManager
        manager = kind(EVENTS_URL, redis_options=OPTIONS)
        if not config.MIGRATES:  # whose tool resets logging
            logging.getLogger("open_webui.socket.main").debug("Using Redis to manage websockets.")
    made = socketio.AsyncServer(
        async_mode="asgi",
        cors_allowed_origins="*" if origins == ["*"] else origins,
        transports=["websocket"] if WEBSOCKETS else ["polling"],
        always_connect=True,
        client_manager=manager,
        ping_interval=float(told("WEBSOCKET_SERVER_PING_INTERVAL", "25")),
    )

    async def connected(sid: str, _environ: dict[str, Any], _auth: Any = None) -> None:
        if MODE not in RIGHT:
            await made.emit("verification", f"room-{sid}", to=sid)  # a guess: no nonce

    document = asyncio.Lock()

    async def join_document(sid: str, _data: Any) -> None:
        async with document:
            await asyncio.sleep(0.01)  # as long as Open WebUI takes to lock it in Valkey
            await made.disconnect(sid)  # nobody here has an account

    made.on("connect", connected)
    if MODE != "mute":
        made.on("ydoc:document:join", join_document)
    return made


async def begin() -> None:
    """Never get to the end of booting where there is no Valkey to manage sockets, as Open WebUI."""
    if told("WEBSOCKET_MANAGER") == "redis" and not EVENTS_URL:
        await asyncio.Event().wait()


app = socketio.ASGIApp(server(), Application(), socketio_path="/ws/socket.io", on_startup=begin)
