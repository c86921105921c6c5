"""Asks a Valkey by a URL; runs here, and inside a container of Open WebUI, see ``runner.py``."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from verification.inside.connector import REDIS_SECONDS, Connector, redis_options
from verification.inside.errors import PUBLISHING
from verification.inside.live_events import CHANNEL
from verification.inside.program import print_answer

ALL_DENIALS: Final = 128
"""Entries Valkey keeps in its ACL LOG (``acllog-max-len``)."""
URL_VARIABLE: Final = "VERIFICATION_VALKEY_URL"
"""Holds the URL: everybody on the host sees a process's arguments."""


async def ask_by_url(url: str, keys: list[tuple[int, str]]) -> dict[str, Any]:
    """What a Valkey answers over a URL: PING, its subscribers, clients, INFO and ACL LOG.

    Args:
        url: Its URL.
        keys: Database and name of keys that the apps have left; deleted here.

    Returns:
        As :func:`verification.ask.valkey_url.read_answer` reads it; None for what the account may not ask.
    """
    connector = Connector("REDIS_URL", {"REDIS_URL": url})
    await connector.connect()
    answer, client = connector.answer, connector.client
    if client is None or answer["problem"] not in PUBLISHING:
        return answer
    questions = {
        "numsub": lambda: client.pubsub_numsub(CHANNEL),
        "clients": client.client_list,
        "info": client.info,
        "denials": lambda: client.acl_log(count=ALL_DENIALS),
        "found": lambda: take_keys(url, keys),
    }
    for name, question in questions.items():
        with contextlib.suppress(Exception):
            answer[name] = await asyncio.wait_for(question(), REDIS_SECONDS + 1)
    with contextlib.suppress(Exception):
        await client.aclose()
    return answer


async def take_keys(url: str, keys: list[tuple[int, str]]) -> list[str]:
    """Delete the keys; returns those that were there."""
    from redis import asyncio as redis  # noqa: PLC0415 - see problem_of

    there = []
    for database in {database for database, _ in keys}:
        place = urlunsplit(urlsplit(url)._replace(path=f"/{database}"))
        async with redis.Redis.from_url(place, **redis_options({})) as client:
            there += [key for number, key in keys if number == database and await client.delete(key)]
    return there


async def ask_from_container(config: dict[str, Any]) -> dict[str, Any]:
    """The same, with the URL from the environment and the ``keys`` from the program's argument."""
    return await ask_by_url(os.environ.get(URL_VARIABLE, ""), config["keys"])


if __name__ == "__main__":
    print_answer(ask_from_container, seconds=30)
