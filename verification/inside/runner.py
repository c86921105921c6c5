"""Runs programs of this package inside a container of Open WebUI, with its Python and its libraries.

``docker exec CONTAINER python3 -c SOURCE CONFIG``: nothing of this project is there, so SOURCE is one text. It is the
program's file after those of this package that it imports, so all of them share one namespace: no two may define the
same name. Here they are modules like any other, and tested as such.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from verification.ask.docker_view import Executed
from verification.ask.view import CommandRunner

IMPORT: Final = re.compile(r"^from (?:__future__|verification\.inside\.(\w+)) import (?:\([^)]*\)|.*)\n", re.MULTILINE)
"""What a text that stands alone cannot import, or may only at its beginning."""


@cache
def source(program: str) -> str:
    """Text of a program of this package, with that of the modules it imports before it."""
    texts: dict[str, str] = {}

    def add(module: str) -> None:
        text = (Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8")
        for imported in filter(None, IMPORT.findall(text)):
            if imported not in texts:
                add(imported)
        texts[module] = IMPORT.sub("", text)

    add(program)
    return "\n\n".join(["from __future__ import annotations", *texts.values()])


def run(
    view: CommandRunner,
    container: str,
    program: str,
    config: Mapping[str, Any],
    *,
    seconds: float,
    environment: Mapping[str, str] | None = None,
) -> Executed:
    """Run a program of this package by its module's name; :meth:`Executed.answer` has what it found.

    Everybody on this host can read its only argument, ``config``, which goes as JSON; ``environment`` is the place for
    secrets.
    """
    command = ["python3", "-c", source(program), json.dumps(config)]
    return view.execute(container, command, seconds=seconds, environment=environment)
