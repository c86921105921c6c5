"""Connects to Valkey over the app's own URLs, with its library, and writes as it does."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
import socket
import ssl
import time
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from verification.inside.environment import mask
from verification.inside.errors import PUBLISHING, TRANSIENT, one_line, problem_of
from verification.inside.load import STRETCH
from verification.inside.polling import poll
from verification.inside.sentinel import NoPrimaryError, primary_address, sentinels_of, with_address

REDIS_SECONDS: Final = 3.0 * STRETCH
LOOKUPS: Final = 3
"""How often a name with one address is looked up: Docker answers with all at once, other name servers take turns."""
KEY_SECONDS: Final = 10
"""How long a key that is written as a test lives if it is not deleted."""
GREETING_SECONDS: Final = 0.5 * STRETCH
"""How long a Valkey in protected mode may take to say so: it speaks first; other servers do not."""
SENTINEL_ONLY: Final = frozenset({"sentinel_kwargs", "min_other_sentinels"})
"""Options in ``WEBSOCKET_REDIS_OPTIONS`` that are none of a connection's to Valkey itself."""


def redis_options(environment: dict[str, str]) -> dict[str, Any]:
    """``WEBSOCKET_REDIS_OPTIONS`` as Open WebUI reads them, with timeouts short enough to ask a question."""
    options: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        options = dict(json.loads(environment.get("WEBSOCKET_REDIS_OPTIONS") or "{}"))
    return options | {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}


async def addresses_of(host: str, port: int) -> list[str]:
    """What a name resolves to here; where it is one address each time, at several times."""
    found: set[str] = set()
    for _ in range(LOOKUPS):
        answer = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found |= {str(item[4][0]) for item in answer}
        if len(answer) > 1:
            break
    return sorted(found)


def leads_elsewhere(connection: dict[str, Any], valkey: list[str]) -> bool:
    """Whether a URL's name leads to an address that is not Valkey's, where Valkey's are known; the loopback may be."""
    found = {address.partition("%")[0] for address in connection.get("addresses", [])}
    return bool(valkey) and any(not ipaddress.ip_address(one).is_loopback for one in found - {*valkey})


def is_fickle(connection: dict[str, Any], valkey: list[str]) -> bool:
    """Whether a URL's name leads to Valkey only sometimes: the app may then listen elsewhere than we publish."""
    return leads_elsewhere(connection, valkey) and not {*valkey}.isdisjoint(connection["addresses"])


async def other_scheme_answers(url: str) -> str:
    """In words, that TLS is spoken where a URL says ``redis://``, or is not where it says ``rediss://``; else empty."""
    context = None
    if urlsplit(url).scheme == "redis":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if (await first_bytes(url, REDIS_SECONDS, say=b"PING\r\n", context=context))[:1] in {b"+", b"-"}:
        return "Valkey speaks TLS there: rediss://" if context else "Valkey speaks no TLS there: redis://"
    return ""


async def is_protected(url: str) -> bool:
    """Whether a Valkey that hangs up says, before it is asked anything, that it is in protected mode."""
    return b"protected mode" in await first_bytes(url, GREETING_SECONDS)


async def first_bytes(url: str, seconds: float, *, say: bytes = b"", context: ssl.SSLContext | None = None) -> bytes:
    """The first bytes that come from where a URL leads; empty where none come in that time."""
    parts = urlsplit(url)

    async def greet() -> bytes:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 6379, ssl=context)
        try:
            writer.write(say)
            return await reader.read(200)
        finally:
            writer.close()

    with contextlib.suppress(Exception):
        return await asyncio.wait_for(greet(), seconds)
    return b""


