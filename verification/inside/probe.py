"""Runs inside the Open WebUI container, with its environment, DNS and libraries; prints one line of JSON.

``docker exec CONTAINER python3 -c SOURCE CONFIG``: it uses what Open WebUI itself depends on (python-socketio,
aiohttp, redis) and nothing of this project. Passwords never leave it.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import importlib
import importlib.util
import ipaddress
import json
import os
import re
import signal
import socket
import sqlite3
import ssl
import sys
import time
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

SHOWN: Final = frozenset(
    {
        "CORS_ALLOW_ORIGIN",
        "ENABLE_DB_MIGRATIONS",
        "ENABLE_WEBSOCKET_SUPPORT",
        "GLOBAL_LOG_LEVEL",
        "HOST",
        "PORT",
        "REDIS_CLUSTER",
        "REDIS_KEY_PREFIX",
        "REDIS_SENTINEL_HOSTS",
        "UVICORN_WORKERS",
        "WEBSOCKET_MANAGER",
        "WEBSOCKET_REDIS_CLUSTER",
        "WEBSOCKET_REDIS_ROOM_CHANNELS",
        "WEBSOCKET_SENTINEL_HOSTS",
    }
)
URLS: Final = ("WEBSOCKET_REDIS_URL", "REDIS_URL")
ALL_DENIALS: Final = 128
"""Entries Valkey keeps in its ACL LOG (``acllog-max-len``)."""
PATHS: Final = ("/health", "/ready", "/api/version")
UPGRADE_PATH: Final = "/ws/socket.io/?EIO=4&transport=websocket"
CHANNEL: Final = "socketio"
APP_PROCESS: Final = re.compile(r"^(?!\S*\b(?:docker-init|tini|dumb-init|[bd]?a?sh) ).*(?:open[-_]webui|uvicorn)")
"""The app itself: not an init process or a shell before it, whose environment may lack what a shell has sourced."""

OK: Final = 200
REDIS_SECONDS: Final = 3.0
LOOKUPS: Final = 3
"""How often a name is looked up that has one address: Docker tells all at once, other name servers take turns."""
KEY_SECONDS: Final = 10
"""How long a key that is written on trial lives should nobody delete it."""
HTTP_SECONDS: Final = 8.0
"""How long an answer of the app may take: on two busy cores the first ones of a replica were seen to take over 5 s."""
CONNECT_SECONDS: Final = 5.0
"""How long one attempt to connect a socket may take."""
ROUND_SECONDS: Final = 2.0
"""How long one round of events is waited for before a fresh one is published."""
PROCESSES_SECONDS: Final = 15.0
"""How long all processes of an app with UVICORN_WORKERS above 1 may take to listen."""
SOCKETS_EACH: Final = 8
"""Sockets for each process where nobody may ask who listens: the kernel deals them out, and some miss a process."""
DECOY_SECONDS: Final = 0.05
"""How long after the events a decoy might still arrive, over another connection than theirs."""
IMPATIENT_SECONDS: Final = 3.0
"""How long events are waited for when something already seen says that none will come."""
SENDING_TRIES: Final = 3
SENDING_SECONDS: Final = 0.7
"""How long the app's process may take, each time, to publish what it was made to."""
SENDING_EVENTS: Final = 3
"""Two do; one more in case the first was answered before the second came."""
STRANGER_SECONDS: Final = 3.0
"""How long too many listeners are counted again: other replicas' probes listen too, for a moment."""

SIGNS: Final = {
    "protected mode": "protected",
    "misconf": "persistence",
    "maxmemory": "oom",
    "read only replica": "readonly",
    "link with master is down": "readonly",
    "good replicas": "readonly",
    "noperm": "acl",
    "no permissions": "acl",
    "noauth": "auth",
    "wrongpass": "auth",
    "invalid username-password": "auth",
    "authentication required": "auth",
    "without any password": "auth",
    "loading": "loading",
    "max number of clients": "clients",
    "name or service not known": "resolve",
    "temporary failure in name": "resolve",
    "no address associated": "resolve",
    "refused": "refused",
    "connect call failed": "refused",
    "no route": "refused",
    "unreachable": "refused",
    "ssl": "tls",
    "certificate": "tls",
    "timed out": "timeout",
    "timeout": "timeout",
}
"""What the redis library or Valkey writes, and the problem it means; the first that occurs counts."""

