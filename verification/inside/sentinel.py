"""Asks Sentinel where Valkey is, as Open WebUI does."""

from __future__ import annotations

import asyncio
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from verification.inside.errors import one_line, problem_of
from verification.inside.load import STRETCH

SENTINEL_SECONDS: Final = 3.0 * STRETCH
"""How long one Sentinel may take to answer."""


class NoPrimaryError(Exception):
    """No Sentinel names a primary.

    Attributes:
        problem: ``no-primary``, ``unsupported`` (they let nobody in) or ``sentinel`` (none answers).
    """

    def __init__(self, problem: str, words: str) -> None:
        super().__init__(words)
        self.problem = problem


def sentinels_of(name: str, environment: dict[str, str]) -> list[tuple[str, int]]:
    """Host and port of the Sentinels that Open WebUI asks where Valkey is, for one of its URLs.

    Source: https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/utils/redis.py
    """
    kind = "REDIS" if name == "REDIS_URL" else "WEBSOCKET"
    port = environment.get(f"{kind}_SENTINEL_PORT") or "26379"
    hosts = [host.strip() for host in environment.get(f"{kind}_SENTINEL_HOSTS", "").split(",")]
    return [(host, int(port) if port.isdecimal() else 0) for host in hosts if host]


async def primary_address(sentinels: list[tuple[str, int]], url: str, options: dict[str, Any]) -> tuple[str, int]:
    """Host and port of the primary, by the first Sentinel that names one.

    Each is asked with the URL's account, as Open WebUI 0.12.4 does, and without one, as 0.12.0.

    Args:
        sentinels: Host and port of each.
        url: The app's URL; its host is the primary's name.
        options: The app's own options of its connections.

    Raises:
        NoPrimaryError: None names one.
    """
    parts = urlsplit(url)
    account = {"username": unquote(parts.username or "") or None, "password": unquote(parts.password or "") or None}
    own = options.get("sentinel_kwargs") or account
    name = parts.hostname or ""
    asked = [(place, login) for place in sentinels for login in ([own, {}] if any(own.values()) else [{}])]
    answers = await asyncio.gather(*(ask_sentinel(*one, name) for one in asked), return_exceptions=True)
    if found := [answer for answer in answers if isinstance(answer, list)]:
        return str(found[0][0]), int(found[0][1])
    places = ", ".join(with_address("", *place) for place in sentinels)
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    if len(errors) < len(answers):
        raise NoPrimaryError("no-primary", f"Sentinel at {places} knows no primary called {name!r}")
    if any(problem_of(error) in {"auth", "acl"} for error in errors):
        raise NoPrimaryError("unsupported", f"Sentinel at {places}: {one_line(errors[0])}")
    raise NoPrimaryError("sentinel", f"no Sentinel answers at {places}: {one_line(errors[0])}")


async def ask_sentinel(place: tuple[str, int], login: dict[str, Any], name: str) -> Any:
    """What one Sentinel answers: host and port of the primary, or None where it knows none of that name."""
    from redis import asyncio as redis  # noqa: PLC0415 - see problem_of

    limits = {"socket_timeout": SENTINEL_SECONDS, "socket_connect_timeout": SENTINEL_SECONDS}
    client: Any = redis.Redis(host=place[0], port=place[1], **{"decode_responses": True, **login, **limits})
    async with client as sentinel:
        asking = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
        return await asyncio.wait_for(asking, SENTINEL_SECONDS + 1)


def with_address(netloc: str, host: str, port: int) -> str:
    """The authority of a URL with another host and port, its account as it was."""
    account, at, _ = netloc.rpartition("@")
    return f"{account}{at}{f'[{host}]' if ':' in host else host}:{port}"
