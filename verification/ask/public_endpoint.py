"""Asks at the address people open: GET, and websockets as a page there would open them."""

from __future__ import annotations

import json
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from typing import Final
from urllib.parse import urlsplit

from websockets.exceptions import WebSocketException
from websockets.frames import Opcode

from docker_access.daemon import OutOfReach
from docker_access.ports import connected
from verification.ask.websocket import WebSocket
from verification.evidence.url import DEFAULT_PORTS, UPGRADE_PATH, HttpAnswer, IdleSocket, UrlEvent, authority_of
from verification.inside.load import on_busy_host
from verification.subject import PublishedPort

SECONDS: Final = 5.0
BODY_BYTES: Final = 500
FOREIGN_ORIGIN: Final = "https://elsewhere.invalid"
FAILURES: Final = (OSError, ValueError, HTTPException, WebSocketException)

LATE_SECONDS: Final = 5.0
"""How much later than announced a ping may come, and how long after it the socket has to answer."""
LONGEST_SECONDS: Final = 120.0
"""A ping interval above it is not waited for."""
EVENT_SECONDS: Final = 3.0
"""How long a published event may take through the URL."""
JOIN: Final = b"40"
JOINED: Final = b"40{"
EVENT: Final = b"42"
ENGINE_PING: Final = b"2"
ENGINE_PONG: Final = b"3"
"""Messages of socket.io: a page joins the main namespace, and the server answers with an id; then events come. The
server pings, and the page answers.

Source: https://socket.io/docs/v4/engine-io-protocol/
"""


@dataclass(frozen=True, kw_only=True)
class PublicEndpoint:
    """The address people open.

    Attributes:
        url: The address.
        published: Where it is connected to; None for the URL's own host and port.
        ca: PEM text of the CA that vouches for its certificate; empty for this host's own CAs.
        inside: Connects from inside a container, where no way leads from here; None to connect from here.
    """

    url: str
    published: PublishedPort | None = None
    ca: str = ""
    inside: Callable[[], AbstractContextManager[socket.socket]] | None = None

    def get(self, path: str) -> HttpAnswer:
        """GET a path below the address."""
        return self._answer(lambda connection: self._get(connection, path))

    def upgrade(self, origin: str) -> HttpAnswer:
        """Open a websocket to Open WebUI's socket.io as a page of that origin would; its first message is the body."""
        return self._answer(lambda connection: self._first_message(connection, origin))

    def keep_silent(self, origin: str) -> IdleSocket:
        """Open such a websocket and say nothing on it until Open WebUI's first ping, as an idle browser."""
        started = time.monotonic()
        try:
            with self._connected() as connection:
                seen = _stay_silent(self._opened(connection, origin))
        except FAILURES as error:
            seen = IdleSocket(error=str(error) or type(error).__name__)
        return replace(seen, seconds=time.monotonic() - started)

    def receive_events(self, origin: str, count: int, publish: Callable[[Mapping[str, str]], UrlEvent]) -> UrlEvent:
        """Open such websockets, join as a page does, and wait on each for an event that is published for it alone.

        Args:
            origin: The page's.
            count: How many, one after another: what spreads people over replicas takes the next one each time.
            publish: Publishes, by the id of a socket, an event that carries a nonce; says how that went.
        """
        started = time.monotonic()
        seen = UrlEvent()
        try:
            with ExitStack() as stack:
                joined = [self._joined(stack.enter_context(self._connected()), origin) for _ in range(count)]
                nonces = {sid: secrets.token_hex(8) for sid, _ in joined}
                seen = replace(publish(nonces), joined=True)
                if not seen.error:
                    for sid, opened in joined:
                        _message(opened, EVENT, on_busy_host(EVENT_SECONDS), nonces[sid].encode())
                    seen = replace(seen, arrived=True)
        except TimeoutError:
            pass
        except FAILURES as error:
            seen = replace(seen, error=str(error) or type(error).__name__)
        return replace(seen, count=count, seconds=time.monotonic() - started)

    def _answer(self, ask: Callable[[socket.socket], HttpAnswer]) -> HttpAnswer:
        started = time.monotonic()
        try:
            with self._connected() as connection:
                answer = ask(connection)
        except ssl.SSLCertVerificationError as error:
            answer = HttpAnswer(error=f"its certificate is not trusted: {error.verify_message}", untrusted=True)
        except OutOfReach as error:
            answer = HttpAnswer(error=str(error), out_of_reach=True)
        except FAILURES as error:
            answer = HttpAnswer(error=str(error) or type(error).__name__)
        return replace(answer, seconds=time.monotonic() - started)

    def _get(self, connection: socket.socket, path: str) -> HttpAnswer:
        http = HTTPConnection(authority_of(self.url))
        http.sock = connection
        http.request("GET", self._target(path), headers={"User-Agent": "verification", "Connection": "close"})
        response = http.getresponse()
        return _read(response.status, response.read(BODY_BYTES), response.headers.get("Location", ""))

    def _first_message(self, connection: socket.socket, origin: str) -> HttpAnswer:
        opened = self._websocket(connection, origin)
        status, body = opened.response.status_code, bytes(opened.response.body)
        if status == HTTPStatus.SWITCHING_PROTOCOLS:
            try:
                body = bytes(opened.receive(on_busy_host(SECONDS)).data)
            except ValueError as error:
                return HttpAnswer(status=status, error=str(error))
        return _read(status, body, opened.response.headers.get("Location", ""))

    def _opened(self, connection: socket.socket, origin: str) -> WebSocket:
        opened = self._websocket(connection, origin)
        if opened.response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            raise ValueError(f"no websocket: {opened.response.status_code}")
        return opened

    def _joined(self, connection: socket.socket, origin: str) -> tuple[str, WebSocket]:
        """A websocket that has joined as a page does, with the id of its socket."""
        opened = self._opened(connection, origin)
        opened.send(JOIN)
        return str(json.loads(_message(opened, JOINED, on_busy_host(SECONDS)).removeprefix(JOIN))["sid"]), opened

    def _websocket(self, connection: socket.socket, origin: str) -> WebSocket:
        return WebSocket(
            connection, f"ws://{authority_of(self.url)}{self._target(UPGRADE_PATH)}", origin, on_busy_host(SECONDS)
        )

    def _target(self, path: str) -> str:
        return urlsplit(self.url).path.rstrip("/") + path

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        parts, published = urlsplit(self.url), self.published
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
        address = (published.address, published.port) if published else (host, port)
        with self.inside() if self.inside else connected(*address, on_busy_host(SECONDS)) as connection:
            if self.inside:
                connection.settimeout(on_busy_host(SECONDS))
            if parts.scheme == "http" or (published and not published.tls):
                yield connection
                return
            trusted = ssl.create_default_context(cadata=self.ca or None)
            with trusted.wrap_socket(connection, server_hostname=host) as encrypted:
                yield encrypted


