"""What this machine lets us do: run a program, become root, install a distribution package.

Standard library only: it runs before there is a virtual environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tooling.machine.progress import progress, say


def captured(command: Sequence[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
    """What came of a command that was run out of sight, as text; the options are those of :func:`subprocess.run`."""
    return subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False, **options)


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a command; empty on success, else the command with the end of what it printed."""
    try:
        done = captured(command, env=environment)
    except OSError as error:
        return f"{' '.join(command)}: {error}"
    if done.returncode == 0:
        return ""
    printed = (done.stdout + done.stderr).strip().splitlines()[-5:]
    return f"{' '.join(command)}: exit code {done.returncode}\n    " + "\n    ".join(printed)


def root_prefix() -> list[str] | None:
    """What to put before a command to run it as root: nothing, ``sudo -n``, or None where neither works."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and not run(["sudo", "-n", "true"]):
        return ["sudo", "-n"]
    return None


def apt_install(*packages: str) -> str:
    """Install distribution packages without recommended ones; empty on success, else the reason.

    Nothing that is installed is removed for it: where something is in the way, it fails. The index is refreshed
    only when the first attempt fails: on a fresh machine there is none yet.
    """
    wanted = " ".join(packages)
    if not shutil.which("apt-get"):
        return f"{wanted} can be installed by set-up on Debian and Ubuntu only (there is no apt-get here)."
    prefix = root_prefix()
    if prefix is None:
        return f"installing needs root, or sudo without a password. Run: sudo apt-get install {wanted}"
    apt = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    install = [*apt, "install", "--yes", "--no-remove", "--no-install-recommends", *packages]
    say(f"apt-get install {wanted}")
    with progress(f"apt-get install {wanted}") as stage:
        if not run(install):
            return ""
        stage.text = "refreshing the package index"
        update = run([*apt, "update"])
        stage.text = "installing"
        install_failure = run(install)
    return f"{install_failure}\n{update}".strip() if install_failure else ""
