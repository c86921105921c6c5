"""What is answered through the URL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
UPGRADE_PATH: Final = "/ws/socket.io/?EIO=4&transport=websocket"
"""Where Open WebUI's socket.io opens a websocket, below its URL."""


@dataclass(frozen=True, kw_only=True)
class HttpAnswer:
    """Answer to one GET request.

    Attributes:
        status: HTTP status; 0 when there was no answer.
        body: First 500 characters of the body; after an upgrade the first message.
        location: Where a redirection points to.
        error: Why there was no answer.
        untrusted: The certificate is not one that the CA at hand vouches for.
        out_of_reach: It could not be asked from here, which says nothing of whether it answers.
        seconds: How long it took.
    """

    status: int = 0
    body: str = ""
    location: str = ""
    error: str = ""
    untrusted: bool = False
    out_of_reach: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class IdleSocket:
    """A websocket that was kept silent, as a browser's is, until Open WebUI's first ping.

    Attributes:
        ping_interval: Seconds of silence after which the app said it would ping; 0 when it opened no websocket.
        ping_after: Seconds from its opening to the first ping; None when none arrived.
        open: It was still open a moment after the answer to that ping.
        silence: Seconds without anything from the app when the question ended.
        error: What ended it, or why it did not open.
        seconds: How long it took in all.
    """

    ping_interval: float = 0.0
    ping_after: float | None = None
    open: bool = False
    silence: float = 0.0
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class UrlEvent:
    """Websockets through the URL, as a page has them, and for each an event published on Valkey for it alone.

    Attributes:
        count: How many.
        joined: Each was taken into its app's main namespace.
        receivers: How many subscribers Valkey delivered an event to, the fewest of all; None when it was not published.
        rooms: They were published on the sockets' own channels, to which none but the app of each listens.
        arrived: Each came through the URL.
        error: Why they were not published, or what ended a websocket.
        seconds: How long it took in all.
    """

    count: int = 1
    joined: bool = False
    receivers: int | None = None
    rooms: bool = True
    arrived: bool = False
    error: str = ""
    seconds: float = 0.0


def origin_of(url: str) -> str:
    """The origin of a URL as a browser sends it: scheme and host, the port where it is not the scheme's.

    Source: https://html.spec.whatwg.org/multipage/browsers.html#ascii-serialisation-of-an-origin
    """
    return f"{urlsplit(url).scheme}://{authority_of(url)}"


def authority_of(url: str) -> str:
    """Host of a URL, and its port where that is not the scheme's."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
    return host if parts.port in {None, DEFAULT_PORTS.get(parts.scheme)} else f"{host}:{parts.port}"