def _read(status: int, body: bytes, location: str) -> HttpAnswer:
    redirects = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    text = body[:BODY_BYTES].decode(errors="replace")
    return HttpAnswer(status=status, body=text, location=location if redirects else "")


def _message(opened: WebSocket, start: bytes, seconds: float, holds: bytes = b"") -> bytes:
    """The next message of socket.io that starts like this and holds something; pings before it are answered.

    Raises:
        TimeoutError: None came in that time.
        ValueError: The websocket was closed.
    """
    end = time.monotonic() + seconds
    while True:
        message = bytes(opened.receive(end - time.monotonic()).data)
        if message == ENGINE_PING:
            opened.send(ENGINE_PONG)
        elif message.startswith(start) and holds in message:
            return message


def _stay_silent(opened: WebSocket) -> IdleSocket:
    """What becomes of a websocket that answers pings and says nothing else."""
    began = heard = time.monotonic()
    interval = _ping_interval(opened)
    seen = IdleSocket(ping_interval=interval)
    if interval > LONGEST_SECONDS:
        return seen
    end = began + interval + on_busy_host(LATE_SECONDS)
    try:
        opened.send(JOIN)
        while not seen.open:
            frame = opened.receive(end - time.monotonic())
            heard = time.monotonic()
            if frame.opcode is Opcode.PONG:
                seen = replace(seen, open=True)
            elif frame.data == ENGINE_PING and seen.ping_after is None:
                seen = replace(seen, ping_after=heard - began)
                opened.send(ENGINE_PONG)
                # The app's answer to a ping of ours shows that both directions are still open.
                opened.ping(b"verification")
                end = heard + on_busy_host(LATE_SECONDS)
    except TimeoutError:
        pass
    except (OSError, ValueError) as error:
        seen = replace(seen, error=str(error) or type(error).__name__)
    return replace(seen, silence=time.monotonic() - heard)


def _ping_interval(opened: WebSocket) -> float:
    """Seconds after which socket.io's first message announces pings.

    Raises:
        TimeoutError: There was none.
        ValueError: It is no such message, or the websocket was closed.
    """
    first = bytes(opened.receive(on_busy_host(SECONDS)).data).decode(errors="replace")
    try:
        return float(json.loads(first.removeprefix("0"))["pingInterval"]) / 1000
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"the websocket opens, and then says {first[:100] or 'nothing'!r}") from None
