"""Faults of the host, or of its Docker, that show in the last lines of a container's log."""

from __future__ import annotations

import re
from typing import Final

_OF_THE_HOST: Final = {
    r"can't start new thread|pthread_create.*(Operation not permitted|failed)": "no thread starts: a Docker before "
    "20.10.10, or a seccomp profile as old, refuses the system call clone3; or the container's limit of processes "
    "(pids) is reached",
}


def host_fault(log: str) -> str:
    """Why the host let a container fail, as far as its log tells; empty where it does not."""
    return next((why for said, why in _OF_THE_HOST.items() if re.search(said, log)), "")