class Connector:
    """A connection over one of the app's Valkey URLs.

    Attributes:
        answer: What was seen of it, as :class:`verification.evidence.inside.Connection` reads it.
        client: The redis library's client; None until the URL has led to an address.
    """

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        default = environment.get("REDIS_URL", "") if name == "WEBSOCKET_REDIS_URL" else ""
        self.url = environment.get(name, default)
        self.options = redis_options(environment)
        self.sentinels = sentinels_of(name, environment)
        cluster = environment.get("REDIS_CLUSTER", "")
        if name != "REDIS_URL":
            cluster = environment.get("WEBSOCKET_REDIS_CLUSTER", cluster)
        self.cluster = cluster.lower() == "true"
        self.prefix = environment.get("REDIS_KEY_PREFIX", "open-webui")
        self.client: Any = None
        self.answer: dict[str, Any] = {"url": mask(self.url)}

    async def connect(self) -> None:
        """PING once over the URL and record what happened."""
        started = time.monotonic()
        self.answer.update(problem="", error="")
        try:
            await self._ping()
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
            self.answer.update(problem=self.answer["problem"] or problem_of(error), error=one_line(error))
        # A server without TLS waits for the end of a greeting that is, and one with it just hangs up: neither says why.
        if not self.sentinels and self.answer["problem"] == ("timeout" if self.url.startswith("rediss") else "other"):
            misled = await other_scheme_answers(self.url)
            self.answer.update({"problem": "tls", "error": misled} if misled else {})
            # A server that hangs up at once may do so before the library has read why.
            if not misled and await is_protected(self.url):
                self.answer.update(problem="protected", error="Valkey is in protected mode")
        self.answer["seconds"] = time.monotonic() - started

    async def _ping(self) -> None:
        from redis import asyncio as redis  # noqa: PLC0415 - see problem_of

        if not self.url:
            self.answer.update(problem="unset")
            return
        self.answer["problem"] = "scheme"
        parts = urlsplit(self.url)
        self.answer["host"] = parts.hostname or ""
        try:
            port = parts.port or 6379
        except ValueError:  # whose words repeat what stands there, which may be half a password
            self.answer["error"] = "its port is no number; in a password / ? # @ : must be percent-encoded"
            return
        if parts.scheme not in {"redis", "rediss"} or not parts.hostname:
            self.answer["error"] = f"scheme {parts.scheme or '(none)'!r}, host {parts.hostname or '(none)'!r}"
            return
        self.answer["problem"] = ""
        host, url = parts.hostname, self.url
        if self.sentinels:
            try:
                host, port = await primary_address(self.sentinels, self.url, self.options)
            except NoPrimaryError as error:
                self.answer.update(problem=error.problem, error=str(error))
                return
            url = urlunsplit(parts._replace(scheme="redis", netloc=with_address(parts.netloc, host, port)))
            self.answer.update(host=host, primary=with_address("", host, port))
        elif self.cluster:
            self.answer.update(problem="unsupported", error="Cluster is configured")
            return
        self.answer["problem"] = "resolve"
        self.answer["addresses"] = await asyncio.wait_for(addresses_of(host, port), REDIS_SECONDS)
        self.answer["problem"] = ""
        options = {name: value for name, value in self.options.items() if name not in SENTINEL_ONLY}
        self.client = redis.Redis.from_url(url, **options)
        await asyncio.wait_for(self.client.ping(), REDIS_SECONDS + 1)

    async def identify(self) -> None:
        """Record which server answers: by its address it is not the one that was named."""
        with contextlib.suppress(Exception):
            information = await asyncio.wait_for(self.client.info("server"), REDIS_SECONDS + 1)
            self.answer["server"] = str(information["run_id"])

    async def write(self) -> None:
        """Write and read where the app's own keys lie, as it does, leave nothing, and record the first refusal.

        Source: https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/socket/utils.py
        """
        key = f"{self.prefix}:verification:{os.urandom(8).hex()}"
        # What cleans up comes first: nothing is written that could not be deleted again.
        trials = (
            (("HDEL", key, "field"), ("DEL", key)),
            (
                ("SET", key, "", "EX", KEY_SECONDS),
                ("GET", key),
                ("EVAL", "return redis.call('get', KEYS[1])", 1, key),
                ("DEL", key),
                ("HSET", key, "field", ""),
                ("HGET", key, "field"),
                ("HDEL", key, "field"),
            ),
        )
        started = time.monotonic()
        refusal: tuple[str, BaseException] | None = None
        for commands in trials:
            refusal = refusal or await self._first_refusal(commands)
        self.answer.update(write_problem="", write_error="", write_seconds=time.monotonic() - started)
        if refusal:
            command, error = refusal
            self.answer.update(write_problem=problem_of(error), write_error=f"{command} {key}: {one_line(error)}")

    async def _first_refusal(self, commands: tuple[tuple[Any, ...], ...]) -> tuple[str, BaseException] | None:
        pipeline = self.client.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        try:
            answers = await asyncio.wait_for(pipeline.execute(raise_on_error=False), REDIS_SECONDS + 1)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
            return commands[0][0], error
        found = zip(commands, answers, strict=True)
        return next(((command[0], it) for command, it in found if isinstance(it, BaseException)), None)

    async def leave(self, key: str, seconds: int) -> None:
        """Leave a key behind for a while, for whoever asks Valkey in another way to find."""
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.client.set(f"{self.prefix}:{key}", "", ex=seconds), REDIS_SECONDS + 1)
            self.answer["left"] = f"{self.prefix}:{key}"

    async def refusal(self, channel: str) -> str:
        """Why the app's account may not subscribe to a channel; empty when it may or Valkey did not say."""
        from redis.exceptions import NoPermissionError, RedisError  # noqa: PLC0415 - see problem_of

        listener = self.client.pubsub()
        try:
            await asyncio.wait_for(listener.subscribe(channel), REDIS_SECONDS)
            await asyncio.wait_for(listener.get_message(timeout=REDIS_SECONDS), REDIS_SECONDS + 1)
        except NoPermissionError as error:
            return f"SUBSCRIBE {channel}: {one_line(error)}"
        except (RedisError, OSError, TimeoutError):
            return ""
        finally:
            with contextlib.suppress(Exception):
                await listener.aclose()
        return ""


async def connect_all(connectors: list[Connector]) -> None:
    """Try the URLs; a Valkey that is just starting is asked again for a few seconds."""
    waiting = connectors

    async def connect() -> list[Connector]:
        nonlocal waiting
        await asyncio.gather(*(connector.connect() for connector in waiting))
        waiting = [connector for connector in waiting if connector.answer["problem"] in TRANSIENT]
        return waiting

    await poll(connect, lambda left: not left, seconds=REDIS_SECONDS, every=0.3)
    await asyncio.gather(*(c.write() for c in connectors if c.client and c.answer["problem"] in PUBLISHING))
