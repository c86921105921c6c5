"""Live events: published through Valkey as another process of Open WebUI would, and received by a client of the app."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from typing import Any, Final

from verification.inside.connector import Connector
from verification.inside.environment import has_room_channels
from verification.inside.errors import PUBLISHING, one_line, problem_of
from verification.inside.load import STRETCH
from verification.inside.polling import poll

CHANNEL: Final = "socketio"
CONNECT_SECONDS: Final = 5.0 * STRETCH
"""How long one attempt to connect a socket may take."""
ROUND_SECONDS: Final = 2.0 * STRETCH
"""How long one round of events is waited for before a fresh one is published."""
PROCESSES_SECONDS: Final = 15.0 * STRETCH
"""How long all processes of an app with UVICORN_WORKERS above 1 may take to listen."""
SOCKETS_EACH: Final = 8
"""Sockets for each process where listeners cannot be counted: the kernel deals them out, and some miss a process."""
DECOY_SECONDS: Final = 0.05
"""How long after the events a decoy might still arrive, over another connection than theirs."""
IMPATIENT_SECONDS: Final = 3.0 * STRETCH
"""How long events are waited for when something already seen says that none will come."""
PAUSE_SECONDS: Final = 0.2
"""Between an answer that may still change and the next question."""
SENDING_TRIES: Final = 3
SENDING_SECONDS: Final = 0.7 * STRETCH
"""How long the app's process may take, each time, to publish what it was made to."""
SENDING_EVENTS: Final = 3
"""Two do; one more in case the first was answered before the second came."""
STRANGER_SECONDS: Final = 3.0 * STRETCH
"""How long too many listeners are counted again: other replicas' probes listen too, for a moment."""


def event_for(room: str, nonce: str, salt: str) -> str:
    """What an Open WebUI process publishes to have an event emitted to a room."""
    message = {
        "method": "emit", "event": "verification", "data": [nonce], "binary": False, "namespace": "/",
        "room": room, "skip_sid": None, "callback": None, "host_id": f"verification-{salt}",
    }  # fmt: skip
    return json.dumps(message)


def is_farewell(data: Any, sid: str) -> bool:
    """Whether a process of the app's asks the others to disconnect that client."""
    try:
        message = json.loads(data)
    except ValueError:
        return False
    return isinstance(message, dict) and (message.get("method"), message.get("sid")) == ("disconnect", sid)


