"""Runs in containers of Open WebUI, never in the program: what the stack file says of the admin panel's settings.

Open WebUI keeps the settings of its admin panel in a table and reads it at each access, on every replica. The one-shot
has written what the stack file says, and remembered that beside the data (``panel_fill``). ``compare`` says in which
settings the table differs from it by now, and ``write`` writes it again. Neither loads Open WebUI, nor shows a value.

Source: https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/models/config.py
"""
# ruff: noqa: PLC0415 - the libraries of a database may not be there, and each takes its time
# mypy: disable-error-code="import-not-found,import-untyped"

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

REMEMBERED = ".stack-settings.json"
UPDATE = "UPDATE config SET value = ?, updated_at = ? WHERE key = ?"
INSERT = "INSERT INTO config (value, updated_at, key) VALUES (?, ?, ?)"

Place = tuple[str, ...]
"""The key of a setting, and of what is within it."""


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


def remember(said: dict[Place, Any], variables: dict[Place, list[str]]) -> None:
    """Keep what the stack file says, and by which variables, for who compares: it holds secrets, as the table does."""
    file = _data() / REMEMBERED
    partial = file.with_suffix(".partial")
    partial.touch(mode=0o600)
    rows = [{"place": place, "value": value, "variables": variables[place]} for place, value in said.items()]
    partial.write_text(json.dumps(rows), encoding="utf-8")
    partial.replace(file)


def _data() -> Path:
    return Path(os.environ.get("DATA_DIR") or "/app/backend/data")


def remembered() -> dict[Place, Any]:
    """What the stack file says, by place: what it said at the last update, by variables that there are still."""
    try:
        rows = json.loads((_data() / REMEMBERED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {tuple(row["place"]): row["value"] for row in rows if os.environ.keys() & {*row["variables"]}}


def differing() -> dict[Place, Any]:
    """Of what the stack file says, what the table has otherwise: the file's values."""
    said = remembered()
    if not said:
        return {}
    with closing(_database()) as database:
        return _otherwise(said, dict(_rows(database)))


def _otherwise(said: dict[Place, Any], table: dict[str, Any]) -> dict[Place, Any]:
    return {place: value for place, value in said.items() if value_at(table, place) != value}


def write() -> None:
    """Write what the stack file says, where the table has it otherwise."""
    said = remembered()
    if not said:
        return
    with closing(_database()) as database:
        table = dict(_rows(database))
        changed = _otherwise(said, table)
        cursor, mark = database.cursor(), "%s" if _in_postgres() else "?"
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
    if _in_postgres():
        import psycopg2

        return psycopg2.connect(url, connect_timeout=10)
    import sqlite3

    return sqlite3.connect(url.removeprefix("sqlite:///") or _data() / "webui.db", timeout=10)


def _in_postgres() -> bool:
    return os.environ.get("DATABASE_URL", "").startswith("postgres")


def _rows(database: Any) -> Iterator[tuple[str, Any]]:
    """The keys and values of the table: the libraries give JSON as text, or as what it says."""
    cursor = database.cursor()
    cursor.execute("SELECT key, CAST(value AS TEXT) FROM config")
    for key, value in cursor.fetchall():
        yield str(key), json.loads(value)


if __name__ == "__main__":
    if sys.argv[1] == "compare":
        print(json.dumps([".".join(place) for place in differing()]))
    else:
        write()
