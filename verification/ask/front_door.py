"""Asks through the address people open, over plain HTTP/1.1: GET, and websockets from a page's origin.

Written by hand because the standard library can neither connect elsewhere than the URL says nor upgrade.
"""

from __future__ import annotations

import base64
import json
import secrets
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from typing import IO, Final
from urllib.parse import urlsplit

from docker_access.daemon import OutOfReach
from docker_access.ports import connected
from verification.ask.websocket import CLOSE, PING, PONG, TEXT, Frame, client_frame, read_frame
from verification.checks.evidence import HttpAnswer, IdleSocket, Page
from verification.subject import Door

SECONDS: Final = 5.0
BODY_BYTES: Final = 500
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
UPGRADE_PATH: Final = "/ws/socket.io/?EIO=4&transport=websocket"
FOREIGN_ORIGIN: Final = "https://elsewhere.invalid"

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
"""Messages of socket.io: a page joins the main namespace, and the server says as what; then events come. The server
asks whether the page is there, and it answers.

Source: https://socket.io/docs/v4/engine-io-protocol/
"""


def origin_of(url: str) -> str:
    """The origin of a URL as a browser sends it: scheme and host, the port where it is not the scheme's.

    Source: https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{_authority(url)}"


def _authority(url: str) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return host if parts.port in {None, DEFAULT_PORTS.get(parts.scheme)} else f"{host}:{parts.port}"


@dataclass(frozen=True, kw_only=True)
class FrontDoor:
    """The address people open.

    Attributes:
        url: The address.
        door: Where it is connected to; None for the URL's own host and port.
        ca: PEM text of the CA that vouches for its certificate; empty for this host's own CAs.
        inside: Connects from inside a container, where no way leads from here; None to connect from here.
    """

    url: str
    door: Door | None = None
    ca: str = ""
    inside: Callable[[], AbstractContextManager[socket.socket]] | None = None

    def get(self, path: str) -> HttpAnswer:
        """GET a path below the address."""
        return self._ask(path, {"Connection": "close"})

    def upgrade(self, origin: str) -> HttpAnswer:
        """Open a websocket to Open WebUI's socket.io as a page of that origin would; its first message is the body."""
        return self._ask(UPGRADE_PATH, _handshake(origin))

    def idle(self, origin: str) -> IdleSocket:
        """Open such a websocket and say nothing on it until Open WebUI's first ping, as an idle browser."""
        started = time.monotonic()
        try:
            with self._connected() as connection:
                response = self._send(connection, UPGRADE_PATH, _handshake(origin))
                if response.status != HTTPStatus.SWITCHING_PROTOCOLS:
                    return IdleSocket(error=f"no websocket: {response.status}", seconds=time.monotonic() - started)
                seen = _stay_silent(connection, response.fp)
        except (OSError, ValueError, HTTPException) as error:
            seen = IdleSocket(error=str(error) or type(error).__name__)
        return replace(seen, seconds=time.monotonic() - started)

    def page(self, origin: str, count: int, publish: Callable[[Mapping[str, str]], Page]) -> Page:
        """Open such websockets, join as a page does, and wait on each for an event that is published for it alone.

        Args:
            origin: The page's.
            count: How many, one after another: what spreads people over replicas takes the next one each time.
            publish: Publishes, by the id of a socket, an event that carries a nonce; says how that went.
        """
        started = time.monotonic()
        seen = Page()
        try:
            with ExitStack() as stack:
                joined = [self._join(stack, origin) for _ in range(count)]
                nonces = {sid: secrets.token_hex(8) for _, _, sid in joined}
                seen = replace(publish(nonces), joined=True)
                if not seen.error:
                    for connection, response, sid in joined:
                        _message(connection, response.fp, EVENT, EVENT_SECONDS, nonces[sid].encode())
                    seen = replace(seen, arrived=True)
        except TimeoutError:
            pass
        except (OSError, ValueError, HTTPException) as error:
            seen = replace(seen, error=str(error) or type(error).__name__)
        return replace(seen, count=count, seconds=time.monotonic() - started)

    def _join(self, stack: ExitStack, origin: str) -> tuple[socket.socket, HTTPResponse, str]:
        connection = stack.enter_context(self._connected())
        response = self._send(connection, UPGRADE_PATH, _handshake(origin))
        if response.status != HTTPStatus.SWITCHING_PROTOCOLS:
            raise ValueError(f"no websocket: {response.status}")
        connection.sendall(client_frame(TEXT, JOIN))
        joined = json.loads(_message(connection, response.fp, JOINED, SECONDS).removeprefix(b"40"))
        return connection, response, str(joined["sid"])

    def _ask(self, path: str, headers: Mapping[str, str]) -> HttpAnswer:
        started = time.monotonic()
        try:
            answer = self._exchange(path, headers)
        except ssl.SSLCertVerificationError as error:
            answer = HttpAnswer(error=f"its certificate is not trusted: {error.verify_message}", untrusted=True)
        except OutOfReach as error:
            answer = HttpAnswer(error=str(error), out_of_reach=True)
        except (OSError, ValueError, HTTPException) as error:
            answer = HttpAnswer(error=str(error) or type(error).__name__)
        return replace(answer, seconds=time.monotonic() - started)

    def _exchange(self, path: str, headers: Mapping[str, str]) -> HttpAnswer:
        with self._connected() as connection:
            response = self._send(connection, path, headers)
            if response.status == HTTPStatus.SWITCHING_PROTOCOLS:
                first = read_frame(response.fp)
                body = first.payload[:BODY_BYTES] if first else b""
            else:
                body = response.read(BODY_BYTES)
            redirects = HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST
            return HttpAnswer(
                status=response.status,
                body=body.decode(errors="replace"),
                location=response.headers.get("Location", "") if redirects else "",
            )

    def _send(self, connection: socket.socket, path: str, headers: Mapping[str, str]) -> HTTPResponse:
        target = urlsplit(self.url).path.rstrip("/") + path
        lines = [f"GET {target} HTTP/1.1", f"Host: {_authority(self.url)}", "User-Agent: verification"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        connection.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
        response = HTTPResponse(connection)
        response.begin()
        return response

    @contextmanager
    def _connected(self) -> Iterator[socket.socket]:
        parts = urlsplit(self.url)
        host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
        address = (self.door.address, self.door.port) if self.door else (host, port)
        with self.inside() if self.inside else connected(*address, SECONDS) as connection:
            if self.inside:
                connection.settimeout(SECONDS)
            if parts.scheme == "http" or (self.door and not self.door.tls):
                yield connection
                return
            trusted = ssl.create_default_context(cadata=self.ca or None)
            with trusted.wrap_socket(connection, server_hostname=host) as encrypted:
                yield encrypted


def _handshake(origin: str) -> dict[str, str]:
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    return {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key,
        "Origin": origin,
    }  # fmt: skip


def _message(connection: socket.socket, stream: IO[bytes], start: bytes, seconds: float, holds: bytes = b"") -> bytes:
    """The next message of socket.io that starts like this and holds something; pings before it are answered.

    Raises:
        TimeoutError: None came in that time.
        ValueError: The websocket was closed.
    """
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        connection.settimeout(left)
        frame = read_frame(stream)
        if frame is None or frame.opcode == CLOSE:
            raise ValueError(frame.closing if frame else "the connection ended")
        if frame.opcode == PING:
            connection.sendall(client_frame(PONG, frame.payload))
        elif frame.payload == ENGINE_PING:
            connection.sendall(client_frame(TEXT, ENGINE_PONG))
        elif frame.payload.startswith(start) and holds in frame.payload:
            return frame.payload
    raise TimeoutError


def _stay_silent(connection: socket.socket, stream: IO[bytes]) -> IdleSocket:
    """What becomes of a websocket that answers pings and says nothing else."""
    opened = heard = time.monotonic()
    interval = _ping_interval(read_frame(stream))
    seen = IdleSocket(ping_interval=interval)
    if interval > LONGEST_SECONDS:
        return seen
    end = opened + interval + LATE_SECONDS
    try:
        connection.sendall(client_frame(TEXT, JOIN))
        while not seen.open and (left := end - time.monotonic()) > 0:
            connection.settimeout(left)
            frame = read_frame(stream)
            if frame is None or frame.opcode == CLOSE:
                seen = replace(seen, error=frame.closing if frame else "the connection ended")
                break
            heard = time.monotonic()
            if frame.opcode == PING:
                connection.sendall(client_frame(PONG, frame.payload))
            elif frame.opcode == PONG:
                seen = replace(seen, open=True)
            elif frame.payload == ENGINE_PING and seen.ping_after is None:
                seen = replace(seen, ping_after=heard - opened)
                # The app's answer to a ping of ours shows that both directions are still open.
                connection.sendall(client_frame(TEXT, ENGINE_PONG) + client_frame(PING, b"verification"))
                end = heard + LATE_SECONDS
    except TimeoutError:
        pass
    except OSError as error:
        seen = replace(seen, error=str(error) or type(error).__name__)
    return replace(seen, silence=time.monotonic() - heard)


def _ping_interval(first: Frame | None) -> float:
    """Seconds after which socket.io's first message announces pings.

    Raises:
        ValueError: It is no such message.
    """
    payload = first.payload.decode(errors="replace") if first else ""
    try:
        return float(json.loads(payload.removeprefix("0"))["pingInterval"]) / 1000
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"the websocket opens, and then says {payload[:100] or 'nothing'!r}") from None
