"""Deployments of the real application that the modules of one group share: one life of a stack, seen by all of them.

A life begins with the first test that asks for it, and ends with the last test of the group. What failed to come up is
not tried again: who asks later fails with the same words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from tests.documents import commands
from tests.integration.deployment import Deployment, settings_of
from tests.lease import free_port
from tests.once import Once

FIRST_UP = "first-up.log"
"""File in a life's directory: what its first update printed."""
OUTPUTS = "outputs.log"
"""And, of a team's, what the command of README after that printed: secrets."""


class Lives:
    """The deployments of a group of tests, by name, each with what ends it."""

    def __init__(self) -> None:
        self._once = Once()
        self._ends = ExitStack()

    def get(self, name: str, folder: Callable[[], Path]) -> Deployment:
        """The deployment of a name, made if this is the first to ask for it.

        Args:
            name: One of :data:`LIVES`.
            folder: Gives an empty folder.

        Raises:
            DidNotBegin: It did not come up when somebody asked for it before.
        """

        def make() -> Deployment:
            deployment = LIVES[name](folder())
            self._ends.callback(deployment.remove_everything)
            begin(deployment)
            return deployment

        found: Deployment = self._once.get(name, make)
        return found

    def end(self) -> None:
        """Remove them all."""
        self._once = Once()
        self._ends.close()


def begin(deployment: Deployment) -> None:
    """Deploy it: a team's as README says, any other by an update."""
    if deployment.config.get("production"):
        up, outputs = commands("README.md", "For a team", prod=deployment.stack).splitlines()
        printed = deployment.type_in(up)
        (deployment.directory / OUTPUTS).write_text(deployment.type_in(outputs), encoding="utf-8")
    else:
        printed = deployment.succeed("up")
    (deployment.directory / FIRST_UP).write_text(printed, encoding="utf-8")
    assert "proved: " in printed, printed


def single(engine: str, folder: Path) -> Deployment:
    """The tutorial's pair, but for its names: those are for one deployment a host, which its user may have."""
    return Deployment(folder, engine, config=settings_of("dev", {"tutorialNames": None}))


def team(folder: Path) -> Deployment:
    """What ``stacks/Pulumi.prod.yaml`` says, on ports of its own, with every secret that a stack can have."""
    port = free_port()
    changes = {
        "uiPort": port, "httpPort": free_port(), "publicUrl": f"https://localhost:{port}", "valkeyTls": True,
        "acknowledged": ["local-build"],
    }  # fmt: skip
    return Deployment(folder, "embedded", config=settings_of("prod", changes))


LIVES: Final[Mapping[str, Callable[[Path], Deployment]]] = {
    "dev": partial(single, "embedded"),
    "dev by the CLI": partial(single, "pulumi"),
    "prod": team,
}
"""What prepares each in an empty folder."""
