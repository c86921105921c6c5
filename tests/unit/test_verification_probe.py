"""The parts of the probe that need no container."""

from __future__ import annotations

import ast
import asyncio
import importlib.util
import json
import sqlite3
import ssl
import sys
from contextlib import closing
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from redis import exceptions

from components.authority import generate
from tests.unit import passing_time
from verification.inside import live_events, probe, runner, sentinel
from verification.inside.connector import (
    REDIS_SECONDS,
    Connector,
    is_fickle,
    is_protected,
    leads_elsewhere,
    other_scheme_answers,
    redis_options,
)
from verification.inside.environment import APP_PROCESS, mask
from verification.inside.errors import one_line, problem_of
from verification.inside.live_events import LiveEvents
from verification.inside.probe import upgrade
from verification.inside.schema import database_url, migrations_in, panel, revisions_in, schema
from verification.inside.sentinel import NoPrimaryError, primary_address, sentinels_of

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("command", "is_app"),
    [
        ("/usr/bin/python3 /usr/local/bin/uvicorn open_webui.main:app --host 0.0.0.0", True),
        ("python3 -m uvicorn open_webui.main:app --forwarded-allow-ips 10.213.7.2", True),
        ("/usr/bin/python3 /usr/local/bin/open-webui serve", True),
        ("/sbin/docker-init -- sh -c . /run/secrets/open-webui.env; exec python3 -m uvicorn", False),
        ("/usr/bin/tini -- python3 -m uvicorn open_webui.main:app", False),
        ("sh -c set -a; . /run/secrets/open-webui.env; python3 -m uvicorn open_webui.main:app", False),
        ("/bin/bash /opt/open-webui/start.sh", False),
        ("sleep 3600", False),
    ],
)
def test_the_app_is_told_from_what_started_it(command: str, *, is_app: bool) -> None:
    assert bool(APP_PROCESS.search(command)) is is_app


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("redis://redis-valkey:6379/1", "redis://redis-valkey:6379/1"),
        ("redis://:hunter2@redis-valkey:6379/1", "redis://:***@redis-valkey:6379/1"),
        ("rediss://openwebui:hun@ter2@valkey/0", "rediss://openwebui:***@valkey/0"),
        (
            "redis://valkey/1?password=hunter2&ssl_ca_certs=/ca.pem",
            "redis://valkey/1?password=***&ssl_ca_certs=/ca.pem",
        ),
        ("redis://:hunt/er2@valkey:6379/1", "redis://***@valkey:6379/1"),
        ("redis://:hunter2#@valkey:6379/1", "redis://***@valkey:6379/1"),
        ("redis://:hunter2?@valkey:6379/1", "redis://***@valkey:6379/1"),
        ("redis://[fd00::3", "(not a URL)"),
        ("", ""),
    ],
)
def test_no_password_leaves_the_container(url: str, masked: str) -> None:
    assert mask(url) == masked


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (exceptions.AuthenticationError("invalid username-password pair or user is disabled."), "auth"),
        (exceptions.ResponseError("AUTH <password> called without any password configured"), "auth"),
        (exceptions.ResponseError("NOAUTH Authentication required."), "auth"),
        (exceptions.NoPermissionError("this user has no permissions to access one of the channels"), "acl"),
        (exceptions.ConnectionError("Error 111 connecting to v:6379. Connection refused."), "refused"),
        (
            exceptions.ConnectionError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1)"),
            "refused",
        ),
        (exceptions.ConnectionError("Error -2 connecting to v:6379. Name or service not known."), "resolve"),
        (exceptions.TimeoutError("Timeout reading from v:6379"), "timeout"),
        (TimeoutError(), "timeout"),
        (exceptions.ReadOnlyError("You can't write against a read only replica."), "readonly"),
        (
            exceptions.MasterDownError("Link with MASTER is down and replica-serve-stale-data is set to 'no'."),
            "readonly",
        ),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas to write."), "readonly"),
        (exceptions.OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), "oom"),
        (exceptions.ResponseError("MISCONF Valkey is configured to save RDB snapshots, but ..."), "persistence"),
        (exceptions.BusyLoadingError("Redis is loading the dataset in memory"), "loading"),
        (exceptions.ConnectionError("max number of clients reached"), "clients"),
        (exceptions.ConnectionError("[SSL: WRONG_VERSION_NUMBER] wrong version number"), "tls"),
        (exceptions.ConnectionError("Connection closed by server."), "other"),
    ],
)
def test_what_the_library_says_has_a_name(error: BaseException, problem: str) -> None:
    assert problem_of(error) == problem


