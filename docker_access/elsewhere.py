"""A Docker that ``DOCKER_HOST`` does not name: the one that the ``docker`` command uses, or a user's own.

Neither this project nor Pulumi's plugin follows a context. To install or start another Docker beside such a one would
give people an empty deployment next to the one they have.
"""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import shlex
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from docker_access import daemon
from docker_access.surroundings import home

DEFAULT: Final = ("unix:///var/run/docker.sock", "unix:///run/docker.sock")
"""Where Docker listens unless it is told otherwise."""

IN_HOME: Final = {
    ".docker/desktop/docker.sock": "Docker Desktop",
    ".docker/run/docker.sock": "Docker Desktop",
    ".colima/default/docker.sock": "Colima",
    ".colima/docker.sock": "Colima",
    ".rd/docker.sock": "Rancher Desktop",
    ".orbstack/run/docker.sock": "OrbStack",
}
AT_RUN_TIME: Final = {"docker.sock": "a rootless Docker", "podman/podman.sock": "Podman"}
"""Under ``XDG_RUNTIME_DIR``: https://docs.docker.com/engine/security/rootless/."""

PODMAN: Final = "Podman"


@dataclass(frozen=True)
class Elsewhere:
    """A Docker, or an engine in its place.

    Attributes:
        what: What it is, for people.
        variables: Environment variables that have this project use it; empty where they are not known.
    """

    what: str
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """A line for a shell that has this project use it, or shows where it is."""
        if not self.variables:
            return "docker context inspect"
        return "export " + " ".join(f"{name}={shlex.quote(value)}" for name, value in self.variables.items())


def of_context() -> Elsewhere | None:
    """The Docker of the context that the ``docker`` command uses; None for the default one.

    Source: https://github.com/docker/cli/blob/v29.0.0/cli/context/store/store.go
    """
    name = daemon.context_in_use()
    if not name:
        return None
    store = Path(os.environ.get("DOCKER_CONFIG") or home() / ".docker") / "contexts"
    digest = hashlib.sha256(name.encode()).hexdigest()
    variables = {}
    with suppress(OSError, ValueError, KeyError, TypeError):
        context = json.loads((store / "meta" / digest / "meta.json").read_text(encoding="utf-8"))
        variables["DOCKER_HOST"] = str(context["Endpoints"]["docker"]["Host"])
    if variables.get("DOCKER_HOST") in DEFAULT:
        return None
    certificates = store / "tls" / digest / "docker"
    if variables and certificates.is_dir():
        variables |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(certificates)}
    return Elsewhere(f"context {name} of the docker command", variables)


def of_a_user() -> Elsewhere | None:
    """A Docker of the user's own that listens: rootless, in a virtual machine, or Podman; None without one."""
    places = {folder / place: what for folder in _homes() for place, what in IN_HOME.items()}
    run_time = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.environ.get('SUDO_UID') or os.geteuid()}")
    places |= {run_time / place: what for place, what in AT_RUN_TIME.items()}
    places[Path("/run/podman/podman.sock")] = PODMAN
    for place, what in places.items():
        with suppress(OSError):
            if place.is_socket():
                return Elsewhere(what, {"DOCKER_HOST": f"unix://{place}"})
    return Elsewhere(PODMAN) if shutil.which("podman") else None


def _homes() -> list[Path]:
    """The user's home, and under sudo that of the user who called it."""
    found = [home()]
    with suppress(KeyError, ValueError):
        found.append(Path(pwd.getpwuid(int(os.environ.get("SUDO_UID", ""))).pw_dir))
    return found


def way_out() -> str:
    """How to use the Docker that is elsewhere; empty where there is none, it is Podman, or ``DOCKER_HOST`` is set."""
    other = None if daemon.address() else of_context() or of_a_user()
    return f"{other.what} is another: {other.line}" if other and other.what != PODMAN else ""