TRANSIENT: Final = frozenset({"refused", "loading"})
"""A Valkey that is starting: worth asking again."""

GREETING_SECONDS: Final = 0.5
"""How long a Valkey in protected mode may take to say so: it speaks first, and to nobody else."""

SENTINEL_ONLY: Final = frozenset({"sentinel_kwargs", "min_other_sentinels"})
"""Options in ``WEBSOCKET_REDIS_OPTIONS`` that are none of a connection's to Valkey itself."""

PUBLISHING: Final = frozenset({"", "persistence"})
"""Problems of a connection over which events can be published all the same: a failing disk stops PING, not PUBLISH."""


def mask(url: str) -> str:
    """The URL without its password, in the authority or the query."""
    before, _, after = url.rpartition("@")
    if before and any(character in before.partition("://")[2] for character in "/?#"):
        return f"{before.partition('://')[0]}://***@{after}"  # a password that is not percent-encoded
    try:
        parts = urlsplit(url)
        query = urlencode([(k, "***" if "pass" in k.lower() else v) for k, v in parse_qsl(parts.query)], safe="*/")
    except ValueError:
        return "(not a URL)"
    account, at, address = parts.netloc.rpartition("@")
    if ":" in account:
        account = account.split(":", 1)[0] + ":***"
    return urlunsplit(parts._replace(netloc=account + at + address, query=query))


def app_environment() -> tuple[str, dict[str, str]]:
    """Environment of the app's own process: an entrypoint may have changed what Docker was given."""
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        if int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if APP_PROCESS.search(command):
                pairs = (folder / "environ").read_bytes().decode(errors="replace").split("\0")
                return f"process {folder.name} ({command[:60]})", dict(
                    pair.split("=", 1) for pair in pairs if "=" in pair
                )
    return "the container (the app's process was not found or not readable)", dict(os.environ)


def redis_options(environment: dict[str, str]) -> dict[str, Any]:
    """``WEBSOCKET_REDIS_OPTIONS`` as Open WebUI reads them, with timeouts short enough to ask a question."""
    options: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        options = dict(json.loads(environment.get("WEBSOCKET_REDIS_OPTIONS") or "{}"))
    return options | {"socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS}


def problem_of(error: BaseException) -> str:
    """Which kind of problem an exception of the redis library is."""
    from redis import exceptions  # noqa: PLC0415 - a library of the app's, imported inside the probe's time limit

    if isinstance(error, exceptions.NoPermissionError):
        return "acl"
    if isinstance(error, (exceptions.AuthenticationError, exceptions.AuthorizationError)):
        return "auth"
    if isinstance(error, (ssl.SSLError, ssl.CertificateError)):
        return "tls"
    if isinstance(error, (exceptions.TimeoutError, TimeoutError)):
        return "timeout"
    text = f"{error} {error.__cause__ or ''}".lower()
    return next((problem for sign, problem in SIGNS.items() if sign in text), "other")


def words_of(error: BaseException) -> str:
    """An exception in one line, without URLs' passwords."""
    text = " ".join(str(error).split()) or type(error).__name__
    if text.startswith("HELLO must be called"):  # how Valkey words NOAUTH to a client that greets with HELLO
        text = "NOAUTH Authentication required."
    return re.sub(r"://[^\s/@]*@", "://***@", text)[:300]


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
    """Whether a URL's name leads to Valkey only sometimes: what is published then need not come to who listens."""
    return leads_elsewhere(connection, valkey) and not {*valkey}.isdisjoint(connection["addresses"])


async def other_scheme_answers(url: str) -> str:
    """In words, that TLS is spoken where a URL says ``redis://``, or is not where it says ``rediss://``; else empty."""
    parts = urlsplit(url)
    context = None
    if parts.scheme == "redis":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

    async def greet() -> bytes:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 6379, ssl=context)
        try:
            writer.write(b"PING\r\n")
            return await reader.read(1)
        finally:
            writer.close()

    with contextlib.suppress(Exception):
        if await asyncio.wait_for(greet(), REDIS_SECONDS) in {b"+", b"-"}:
            return "Valkey speaks TLS there: rediss://" if context else "Valkey speaks no TLS there: redis://"
    return ""


