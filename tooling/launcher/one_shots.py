"""Waits for a migration that a run which is gone has left at work, so that no engine finds it under its feet."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

from docker_access import labels, one_shots
from tooling.machine.progress import INTERVAL_SECONDS, say
from tooling.pulumi_files.lock import held
from tooling.pulumi_files.stack import find_stack

if TYPE_CHECKING:
    import docker

    from tooling.pulumi_files.project import Project

POLL_SECONDS: Final = 0.5
UNWATCHED_SECONDS: Final = 60.0
"""Time between two lines where nobody sits before them."""


def await_one_shots(client: docker.DockerClient, project: Project, stack: str) -> None:
    """Return once no one-shot container of the stack runs that nobody waits for; tells how far it is meanwhile.

    One of a run that is at work on this machine is that run's: the engine refuses to begin beside it.
    """
    found = find_stack(project, stack)
    if not found.shared and held(found.backend):
        return
    interval = INTERVAL_SECONDS if sys.stderr.isatty() else UNWATCHED_SECONDS
    began, told = False, time.monotonic() - interval
    while at_work := list(one_shots.at_work(client.api, {labels.PROJECT: project.name, labels.STACK: stack})):
        if not began:
            names = ", ".join(str(one["Name"]).lstrip("/") for one in at_work)
            say(
                f"waiting for {names}, which an update that is gone began and nobody is to end half-way "
                "(Ctrl-C waits no longer, and leaves it at work)"
            )
            began = True
        if time.monotonic() - told >= interval:
            told = time.monotonic()
            for one in at_work:
                say(f"  {one_shots.told(client.api, one)}")
        time.sleep(POLL_SECONDS)
    if began:
        say("it has ended: going on")