def test_an_error_is_one_line_without_passwords() -> None:
    assert one_line(ValueError("cannot use\n redis://:hunter2@host")) == "cannot use redis://***@host"
    assert one_line(TimeoutError()) == "TimeoutError"
    assert one_line(ValueError("HELLO must be called with the client already authenticated")).startswith("NOAUTH")


def test_the_apps_own_options_are_used_with_short_timeouts() -> None:
    options = redis_options({"WEBSOCKET_REDIS_OPTIONS": '{"socket_timeout": null, "health_check_interval": 60}'})

    assert options == {
        "socket_timeout": REDIS_SECONDS, "socket_connect_timeout": REDIS_SECONDS, "health_check_interval": 60,
    }  # fmt: skip
    assert redis_options({"WEBSOCKET_REDIS_OPTIONS": "not JSON"}) == redis_options({})


def test_the_websocket_url_defaults_to_the_state_url_as_in_open_webui() -> None:
    only_state = {"REDIS_URL": "redis://valkey:6379/0"}

    assert Connector("WEBSOCKET_REDIS_URL", only_state).url == "redis://valkey:6379/0"
    assert Connector("REDIS_URL", {"WEBSOCKET_REDIS_URL": "redis://valkey:6379/1"}).url == ""


@pytest.mark.parametrize(
    ("scheme", "tls", "words"),
    [
        ("rediss", False, "Valkey speaks no TLS there: redis://"),
        ("redis", True, "Valkey speaks TLS there: rediss://"),
        ("redis", False, ""),
    ],
)
def test_a_url_that_is_wrong_about_tls_is_told_so(tmp_path: Path, scheme: str, tls: bool, words: str) -> None:  # noqa: FBT001
    context = None
    if tls:
        made = generate("valkey")
        for name in ("cert_pem", "key_pem"):
            (tmp_path / name).write_text(made[name], encoding="utf-8")
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tmp_path / "cert_pem", tmp_path / "key_pem")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"+PONG\r\n")
        await writer.drain()
        writer.close()

    async def ask() -> str:
        async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
            return await other_scheme_answers(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/1")

    assert asyncio.run(ask()) == words


class Sockets:
    """In place of python-socketio: a client of an app, and Valkey's PUBLISH that leads to it.

    Attributes:
        delivers: By a message's channel and room, after how many seconds it arrives; None for never.
        sent: Channel, room and nonce of each message.
    """

    def __init__(self, delivers: Callable[[str, str], float | None]) -> None:
        self.delivers = delivers
        self.sent: list[tuple[str, str, str]] = []
        self.received: Callable[[str], None] = lambda _nonce: None

    def on(self, _event: str, received: Callable[[str], None]) -> None:
        self.received = received

    def get_sid(self, _namespace: str) -> str:
        return "SID"

    async def publish(self, channel: str, text: str) -> int:
        message = json.loads(text)
        self.sent.append((channel, message["room"], message["data"][0]))
        after = self.delivers(channel, message["room"])
        if after is not None:
            asyncio.get_running_loop().call_later(after, self.received, message["data"][0])
        return 1


def rounds(
    monkeypatch: pytest.MonkeyPatch,
    delivers: Callable[[str, str], float | None],
    count: int = 1,
    seconds: float = 30,
) -> Any:
    """Play rounds of events; gives what was sent, what each round said, and what is answered."""
    sockets = Sockets(delivers)
    library = ModuleType("socketio")
    monkeypatch.setattr(library, "AsyncClient", lambda **_: sockets, raising=False)
    monkeypatch.setitem(sys.modules, "socketio", library)
    connector: Any = SimpleNamespace(client=sockets)

    async def play() -> tuple[list[bool], dict[str, Any]]:
        events = LiveEvents(connector, "http://app", {}, "salt")
        return [await events.round(seconds) for _ in range(count)], events.answer

    said, answer = passing_time.run(monkeypatch, live_events, play)
    return sockets.sent, said, answer


def right(channel: str, room: str) -> float | None:
    """As an app delivers that does it right."""
    return 0 if room == "SID" and channel in {"socketio", "socketio#/#SID"} else None


@pytest.mark.parametrize(
    ("addresses", "valkey", "elsewhere", "fickle"),
    [
        (["172.20.0.2"], ["172.20.0.2", "172.21.0.2"], False, False),
        (["172.20.0.2", "172.20.0.9"], ["172.20.0.2"], True, True),
        (["172.20.0.9"], ["172.20.0.2"], True, False),  # a port of the host's, or a proxy: it may be Valkey
        (["172.20.0.9"], [], False, False),  # a Valkey that is no container here
        (["127.0.0.1"], ["172.20.0.2"], False, False),  # containers may share one network namespace
        (["fe80::1%eth0"], ["fe80::1"], False, False),
        ([], ["172.20.0.2"], False, False),
    ],
)
def test_only_a_name_that_always_leads_to_one_place_deserves_patience(
    addresses: list[str], valkey: list[str], *, elsewhere: bool, fickle: bool
) -> None:
    assert leads_elsewhere({"addresses": addresses}, valkey) is elsewhere
    assert is_fickle({"addresses": addresses}, valkey) is fickle


def test_each_round_has_nonces_of_its_own_and_decoys_that_are_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    sent, said, answer = rounds(monkeypatch, right, 2)

    assert said == [True, True]
    assert len({nonce for _, _, nonce in sent}) == len(sent) == 8
    assert [(channel, room) for channel, room, _ in sent[:4]] == [
        ("socketio#/#decoy-salt", "SID"), ("socketio", "decoy-salt"), ("socketio#/#SID", "SID"), ("socketio", "SID"),
    ]  # fmt: skip
    assert (answer["decoy_received"], answer["attempts"]) == (False, 2)


@pytest.mark.parametrize("missing", ["socketio", "socketio#/#SID"])
def test_both_ways_are_needed(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    _, said, answer = rounds(monkeypatch, lambda channel, room: None if channel == missing else right(channel, room))

    assert said == [False]
    assert ("shared_milliseconds" in answer, "room_milliseconds" in answer) == (
        missing != "socketio",
        missing == "socketio",
    )


@pytest.mark.parametrize("decoy", [("socketio#/#decoy-salt", "SID"), ("socketio", "decoy-salt")])
def test_a_decoy_that_arrives_late_is_noticed(monkeypatch: pytest.MonkeyPatch, decoy: tuple[str, str]) -> None:
    _, _, answer = rounds(monkeypatch, lambda *to: 0.01 if to == decoy else right(*to))

    assert answer["decoy_received"]


def test_a_decoy_of_an_earlier_round_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    decoys = iter([0.0])

    def deliver(channel: str, room: str) -> float | None:
        return next(decoys, None) if "decoy" in room else right(channel, room)

    assert rounds(monkeypatch, deliver, 3)[2]["decoy_received"]


class Asking:
    """In place of python-socketio: a client that asks an app for documents, and what the app publishes over that.

    Attributes:
        answers: What the app publishes at the second question of a client, by its id.
    """

    answers: Callable[[str], list[Any]]
    published: ClassVar[list[Any]] = []
    count = 0

    def __init__(self, **_: object) -> None:
        Asking.count += 1
        self.sid, self.asked = f"SID-{Asking.count}", 0

    def on(self, *_: object) -> None: ...

    async def connect(self, *_: object, **__: object) -> None: ...

    def get_sid(self, _namespace: str) -> str:
        return self.sid

    async def emit(self, event: str, data: dict[str, str]) -> None:
        assert event == "ydoc:document:join"
        assert self.sid in data["document_id"]
        self.asked += 1
        if self.asked == 2:
            self.published.extend(type(self).answers(self.sid))


class Listening:
    """In place of a subscription at Valkey."""

    def __init__(self, *, refused: bool) -> None:
        self.refused, self.closed = refused, False

    async def subscribe(self, channel: str) -> None:
        assert channel == "socketio"
        if self.refused:
            raise exceptions.NoPermissionError("this user has no permissions to access one of the channels")

    async def get_message(self, *, timeout: float) -> dict[str, Any] | None:  # noqa: ASYNC109 - as redis calls it
        if Asking.published:
            return {"data": Asking.published.pop(0)}
        await asyncio.sleep(timeout)
        return None

    async def aclose(self) -> None:
        self.closed = True


def sending(
    monkeypatch: pytest.MonkeyPatch, answers: Callable[[str], list[Any]], *, refused: bool = False
) -> dict[str, Any]:
    """What is answered of an app that publishes this for a client that asks twice."""
    library = ModuleType("socketio")
    monkeypatch.setattr(library, "AsyncClient", Asking, raising=False)
    monkeypatch.setitem(sys.modules, "socketio", library)
    monkeypatch.setattr(Asking, "answers", staticmethod(answers), raising=False)
    monkeypatch.setattr(Asking, "published", [])
    monkeypatch.setattr(Asking, "count", 0)
    listening = Listening(refused=refused)
    connector: Any = SimpleNamespace(client=SimpleNamespace(pubsub=lambda **_: listening))

    async def play() -> dict[str, Any]:
        events = LiveEvents(connector, "http://app", {}, "salt")
        await events.provoke_sending()
        return events.answer

    answer = passing_time.run(monkeypatch, live_events, play)
    assert listening.closed
    return dict(answer)


def farewell(sid: str) -> bytes:
    return json.dumps({"method": "disconnect", "sid": sid, "namespace": "/", "host_id": "1"}).encode()


def test_a_process_that_bids_a_client_farewell_on_valkey_publishes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = [b"\x80pickled", b"[1]", b'{"method": "emit"}', farewell("another")]

    assert sending(monkeypatch, lambda sid: [*noise, farewell(sid)])["sent_milliseconds"] >= 0


def test_it_is_tried_again_where_the_first_question_was_answered_before_the_second_came(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer = sending(monkeypatch, lambda sid: [farewell(sid)] if sid == "SID-3" else [])

    assert "sent_milliseconds" in answer


def test_a_process_that_publishes_nothing_is_not_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "sent_milliseconds" not in sending(monkeypatch, lambda _: [])
    assert Asking.count == 1 + 3, "the client of the live event, and three tries"


def test_where_nobody_may_listen_nothing_is_said_of_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = sending(monkeypatch, lambda sid: [farewell(sid)], refused=True)

    assert "sent_milliseconds" not in answer
    assert "no permissions" in answer["sending_error"]


@pytest.mark.parametrize(
    ("counts", "several", "seen"),
    [
        ([2, 2, 1], False, 1),  # another replica's probe was listening too
        ([2] * 400, False, 2),
        ([1], False, 1),
        ([1, 2], True, 2),
        ([None], False, None),
    ],
)
def test_listeners_are_counted_until_they_are_as_many_as_processes(
    monkeypatch: pytest.MonkeyPatch,
    counts: list[int | None],
    several: bool,  # noqa: FBT001
    seen: int | None,
) -> None:
    library = ModuleType("socketio")
    monkeypatch.setattr(library, "AsyncClient", Asking, raising=False)
    monkeypatch.setitem(sys.modules, "socketio", library)
    left = list(counts)

    async def numsub(_channel: str) -> list[tuple[str, int]]:
        if (count := left.pop(0)) is None:
            raise exceptions.NoPermissionError("no")
        return [("socketio", count)]

    connector: Any = SimpleNamespace(client=SimpleNamespace(pubsub_numsub=numsub))

    async def play() -> int | None:
        return await LiveEvents(connector, "http://app", {}, "salt").count_listeners(
            2 if several else 1, several=several
        )

    assert passing_time.run(monkeypatch, live_events, play) == seen


class Writing:
    """In place of the redis library: takes keys, or refuses a command."""

    def __init__(self, refused: str = "", error: Exception | None = None) -> None:
        self.refused, self.error = refused, error
        self.queue: list[str] = []
        self.ran: list[str] = []

    def pipeline(self, *, transaction: bool) -> Writing:
        assert not transaction
        return self

    def execute_command(self, command: str, *_words: object) -> None:
        self.queue.append(command)

    async def execute(self, *, raise_on_error: bool) -> list[Any]:
        assert not raise_on_error
        ran, self.queue = self.queue, []
        self.ran += ran
        if self.refused == "all":
            raise exceptions.ConnectionError("Connection closed by server.")
        return [self.error if command == self.refused else 1 for command in ran]


NOPERM = exceptions.NoPermissionError("User app has no permissions to run this command")


def written(client: Writing, **environment: str) -> dict[str, Any]:
    connector = Connector("REDIS_URL", environment)
    connector.client = client
    asyncio.run(connector.write())
    return connector.answer


def test_what_is_written_on_trial_is_deleted() -> None:
    client = Writing()

    assert written(client)["write_problem"] == ""
    assert client.ran[-1] == "HDEL"
    assert client.ran.index("DEL", client.ran.index("SET")) < client.ran.index("HSET")


@pytest.mark.parametrize("command", ["DEL", "HDEL"])
def test_where_nothing_may_be_deleted_nothing_is_written(command: str) -> None:
    client = Writing(command, NOPERM)

    assert written(client)["write_problem"] == "acl"
    assert not {"SET", "HSET"} & set(client.ran)


@pytest.mark.parametrize("command", ["SET", "GET", "EVAL", "DEL", "HSET", "HGET", "HDEL"])
def test_a_refused_write_names_command_and_key(command: str) -> None:
    answer = written(Writing(command, NOPERM), REDIS_KEY_PREFIX="team")

    assert answer["write_error"].startswith(f"{command} team:verification:")


def test_a_valkey_that_hangs_up_over_a_write_is_named() -> None:
    answer = written(Writing("all"))

    assert (answer["write_problem"], answer["write_error"].split()[0]) == ("other", "HDEL")


def asked_of(*, refuses: bool = False, silent: bool = False) -> dict[str, Any]:
    """What an app answers to a websocket from https://chat.test, over real sockets."""

    async def connected(request: web.Request) -> web.StreamResponse:
        assert request.headers["Origin"] == "https://chat.test"
        if refuses:
            return web.Response(status=403)
        opened = web.WebSocketResponse()
        await opened.prepare(request)
        if not silent:
            await opened.send_str('0{"sid":"x"}')
        await opened.receive()
        return opened

    async def ask() -> dict[str, Any]:
        app = web.Application()
        app.router.add_get("/ws/socket.io/", connected)
        async with TestServer(app) as server, ClientSession() as session:
            return await upgrade(session, f"http://127.0.0.1:{server.port}", "https://chat.test")

    return asyncio.run(ask())


def test_the_app_is_asked_for_a_websocket_as_a_page_of_the_url() -> None:
    answer = asked_of()

    assert (answer["status"], answer["body"]) == (101, '0{"sid":"x"}')


def test_an_app_that_refuses_the_origin_says_with_what() -> None:
    assert asked_of(refuses=True)["status"] == 403


def test_a_websocket_on_which_the_app_says_nothing_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "HTTP_SECONDS", 0.2)

    answer = asked_of(silent=True)

    assert "status" not in answer
    assert answer["error"]


# --- Sentinel ---------------------------------------------------------------------------------------------------------


def test_sentinels_are_read_as_open_webui_reads_them() -> None:
    environment = {"WEBSOCKET_SENTINEL_HOSTS": "one, two,", "REDIS_SENTINEL_HOSTS": "three", "REDIS_SENTINEL_PORT": "1"}

    assert sentinels_of("WEBSOCKET_REDIS_URL", environment) == [("one", 26379), ("two", 26379)]
    assert sentinels_of("REDIS_URL", environment) == [("three", 1)]
    assert sentinels_of("REDIS_URL", {}) == []


@pytest.mark.parametrize(
    ("environment", "cluster"),
    [
        ({"REDIS_CLUSTER": "true"}, True),
        ({"REDIS_CLUSTER": "true", "WEBSOCKET_REDIS_CLUSTER": "false"}, False),
        ({"WEBSOCKET_REDIS_CLUSTER": "True"}, True),
        ({}, False),
    ],
)
def test_live_events_go_to_a_cluster_where_the_state_does_unless_said_otherwise(
    environment: dict[str, str], *, cluster: bool
) -> None:
    assert Connector("WEBSOCKET_REDIS_URL", environment).cluster is cluster


def primary_of(monkeypatch: pytest.MonkeyPatch, *answers: Any, url: str = "redis://:p%40ss@mymaster:6379/1") -> Any:
    """What one Sentinel's answers come to, asked with an account and without; and with what it was asked."""
    left, asked = list(answers), []

    async def ask(place: tuple[str, int], login: dict[str, Any], name: str) -> Any:
        asked.append((place, login, name))
        if isinstance(answer := left.pop(0), Exception):
            raise answer
        return answer

    monkeypatch.setattr(sentinel, "ask_sentinel", ask)
    return asyncio.run(primary_address([("sentinel", 26379)], url, {})), asked


NO_PASSWORD = exceptions.AuthenticationError("AUTH <password> called without any password configured")


def test_a_sentinel_is_asked_with_the_urls_account_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    found, asked = primary_of(monkeypatch, NO_PASSWORD, ["172.20.0.2", "6379"])

    assert found == ("172.20.0.2", 6379)
    assert asked == [
        (("sentinel", 26379), {"username": None, "password": "p@ss"}, "mymaster"),
        (("sentinel", 26379), {}, "mymaster"),
    ]


@pytest.mark.parametrize(
    ("answers", "problem", "words"),
    [
        ((NO_PASSWORD, None), "no-primary", "knows no primary called 'mymaster'"),
        ((exceptions.ConnectionError("refused"),) * 2, "sentinel", "no Sentinel answers at sentinel:26379: refused"),
        ((TimeoutError(),) * 2, "sentinel", "TimeoutError"),
        ((exceptions.AuthenticationError("WRONGPASS"),) * 2, "unsupported", "Sentinel at sentinel:26379: WRONGPASS"),
    ],
)
def test_a_sentinel_that_names_no_primary_says_why(
    monkeypatch: pytest.MonkeyPatch, answers: tuple[Any, ...], problem: str, words: str
) -> None:
    with pytest.raises(NoPrimaryError, match=words) as refusal:
        primary_of(monkeypatch, *answers)

    assert refusal.value.problem == problem


# --- protected mode ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [b"-DENIED Valkey is running in protected mode because ...\r\n", b"", b"-ERR no\r\n"])
def test_a_valkey_in_protected_mode_says_so_before_it_is_asked(said: bytes) -> None:
    async def play() -> bool:
        async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(said)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            return await is_protected(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")

    assert asyncio.run(play()) is (b"protected mode" in said)


# --- the schema -------------------------------------------------------------------------------------------------------

MIGRATIONS = {
    "first.py": "revision: str = 'a1'\ndown_revision: str | None = None\n",
    "left.py": 'revision = "b1"\ndown_revision = "a1"  # not "zz"\n',
    "right.py": "revision: str = 'b2'\ndown_revision: Union[str, None] = 'a1'\n",
    "merge.py": "revision = 'c1'\ndown_revision = (\n    'b1',\n    'b2',\n)\nbranch_labels = None\n",
}


def test_the_head_of_migrations_is_the_one_that_none_comes_after(tmp_path: Path) -> None:
    for name, text in MIGRATIONS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    assert migrations_in(tmp_path) == ({"a1", "b1", "b2", "c1"}, {"c1"})
    (tmp_path / "merge.py").unlink()
    assert migrations_in(tmp_path) == ({"a1", "b1", "b2"}, {"b1", "b2"})
    assert migrations_in(tmp_path / "nowhere") == (set(), set())


def test_a_database_is_found_as_open_webui_finds_it() -> None:
    package = Path("/app/backend/open_webui")
    parts = {f"DATABASE_{name}": name.lower() for name in ("USER", "PASSWORD", "HOST", "PORT", "NAME")}

    assert database_url({}, package) == "sqlite:////app/backend/data/webui.db"
    assert database_url({"FROM_INIT_PY": "true"}, package) == "sqlite:////app/backend/open_webui/data/webui.db"
    assert database_url({"DATA_DIR": "/data"}, package) == "sqlite:////data/webui.db"
    assert database_url({"DATABASE_URL": "postgres://db/chat"}, package) == "postgres://db/chat"
    assert database_url(parts, package) == "sqlite:////app/backend/data/webui.db"
    assert database_url({**parts, "DATABASE_TYPE": "postgresql"}, package) == (
        "postgresql://user:password@host:port/name"
    )


def test_a_databases_revision_is_read_and_nothing_is_made(tmp_path: Path) -> None:
    file = tmp_path / "web ui.db"
    with closing(sqlite3.connect(file)) as database:
        database.executescript("CREATE TABLE alembic_version (version_num VARCHAR(32)); ")
        database.execute("INSERT INTO alembic_version VALUES ('c1')")
        database.commit()

    assert revisions_in(f"sqlite:///{file}", "a schema that only Postgres has") == ["c1"]
    with pytest.raises(sqlite3.OperationalError):
        revisions_in(f"sqlite:///{tmp_path}/none.db", "")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(ValueError, match=r"^$"):
        revisions_in("sqlite+sqlcipher:////data/webui.db", "")


def test_what_the_stack_file_says_is_compared_with_the_table_and_no_value_is_told(tmp_path: Path) -> None:
    place = {"DATA_DIR": str(tmp_path)}
    assert panel(place) == {"settings": {}}
    said = {"ui.enable_signup": False, "openai.api_keys": ["sk-1"], "user.permissions/chat/delete": True}
    rows = [{"place": key.split("/"), "value": value, "variables": ["DATA_DIR"]} for key, value in said.items()]
    rows.append({"place": ["gone"], "value": 1, "variables": ["GONE"]})
    (tmp_path / ".stack-settings.json").write_text(json.dumps(rows), encoding="utf-8")
    assert panel(place) == {"settings": {}, "error": "the table of settings could not be read (OperationalError)"}
    with closing(sqlite3.connect(tmp_path / "webui.db")) as database:
        database.execute("CREATE TABLE config (key TEXT PRIMARY KEY, value JSON)")
        table = {"ui.enable_signup": "false", "openai.api_keys": '["sk-2"]', "user.permissions": '{"chat": 1}'}
        database.executemany("INSERT INTO config VALUES (?, ?)", table.items())
        database.commit()

    otherwise = ["openai.api_keys", "user.permissions.chat.delete"]
    assert panel(place) == {"settings": {}, "said": 3, "otherwise": otherwise}
    assert panel(place, ("openai.api_keys", "none"))["settings"] == {"openai.api_keys": ["sk-2"]}


def test_postgres_is_asked_in_a_transaction_that_only_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[Any] = []
    rows = SimpleNamespace(execute=said.append, fetchall=lambda: [("c1",)])
    library = ModuleType("psycopg2")

    def connect(url: str, **_options: Any) -> Any:
        said.append(url)
        return SimpleNamespace(cursor=lambda: rows, close=lambda: said.append("closed"))

    monkeypatch.setattr(library, "connect", connect, raising=False)
    monkeypatch.setattr(library, "__spec__", SimpleNamespace(name="psycopg2"), raising=False)
    monkeypatch.setitem(sys.modules, "psycopg2", library)

    assert revisions_in("postgresql+psycopg2://u:p@db/chat", "mine") == ["c1"]
    assert said == [
        "postgresql://u:p@db/chat",
        "SET TRANSACTION READ ONLY",
        'SELECT version_num FROM "mine".alembic_version',
        "closed",
    ]


def test_an_apps_schema_is_told_with_what_its_image_leads_to_and_no_words_of_a_library(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "app/backend/open_webui"
    (package / "migrations/versions").mkdir(parents=True)
    for name, text in MIGRATIONS.items():
        (package / "migrations/versions" / name).write_text(text, encoding="utf-8")
    found = SimpleNamespace(submodule_search_locations=[str(package)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: found)
    (tmp_path / "data").mkdir()
    with closing(sqlite3.connect(tmp_path / "data/webui.db")) as database:
        database.executescript("CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('b1')")
    environment = {"DATA_DIR": str(tmp_path / "data")}

    assert schema(environment) == {"revisions": ["b1"], "heads": ["c1"], "known": True}
    unreachable = schema({"DATABASE_URL": "sqlite:////nowhere/secret-4711.db"})
    assert unreachable == {"error": "the database could not be asked (OperationalError)"}
    (tmp_path / "app/.env").touch()
    assert ".env" in schema(environment)["error"]


# --- one text ---------------------------------------------------------------------------------------------------------

PROGRAMS = ["probe", "publish", "valkey_by_url", "app_valkey_urls", "account_probe"]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_and_what_it_imports_are_one_text_that_stands_alone(program: str) -> None:
    names: dict[str, Any] = {"__name__": "alone"}
    exec(compile(runner.source(program), program, "exec"), names)  # noqa: S102 - as the container does

    module = importlib.import_module(f"verification.inside.{program}")
    assert {name for name in vars(module) if not name.startswith("__")} <= names.keys()


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_name_means_two_things_in_it_and_one_program_is_run(program: str) -> None:
    statements = ast.parse(runner.source(program)).body
    defined = [
        node.name for node in statements if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    defined += [
        node.target.id for node in statements if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]

    assert sorted(defined) == sorted(set(defined))
    assert [type(node) for node in statements].count(ast.If) == 1