async def is_protected(url: str) -> bool:
    """Whether a Valkey that hangs up says, before it is asked anything, that it is in protected mode."""
    parts = urlsplit(url)

    async def greeted() -> bytes:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 6379)
        try:
            return await reader.read(200)
        finally:
            writer.close()

    with contextlib.suppress(Exception):
        return b"protected mode" in await asyncio.wait_for(greeted(), GREETING_SECONDS)
    return False


def sentinels_of(name: str, environment: dict[str, str]) -> list[tuple[str, int]]:
    """The Sentinels that Open WebUI asks where Valkey is, for one of its URLs.

    Source: https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/utils/redis.py
    """
    kind = "REDIS" if name == "REDIS_URL" else "WEBSOCKET"
    port = environment.get(f"{kind}_SENTINEL_PORT") or "26379"
    hosts = [host.strip() for host in environment.get(f"{kind}_SENTINEL_HOSTS", "").split(",")]
    return [(host, int(port) if port.isdecimal() else 0) for host in hosts if host]


class Connector:
    """One Valkey URL of the app's, tried."""

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
            await self._ask()
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
            self.answer.update(problem=self.answer["problem"] or problem_of(error), error=words_of(error))
        # A server without TLS waits for the end of a greeting that is, and one with it just hangs up: neither says why.
        if not self.sentinels and self.answer["problem"] == ("timeout" if self.url.startswith("rediss") else "other"):
            misled = await other_scheme_answers(self.url)
            self.answer.update({"problem": "tls", "error": misled} if misled else {})
            # Who hangs up at once may do so before the library has read why.
            if not misled and await is_protected(self.url):
                self.answer.update(problem="protected", error="Valkey is in protected mode")
        self.answer["seconds"] = time.monotonic() - started

    async def _ask(self) -> None:
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
            primary = await self._primary(host)
            if primary is None:
                return
            host, port = primary
            url = urlunsplit(parts._replace(scheme="redis", netloc=with_place(parts.netloc, host, port)))
            self.answer.update(host=host, primary=with_place("", host, port))
        elif self.cluster:
            self.answer.update(problem="unsupported", error="Cluster is configured")
            return
        self.answer["problem"] = "resolve"
        self.answer["addresses"] = await asyncio.wait_for(addresses_of(host, port), REDIS_SECONDS)
        self.answer["problem"] = ""
        options = {name: value for name, value in self.options.items() if name not in SENTINEL_ONLY}
        self.client = redis.Redis.from_url(url, **options)
        await asyncio.wait_for(self.client.ping(), REDIS_SECONDS + 1)

    async def _primary(self, name: str) -> tuple[str, int] | None:
        """Where the primary of that name is, by the first Sentinel that says so; None, and why, where none does.

        Each is asked with the URL's account, as Open WebUI 0.12.4 does, and without one, as 0.12.0.
        """
        parts = urlsplit(self.url)
        account = {"username": unquote(parts.username or "") or None, "password": unquote(parts.password or "") or None}
        own = self.options.get("sentinel_kwargs") or account
        logins = [own, {}] if any(own.values()) else [{}]
        asked = [(place, login) for place in self.sentinels for login in logins]
        answers = await asyncio.gather(*(self._sentinel(*one, name) for one in asked), return_exceptions=True)
        found = [answer for answer in answers if isinstance(answer, list)]
        if found:
            return str(found[0][0]), int(found[0][1])
        places = ", ".join(with_place("", *place) for place in self.sentinels)
        errors = [answer for answer in answers if isinstance(answer, BaseException)]
        if len(errors) < len(answers):
            self.answer.update(problem="no-primary", error=f"Sentinel at {places} knows no primary called {name!r}")
        elif any(problem_of(error) in {"auth", "acl"} for error in errors):
            self.answer.update(problem="unsupported", error=f"Sentinel at {places}: {words_of(errors[0])}")
        else:
            self.answer.update(problem="sentinel", error=f"no Sentinel answers at {places}: {words_of(errors[0])}")
        return None

    @staticmethod
    async def _sentinel(place: tuple[str, int], login: dict[str, Any], name: str) -> Any:
        from redis import asyncio as redis  # noqa: PLC0415 - see problem_of

        options = {"decode_responses": True, **login, **redis_options({})}
        client: Any = redis.Redis(host=place[0], port=place[1], **options)
        async with client as sentinel:
            asking = sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name)
            return await asyncio.wait_for(asking, REDIS_SECONDS + 1)

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
            refusal = refusal or await self._refused(commands)
        self.answer.update(write_problem="", write_error="", write_seconds=time.monotonic() - started)
        if refusal:
            command, error = refusal
            self.answer.update(write_problem=problem_of(error), write_error=f"{command} {key}: {words_of(error)}")

    async def _refused(self, commands: tuple[tuple[Any, ...], ...]) -> tuple[str, BaseException] | None:
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

    async def denied(self, channel: str) -> str:
        """Why the app's account may not subscribe to a channel; empty when it may or Valkey did not say."""
        from redis.exceptions import NoPermissionError, RedisError  # noqa: PLC0415 - see problem_of

        listener = self.client.pubsub()
        try:
            await asyncio.wait_for(listener.subscribe(channel), REDIS_SECONDS)
            await asyncio.wait_for(listener.get_message(timeout=REDIS_SECONDS), REDIS_SECONDS + 1)
        except NoPermissionError as error:
            return f"SUBSCRIBE {channel}: {words_of(error)}"
        except (RedisError, OSError, TimeoutError):
            return ""
        finally:
            with contextlib.suppress(Exception):
                await listener.aclose()
        return ""


