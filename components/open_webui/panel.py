"""Runs in containers of Open WebUI, never in the program: the stack file wins over the admin panel for what it says.

Open WebUI keeps the settings of its admin panel in a table and reads it at each access, on every replica. A variable
gives a setting its value only once, where the table has none. So the one-shot fills the table, which two replicas that
start at once cannot (one of them ends), and writes what the stack file says. It remembers that beside the data.

``python3 panel.py compare`` says in which settings the table differs from that by now, and ``write`` writes it again;
neither loads Open WebUI, nor shows a value.

Source: https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/models/config.py
"""
# ruff: noqa: PLC0415 - importing Open WebUI does things, and the libraries of a database may not be there
# mypy: disable-error-code="import-not-found,import-untyped"

from __future__ import annotations

import ast
import asyncio
import json
import os
import sqlite3
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

VARIABLES = "STACK_FILE_VARIABLES"
"""Names the variables that the stack file says."""
REMEMBERED = ".stack-settings.json"

UPDATE = "UPDATE config SET value = ?, updated_at = ? WHERE key = ?"
INSERT = "INSERT INTO config (value, updated_at, key) VALUES (?, ?, ?)"

Place = tuple[str, ...]
"""The key of a setting, and of what is within it."""


# --- which settings are whose variables' ------------------------------------------------------------------------------


def places(source: str, variables: Collection[str]) -> list[Place]:
    """The settings whose values come from some of these variables.

    Args:
        source: Text of ``open_webui/config.py``.
        variables: Their names.
    """
    names = _Names(source)
    wanted = {*variables}
    return [place for place, name in names.leaves("DEFAULT_CONFIG") if names.variables_of(name) & wanted]


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


# --- values within values ---------------------------------------------------------------------------------------------


def value_at(values: Any, place: Place) -> Any:
    """What stands at a place; None for nothing."""
    for key in place:
        values = values.get(key) if isinstance(values, dict) else None
    return values


def with_value(values: Any, place: Place, value: Any) -> Any:
    """The same with another value at a place; what is on the way there and no object becomes one."""
    if not place:
        return value
    within = values if isinstance(values, dict) else {}
    return {**within, place[0]: with_value(within.get(place[0]), place[1:], value)}


# --- in the one-shot --------------------------------------------------------------------------------------------------


async def fill() -> None:
    """Fill the table with what it lacks, and write what the stack file says; remember that."""
    from open_webui import config  # importing it migrates

    await config.seed_registered_defaults()
    remember(_said(config))
    write()


def _said(config: Any) -> dict[str, Any]:
    """What the stack file says, by place; without what the panel cannot keep anyway."""
    from open_webui.models.config import Config

    source = Path(str(config.__file__)).read_text(encoding="utf-8")
    found = places(source, os.environ.get(VARIABLES, "").split())
    kept = (place for place in found if Config.persistent_enabled_for(place[0]))
    said = {json.dumps(place): value_at(config.DEFAULT_CONFIG, place) for place in kept}
    return dict(json.loads(json.dumps(said, default=_plain)))


def _plain(value: Any) -> Any:
    """What JSON has no word for: an object of pydantic's, as a banner is."""
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)


def remember(said: dict[str, Any]) -> None:
    """Keep what the stack file says, for who compares: it holds secrets, as the table does."""
    file = _data() / REMEMBERED
    partial = file.with_suffix(".partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(said), encoding="utf-8")
    partial.replace(file)


def _data() -> Path:
    return Path(os.environ.get("DATA_DIR") or "/app/backend/data")


# --- in any container, without Open WebUI -----------------------------------------------------------------------------


def remembered() -> dict[Place, Any]:
    """What the stack file said at the last update, by place; empty where it said nothing."""
    try:
        said = json.loads((_data() / REMEMBERED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {tuple(json.loads(place)): value for place, value in said.items()}


def differing() -> dict[Place, Any]:
    """Of what the stack file says, what the table has otherwise: the file's values."""
    said = remembered()
    if not said:
        return {}
    with closing(_database()) as database:
        table = dict(_rows(database))
    return {place: value for place, value in said.items() if value_at(table, place) != value}


def write() -> None:
    """Write what the stack file says, where the table has it otherwise."""
    changed = differing()
    if not changed:
        return
    with closing(_database()) as database:
        table = dict(_rows(database))
        cursor, mark = database.cursor(), "?" if isinstance(database, sqlite3.Connection) else "%s"
        for place, value in changed.items():
            table = with_value(table, place, value)
        for key in {place[0] for place in changed}:
            row = (json.dumps(table[key]), int(time.time()), key)
            cursor.execute(UPDATE.replace("?", mark), row)
            if not cursor.rowcount:
                cursor.execute(INSERT.replace("?", mark), row)
        database.commit()


def _database() -> Any:
    url = os.environ.get("DATABASE_URL", "")
    if url.startswith("postgres"):
        import psycopg2

        return psycopg2.connect(url, connect_timeout=10)
    return sqlite3.connect(url.removeprefix("sqlite:///") or _data() / "webui.db", timeout=10)


def _rows(database: Any) -> Iterator[tuple[str, Any]]:
    """The keys and values of the table: the libraries give JSON as text, or as what it says."""
    cursor = database.cursor()
    cursor.execute("SELECT key, CAST(value AS TEXT) FROM config")
    for key, value in cursor.fetchall():
        yield str(key), json.loads(value)


if __name__ == "__main__":
    if sys.argv[1:] == ["compare"]:
        print(json.dumps([".".join(place) for place in differing()]))
    elif sys.argv[1:] == ["write"]:
        write()
    else:
        # The official image has the package in its working directory only, where Python does not look for a script.
        sys.path.insert(0, str(Path.cwd()))
        asyncio.run(fill())
