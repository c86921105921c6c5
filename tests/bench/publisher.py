"""Runs inside an Open WebUI container: publishes events to the sockets' own rooms, and says when each was sent.

``docker exec -i CONTAINER python3 -c SOURCE``, with the configuration as one line of JSON on standard input. Each
event is one line of output: its number, the monotonic time it was sent at, and how many replicas Valkey gave it to
(-1: Valkey did not take it). It ends after the seconds asked for, or when its standard input is closed.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, Final

TICK_SECONDS: Final = 0.002
"""Events due within one tick share a round trip: that leaves the machine to the system that is measured."""
FLUSH_SECONDS: Final = 0.1
BEHIND_SECONDS: Final = 0.25
"""A publisher that is further behind gives up what it missed: a burst would measure the burst."""
ANSWER_SECONDS: Final = 1.0


def app_environment() -> dict[str, str]:
    """Environment of the app's process: the container's own has no secrets."""
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        if int(folder.name) == os.getpid():
            continue
        try:
            pairs = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        if environment.get("WEBSOCKET_REDIS_URL"):
            return environment
    sys.exit("no process here has a WEBSOCKET_REDIS_URL")


def connect(environment: dict[str, str]) -> Any:
    """A client of Valkey that fails fast and never repeats a command."""
    import redis  # noqa: PLC0415 - the app's library, not ours
    from redis.backoff import NoBackoff  # noqa: PLC0415 - the same
    from redis.retry import Retry  # noqa: PLC0415 - the same

    options = json.loads(environment.get("WEBSOCKET_REDIS_OPTIONS") or "{}")
    bounds = {"socket_timeout": ANSWER_SECONDS, "socket_connect_timeout": ANSWER_SECONDS}
    return redis.Redis.from_url(environment["WEBSOCKET_REDIS_URL"], **options, **bounds, retry=Retry(NoBackoff(), 0))


def message(number: int, room: str, sent: float) -> str:
    """An event as python-socketio's manager publishes it, of the size of a short chat event."""
    event = {
        "method": "emit", "event": "bench", "data": [number, sent, "x" * 90], "binary": False, "namespace": "/",
        "room": room, "skip_sid": None, "callback": None, "host_id": "bench",
    }  # fmt: skip
    return json.dumps(event)


def publish(client: Any, rooms: list[str], numbers: range) -> None:
    """Publish some events in one round trip, and report them."""
    from redis.exceptions import RedisError  # noqa: PLC0415 - see connect

    pipeline = client.pipeline(transaction=False)
    sent = time.monotonic()
    for number in numbers:
        room = rooms[number % len(rooms)]
        pipeline.publish(f"socketio#/#{room}", message(number, room, sent))
    try:
        receivers = pipeline.execute()
    except (RedisError, OSError):
        receivers = [-1] * len(numbers)
    for number, count in zip(numbers, receivers, strict=True):
        sys.stdout.write(f"{number} {sent:.6f} {count}\n")


def main() -> None:
    """Publish at a steady rate."""
    config = json.loads(sys.stdin.readline())
    rooms, rate = list(config["rooms"]), float(config["rate"])
    until_closed = threading.Thread(target=sys.stdin.read, daemon=True)
    until_closed.start()
    client = connect(app_environment())
    began = flushed = time.monotonic()
    end = began + float(config["seconds"])
    number = 0
    while until_closed.is_alive() and (now := time.monotonic()) < end:
        due = int((now - began) * rate) + 1
        if due - number > BEHIND_SECONDS * rate + 1:
            began += (due - 1 - number) / rate
            due = number + 1
        if due > number:
            publish(client, rooms, range(number, due))
            number = due
        if now - flushed > FLUSH_SECONDS:
            sys.stdout.flush()
            flushed = now
        time.sleep(max(TICK_SECONDS, min(began + number / rate - time.monotonic(), FLUSH_SECONDS)))
    sys.stdout.flush()


if __name__ == "__main__":
    main()