def with_place(netloc: str, host: str, port: int) -> str:
    """The authority of a URL with another host and port, its account as it was."""
    account, at, _ = netloc.rpartition("@")
    return f"{account}{at}{f'[{host}]' if ':' in host else host}:{port}"


async def get(session: Any, address: str, path: str) -> dict[str, Any]:
    """One GET of the app."""
    started = time.monotonic()
    answer: dict[str, Any] = {}
    try:
        async with session.get(address + path) as response:
            answer = {"status": response.status, "body": (await response.text())[:500]}
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
        answer = {"error": words_of(error)}
    return answer | {"seconds": time.monotonic() - started}


async def upgrade(session: Any, address: str, origin: str) -> dict[str, Any]:
    """What the app itself answers to a websocket from a page of the URL: a proxy's refusal is told from its own."""
    from aiohttp import WSServerHandshakeError  # noqa: PLC0415 - the app's library, not ours

    started = time.monotonic()
    answer: dict[str, Any] = {}

    async def open_it() -> None:
        async with session.ws_connect(address + UPGRADE_PATH, origin=origin) as opened:
            answer.update(status=101, body=(await opened.receive_str())[:500])

    try:
        await asyncio.wait_for(open_it(), HTTP_SECONDS)
    except WSServerHandshakeError as error:
        answer["status"] = error.status
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
        answer = answer or {"error": words_of(error)}  # what comes after the first message does not matter
    return answer | {"seconds": time.monotonic() - started}


def event_for(room: str, nonce: str, salt: str) -> str:
    """What an Open WebUI process publishes to have an event emitted to a room."""
    message = {
        "method": "emit", "event": "verification", "data": [nonce], "binary": False, "namespace": "/",
        "room": room, "skip_sid": None, "callback": None, "host_id": f"verification-{salt}",
    }  # fmt: skip
    return json.dumps(message)


def is_farewell(data: Any, sid: str) -> bool:
    """Whether a process of the app's asks the others to disconnect that client."""
    try:
        message = json.loads(data)
    except ValueError:
        return False
    return isinstance(message, dict) and (message.get("method"), message.get("sid")) == ("disconnect", sid)


def has_room_channels(environment: dict[str, str]) -> bool:
    """Whether the app listens to one channel for each room."""
    return environment.get("WEBSOCKET_REDIS_ROOM_CHANNELS", "True").lower() == "true"