class LiveEvents:
    """A socket.io client connected to the app, and events published through Valkey that it should receive."""

    def __init__(self, connector: Connector, address: str, environment: dict[str, str], salt: str) -> None:
        import socketio  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - the app's library, not ours

        self.connector, self.address, self.salt = connector, address, salt
        self.client = socketio.AsyncClient(reconnection=False)
        self.client.on("verification", self._received)
        self.arrived: dict[str, float] = {}
        self.arrival = asyncio.Event()
        self.others: list[Any] = []
        self.channel = ""
        self.complete = False
        self.answer: dict[str, Any] = {"room_expected": has_room_channels(environment), "attempts": 0}

    def _received(self, nonce: Any) -> None:
        self.arrived[str(nonce)] = time.monotonic()
        self.arrival.set()

    async def connect(self, seconds: float) -> bool:
        """Connect the client."""
        try:
            await self._open(self.client, seconds)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
            self.answer.update(connected=False, error=one_line(error))
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self.client.disconnect(), 1)
            return False
        self.answer.update(connected=True, error="")
        return True

    async def _open(self, client: Any, seconds: float) -> None:
        # Its own limit is for the namespace only; a server that accepts and says nothing needs this one.
        connecting = client.connect(
            self.address, transports=["websocket"], socketio_path="/ws/socket.io", wait_timeout=seconds
        )
        await asyncio.wait_for(connecting, seconds + 0.5)

    async def count_listeners(self, processes: int, *, several: bool) -> int | None:
        """How many listen on the shared channel; None when the app's account may not ask.

        Args:
            processes: How many should.
            several: Whether there are several in this container: each begins with its first socket, and further ones
                are connected until all have.
        """

        async def count() -> int | None:
            try:
                return int((await self.connector.client.pubsub_numsub(CHANNEL))[0][1])
            except Exception:  # noqa: BLE001 - refused, as a rule
                return None

        async def join_and_count() -> int | None:
            await self.join(1)
            return await count()

        if several:
            enough = await poll(
                join_and_count, lambda seen: seen is None or seen >= processes, seconds=PROCESSES_SECONDS, every=0
            )
            if enough == processes:
                return enough
        return await poll(
            count, lambda seen: seen is None or seen <= processes, seconds=STRANGER_SECONDS, every=PAUSE_SECONDS
        )

    async def provoke_sending(self) -> None:
        """Have the app's own process publish something, and see it on Valkey: for that it needs no account.

        A client without one asks for a document several times at once. Open WebUI takes one question after the other,
        under a lock in Valkey. At the first it disconnects the client. At the next it no longer has it, takes it for
        one of another process's, and has its manager ask those, on the shared channel, to disconnect it. They have it
        neither, and nothing is stored.

        Source: ``with_document_lock`` and ``get_socket_session_user`` of
        https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/socket/main.py
        """
        listener = self.connector.client.pubsub(ignore_subscribe_messages=True)
        try:
            await listener.subscribe(CHANNEL)
            for _ in range(SENDING_TRIES):
                if (milliseconds := await self._provoke_once(listener)) is not None:
                    self.answer["sent_milliseconds"] = milliseconds
                    break
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, it was not seen
            self.answer["sending_error"] = one_line(error)
        finally:
            with contextlib.suppress(Exception):
                await listener.aclose()

    async def _provoke_once(self, listener: Any) -> float | None:
        client = type(self.client)(reconnection=False)
        self.others.append(client)
        await self._open(client, CONNECT_SECONDS)
        sid, started = client.get_sid("/"), time.monotonic()
        for _ in range(SENDING_EVENTS):
            await client.emit("ydoc:document:join", {"document_id": f"verification-{self.salt}-{sid}"})
        while (left := started + SENDING_SECONDS - time.monotonic()) > 0:
            message = await listener.get_message(timeout=left)
            if message and is_farewell(message["data"], sid):
                return (time.monotonic() - started) * 1000
        return None

    async def join(self, count: int) -> None:
        """Connect further sockets, as far as they can be."""
        for _ in range(count):
            self.others.append(type(self.client)(reconnection=False))
            with contextlib.suppress(Exception):
                await self._open(self.others[-1], 1)

    async def publish(self, kind: str, channel: str, room: str) -> str:
        """Publish one event with a fresh nonce as another Open WebUI process would; returns the nonce.

        The nonce travels in no other way: whoever receives it has it from Valkey.
        """
        nonce = f"{kind}-{self.salt}-{os.urandom(8).hex()}"
        self.channel = channel
        message = event_for(room, nonce, self.salt)
        self.answer[f"{kind}_receivers"] = await self.connector.client.publish(channel, message)
        return nonce

    async def round(self, seconds: float) -> bool:
        """Publish decoys, a room event and a shared event; True when all that should arrive did."""
        room = self.client.get_sid("/")
        self.answer["attempts"] += 1
        # Inside `socketio#*`, so that a least-privilege account may publish it; nobody has that room.
        await self.publish("decoy", f"{CHANNEL}#/#decoy-{self.salt}", room)
        await self.publish("decoy", CHANNEL, f"decoy-{self.salt}")
        sent: dict[str, tuple[str, float]] = {}
        for kind, channel in (("room", f"{CHANNEL}#/#{room}"), ("shared", CHANNEL)):
            if kind == "shared" or self.answer["room_expected"]:
                before = time.monotonic()
                sent[kind] = (await self.publish(kind, channel, room), before)
        end = time.monotonic() + seconds
        while not all(nonce in self.arrived for nonce, _ in sent.values()) and time.monotonic() < end:
            self.arrival.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.arrival.wait(), max(end - time.monotonic(), 0.001))
        for kind, (nonce, before) in sent.items():
            if nonce in self.arrived:
                self.answer[f"{kind}_milliseconds"] = (self.arrived[nonce] - before) * 1000
        self.complete = all(nonce in self.arrived for nonce, _ in sent.values())
        if self.complete:
            await asyncio.sleep(DECOY_SECONDS)
        self.answer["decoy_received"] = any(nonce.startswith(f"decoy-{self.salt}") for nonce in self.arrived)
        return self.complete

    async def attempt(self, seconds: float) -> bool:
        """Connect if need be, then one round."""
        if not self.client.connected and not await self.connect(seconds):
            return False
        try:
            return await self.round(min(ROUND_SECONDS, seconds))
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
            if problem_of(error) == "acl":
                self.answer["denied"] = f"PUBLISH {self.channel}: {one_line(error)}"
            self.answer["error"] = f"publishing: {one_line(error)}"
            return False

    async def close(self) -> None:
        """Close every socket."""
        clients = (self.client, *self.others)
        closing = asyncio.gather(*(client.disconnect() for client in clients), return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(closing, 1)


async def receive_events(events: LiveEvents, *, hopeful: bool, patience: float) -> None:
    """Publish until all arrive or patience ends: after an outage of Valkey the app's listener backs off up to 60 s.

    It is tried for seconds of patience only where nothing that is known already says that none will arrive.
    """
    started = time.monotonic()
    answer, connector = events.answer, events.connector
    if connector.answer["problem"] not in PUBLISHING:
        answer["error"] = "nothing can be published: the app's URL does not connect"
        await events.connect(IMPATIENT_SECONDS)
    else:
        room = f"{CHANNEL}#/#verification-{events.salt}"
        answer["denied"] = await connector.refusal(room) if answer["room_expected"] else ""
        seconds = patience if hopeful and not answer["denied"] else IMPATIENT_SECONDS
        asked = False

        async def attempt() -> bool:
            nonlocal asked
            left = started + seconds - time.monotonic()
            if await events.attempt(min(left, CONNECT_SECONDS)):
                return True
            if not asked and not answer["denied"]:
                answer["denied"], asked = await connector.refusal(CHANNEL), True
            return bool(answer["denied"])

        await poll(attempt, bool, seconds=started + seconds - time.monotonic(), every=PAUSE_SECONDS)
    answer["seconds"] = time.monotonic() - started
