"""Docker 26.1, of Debian 13 (trixie), beside this machine's own: in a root file system and namespaces of its own.

The root file system is made once, by mmdebstrap over this machine's mirrors, and kept in ``.cache``; it is mounted for
reading only. All that a daemon writes lies in a folder that goes with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from tests.integration.second_docker import SecondDocker, in_namespaces, remove
from tooling.images.debian import RELEASES, mmdebstrap, this_machine
from tooling.images.errors import ImageError
from tooling.machine.progress import progress, say
from tooling.machine.uv import CACHE

SUITE: Final = "trixie"
PACKAGES: Final = ("docker.io", "iptables", "kmod", "ca-certificates")
ROOT: Final = CACHE / "docker-26" / "root"
BUILD_SECONDS: Final = 600


def obstacle() -> str:
    """Why it cannot run on this machine; empty if it can."""
    if os.geteuid() != 0:
        return "it starts a Docker daemon in namespaces of its own, which takes root"
    missing = [name for name in ("unshare", "nsenter", "pivot_root", "setpriv", "docker") if not shutil.which(name)]
    if missing:
        return f"there is no {' and no '.join(missing)} on PATH"
    if not ROOT.exists():
        with tempfile.TemporaryDirectory() as folder:
            try:
                name = this_machine(Path(folder)).name
            except ImageError as error:
                return str(error)
        if name != "debian":
            return f"its packages are Debian's, and this machine has mirrors of {name} only"
    return ""


def root_file_system() -> Path:
    """Debian 13 with its Docker; made where it is not there yet.

    Raises:
        ImageError: It cannot be made.
    """
    if ROOT.exists():
        return ROOT
    title = f"making a root file system of Debian {SUITE} with Docker"
    with tempfile.TemporaryDirectory() as folder, progress(title) as stage:
        machine = this_machine(Path(folder))
        release = next(one for one in RELEASES["debian"] if one.codename == SUITE)
        options = Path(folder, "apt.conf")
        options.write_text("".join(f"{line}\n" for line in machine.apt_options), encoding="utf-8")
        Path(folder).chmod(0o755)
        made = Path(folder, "root")
        # Other than images, it needs what its packages' scripts make: alternatives, users.
        command = [
            *mmdebstrap(), "--variant=minbase", "--mode=root", f"--aptopt={options}", f"--include={','.join(PACKAGES)}",
            SUITE, str(made), *(source.line() for source in machine.sources_of(release)),
        ]  # fmt: skip
        stage.text = "mmdebstrap at work"
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS
        )
        if done.returncode:
            raise ImageError(f"mmdebstrap made none (exit code {done.returncode}):\n{done.stderr[-2000:]}")
        for folder_of_its_own in ("proc", "sys", "dev", "run", "mnt"):
            (made / folder_of_its_own).mkdir(exist_ok=True)
        ROOT.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(made, ROOT)
    return ROOT


@contextmanager
def trixie_docker(**settings: object) -> Iterator[SecondDocker]:
    """Its daemon; afterwards it is gone with all it had.

    Args:
        settings: For its ``daemon.json``.

    Raises:
        ImageError: Its root file system cannot be made.
    """
    with ExitStack() as stack:
        root = root_file_system()
        directory = Path(tempfile.mkdtemp(prefix="docker-26-"))
        stack.callback(remove, directory)
        say("starting the Docker of Debian 13")
        yield stack.enter_context(in_namespaces(directory, settings, root=root))
