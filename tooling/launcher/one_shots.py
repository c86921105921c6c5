"""Waits for a migration that a run which is gone has left at work, so that no engine begins in the middle of it."""

from __future__ import annotations

import math
import sys
import time
from typing import Final

import docker

from docker_access import one_shots
from docker_access.polling import poll
from tooling.launcher.stack import own_labels
from tooling.machine.progress import INTERVAL_SECONDS, say
from tooling.pulumi_files.lock import held
from tooling.pulumi_files.stack import Stack

POLL_SECONDS: Final = 0.5
UNWATCHED_SECONDS: Final = 60.0
"""Time between two lines where nobody sits before them."""


def await_one_shots(client: docker.DockerClient, stack: Stack) -> None:
    """Return once no one-shot container of the stack runs that no run waits for; says how far it is meanwhile.

    One of a run that is at work on this machine is that run's: the engine refuses to begin beside it.
    """
    if not stack.shared and held(stack.backend):
        return
    interval = INTERVAL_SECONDS if sys.stderr.isatty() else UNWATCHED_SECONDS
    waited, last_line = False, -math.inf
    secrets: dict[str, frozenset[str]] = {}
    for _ in poll(math.inf, every_seconds=POLL_SECONDS):
        at_work = list(one_shots.at_work(client.api, own_labels(stack)))
        if not at_work:
            break
        if not waited:
            names = ", ".join(str(one["Name"]).lstrip("/") for one in at_work)
            say(
                f"waiting for {names}: an update that is gone began it, and it must not be stopped half-way "
                "(Ctrl-C stops waiting, and leaves it at work)"
            )
            waited = True
        if time.monotonic() - last_line >= interval:
            last_line = time.monotonic()
            for one in at_work:
                say(f"  {one_shots.current_progress(client.api, one, secrets)}")
    if waited:
        say("it has ended: going on")
