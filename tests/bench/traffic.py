"""Traffic of many clients: sockets that stay, requests that come and go, and events published through Valkey.

The websockets speak Engine.IO 4 and Socket.IO 5 directly, because five hundred full clients would cost more than the
server they measure: https://socket.io/docs/v4/engine-io-protocol/ and https://socket.io/docs/v4/socket-io-protocol/
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import aiohttp

from tests.bench.figures import Get, Recorded, Sent
from tests.bench.target import Target

SOCKET_PATH: Final = "/ws/socket.io/?EIO=4&transport=websocket"
PATHS: Final = ("/api/version", "/api/v1/auths/")
"""What the steady requests ask for: one answered from memory, one that asks Valkey and the database."""
AT_ONCE: Final = 50
"""How many sockets are being connected at any moment."""
CONNECT_SECONDS: Final = 30
GET_SECONDS: Final = 30
PUBLISHER: Final = Path(__file__).with_name("publisher.py")


class TrafficError(Exception):
    """Traffic could not be made; the text says what was seen."""


@asynccontextmanager
async def client(target: Target) -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client of the stack that keeps no connection."""
    connector = aiohttp.TCPConnector(ssl=await asyncio.to_thread(target.tls), limit=0, force_close=True)
    # A request that fails while a container is killed is a figure: nothing may ask again by itself.
    async with aiohttp.ClientSession(target.url, connector=connector) as session:
        yield session


async def sign_in(session: aiohttp.ClientSession, target: Target) -> str:
    """A token of the target's account.

    Raises:
        TrafficError: the account may not sign in.
    """
    answer = await ask(session, "POST", "/api/v1/auths/signin", json=vars(target.account))
    return str(answer["token"])


async def ask(session: aiohttp.ClientSession, method: str, path: str, *, token: str = "", **more: Any) -> Any:
    """The JSON answer of the API.

    Raises:
        TrafficError: it is no success.
    """
    async with session.request(method, path, headers=bearer(token), **more) as response:
        if not response.ok:
            raise TrafficError(f"{method} {path} answered {response.status}: {(await response.text())[:200]}")
        return await response.json()


def bearer(token: str) -> dict[str, str]:
    """Header that shows a token; none without."""
    return {"Authorization": f"Bearer {token}"} if token else {}


@dataclass(kw_only=True)
class Sockets:
    """Sockets of socket.io that stay connected, each with a room of its own that is named by its session id."""

    session: aiohttp.ClientSession
    recorded: Recorded
    open: list[aiohttp.ClientWebSocketResponse] = field(default_factory=list)
    readers: list[asyncio.Task[None]] = field(default_factory=list)

    async def connect(self, count: int, token: str = "") -> None:
        """Connect sockets, round robin over the replicas as the gateway does it.

        Args:
            count: How many.
            token: Sign each in and join its account's rooms, as the web page does.

        Raises:
            TrafficError: a socket was refused.
        """
        gate = asyncio.Semaphore(AT_ONCE)

        async def one() -> tuple[aiohttp.ClientWebSocketResponse, str]:
            async with gate, asyncio.timeout(CONNECT_SECONDS):
                return await self._connect(token)

        for socket, room in await asyncio.gather(*(one() for _ in range(count))):
            self.recorded.rooms.append(room)
            self.open.append(socket)
            self.readers.append(asyncio.create_task(self._read(socket, len(self.open) - 1)))

    async def close(self) -> None:
        """Close them all."""
        for reader in self.readers:
            reader.cancel()
        await asyncio.gather(*self.readers, return_exceptions=True)
        await asyncio.gather(*(socket.close() for socket in self.open), return_exceptions=True)

    async def _connect(self, token: str) -> tuple[aiohttp.ClientWebSocketResponse, str]:
        socket = await self.session.ws_connect(SOCKET_PATH, max_msg_size=0)
        await answer(socket, "0")
        await socket.send_str("40" + (json.dumps({"token": token}) if token else ""))
        room = str(json.loads((await answer(socket, "40"))[2:])["sid"])
        if token:
            await socket.send_str("420" + json.dumps(["user-join", {"auth": {"token": token}}]))
            if "id" not in (joined := await answer(socket, "430")):
                raise TrafficError(f"user-join was answered with {joined!r}")
        return socket, room

    async def _read(self, socket: aiohttp.ClientWebSocketResponse, index: int) -> None:
        arrived, rooms = self.recorded.arrived, self.recorded.rooms
        async for packet in socket:
            if packet.data == "2":
                with contextlib.suppress(ConnectionError):
                    await socket.send_str("3")
            elif packet.type is aiohttp.WSMsgType.TEXT and packet.data.startswith('42["bench"'):
                number = json.loads(packet.data[2:])[1]
                if number in arrived or number % len(rooms) != index:
                    self.recorded.repeated += 1
                arrived.setdefault(number, time.monotonic())
            elif packet.data == "41":
                break
        self.recorded.dropped[index] = (time.monotonic(), socket.close_code or 0)


