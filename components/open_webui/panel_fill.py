"""Runs in the one-shot container, never in the program: the stack file wins over the admin panel for what it says.

A variable gives a setting its value only once, where the table has none. So this fills the table, which two replicas
that start at once cannot (one of them ends), and writes what the stack file says. As a program of its own it migrates
too.
"""
# ruff: noqa: PLC0415 - importing Open WebUI does things, and each has its moment
# mypy: disable-error-code="import-not-found,import-untyped"

from __future__ import annotations

import ast
import asyncio
import json
import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from panel import Place, remember, value_at, write  # the file beside this one

VARIABLES = "STACK_FILE_VARIABLES"
"""Names the variables that the stack file says."""


async def fill() -> None:
    """Fill the table with what it lacks, and write what the stack file says; remember that."""
    from open_webui import config  # importing it migrates

    await config.seed_registered_defaults()
    _remember(config)
    write()


def _remember(config: Any) -> None:
    """Remember what the stack file says, without what the panel cannot keep anyway."""
    from open_webui.models.config import Config

    source = Path(str(config.__file__)).read_text(encoding="utf-8")
    found = places(source, os.environ.get(VARIABLES, "").split())
    kept = {place: names for place, names in found.items() if Config.persistent_enabled_for(place[0])}
    values = {place: value_at(config.DEFAULT_CONFIG, place) for place in kept}
    remember({place: json.loads(json.dumps(value, default=_plain)) for place, value in values.items()}, kept)


def _plain(value: Any) -> Any:
    """What JSON has no word for: an object of pydantic's, as a banner is."""
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)


def places(source: str, variables: Collection[str]) -> dict[Place, list[str]]:
    """The settings whose values come from some of these variables, each with those.

    Args:
        source: Text of ``open_webui/config.py``.
        variables: Their names.
    """
    names = _Names(source)
    wanted = {*variables}
    found = {place: sorted(names.variables_of(name) & wanted) for place, name in names.leaves("DEFAULT_CONFIG")}
    return {place: said for place, said in found.items() if said}


class _Names:
    """The names that a module sets, and what they are set to."""

    def __init__(self, source: str) -> None:
        self._values: dict[str, list[ast.expr]] = {}
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Assign):
                for item in (found for target in node.targets for found in ast.walk(target)):
                    if isinstance(item, ast.Name) and isinstance(item.ctx, ast.Store):
                        self._values.setdefault(item.id, []).append(node.value)

    def leaves(self, name: str, place: Place = ()) -> Iterator[tuple[Place, str]]:
        """The names that stand in a name's object, each with its place; the name itself where it is set to none."""
        values = self._values.get(name, [])
        if len(values) == 1 and isinstance(values[0], ast.Dict):
            yield from self._leaves_of(values[0], place)
        elif len(values) == 1 and isinstance(values[0], ast.Name):
            yield from self.leaves(values[0].id, place)
        elif place:
            yield place, name

    def _leaves_of(self, value: ast.Dict, place: Place) -> Iterator[tuple[Place, str]]:
        for key, item in zip(value.keys, value.values, strict=True):
            within = (*place, str(key.value)) if isinstance(key, ast.Constant) else place
            if isinstance(item, ast.Name):
                yield from self.leaves(item.id, within)
            elif isinstance(item, ast.Dict):
                yield from self._leaves_of(item, within)

    def variables_of(self, name: str) -> set[str]:
        """The variables that a name gets its value from.

        Those that are read where it is set; where none is, the one of its own name, or else all, that are read where
        the names are set that it is set from. A list's are the one's in the singular too.
        """
        found = self._read_by(name, frozenset())
        return found | (self._read_by(name[:-1], frozenset()) if name in found and name.endswith("S") else set())

    def _read_by(self, name: str, seen: frozenset[str]) -> set[str]:
        values = self._values.get(name, [])
        if found := set().union(*map(_variables_read, values)):
            return found
        names = {item.id for value in values for item in ast.walk(value) if isinstance(item, ast.Name)}
        found = set().union(*(self._read_by(one, seen | {name}) for one in names - seen - {name}))
        return found & {name} or found


def _variables_read(node: ast.AST) -> set[str]:
    """What is asked of the environment in an expression: ``os.getenv``, ``os.environ.get``, ``os.environ[...]``."""
    asked: list[ast.expr] = []
    for item in ast.walk(node):
        if isinstance(item, ast.Call) and ast.unparse(item.func) in {"os.getenv", "os.environ.get"}:
            asked += item.args[:1]
        elif isinstance(item, ast.Subscript) and ast.unparse(item.value) == "os.environ":
            asked.append(item.slice)
    return {str(one.value) for one in asked if isinstance(one, ast.Constant)}


if __name__ == "__main__":
    # The official image has the package in its working directory only, where Python does not look for a script.
    sys.path.insert(0, str(Path.cwd()))
    asyncio.run(fill())
