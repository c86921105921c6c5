"""Runs a command in the place of this one."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from tooling.machine.progress import say


def foreground(
    command: list[str], folder: Path, variables: dict[str, str], edit: Callable[[str], str] | None = None
) -> int:
    """Run a command as if it had been called instead of us; its exit code, 128 + N if signal N ended it.

    Ctrl-C reaches it from the terminal, once; it decides what to do, and we wait for it. Its standard error is
    looked at only where there is ``edit``, which says what to print for a line.
    """
    sys.stdout.flush()

    def leave_it_to_the_child(_number: int, _frame: FrameType | None) -> None:
        pass

    before = signal.signal(signal.SIGINT, leave_it_to_the_child)
    try:
        errors = subprocess.PIPE if edit else None
        with subprocess.Popen(
            command, cwd=folder, env=variables, stderr=errors, encoding="utf-8", errors="replace"
        ) as child:
            signal.signal(signal.SIGTERM, lambda *_: child.terminate())
            if edit and child.stderr:
                for line in child.stderr:
                    say(edit(line).rstrip("\n"))
            code = child.wait()
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return code if code >= 0 else 128 - code
