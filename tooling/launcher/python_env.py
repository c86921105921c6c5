"""The virtual environment: made by uv from the pinned requirements, and left alone while those stay the same.

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
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tooling.machine.progress import progress, say
from tooling.machine.uv import UvError, environment, uv

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECT: Final = Path(__file__).resolve().parents[2]
VENV: Final = PROJECT / ".venv"
_STAMP: Final = VENV / ".requirements.sha256"
LOCK: Final = "requirements.lock"
"""Everything that is installed, with the hashes of its files; the requirement files say what is wanted."""

PIP: Final = "tooling/images/locks/pip.txt"
"""The Pulumi CLI asks pip for the list of packages."""

_FILES: Final = ("requirements.txt", "requirements-dev.txt", "constraints.txt", LOCK, PIP)


def main(arguments: Sequence[str] = ()) -> int:
    """Make ``.venv`` what the requirement files say, without a word if it is; exit code 0 when it is.

    Args:
        arguments: ``--this-python`` makes it anew where it is another Python's than the one that runs this.
    """
    wanted = fingerprint()
    usable = (VENV / "bin/python").exists() and ("--this-python" not in arguments or _is_of_this_python())
    if usable and _STAMP.exists() and _STAMP.read_text(encoding="ascii") == wanted:
        return 0
    began = time.monotonic()
    try:
        failure = _install(uv(say), anew=not usable)
    except UvError as error:
        failure = str(error)
    if failure:
        say(f"error: {failure}")
        return 1
    _STAMP.write_text(wanted, encoding="ascii")
    say(f"python: installed the requirements into .venv in {time.monotonic() - began:.0f} s")
    return 0


def fingerprint() -> str:
    """SHA-256 over the requirement files."""
    digest = hashlib.sha256()
    for name in _FILES:
        digest.update((PROJECT / name).read_bytes())
    return digest.hexdigest()


def _is_of_this_python() -> bool:
    settings = (VENV / "pyvenv.cfg").read_text(encoding="utf-8") if (VENV / "pyvenv.cfg").exists() else ""
    return bool(
        re.search(rf"^version(_info)? *= *{sys.version_info[0]}\.{sys.version_info[1]}\b", settings, re.MULTILINE)
    )


def _install(uv_program: Path, *, anew: bool) -> str:
    """Install the requirements; empty on success, else what went wrong."""
    variables = environment(os.environ)
    # Compiled here, once: where Python is told to write no bytecode (PYTHONDONTWRITEBYTECODE, as in many containers)
    # every command would compile 700 modules anew, which takes longer than all else it does.
    install: list[str | Path] = [uv_program, "pip", "install", "--quiet", "--compile-bytecode", "--python", VENV]
    locks: list[str | Path] = ["--requirements", PROJECT / LOCK, "--requirements", PROJECT / PIP]
    commands: list[list[str | Path]] = [[*install, "--require-hashes", *locks]]
    if anew:
        commands.insert(0, [uv_program, "venv", "--quiet", "--clear", "--python", sys.executable, VENV])
    for command in commands:
        with progress("installing the Python requirements"):
            done = subprocess.run(
                command, env=variables, capture_output=True, encoding="utf-8", errors="replace", check=False
            )
        if done.returncode != 0:
            return (
                f"the Python requirements could not be installed into {VENV.name}:\n{done.stderr.strip()}\n"
                "Check that this machine reaches its package index (pip's settings are used: `pip config list`)."
            )
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
