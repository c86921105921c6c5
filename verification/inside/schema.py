"""How far the app's database is migrated, how far its image's migrations lead, and what its table of settings says."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import re
import sqlite3
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from verification.inside.load import STRETCH

REVISIONS: Final = re.compile(r"^(revision|down_revision)\b[^=\n]*=\s*(\([^)]*\)|.*)", re.MULTILINE)
"""Where a migration of alembic's says what it is and what it comes after: a name, several in brackets, or None."""
REMEMBERED: Final = ".stack-settings.json"
DATABASE_SECONDS: Final = round(3 * STRETCH)
POSTGRES: Final = re.compile(r"^postgres(ql)?(\+\w+)?://")
SQLITE: Final = re.compile(r"^sqlite(\+aiosqlite)?:///")


def migrations_in(folder: Path) -> tuple[set[str], set[str]]:
    """Revisions of the migrations in a folder, and those of them after which none comes."""
    known: set[str] = set()
    before: set[str] = set()
    for file in folder.glob("*.py"):
        for name, value in REVISIONS.findall(file.read_text(encoding="utf-8", errors="replace")):
            named = set(re.findall(r"""["']([^"']+)["']""", value.partition("#")[0]))
            (known if name == "revision" else before).update(named)
    return known, known - before


def database_url(environment: dict[str, str], package: Path) -> str:
    """The app's database, as Open WebUI puts it together.

    Source: https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/env.py
    """
    kind, user, password, *place = (
        environment.get(f"DATABASE_{part}", "") for part in ("TYPE", "USER", "PASSWORD", "HOST", "PORT", "NAME")
    )
    account = f"{user}:{password}" if password else user
    if kind and account and all(place):
        return f"{kind}://{account}@{place[0]}:{place[1]}/{place[2]}"
    inside = package / "data" if environment.get("FROM_INIT_PY", "").lower() == "true" else package.parent / "data"
    return environment.get("DATABASE_URL") or f"sqlite:///{environment.get('DATA_DIR') or inside}/webui.db"


def revisions_in(url: str, schema: str) -> list[str]:
    """Which revisions a database is at; it is only read.

    Raises:
        Exception: Of the database's library, or ValueError: a database of another kind.
    """
    table = f'"{schema}".alembic_version' if schema and POSTGRES.match(url) else "alembic_version"
    # The name is the app's own setting, and nothing is written.
    return sorted(str(row[0]) for row in _selected(url, f"SELECT version_num FROM {table}"))  # noqa: S608


def _selected(url: str, query: str) -> list[tuple[Any, ...]]:
    """The rows of a query; nothing can be written.

    Raises:
        Exception: As :func:`revisions_in` does.
    """
    if SQLITE.match(url):
        file = quote(SQLITE.sub("", url).partition("?")[0])
        database: Any = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=DATABASE_SECONDS)
    elif POSTGRES.match(url):
        library = "psycopg2" if importlib.util.find_spec("psycopg2") else "psycopg"
        place = POSTGRES.sub("postgresql://", url)
        database = importlib.import_module(library).connect(place, connect_timeout=DATABASE_SECONDS)
    else:
        raise ValueError
    with contextlib.closing(database):
        rows = database.cursor()
        if POSTGRES.match(url):
            rows.execute("SET TRANSACTION READ ONLY")
        rows.execute(query)
        return list(rows.fetchall())


def panel(environment: dict[str, str], keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """How many settings of the admin panel this project's stack file says, and which of them are otherwise by now.

    What the stack file says lies beside the data: ``components/open_webui/panel.py``. No value is told, but
    ``settings``, those with these ``keys``, which whoever asks keeps to itself; empty where they could not be read.
    """
    file = Path(environment.get("DATA_DIR") or "/app/backend/data") / REMEMBERED
    answer: dict[str, Any] = {"settings": {}}
    if not (keys or file.exists()):
        return answer
    try:
        rows = _selected(database_url(environment, _package()), "SELECT key, CAST(value AS TEXT) FROM config")
        table = {str(key): json.loads(value) for key, value in rows}
        answer["settings"] = {key: table[key] for key in keys if key in table}
        remembered = json.loads(file.read_text(encoding="utf-8"))
        said = {tuple(it["place"]): it["value"] for it in remembered if environment.keys() & {*it["variables"]}}
    except FileNotFoundError:
        return answer
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer; its words may hold a password
        unread = {"error": f"the table of settings could not be read ({type(error).__name__})"}
        return answer | (unread if file.exists() else {})
    otherwise = [".".join(place) for place, value in said.items() if _at(table, place) != value]
    return answer | {"said": len(said), "otherwise": otherwise}


def _package() -> Path:
    """Open WebUI's package, which the official image does not install."""
    found = importlib.util.find_spec("open_webui")
    places = list(found.submodule_search_locations or ()) if found else ["/app/backend/open_webui"]
    return Path(places[0])


def _at(values: Any, place: tuple[str, ...]) -> Any:
    for key in place:
        values = values.get(key) if isinstance(values, dict) else None
    return values


def schema(environment: dict[str, str]) -> dict[str, Any]:
    """Which revisions the app's database is at, and which its image's migrations lead to."""
    package = _package()
    if "DATABASE_URL" not in environment and (package.parents[1] / ".env").exists():
        return {"error": "the app reads its settings from a file .env, which is not read here"}
    known, heads = migrations_in(package / "migrations/versions")
    try:
        revisions = revisions_in(database_url(environment, package), environment.get("DATABASE_SCHEMA", ""))
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer; its words may hold a password
        return {"error": f"the database could not be asked ({type(error).__name__})"}
    return {"revisions": revisions, "heads": sorted(heads), "known": known.issuperset(revisions)}
