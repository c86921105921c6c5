"""Runs inside an Open WebUI container: publishes what it reads, with the app's own account at Valkey.

``docker exec -i CONTAINER python3 -c SOURCE`` with a JSON list of channel and message on standard input; the first is
published until somebody receives it, and the others once. It uses what
Open WebUI itself depends on (redis) and nothing of this project.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Final

GAP_SECONDS: Final = 0.03
"""Between two messages: about as long as a model takes for a word."""


def valkey_url() -> str:
    """Where the app's process finds Valkey: the container's own environment has no secrets."""
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            pairs = file.read_text(encoding="utf-8", errors="replace").split("\0")
        except OSError:
            continue
        for pair in pairs:
            if pair.startswith("WEBSOCKET_REDIS_URL="):
                return pair.partition("=")[2]
    sys.exit("no process here has a WEBSOCKET_REDIS_URL")


def main() -> None:
    """Publish everything once."""
    import redis  # noqa: PLC0415 - the app's library, not ours

    client = redis.Redis.from_url(valkey_url(), socket_timeout=60, socket_connect_timeout=60)
    messages = json.load(sys.stdin)
    awaited, nothing = messages.pop(0)
    while not client.publish(awaited, nothing):
        time.sleep(GAP_SECONDS)
    for channel, message in messages:
        client.publish(channel, message)
        time.sleep(GAP_SECONDS)


if __name__ == "__main__":
    main()
