"""What each program that runs inside a container of Open WebUI begins and ends with."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from verification.inside.load import STRETCH


def print_answer(ask: Callable[[dict[str, Any]], Coroutine[Any, Any, dict[str, Any]]], *, seconds: float) -> None:
    """Print as one line of JSON what ``ask`` makes of the program's only argument, and end the process.

    If ``ask`` has not ended, it is killed after so many seconds, more on a busy host, and the argument's ``patience``
    on top.
    """
    config = json.loads(sys.argv[1])
    signal.alarm(int(config.get("patience", 0) + seconds * STRETCH))
    sys.stdout.write(json.dumps(asyncio.run(ask(config)), default=str) + "\n")
    sys.stdout.flush()
    # Libraries leave sockets and executors behind; nothing of theirs is worth waiting for.
    os._exit(0)
