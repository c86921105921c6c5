"""The virtual environment: made by uv from the locked requirements, and left alone while those stay the same.

Runs with the machine's own Python, before anything is installed: standard library only.
"""

from __future__ import annotations

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - this file is what finds out
    sys.exit(
        "error: Python 3.11 or later is needed; python3 is {}.{}. "
        "Install one and name it: make PYTHON=python3.11 ...".format(*sys.version_info)
    )

import hashlib
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tooling.machine.host import captured
from tooling.machine.progress import progress, say
from tooling.machine.uv import UvError, environment, uv

PROJECT: Final = Path(__file__).resolve().parents[2]
VENV: Final = PROJECT / ".venv"
LOCK: Final = PROJECT / "requirements-dev.txt"
"""Everything that is installed, with the hashes of its files; ``make lock`` writes it from ``pyproject.toml``."""

_STAMP: Final = VENV / ".requirements.sha256"


def main(arguments: Sequence[str] = ()) -> int:
    """Make ``.venv`` what :data:`LOCK` says, without a word if it is; exit code 0 when it is.

    Args:
        arguments: ``--this-python`` makes it again where it is another Python's than the one that runs this.
    """
    locked = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    usable = _sees_its_packages() and ("--this-python" not in arguments or _is_of_this_python())
    if usable and _STAMP.exists() and _STAMP.read_text(encoding="ascii") == locked:
        return 0
    began = time.monotonic()
    try:
        failure = _install(uv(), create=not usable)
    except UvError as error:
        failure = str(error)
    if failure:
        say(f"error: {failure}")
        return 1
    _STAMP.write_text(locked, encoding="ascii")
    say(f"python: installed the requirements into .venv in {time.monotonic() - began:.0f} s")
    return 0


def _sees_its_packages() -> bool:
    """Whether its Python is there and still of the version it was made with: an upgrade of the system takes another."""
    python = VENV / "bin/python"
    name = python.resolve().name
    return python.exists() and (not name.startswith("python3.") or (VENV / "lib" / name).is_dir())


def _is_of_this_python() -> bool:
    settings = (VENV / "pyvenv.cfg").read_text(encoding="utf-8") if (VENV / "pyvenv.cfg").exists() else ""
    return bool(
        re.search(rf"^version(_info)? *= *{sys.version_info[0]}\.{sys.version_info[1]}\b", settings, re.MULTILINE)
    )


def _install(uv_program: Path, *, create: bool) -> str:
    """Have in ``.venv`` what is locked and nothing else; empty on success, else what went wrong."""
    variables = environment(os.environ)
    # Compiled here, once: where Python is told to write no bytecode (PYTHONDONTWRITEBYTECODE, as in many containers)
    # every command would compile 700 modules again, which takes longer than all else it does.
    sync = ["pip", "sync", "--quiet", "--compile-bytecode", "--require-hashes", "--python", str(VENV), str(LOCK)]
    venv = ["venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)]
    for command in [venv, sync] if create else [sync]:
        with progress("installing the Python requirements"):
            done = captured([uv_program, *command], env=variables)
        if done.returncode != 0:
            return (
                f"the Python requirements could not be installed into {VENV.name}:\n{done.stderr.strip()}\n"
                "Check that this machine reaches its package index (pip's settings are used: `pip config list`)."
            )
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
