"""The benchmark's clients against a server that speaks just enough of Socket.IO."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from tests.bench.figures import Recorded, Sent
from tests.bench.traffic import Sockets, TrafficError, ask, steady_gets


class Server:
    """Gives each socket a room of its own, and remembers what it was sent."""

    def __init__(self) -> None:
        self.sockets: list[web.WebSocketResponse] = []
        self.packets: list[str] = []
        self.status = 200

    async def socket(self, request: web.Request) -> web.WebSocketResponse:
        assert request.query == {"EIO": "4", "transport": "websocket"}
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        await socket.send_str('0{"sid":"engine","pingInterval":25000}')
        room = f"room{len(self.sockets) - 1}"
        async for packet in socket:
            self.packets.append(packet.data)
            if packet.data.startswith("40"):
                await socket.send_str("40" + json.dumps({"sid": room}))
            elif packet.data.startswith("420"):
                await socket.send_str('42["an event","that comes in between"]')
                await socket.send_str('430[{"id":"somebody"}]' if "good" in packet.data else "430[]")
        return socket

    async def get(self, request: web.Request) -> web.Response:
        return web.json_response({"you": request.headers.get("Authorization", "")}, status=self.status)


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Server, aiohttp.ClientSession]]:
    server = Server()
    app = web.Application()
    app.add_routes([web.get("/ws/socket.io/", server.socket), web.get("/{any:.*}", server.get)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:
            yield server, session
    finally:
        await runner.cleanup()


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is tested tells nobody
            await asyncio.sleep(0.005)


def test_sockets_answer_pings_and_notice_events_and_losses() -> None:
    async def scenario() -> None:
        async with served() as (server, session):
            seen = Recorded()
            sockets = Sockets(session=session, recorded=seen)
            await sockets.connect(3)
            assert sorted(seen.rooms) == ["room0", "room1", "room2"]
            # Which of them is which depends on who was first.
            by_index = [server.sockets[int(room.removeprefix("room"))] for room in seen.rooms]

            await by_index[0].send_str("2")
            await by_index[0].send_str('42["bench",3,12.5,"x"]')
            await by_index[1].send_str('42["bench",5,12.5,"x"]')
            await by_index[1].send_str('42["another",1]')
            await eventually(lambda: len(seen.arrived) == 2 and "3" in server.packets)
            assert set(seen.arrived) == {3, 5}
            assert seen.repeated == 1  # 5 is for the third socket

            await by_index[1].close(code=1012)
            await by_index[2].send_str("41")
            await eventually(lambda: set(seen.dropped) == {1, 2})
            assert seen.dropped[1][1] == 1012
            seen.sent = {0: Sent(at=1, receivers=1), 1: Sent(at=2, receivers=1), 3: Sent(at=3, receivers=1)}
            assert seen.missing() == [1]

            await sockets.close()
            assert set(seen.dropped) == {1, 2}

    asyncio.run(scenario())


def test_a_socket_with_an_account_shows_its_token_and_joins() -> None:
    async def scenario() -> None:
        async with served() as (server, session):
            sockets = Sockets(session=session, recorded=Recorded())
            await sockets.connect(1, token="good")
            assert server.packets == ['40{"token": "good"}', '420["user-join", {"auth": {"token": "good"}}]']
            with pytest.raises(TrafficError, match="user-join was answered with"):
                await sockets.connect(1, token="stale")
            await sockets.close()

    asyncio.run(scenario())


def test_steady_gets_keep_their_rate_and_tell_how_each_ended() -> None:
    async def scenario() -> None:
        async with served() as (server, session):
            seen, began = Recorded(), time.monotonic()
            async with steady_gets(session, seen, 50, "a-token"):
                await eventually(lambda: len(seen.gets) >= 4)
                server.status = 503
                await eventually(lambda: len(seen.gets) >= 10)
            assert {get.status for get in seen.gets} == {200, 503}
            assert [get.failed for get in seen.gets] == [get.status == 503 for get in seen.gets]
            begun = sorted(get.began - began for get in seen.gets)
            assert all(number / 50 <= seconds + 0.001 for number, seconds in enumerate(begun)), begun

    asyncio.run(scenario())


def test_a_refusal_of_the_api_names_the_request_and_the_answer() -> None:
    async def scenario() -> None:
        async with served() as (server, session):
            assert await ask(session, "GET", "/api/who", token="me") == {"you": "Bearer me"}
            server.status = 403
            with pytest.raises(TrafficError, match=r'GET /api/who answered 403: \{"you": ""\}'):
                await ask(session, "GET", "/api/who")

    asyncio.run(scenario())