async def publish(nonces: dict[str, str]) -> dict[str, Any]:
    """Publish an event for each socket, by its id, that somebody else has opened, as the app would."""
    _, environment = app_environment()
    connector, rooms = Connector("WEBSOCKET_REDIS_URL", environment), has_room_channels(environment)
    await connector.connect()
    answer: dict[str, Any] = {"error": connector.answer["error"], "rooms": rooms}
    if connector.answer["problem"] in PUBLISHING:
        try:
            answer["receivers"] = min(
                [
                    await connector.client.publish(
                        f"{CHANNEL}#/#{sid}" if rooms else CHANNEL, event_for(sid, nonce, nonce)
                    )
                    for sid, nonce in nonces.items()
                ]
            )
            answer["error"] = ""
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
            answer["error"] = words_of(error)
    return answer


REVISIONS: Final = re.compile(r"^(revision|down_revision)\b[^=\n]*=\s*(\([^)]*\)|.*)", re.MULTILINE)
"""Where a migration of alembic's says what it is and what it comes after: a name, several in brackets, or None."""
DATABASE_SECONDS: Final = 3
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
    if SQLITE.match(url):
        file = quote(SQLITE.sub("", url).partition("?")[0])
        database: Any = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=DATABASE_SECONDS)
    elif POSTGRES.match(url):
        library = "psycopg2" if importlib.util.find_spec("psycopg2") else "psycopg"
        place = POSTGRES.sub("postgresql://", url)
        database = importlib.import_module(library).connect(place, connect_timeout=DATABASE_SECONDS)
    else:
        raise ValueError
    table = f'"{schema}".alembic_version' if schema and POSTGRES.match(url) else "alembic_version"
    with contextlib.closing(database):
        rows = database.cursor()
        if POSTGRES.match(url):
            rows.execute("SET TRANSACTION READ ONLY")
        rows.execute(f"SELECT version_num FROM {table}")  # noqa: S608 - the app's own setting, and nothing is written
        return sorted(str(row[0]) for row in rows.fetchall())


def schema(environment: dict[str, str]) -> dict[str, Any]:
    """Which revisions the app's database is at, and which its image's migrations lead to."""
    found = importlib.util.find_spec("open_webui")
    places = list(found.submodule_search_locations or ()) if found else ["/app/backend/open_webui"]
    package = Path(places[0])
    if "DATABASE_URL" not in environment and (package.parents[1] / ".env").exists():
        return {"error": "the app reads its settings from a file .env, which is not read here"}
    known, heads = migrations_in(package / "migrations/versions")
    try:
        revisions = revisions_in(database_url(environment, package), environment.get("DATABASE_SCHEMA", ""))
    except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer; its words may hold a password
        return {"error": f"the database could not be asked ({type(error).__name__})"}
    return {"revisions": revisions, "heads": sorted(heads), "known": known.issuperset(revisions)}


