"""``make unit-pythons``: the quick tests on other versions of Python, in environments of their own under ``.cache``.

Exit codes: 0 they passed on each, 1 they did not, 2 a Python could not be had.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tooling.machine.progress import say
from tooling.machine.uv import CACHE, UvError, environment, uv

NOT_HAD: Final = 2


def main(versions: Sequence[str]) -> int:
    """Run the quick tests on each.

    Args:
        versions: What uv finds on this machine or downloads, as ``3.13``, or paths of interpreters.
    """
    code = 0
    for version in versions:
        venv = CACHE / "pythons" / version.strip("/").replace("/", "-")
        if lacking := prepare(version, venv):
            say(f"unit-pythons: Python {version} cannot be had here: {lacking}")
            return NOT_HAD
        say(f"unit-pythons: Python {version}")
        done = subprocess.run(["make", "--no-print-directory", "unit", f"BIN={venv}/bin"], check=False)
        code = code or int(done.returncode != 0)
    return code


def prepare(version: str, venv: Path) -> str:
    """Have an environment with all that the tests need; empty, or why not, in a line."""
    install = ["pip", "install", "--quiet", "--python", str(venv), "-r", "requirements-dev.txt"]
    try:
        program = str(uv())
    except UvError as error:
        return " ".join(str(error).split())
    for command in (["venv", "--quiet", "--clear", "--python", version, str(venv)], install):
        done = subprocess.run(
            [program, *command], env=environment(os.environ), capture_output=True, text=True, check=False
        )
        if done.returncode:
            return " ".join(done.stderr.split())
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
