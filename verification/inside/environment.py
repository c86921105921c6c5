"""The environment of the app's own process, and which of it may be shown."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

SHOWN: Final = frozenset({
    "CORS_ALLOW_ORIGIN", "ENABLE_DB_MIGRATIONS", "ENABLE_PERSISTENT_CONFIG", "ENABLE_WEBSOCKET_SUPPORT",
    "GLOBAL_LOG_LEVEL", "HOST", "PORT",
    "REDIS_CLUSTER", "REDIS_KEY_PREFIX", "REDIS_SENTINEL_HOSTS", "UVICORN_WORKERS", "WEBSOCKET_MANAGER",
    "WEBSOCKET_REDIS_CLUSTER", "WEBSOCKET_REDIS_ROOM_CHANNELS", "WEBSOCKET_SENTINEL_HOSTS",
})  # fmt: skip
"""Variables that hold no secret."""
URLS: Final = ("WEBSOCKET_REDIS_URL", "REDIS_URL")
"""Variables with a URL of Valkey; shown with its password masked."""
APP_PROCESS: Final = re.compile(r"^(?!\S*\b(?:docker-init|tini|dumb-init|[bd]?a?sh) ).*(?:open[-_]webui|uvicorn)")
"""Command line of the app itself: no init process and no shell, whose environment lacks what the shell sources."""


def app_environment() -> tuple[str, dict[str, str]]:
    """The app's process in words, and its environment: an entrypoint may have changed what Docker was given."""
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        if int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if APP_PROCESS.search(command):
                return f"process {folder.name} ({command[:60]})", read_environ(folder / "environ")
    return "the container (the app's process was not found or not readable)", dict(os.environ)


def read_environ(file: Path) -> dict[str, str]:
    """Variables of a process, from its ``environ`` in ``/proc``.

    Raises:
        OSError: It cannot be read.
    """
    pairs = file.read_bytes().decode(errors="replace").split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def mask(url: str) -> str:
    """The URL without its password, in the authority or the query."""
    before, _, after = url.rpartition("@")
    if before and any(character in before.partition("://")[2] for character in "/?#"):
        return f"{before.partition('://')[0]}://***@{after}"  # a password that is not percent-encoded
    try:
        parts = urlsplit(url)
        query = urlencode([(k, "***" if "pass" in k.lower() else v) for k, v in parse_qsl(parts.query)], safe="*/")
    except ValueError:
        return "(not a URL)"
    account, at, address = parts.netloc.rpartition("@")
    if ":" in account:
        account = account.split(":", 1)[0] + ":***"
    return urlunsplit(parts._replace(netloc=account + at + address, query=query))


def has_room_channels(environment: dict[str, str]) -> bool:
    """Whether the app listens to one channel for each room."""
    return environment.get("WEBSOCKET_REDIS_ROOM_CHANNELS", "True").lower() == "true"