class LiveEvents:
    """A socket.io client connected to the app, and events published through Valkey that it should receive."""

    def __init__(self, connector: Connector, address: str, environment: dict[str, str], salt: str) -> None:
        import socketio  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - the app's library, not ours

        self.connector, self.address, self.salt = connector, address, salt
        self.client = socketio.AsyncClient(reconnection=False)
        self.client.on("verification", self._received)
        self.arrived: dict[str, float] = {}
        self.arrival = asyncio.Event()
        self.others: list[Any] = []
        self.channel = ""
        self.complete = False
        self.answer: dict[str, Any] = {"room_expected": has_room_channels(environment), "attempts": 0}

    def _received(self, nonce: Any) -> None:
        self.arrived[str(nonce)] = time.monotonic()
        self.arrival.set()

    async def connect(self, seconds: float) -> bool:
        """Connect the client."""
        try:
            await self._open(self.client, seconds)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
            self.answer.update(connected=False, error=words_of(error))
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self.client.disconnect(), 1)
            return False
        self.answer.update(connected=True, error="")
        return True

    async def _open(self, client: Any, seconds: float) -> None:
        # Its own limit is for the namespace only; a server that accepts and says nothing needs this one.
        connecting = client.connect(
            self.address, transports=["websocket"], socketio_path="/ws/socket.io", wait_timeout=seconds
        )
        await asyncio.wait_for(connecting, seconds + 0.5)

    async def reach(self, processes: int, *, several: bool) -> int | None:
        """Count who listens.

        Args:
            processes: How many should.
            several: Whether there are several in this container: each begins with its first socket, and further ones
                are connected until all have.

        Returns:
            How many listen; None when the app's account may not ask.
        """
        started = time.monotonic()
        while True:
            try:
                listening = int((await self.connector.client.pubsub_numsub(CHANNEL))[0][1])
            except Exception:  # noqa: BLE001 - refused, as a rule
                return None
            passed = time.monotonic() - started
            if listening < processes and several and passed < PROCESSES_SECONDS:
                await self.join(1)
            elif listening > processes and passed < STRANGER_SECONDS:
                await asyncio.sleep(0.2)
            else:
                return listening

    async def sends(self) -> None:
        """Have the app's own process publish something, and see it on Valkey: for that it needs no account.

        A client without one asks for a document several times at once. Open WebUI takes one question after the other,
        under a lock in Valkey. At the first it disconnects the client. At the next it no longer has it, takes it for
        one of another process's, and has its manager ask those, on the shared channel, to disconnect it. They have it
        neither, and nothing is stored.

        Source: ``with_document_lock`` and ``get_socket_session_user`` of
        https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/socket/main.py
        """
        listener = self.connector.client.pubsub(ignore_subscribe_messages=True)
        try:
            await listener.subscribe(CHANNEL)
            for _ in range(SENDING_TRIES):
                if (milliseconds := await self._sends(listener)) is not None:
                    self.answer["sent_milliseconds"] = milliseconds
                    break
        except Exception as error:  # noqa: BLE001 - whatever goes wrong, it was not seen
            self.answer["sending_error"] = words_of(error)
        finally:
            with contextlib.suppress(Exception):
                await listener.aclose()

    async def _sends(self, listener: Any) -> float | None:
        client = type(self.client)(reconnection=False)
        self.others.append(client)
        await self._open(client, CONNECT_SECONDS)
        sid, started = client.get_sid("/"), time.monotonic()
        for _ in range(SENDING_EVENTS):
            await client.emit("ydoc:document:join", {"document_id": f"verification-{self.salt}-{sid}"})
        while (left := started + SENDING_SECONDS - time.monotonic()) > 0:
            message = await listener.get_message(timeout=left)
            if message and is_farewell(message["data"], sid):
                return (time.monotonic() - started) * 1000
        return None

    async def join(self, count: int) -> None:
        """Connect further sockets, as far as they can be."""
        for _ in range(count):
            self.others.append(type(self.client)(reconnection=False))
            with contextlib.suppress(Exception):
                await self._open(self.others[-1], 1)

    async def publish(self, kind: str, channel: str, room: str) -> str:
        """Publish one event with a fresh nonce as another Open WebUI process would; returns the nonce.

        The nonce travels in no other way: who receives it has it from Valkey.
        """
        nonce = f"{kind}-{self.salt}-{os.urandom(8).hex()}"
        self.channel = channel
        message = event_for(room, nonce, self.salt)
        self.answer[f"{kind}_receivers"] = await self.connector.client.publish(channel, message)
        return nonce

    async def round(self, seconds: float) -> bool:
        """Publish decoys, a room event and a shared event; True when all that should arrive did."""
        room = self.client.get_sid("/")
        self.answer["attempts"] += 1
        # Inside `socketio#*`, so that a least-privilege account may publish it; nobody has that room.
        await self.publish("decoy", f"{CHANNEL}#/#decoy-{self.salt}", room)
        await self.publish("decoy", CHANNEL, f"decoy-{self.salt}")
        sent: dict[str, tuple[str, float]] = {}
        for kind, channel in (("room", f"{CHANNEL}#/#{room}"), ("shared", CHANNEL)):
            if kind == "shared" or self.answer["room_expected"]:
                before = time.monotonic()
                sent[kind] = (await self.publish(kind, channel, room), before)
        end = time.monotonic() + seconds
        while not all(nonce in self.arrived for nonce, _ in sent.values()) and time.monotonic() < end:
            self.arrival.clear()
            with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
                await asyncio.wait_for(self.arrival.wait(), max(end - time.monotonic(), 0.001))
        for kind, (nonce, before) in sent.items():
            if nonce in self.arrived:
                self.answer[f"{kind}_milliseconds"] = (self.arrived[nonce] - before) * 1000
        self.complete = all(nonce in self.arrived for nonce, _ in sent.values())
        if self.complete:
            await asyncio.sleep(DECOY_SECONDS)
        self.answer["decoy_received"] = any(nonce.startswith(f"decoy-{self.salt}") for nonce in self.arrived)
        return self.complete

    async def attempt(self, seconds: float) -> bool:
        """Connect if need be, then one round."""
        if not self.client.connected and not await self.connect(seconds):
            return False
        try:
            return await self.round(min(ROUND_SECONDS, seconds))
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
            if problem_of(error) == "acl":
                self.answer["denied"] = f"PUBLISH {self.channel}: {words_of(error)}"
            self.answer["error"] = f"publishing: {words_of(error)}"
            return False

    async def close(self) -> None:
        """Close every socket."""
        clients = (self.client, *self.others)
        closing = asyncio.gather(*(client.disconnect() for client in clients), return_exceptions=True)
        with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
            await asyncio.wait_for(closing, 1)


