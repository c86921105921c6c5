"""Asks all replicas as Open WebUI's administrator; runs inside the first one's container, see ``runner.py``.

Its argument is ``{"replicas": {name: address}}``, an empty address for what is out of reach; the environment has the
account. The first replica is signed in to and out of, and one sign-in serves for all: Open WebUI allows 15 in three
minutes, people's own among them. Neither the password nor the token leaves the program.

Source: https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/routers/auths.py
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import time
from collections.abc import Coroutine
from http.client import HTTPConnection
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import urlsplit

from verification.inside.environment import read_environ
from verification.inside.errors import one_line
from verification.inside.load import STRETCH
from verification.inside.polling import poll
from verification.inside.program import print_answer

HTTP_SECONDS: Final = 8.0 * STRETCH
SOCKET_SECONDS: Final = 6.0 * STRETCH
ROUND_SECONDS: Final = 0.5 * STRETCH
"""How long one round of events is waited for before fresh ones are posted."""
EVENTS_SECONDS: Final = 6.0 * STRETCH
SIGN_OUT_SECONDS: Final = 5.0 * STRETCH
ASK_SECONDS: Final = 25.0 * STRETCH
"""How long it may take in all; what it made is removed after that."""
CLEAN_SECONDS: Final = 5.0 * STRETCH
STALE_SECONDS: Final = 60
"""A chat of this probe's that is as old was left behind by one that was killed."""

OK: Final = 200
PASSWORD_REFUSED: Final = {400: "refused", 401: "refused", 403: "refused", 429: "rate-limited"}
"""What a sign-in is answered that the account's owner or Open WebUI's settings do not want."""

EMAIL: Final = "WEBUI_ADMIN_EMAIL"
PASSWORD: Final = "WEBUI_ADMIN_PASSWORD"  # noqa: S105 - the variable's name
TITLE: Final = re.compile(r"verification [0-9a-f]{32}")


class Unexpected(Exception):  # noqa: N818 - it is an outcome, not a programming error
    """Open WebUI answered otherwise than a sound one does.

    Attributes:
        problem: ``rate-limited``, ``refused``, ``out-of-reach`` or ``api``.
    """

    def __init__(self, problem: str, words: str) -> None:
        super().__init__(words)
        self.problem = problem


def credentials() -> tuple[str, str]:
    """The account this process was given, or else the one an app's process has from a file its shell has read."""
    environments: list[dict[str, str]] = [dict(os.environ)]
    for file in sorted(Path("/proc").glob("[0-9]*/environ")):
        with contextlib.suppress(OSError):
            environments.append(read_environ(file))
    for found in environments:
        if found.get(EMAIL) and found.get(PASSWORD):
            return found[EMAIL], found[PASSWORD]
    return "", ""


def detail_in(answer: Any) -> str:
    """Open WebUI's own words for what is wrong; not a list of them, which repeats what was sent."""
    found = (answer.get("detail") or answer.get("next_step")) if isinstance(answer, dict) else ""
    return found[:200] if isinstance(found, str) else ""


