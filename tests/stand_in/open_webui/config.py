"""The database: importing this migrates it, where ENABLE_DB_MIGRATIONS is not false."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

DATA_DIR = Path(os.environ.get("DATA_DIR", Path(__file__).parents[1] / "data"))
DATABASE_URL = os.environ.get("DATABASE_URL") or f"sqlite:///{DATA_DIR}/webui.db"
MIGRATES = os.environ.get("ENABLE_DB_MIGRATIONS", "True").lower() == "true"


def execute(statement: str) -> None:
    """Have the database do something."""
    with closing(_connect()) as database:
        database.cursor().execute(statement)
        database.commit()


def _connect() -> Any:
    if DATABASE_URL.startswith("sqlite:///"):
        return sqlite3.connect(DATABASE_URL.removeprefix("sqlite:///"))
    import psycopg2  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: PLC0415 - only with Postgres

    return psycopg2.connect(DATABASE_URL)


if MIGRATES:
    execute("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)")
    execute("INSERT INTO alembic_version SELECT '0bd252b206fb' WHERE NOT EXISTS (SELECT 1 FROM alembic_version)")
