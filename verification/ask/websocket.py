"""A websocket over a connection that is there already, as the library ``websockets`` reads and writes it.

Of the library it takes the part without I/O. Its own ``connect()`` reads on a second thread, and to read and to write a
TLS connection on two threads may crash Python (https://github.com/python/cpython/issues/143756). It also answers pings
unseen, which are part of what is measured here, and for a redirection it raises an error without the server's answer.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Response
from websockets.protocol import Event
from websockets.typing import Origin
from websockets.uri import parse_uri

READ_BYTES: Final = 65536


class WebSocket:
    """A websocket, opened as a page would.

    Args:
        connection: Leads to the server; its time limit is set here.
        uri: ``ws://``, whatever the connection is encrypted with.
        origin: The page's.
        seconds: How long the server may take to answer.

    Attributes:
        response: What the server answered: it has opened a websocket only where the status is 101.

    Raises:
        TimeoutError: There was no answer in that time.
        ValueError: It is no answer of HTTP, or 101 and no websocket.
        OSError: The connection failed.
    """

    def __init__(self, connection: socket.socket, uri: str, origin: str, seconds: float) -> None:
        self._connection, self._events = connection, deque[Event]()
        self._protocol = ClientProtocol(parse_uri(uri), origin=Origin(origin))
        request = self._protocol.connect()
        request.headers["User-Agent"] = "verification"
        self._protocol.send_request(request)
        self._flush()
        response = self._next_event(seconds)
        if not isinstance(response, Response):
            raise TypeError(response)
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS and self._protocol.handshake_exc:
            raise ValueError(f"101, and no websocket: {self._protocol.handshake_exc}")
        self.response = response

    def receive(self, seconds: float) -> Frame:
        """The next frame; a ping is answered already.

        Raises:
            TimeoutError: There was none in that time.
            ValueError: The websocket was closed; says how.
            OSError: The connection failed.
        """
        frame = self._next_event(seconds)
        if not isinstance(frame, Frame):
            raise TypeError(frame)
        if frame.opcode is Opcode.CLOSE:
            close = Close.parse(frame.data)
            raise ValueError(" ".join(["closed", *([str(close.code), close.reason] if frame.data else [])]).rstrip())
        return frame

    def send(self, text: bytes) -> None:
        """Send a message.

        Raises:
            OSError: The connection failed.
        """
        with suppress(InvalidState):  # it is being closed; how is seen by reading
            self._protocol.send_text(text)
        self._flush()

    def ping(self, data: bytes) -> None:
        """Send a ping of the websocket's own; the server answers it with a frame that is a pong.

        Raises:
            OSError: The connection failed.
        """
        with suppress(InvalidState):
            self._protocol.send_ping(data)
        self._flush()

    def _next_event(self, seconds: float) -> Event:
        end = time.monotonic() + seconds
        while not self._events:
            if (left := end - time.monotonic()) <= 0:
                raise TimeoutError("timed out")
            self._connection.settimeout(left)
            if data := self._connection.recv(READ_BYTES):
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
            self._events.extend(self._protocol.events_received())
            with suppress(OSError):  # what answers a ping or a closing; whether the connection holds is seen by reading
                self._flush()
            error = self._protocol.handshake_exc or self._protocol.parser_exc
            if not self._events and (error or not data):
                raise ValueError(_end(error))
        return self._events.popleft()

    def _flush(self) -> None:
        # An empty piece stands for the end of what is sent: the connection is ended by whoever made it.
        self._connection.sendall(b"".join(self._protocol.data_to_send()))


def _end(error: Exception | None) -> str:
    """In words, what ended a websocket, or an answer that was to open one."""
    if error is None or isinstance(error, EOFError):
        return "the connection ended"
    if isinstance(error.__cause__, Exception):
        return f"{error}: {error.__cause__}"
    return f"what came after the upgrade is not of a websocket's server: {error}"