def request(method: str, url: str, token: str, body: Any) -> tuple[int, str]:
    """Status and text of the answer to one request, past any proxy.

    Raises:
        OSError: There is no answer.
        http.client.HTTPException: It is none of HTTP.
    """
    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=HTTP_SECONDS)
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        target = url.removeprefix(f"{parts.scheme}://{parts.netloc}")
        connection.request(method, target, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


class Replica:
    """One replica, and a socket of the account's connected to it."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address
        self.socket: Any = None
        self.arrived: dict[str, float] = {}
        self.dropped = asyncio.Event()

    async def ask(self, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
        """Status and body of the answer to one request.

        Raises:
            Unexpected: There is no answer, or one that is not JSON.
        """
        try:
            status, text = await asyncio.to_thread(request, method, self.address + path, token, body)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
            words = f"{self.name}: {method} {path}: {one_line(error)}"
            out_of_reach = isinstance(error, OSError) and not isinstance(error, TimeoutError | ConnectionResetError)
            raise Unexpected("out-of-reach" if out_of_reach else "api", words) from None
        with contextlib.suppress(ValueError):
            return status, json.loads(text)
        return status, text

    async def ask_ok(self, method: str, path: str, token: str, body: Any = None) -> Any:
        """Body of the answer to a request that a sound Open WebUI answers with 200.

        Raises:
            Unexpected: It is answered otherwise.
        """
        status, found = await self.ask(method, path, token, body)
        if status != OK:
            raise Unexpected("api", f"{self.name}: {method} {path} answers {status} {detail_in(found)}".strip())
        return found

    async def accepts(self, token: str) -> bool:
        """Whether the token is one of an account here."""
        return (await self.ask("GET", "/api/v1/auths/", token))[0] == OK

    async def open_socket(self, token: str) -> bool:
        """Connect a socket of the account's; whether it joined the account's rooms."""
        import socketio  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - the app's library, not ours

        await self.close_socket()
        self.dropped = asyncio.Event()
        self.socket = socketio.AsyncClient(reconnection=False)
        self.socket.on("events", self._received)
        self.socket.on("disconnect", lambda *_: self.dropped.set())
        connecting = self.socket.connect(
            self.address,
            transports=["websocket"],
            socketio_path="/ws/socket.io",
            auth={"token": token},
            wait_timeout=SOCKET_SECONDS,
        )
        try:
            await asyncio.wait_for(connecting, SOCKET_SECONDS + 0.5)
            # Its answer says that the rooms are joined: the connection is confirmed before.
            joined = await self.socket.call("user-join", {"auth": {"token": token}}, timeout=SOCKET_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
            raise Unexpected("api", f"{self.name}: no socket of the account's opens: {one_line(error)}") from None
        return bool(joined)

    def _received(self, event: Any) -> None:
        data = event.get("data") if isinstance(event, dict) else None
        nonce = (data.get("data") or {}).get("nonce") if isinstance(data, dict) else None
        if nonce:
            self.arrived[str(nonce)] = time.monotonic()

    async def close_socket(self) -> None:
        """Close the socket, if there is one."""
        if self.socket:
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self.socket.disconnect(), 1)


async def together(*questions: Coroutine[Any, Any, None]) -> None:
    """Ask them at once, and leave none under way: the first exception is raised when all have ended."""
    for outcome in await asyncio.gather(*questions, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


class Account:
    """The account, signed in at the first replica."""

    def __init__(self, replicas: list[Replica]) -> None:
        self.first, self.replicas = replicas[0], replicas
        self.answer: dict[str, Any] = {name: [] for name in ("strangers", "silent", "accepting", "connected")}
        self.token = self.title = self.chat = ""

    async def ask(self, email: str, password: str) -> None:
        """Answer every question; what is answered before an exception stays.

        Raises:
            Unexpected: Open WebUI answers otherwise than a sound one does.
        """
        self.token = await self._sign_in(email, password)
        await together(self._make_chat(), *(self._enter(replica) for replica in self.replicas))
        if self.answer["strangers"]:
            return
        await self._events()
        if self.answer["silent"]:
            return
        await self.remove_chat()
        await self._sign_out()

    async def _sign_in(self, email: str, password: str) -> str:
        status, found = await self.first.ask(
            "POST", "/api/v1/auths/signin", body={"email": email, "password": password}
        )
        if status == OK and isinstance(found, dict) and found.get("token"):
            return str(found["token"])
        problem = "refused" if status == OK else PASSWORD_REFUSED.get(status, "api")
        words = f"{self.first.name}: POST /api/v1/auths/signin answers {status} {detail_in(found)}"
        raise Unexpected(problem, words.strip())

    async def _make_chat(self) -> None:
        for chat in await self._chats():
            stale = time.time() - int(chat.get("created_at") or 0) > STALE_SECONDS
            if stale and TITLE.fullmatch(str(chat.get("title"))):
                await self.first.ask("DELETE", f"/api/v1/chats/{chat['id']}", self.token)
        self.title = f"verification {os.urandom(16).hex()}"
        chat = {"title": self.title, "history": {"messages": {}}, "messages": []}
        self.chat = str((await self.first.ask_ok("POST", "/api/v1/chats/new", self.token, {"chat": chat}))["id"])

    async def _chats(self) -> list[dict[str, Any]]:
        found = await self.first.ask_ok("GET", "/api/v1/chats/?url_event=1", self.token)
        return [chat for chat in found if isinstance(chat, dict)] if isinstance(found, list) else []

    async def _enter(self, replica: Replica) -> None:
        if not await replica.accepts(self.token) or not await replica.open_socket(self.token):
            self.answer["strangers"].append(replica.name)

    async def _events(self) -> None:
        """Post an event on every replica; each must reach the sockets of all."""
        pairs = {(a.name, b.name): (a, b) for a in self.replicas for b in self.replicas}
        if len(self.replicas) > 1:
            pairs = {names: pair for names, pair in pairs.items() if names[0] != names[1]}
        waiting, slowest = dict(pairs), 0.0
        sent: dict[str, dict[str, float]] = {replica.name: {} for replica in self.replicas}

        async def all_arrived() -> bool:
            nonlocal slowest
            for names, (a, b) in list(waiting.items()):
                if arrived := sent[a.name].keys() & b.arrived.keys():
                    slowest = max(slowest, min(b.arrived[nonce] - sent[a.name][nonce] for nonce in arrived))
                    del waiting[names]
            return not waiting

        async def post_events() -> bool:
            await together(*(self._reopen(replica) for replica in self.replicas))
            # A replica listens for an account a moment after its socket has joined: the first event may come too soon.
            posting = {a.name: (a, os.urandom(16).hex()) for a, _ in waiting.values()}
            for name, (_, nonce) in posting.items():
                sent[name][nonce] = time.monotonic()
            await together(*(self._post(replica, nonce) for replica, nonce in posting.values()))
            return await poll(all_arrived, bool, seconds=ROUND_SECONDS, every=0.005)

        await poll(post_events, bool, seconds=EVENTS_SECONDS, every=0)
        self.answer["silent"] = [f"{a} to {b}" for a, b in waiting]
        self.answer["pairs"] = len(pairs)
        self.answer["milliseconds"] = slowest * 1000

    async def _reopen(self, replica: Replica) -> None:
        # A sign-out of the same account elsewhere drops all of its sockets.
        if replica.dropped.is_set():
            await replica.open_socket(self.token)

    async def _post(self, replica: Replica, nonce: str) -> None:
        event = {"type": "verification", "data": {"nonce": nonce}}
        await replica.ask_ok("POST", f"/api/v1/chats/{self.chat}/messages/{nonce}/event", self.token, event)

    async def _sign_out(self) -> None:
        """Sign out at the first replica; the token must be refused by all, and their sockets of it dropped."""
        await together(*(self._reopen(replica) for replica in self.replicas))
        await self.first.ask_ok("POST", "/api/v1/auths/signout", self.token)
        token, self.token = self.token, ""
        end = time.monotonic() + SIGN_OUT_SECONDS
        await together(*(self._await_sign_out(replica, token, end) for replica in self.replicas))

    async def _await_sign_out(self, replica: Replica, token: str, end: float) -> None:
        seconds = max(end - time.monotonic(), 0)
        if await poll(lambda: replica.accepts(token), lambda accepted: not accepted, seconds=seconds, every=0.1):
            self.answer["accepting"].append(replica.name)
        try:
            await asyncio.wait_for(replica.dropped.wait(), max(end - time.monotonic(), 0.001))
        except TimeoutError:
            self.answer["connected"].append(replica.name)

    async def remove_chat(self) -> None:
        """Delete the chat.

        Raises:
            Unexpected: Open WebUI does not delete it.
        """
        path = f"/api/v1/chats/{self.chat}"
        if await self.first.ask_ok("DELETE", path, self.token) is not True:
            raise Unexpected("api", f"{self.first.name}: DELETE {path} does not delete")
        self.title = self.chat = ""

    async def clean(self) -> None:
        """Remove what was made, as far as it still is there."""
        with contextlib.suppress(Unexpected):
            # Without an id its making was never answered: it may have been made all the same, or be made yet.
            if self.title and not self.chat:
                self.chat = next((chat["id"] for chat in await self._chats() if chat.get("title") == self.title), "")
            if self.chat:
                await self.remove_chat()
        with contextlib.suppress(Unexpected):
            if self.token:
                await self.first.ask("POST", "/api/v1/auths/signout", self.token)


async def run(account: Account, email: str, password: str) -> dict[str, Any]:
    """Ask within the time allowed, and leave nothing behind."""
    answer, started = account.answer, time.monotonic()
    answer.update(problem="", error="")
    try:
        await asyncio.wait_for(account.ask(email, password), ASK_SECONDS)
    except Unexpected as unexpected:
        answer.update(problem=unexpected.problem, error=one_line(unexpected))
    except TimeoutError:
        answer.update(problem="api", error=f"not done after {ASK_SECONDS:.0f} s")
    finally:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(account.clean(), CLEAN_SECONDS)
        answer["left"] = account.title
        await asyncio.gather(*(replica.close_socket() for replica in account.replicas))
    return answer | {"seconds": time.monotonic() - started}


async def main(config: dict[str, Any]) -> dict[str, Any]:
    """Ask all replicas as the account, if there is one."""
    email, password = credentials()
    if not email:
        return {"problem": "none"}
    replicas = [Replica(name, address) for name, address in config["replicas"].items()]
    if apart := [replica.name for replica in replicas if not replica.address]:
        return {"problem": "out-of-reach", "error": f"{replicas[0].name} shares no network with {', '.join(apart)}"}
    # It takes as long as a sign-in does: both at once.
    Thread(target=import_module, args=("socketio",), daemon=True).start()
    return await run(Account(replicas), email, password)


if __name__ == "__main__":
    print_answer(main, seconds=34)