async def live(events: LiveEvents, *, hopeful: bool, patience: float) -> None:
    """Prove, or try until patience ends: after an outage of Valkey the app's listener backs off up to 60 s."""
    started = time.monotonic()
    if events.connector.answer["problem"] not in PUBLISHING:
        events.answer["error"] = "nothing can be published: the app's URL does not connect"
        await events.connect(IMPATIENT_SECONDS)
    else:
        room = f"{CHANNEL}#/#verification-{events.salt}"
        events.answer["denied"] = await events.connector.denied(room) if events.answer["room_expected"] else ""
        end = started + (patience if hopeful and not events.answer["denied"] else IMPATIENT_SECONDS)
        asked = False
        while not await events.attempt(min(end - time.monotonic(), CONNECT_SECONDS)):
            if not asked and not events.answer["denied"]:
                events.answer["denied"], asked = await events.connector.denied(CHANNEL), True
            if events.answer["denied"] or time.monotonic() + 0.2 >= end:
                break
            await asyncio.sleep(0.2)
    events.answer["seconds"] = time.monotonic() - started


async def connect_all(connectors: list[Connector]) -> None:
    """Try the URLs; a Valkey that is just starting is asked again for a few seconds."""
    end = time.monotonic() + REDIS_SECONDS
    await asyncio.gather(*(connector.connect() for connector in connectors))
    while any(connector.answer["problem"] in TRANSIENT for connector in connectors) and time.monotonic() < end:
        await asyncio.sleep(0.3)
        await asyncio.gather(*(c.connect() for c in connectors if c.answer["problem"] in TRANSIENT))
    await asyncio.gather(*(c.write() for c in connectors if c.client and c.answer["problem"] in PUBLISHING))


