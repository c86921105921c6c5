"""What tests see of the machine they run on: nothing that a newcomer's lacks.

An environment of few names, a HOME with nothing in it, and a PATH of the system's own folders without Pulumi's programs
and without uv. What a machine happens to have would hide what another has not, or lead somewhere else.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

FOLDERS: Final = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""The PATH of a login on Debian, of root and of others together."""
NOT_THERE: Final = ("pulumi", "uv", "uvx")
"""What programs are called, or begin with before a hyphen, that no test may find on PATH."""
KEPT: Final = ("TMPDIR", "USER", "LOGNAME", "PYTEST_", "TESTS_", "IMAGE_BYTECODE")
"""Variables, or how they begin, that tests see as they are."""
WHICH_DOCKER: Final = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
"""They say where tests of containers are run; no other test sees them."""


def environment(of_the_machine: Mapping[str, str], folder: Path, *, with_the_cli: bool) -> dict[str, str]:
    """The environment of tests.

    Args:
        of_the_machine: What the tests were started in.
        folder: An empty folder, for the home and for programs of a folder of :data:`FOLDERS` that has others too.
        with_the_cli: Whether PATH stays, where the Pulumi CLI and its parts are, and HOME has the machine's plugins.
    """
    kept = {name: text for name, text in of_the_machine.items() if name.startswith(KEPT) or name in WHICH_DOCKER}
    home = folder / "home"
    home.mkdir()
    client = shutil.which("docker", path=of_the_machine.get("PATH"))
    places = dict.fromkeys([*FOLDERS, *([str(Path(client).parent)] if client else [])])
    path = os.pathsep.join(_without(NOT_THERE, place, folder) for place in map(Path, places) if place.is_dir())
    if with_the_cli:
        path = of_the_machine.get("PATH", path)
        plugins = Path(of_the_machine.get("PULUMI_HOME") or Path.home() / ".pulumi", "plugins")
        (home / ".pulumi").mkdir()
        if plugins.is_dir():
            (home / ".pulumi/plugins").symlink_to(plugins)
        # A CLI that was built with cgo takes the home of the account instead of HOME, and writes its logs there.
        kept["PULUMI_HOME"] = str(home / ".pulumi")
    # A time zone of its own, as /etc/localtime is the machine's. No bytecode: Python tells a program that a test has
    # rewritten by its second and its length.
    return {**kept, "HOME": str(home), "PATH": path, "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1"}


def without_pulumi(variables: Mapping[str, str]) -> dict[str, str]:
    """Variables without those that Pulumi reads, but for where its CLI has its home."""
    return {name: text for name, text in variables.items() if not name.startswith("PULUMI_") or name == "PULUMI_HOME"}


def _without(names: Iterable[str], place: Path, folder: Path) -> str:
    """A folder of programs, or one that has all of them but some."""
    there = list(place.iterdir())
    others = [program for program in there if program.name.partition("-")[0] not in names]
    if len(there) == len(others):
        return str(place)
    same = Path(tempfile.mkdtemp(prefix="bin-", dir=folder))
    for program in others:
        (same / program.name).symlink_to(program)
    return str(same)
