"""A proxy between a URL and an app, on this host: it may change a request, and grow tired of a silent websocket."""

from __future__ import annotations

import re
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from itertools import cycle
from threading import Thread
from typing import Literal

from verification.subject import PublishedPort

Change = Callable[[str], str]
Tired = Literal["close", "forget"]

WEBSOCKET = "/ws/socket.io"


def without(header: str) -> Change:
    """Take a header out of every request."""
    return lambda head: re.sub(rf"(?im)^{header}:.*\r\n", "", head)


def replacing(header: str, value: str) -> Change:
    """Give a header another value in every request that has it."""
    return lambda head: re.sub(rf"(?im)^{header}:.*\r\n", f"{header}: {value}\r\n", head)


def unchanged(head: str) -> str:
    """Let a request through as it came."""
    return head


@contextmanager
def relay(
    address: str,
    *others: str,
    change: Change = unchanged,
    swallow: bytes = b"",
    patience: float | None = None,
    then: Tired = "close",
) -> Iterator[PublishedPort]:
    """A proxy to port 8080 of an address, or of several in turn.

    Args:
        address: The app's IP address.
        others: Further ones.
        change: What becomes of the head of a request.
        swallow: What the app says with this in it is not passed on; empty to pass on everything.
        patience: Seconds that a websocket may be silent for; None for ever.
        then: What happens to one that is silent for longer: closed, or not served any more and left open.
    """
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve() -> None:
            with suppress(OSError):  # the listener is closed
                for chosen in cycle((address, *others)):
                    visitor, _ = listener.accept()
                    Thread(target=_relay, args=(visitor, chosen, change, swallow, patience, then), daemon=True).start()

        Thread(target=serve, daemon=True).start()
        try:
            yield PublishedPort(address="127.0.0.1", port=listener.getsockname()[1])
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def _relay(
    visitor: socket.socket, address: str, change: Change, swallow: bytes, patience: float | None, then: Tired
) -> None:
    with suppress(OSError), closing(visitor), closing(socket.create_connection((address, 8080), timeout=10)) as app:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (more := visitor.recv(4096)):
                return
            head += more
        app.sendall(change(head.decode("latin-1")).encode("latin-1"))
        others = {visitor: app, app: visitor}
        limit = patience if WEBSOCKET.encode() in head else None
        while ready := select.select(list(others), [], [], limit)[0]:
            for one in ready:
                if not (data := one.recv(65536)):
                    return
                if not (one is app and swallow and swallow in data):
                    others[one].sendall(data)
        while then == "forget" and visitor.recv(4096):
            pass