async def ask(answer: dict[str, Any], config: dict[str, Any]) -> None:
    """Answer every question; what is answered before an interruption stays in ``answer``."""
    import aiohttp  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - the app's library, not ours

    answer["process"], environment = app_environment()
    salt = str(config["salt"])
    answer["environment"] = {name: value for name, value in environment.items() if name in SHOWN}
    answer["environment"] |= {name: mask(environment[name]) for name in URLS if name in environment}
    answer["digests"] = {
        name: hmac.new(salt.encode(), value.encode(), hashlib.sha256).hexdigest() for name, value in environment.items()
    }
    connectors = [Connector(name, environment) for name in URLS]
    answer["connections"] = {name: connector.answer for name, connector in zip(URLS, connectors, strict=True)}
    reading = asyncio.create_task(asyncio.to_thread(schema, environment))
    address = f"http://127.0.0.1:{environment.get('PORT') or 8080}"
    timeout = aiohttp.ClientTimeout(total=HTTP_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        answers = asyncio.gather(*(get(session, address, path) for path in PATHS))
        opened = asyncio.ensure_future(upgrade(session, address, config["origin"])) if config["origin"] else None
        await connect_all(connectors)
        strangers = (it for it in connectors if it.client and leads_elsewhere(it.answer, config["valkey"]))
        await asyncio.gather(*(connector.identify() for connector in strangers))
        answer["http"] = dict(zip(PATHS, await answers, strict=True))
        if opened:
            answer["upgrade"] = await opened
    with contextlib.suppress(Exception):
        answer["schema"] = await asyncio.wait_for(reading, DATABASE_SECONDS + 1)
    events = LiveEvents(connectors[0], address, environment, salt)
    answer["live"] = events.answer
    workers = environment.get("UVICORN_WORKERS", "1")
    # Only a listener that could be backing off deserves patience.
    enabled = environment.get("ENABLE_WEBSOCKET_SUPPORT", "true").lower() == "true"
    manager = enabled and environment.get("WEBSOCKET_MANAGER", "") == "redis"
    well = answer["http"]["/health"].get("status") == OK and not connectors[0].answer["problem"]
    hopeful = manager and well and not is_fickle(connectors[0].answer, config["valkey"])
    await live(events, hopeful=hopeful, patience=float(config["patience"]))
    several = hopeful and workers.isdigit() and int(workers) > 1
    if several and not config["counts"]:
        await events.join(SOCKETS_EACH * int(workers))
    if connectors[0].client is not None and config["counts"]:
        processes = int(workers) * int(config["replicas"]) if workers.isdigit() else 0
        answer["subscribers"] = await events.reach(processes, several=several)
    # Only now: whoever counts the listeners would count this one.
    if hopeful and events.complete:
        await events.sends()
    if config["leave"]:
        keys = {f"verification:{os.urandom(8).hex()}": connector for connector in connectors if connector.client}
        seconds = int(config["patience"]) + KEY_SECONDS
        await asyncio.gather(*(connector.leave(key, seconds) for key, connector in keys.items()))
    await events.close()


async def ask_by_url(url: str, keys: list[tuple[int, str]]) -> dict[str, Any]:
    """What a Valkey says of itself to somebody with a URL: PING, who subscribes, its clients, INFO and its ACL LOG.

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
        "found": lambda: found(url, keys),
    }
    for name, question in questions.items():
        with contextlib.suppress(Exception):
            answer[name] = await asyncio.wait_for(question(), REDIS_SECONDS + 1)
    with contextlib.suppress(Exception):
        await client.aclose()
    return answer


async def found(url: str, keys: list[tuple[int, str]]) -> list[str]:
    """Which of the keys there were; they are no more."""
    from redis import asyncio as redis  # noqa: PLC0415 - see problem_of

    there = []
    for database in {database for database, _ in keys}:
        place = urlunsplit(urlsplit(url)._replace(path=f"/{database}"))
        async with redis.Redis.from_url(place, **redis_options({})) as client:
            there += [key for number, key in keys if number == database and await client.delete(key)]
    return there


async def main(config: dict[str, Any]) -> dict[str, Any]:
    """Ask within the time allowed; a question without an end leaves the others answered."""
    started = time.monotonic()
    answer: dict[str, Any] = {}
    with contextlib.suppress(TimeoutError, asyncio.TimeoutError):
        await asyncio.wait_for(ask(answer, config), float(config["patience"]) + 20)
    answer["seconds"] = time.monotonic() - started
    return answer


if __name__ == "__main__":
    _config = json.loads(sys.argv[1])
    signal.alarm(int(_config["patience"]) + 30)
    # Not an argument: everybody on the host sees those.
    _url = os.environ.get("VERIFICATION_VALKEY_URL", "")
    if "keys" in _config:
        _asked = ask_by_url(_url, _config["keys"])
    else:
        _asked = publish(_config["nonces"]) if "nonces" in _config else main(_config)
    sys.stdout.write(json.dumps(asyncio.run(_asked), default=str) + "\n")
    sys.stdout.flush()
    # Libraries leave sockets and executors behind; nothing of theirs is worth waiting for.
    os._exit(0)
