"""Programs that tests run and Python cannot bring: found on this machine, else installed from the distribution.

The one list of them. ``make test`` installs what is missing before the first test; no test skips for want of one.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tooling.machine.host import apt_install, root_prefix, run
from tooling.machine.progress import say


class PackageError(Exception):
    """A program is missing and cannot be had; the text is for the user: what, the value seen, the way out."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program of the distribution's.

    Attributes:
        names: What it may be called; the first that is there is taken.
        package: The package of Debian's and Ubuntu's that has it.
        units: Services that the package starts. Nobody asked for those: what tests need, they start themselves.
    """

    names: tuple[str, ...]
    package: str
    units: tuple[str, ...] = ()

    @property
    def path(self) -> str | None:
        """Where it is; None if it is not here."""
        # Daemons lie where only root looks.
        places = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin:/sbin"
        return next(filter(None, (shutil.which(name, path=places) for name in self.names)), None)


PROGRAMS: Final = {
    "curl": Program(names=("curl",), package="curl"),
    "chromium": Program(names=("chromium", "chromium-browser", "google-chrome"), package="chromium"),
    "ssh": Program(names=("ssh",), package="openssh-client"),
    "sshd": Program(names=("sshd",), package="openssh-server", units=("ssh.service", "ssh.socket")),
}


def path_of(name: str) -> str:
    """Where one of :data:`PROGRAMS` is.

    Raises:
        PackageError: It is not on this machine.
    """
    path = PROGRAMS[name].path
    if path is None:
        raise PackageError(f"{name} is not on this machine. `make test` installs it from {PROGRAMS[name].package}.")
    return path


def ensure(programs: Iterable[Program] = PROGRAMS.values()) -> None:
    """Install what is missing of some programs, and say so.

    Raises:
        PackageError: It could not be installed.
    """
    missing = [program for program in programs if program.path is None]
    if not missing:
        return
    names, packages = (", ".join(it.names[0] for it in missing), sorted({it.package for it in missing}))
    say(f"tests: {names}: not on this machine; installing from the distribution")
    failure = apt_install(*packages)
    still = [program.names[0] for program in missing if program.path is None]
    if failure or still:
        raise PackageError(
            f"tests need {names}, and installing {' '.join(packages)} "
            f"{f'failed: {failure}' if failure else f'brought no {still[0]}'}\n"
            f"Install {'it' if len(missing) == 1 else 'them'} by hand; or run `make unit`, which needs no such program."
        )
    for program in missing:
        stop(program.units)


def stop(units: tuple[str, ...]) -> None:
    """Stop services that came with a package, and have them not start again."""
    prefix = root_prefix()
    if not units or prefix is None:
        return
    if Path("/run/systemd/system").is_dir():
        run([*prefix, "systemctl", "disable", "--now", *units])
    elif shutil.which("service"):
        run([*prefix, "service", units[0].removesuffix(".service"), "stop"])


def main() -> int:
    """Ensure all; exit code 0 when all are there."""
    try:
        ensure()
    except PackageError as error:
        say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
