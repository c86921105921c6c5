"""Runs in the one-shot container, never in the program: prepares everything that replicas must not race for.

Gives the data folder to the user that Open WebUI runs as and becomes that user; migrates the database; makes the vector
table; asks Valkey whether it is there; fills the table of the admin panel's settings; creates the administrator's
account, if one is configured.
"""
# ruff: noqa: PLC0415 - importing Open WebUI does things, and each has its moment
# mypy: disable-error-code="import-not-found,import-untyped"

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

import panel_fill  # the file beside this one

UID, GID = 1000, 1000
DATABASE_SECONDS = 120
VALKEY_SECONDS = 15


def give_up_root() -> None:
    """Own the data folder, then give root's rights up. A fresh volume belongs to whom the image's folder does."""
    data = Path(os.environ["DATA_DIR"])
    if data.stat().st_uid != UID:
        for path in (data, *data.rglob("*")):
            os.chown(path, UID, GID, follow_symlinks=False)
    os.setgroups([])
    os.setgid(GID)
    os.setuid(UID)


def wait_for_the_database() -> None:
    """Have the first connection wait: while Postgres is prepared, Open WebUI loads."""
    import psycopg2

    connect = psycopg2.connect

    def patient(*arguments: Any, **options: Any) -> Any:
        end = time.monotonic() + DATABASE_SECONDS
        while True:
            try:
                return connect(*arguments, **options)
            except psycopg2.OperationalError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    psycopg2.connect = patient


def ask_valkey() -> None:
    """Leave with a message where Valkey does not take the address it is to be asked at."""
    import redis

    for name in ("REDIS_URL", "WEBSOCKET_REDIS_URL"):
        client = redis.Redis.from_url(os.environ[name], socket_connect_timeout=5, socket_timeout=5)
        end = time.monotonic() + VALKEY_SECONDS
        while problem := refusal(client):
            if time.monotonic() > end:
                kwargs = client.connection_pool.connection_kwargs
                where = f"{kwargs.get('host')}:{kwargs.get('port')}, database {kwargs.get('db')}"
                sys.exit(f"{name} does not work: {where} answers: {problem}")
            time.sleep(0.2)


def refusal(client: Any) -> str:
    """Why Valkey does not answer PING; empty if it does."""
    import redis

    try:
        client.ping()
    except redis.RedisError as error:
        return str(error) or type(error).__name__
    return ""


async def keep_admin_account() -> None:
    """Create the configured administrator, or set the password that is configured now and was not before.

    What was configured last is remembered beside the data, as a hash: a password changed by its owner since stays.
    """
    email, password = os.environ.get("WEBUI_ADMIN_EMAIL"), os.environ.get("WEBUI_ADMIN_PASSWORD")
    if not (email and password):
        return
    from open_webui.models.auths import Auths
    from open_webui.models.users import Users
    from open_webui.utils.auth import create_admin_user, get_password_hash, verify_password

    remembered = Path(os.environ["DATA_DIR"]) / ".admin-password-hash"
    digest = await get_password_hash(password)
    user = await Users.get_user_by_email(email)
    if user is None:
        if await Users.has_users():
            print(f"{email} has no account and others have: make it in the admin panel")
            return
        if not await create_admin_user(email, password, os.environ.get("WEBUI_ADMIN_NAME", "Admin")):
            sys.exit(f"the account {email} was not created: Open WebUI refused it")
    elif not await verify_password(password, remembered.read_text() if remembered.exists() else ""):
        await Auths.update_user_password_by_id(user.id, digest)
    remembered.touch(mode=0o600)
    remembered.write_text(digest)


give_up_root()
wait_for_the_database()
# The official image has the package in its working directory only, which Python does not look into for a script.
sys.path.insert(0, str(Path.cwd()))

import open_webui.config  # noqa: E402, F401 - importing it migrates
from open_webui.retrieval.vector import factory  # noqa: E402 - importing it makes the table, but in the slim image

if factory.VECTOR_DB_CLIENT is None:
    factory.get_vector_db_client()
ask_valkey()


async def fill_tables() -> None:
    """Write what replicas must not race for."""
    await panel_fill.fill()
    await keep_admin_account()


asyncio.run(fill_tables())
