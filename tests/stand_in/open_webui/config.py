"""The database, which importing this migrates where ENABLE_DB_MIGRATIONS is not false, and three of its settings."""

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from open_webui.models.config import Config  # type: ignore[import-not-found,unused-ignore]

DATA_DIR = Path(os.environ.get("DATA_DIR", Path(__file__).parents[1] / "data"))
DATABASE_URL = os.environ.get("DATABASE_URL") or f"sqlite:///{DATA_DIR}/webui.db"
MIGRATES = os.environ.get("ENABLE_DB_MIGRATIONS", "True").lower() == "true"

WEBUI_URL = os.getenv("WEBUI_URL", "")
ENABLE_SIGNUP = os.getenv("ENABLE_SIGNUP", "True").lower() == "true"
DEFAULT_LOCALE = os.getenv("DEFAULT_LOCALE", "")
DEFAULT_CONFIG = {
    "webui.url": WEBUI_URL,
    "ui.enable_signup": ENABLE_SIGNUP,
    "ui.default_locale": DEFAULT_LOCALE,
}


def execute(statement: str) -> None:
    """Have the database do something."""
    with closing(_connect()) as database:
        database.cursor().execute(statement)
        database.commit()


async def seed_registered_defaults() -> None:
    """Fill the table of settings with what it lacks."""
    for key, value in DEFAULT_CONFIG.items():
        if Config.persistent_enabled_for(key):
            row = f"'{key}', '{json.dumps(value)}', {int(time.time())}"
            execute(f"INSERT INTO config VALUES ({row}) ON CONFLICT (key) DO NOTHING")  # noqa: S608 - its own values


def _connect() -> Any:
    if DATABASE_URL.startswith("sqlite:///"):
        return sqlite3.connect(DATABASE_URL.removeprefix("sqlite:///"))
    import psycopg2  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415 - only with Postgres

    return psycopg2.connect(DATABASE_URL)


if MIGRATES:
    execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)")
    execute("INSERT INTO alembic_version SELECT '0bd252b206fb' WHERE NOT EXISTS (SELECT 1 FROM alembic_version)")
    execute("CREATE TABLE IF NOT EXISTS config (key TEXT PRIMARY KEY, value JSON NOT NULL, updated_at BIGINT)")
