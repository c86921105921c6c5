"""Runs programs of this package inside a container of Open WebUI, with its Python and its libraries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from verification.ask.docker_view import Executed


class View(Protocol):
    """What is asked of Docker here."""

    def execute(
        self, name: str, command: list[str], *, seconds: float, environment: Mapping[str, str] | None = None
    ) -> Executed:
        """Run a command in a container, with variables that ``docker inspect`` does not show."""


def source(program: str = "probe.py") -> str:
    """Text of a program of this package."""
    return (Path(__file__).parent / program).read_text(encoding="utf-8")


def run(
    view: View,
    container: str,
    config: Mapping[str, Any],
    *,
    seconds: float,
    environment: Mapping[str, str] | None = None,
    program: str = "probe.py",
) -> Executed:
    """Run a program of this package; :meth:`Executed.answer` has what it found.

    Args:
        view: Docker.
        container: Where.
        config: Its only argument, as JSON; everybody on this host can read it.
        seconds: How long it may take.
        environment: The place for secrets.
        program: File name.
    """
    command = ["python3", "-c", source(program), json.dumps(config)]
    return view.execute(container, command, seconds=seconds, environment=environment)