async def answer(socket: aiohttp.ClientWebSocketResponse, kind: str) -> str:
    """The next packet of a kind; events that come in between are passed over.

    Raises:
        TrafficError: the socket was closed instead.
    """
    async for packet in socket:
        if packet.type is aiohttp.WSMsgType.TEXT and packet.data.startswith(kind):
            return str(packet.data)
    raise TrafficError(f"a socket was closed with code {socket.close_code} before packet {kind!r} came")


@asynccontextmanager
async def steady_gets(
    session: aiohttp.ClientSession, recorded: Recorded, rate: float, token: str
) -> AsyncIterator[None]:
    """GET requests at a steady rate (per second), each over a connection of its own, however slow the answers are."""
    running: set[asyncio.Task[None]] = set()

    async def get(path: str) -> None:
        began, status, error = time.monotonic(), 0, ""
        try:
            async with asyncio.timeout(GET_SECONDS), session.get(path, headers=bearer(token)) as response:
                status = response.status
                await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as failure:
            status, error = 0, f"{type(failure).__name__}: {failure}"
        recorded.gets.append(Get(began=began, ended=time.monotonic(), path=path, status=status, error=error))

    async def all_of_them() -> None:
        began, number = time.monotonic(), 0
        while True:
            running.add(task := asyncio.create_task(get(PATHS[number % len(PATHS)])))
            task.add_done_callback(running.discard)
            number += 1
            await asyncio.sleep(began + number / rate - time.monotonic())

    requests = asyncio.create_task(all_of_them())
    try:
        yield
    finally:
        requests.cancel()
        await asyncio.gather(requests, *running, return_exceptions=True)


@asynccontextmanager
async def publishing(
    recorded: Recorded, container: str, rate: float, seconds: float
) -> AsyncIterator[asyncio.Task[None]]:
    """Publish events from inside a container, at a rate per second; yields the task that ends with the last one.

    Raises:
        TrafficError: the publisher failed.
    """
    process = await asyncio.create_subprocess_exec(
        # The name of a stopped Valkey is looked for elsewhere by Docker's resolver: not for long.
        "docker", "exec", "-i", "-e", "RES_OPTIONS=timeout:1 attempts:1", container,
        "python3", "-c", PUBLISHER.read_text(encoding="utf-8"),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin
    process.stdin.write(json.dumps({"rooms": recorded.rooms, "rate": rate, "seconds": seconds}).encode() + b"\n")

    async def read() -> None:
        assert process.stdout
        assert process.stderr
        async for line in process.stdout:
            number, sent, receivers = line.split()
            recorded.sent[int(number)] = Sent(at=float(sent), receivers=int(receivers))
        if code := await process.wait():
            raise TrafficError(
                f"the publisher in {container} exited with {code}: {(await process.stderr.read())[-500:]!r}"
            )

    reader = asyncio.create_task(read())
    try:
        yield reader
        process.stdin.close()
        await reader
    finally:
        reader.cancel()
        process.stdin.close()
        await process.wait()
