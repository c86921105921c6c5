"""The account's probe over replicas that answer what they are told: it names what failed and leaves nothing behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from tests.unit import passing_time
from verification.inside import account_probe
from verification.inside.account_probe import Account, Replica, run


class Database:
    """The chats, tokens and sockets all replicas share."""

    def __init__(self) -> None:
        self.chats: dict[str, dict[str, Any]] = {}
        self.tokens: set[str] = set()
        self.replicas: list[Fake] = []


class Fake(Replica):
    """A replica that answers by itself; ``broken`` holds a status by method and last word of the path."""

    late = 0.0
    """Seconds an event is on its way."""

    def __init__(self, name: str, database: Database, broken: dict[str, int]) -> None:
        super().__init__(name, f"http://{name}:8080")
        self.database, self.broken = database, broken
        self.deaf = False
        database.replicas.append(self)

    async def ask(self, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
        word = path.partition("?")[0].rstrip("/").rpartition("/")[2]
        if status := self.broken.get(f"{method} {word}"):
            return status, {"detail": "no"}
        if word != "signin" and token not in self.database.tokens:
            return 401, {"detail": "401"}
        answer: Any = getattr(self, word, dict)() if word != "new" else self.new(body["chat"]["title"])
        if word == "event":
            self.event(body)
        if method == "DELETE":
            self.database.chats.pop(word, None)
        if word == "new" and "never answers" in self.broken:
            await asyncio.sleep(3600)
        return 200, "keeps chats" not in self.broken if method == "DELETE" else answer

    def signin(self) -> dict[str, str]:
        self.database.tokens.add("token")
        return {"token": "token"}

    def signout(self) -> None:
        self.database.tokens.clear()
        for other in self.database.replicas:
            if "stays connected" not in other.broken:
                other.dropped.set()

    def chats(self) -> list[dict[str, Any]]:
        return list(self.database.chats.values())

    def new(self, title: str) -> dict[str, Any]:
        self.database.chats["1"] = {"id": "1", "title": title, "created_at": time.time()}
        return self.database.chats["1"]

    def event(self, body: Any = None) -> None:
        for other in self.database.replicas:
            if body and not other.deaf:
                asyncio.get_running_loop().call_later(other.late, other._received, {"data": body})

    async def open_socket(self, token: str) -> bool:
        self.dropped.clear()
        return token in self.database.tokens


Asked = Callable[..., dict[str, Any]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    def ask(
        database: Database,
        first: dict[str, int] | None = None,
        second: dict[str, int] | None = None,
        *,
        deaf: bool = False,
    ) -> dict[str, Any]:
        replicas = [Fake("app-1", database, first or {}), Fake("app-2", database, second or {})]
        replicas[1].deaf = deaf

        async def answer() -> dict[str, Any]:
            return await run(Account(list(replicas)), "admin@example.org", "secret")

        return passing_time.run(monkeypatch, account_probe, answer)

    return ask


def test_events_and_sign_out_are_proved_and_nothing_stays(asked: Asked) -> None:
    database = Database()

    answer = asked(database)

    assert (answer["problem"], answer["pairs"], answer["left"]) == ("", 2, "")
    assert not any(answer[name] for name in ("strangers", "silent", "accepting", "connected"))
    assert (database.chats, database.tokens) == ({}, set())


def test_a_replica_that_gets_no_event_is_named_and_nothing_stays(asked: Asked) -> None:
    database = Database()

    answer = asked(database, deaf=True)

    assert answer["silent"] == ["app-1 to app-2"]
    assert (database.chats, database.tokens) == ({}, set())


def test_an_event_that_arrives_after_the_next_one_was_posted_has_arrived(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Fake, "late", account_probe.ROUND_SECONDS + 0.1)

    assert asked(Database())["silent"] == []


def test_a_replica_that_does_not_know_the_token_is_named_and_nothing_stays(asked: Asked) -> None:
    database = Database()

    answer = asked(database, second={"GET auths": 401})

    assert answer["strangers"] == ["app-2"]
    assert (database.chats, database.tokens) == ({}, set())


def test_a_replica_that_takes_the_token_of_who_has_signed_out_is_named(asked: Asked) -> None:
    database = Database()

    assert asked(database, second={"GET auths": 200})["accepting"] == ["app-2"]


def test_a_replica_that_keeps_the_socket_of_who_has_signed_out_is_named(asked: Asked) -> None:
    assert asked(Database(), second={"stays connected": 1})["connected"] == ["app-2"]


def test_a_request_that_fails_is_quoted_and_nothing_stays(asked: Asked) -> None:
    database = Database()

    answer = asked(database, second={"POST event": 500})

    assert answer["problem"] == "api"
    assert answer["error"].startswith("app-2: POST /api/v1/chats/1/messages/")
    assert answer["error"].endswith("/event answers 500 no")
    assert (database.chats, database.tokens) == ({}, set())


def test_a_chat_whose_making_was_never_answered_is_found_and_deleted(asked: Asked) -> None:
    database = Database()

    answer = asked(database, first={"never answers": 1})

    assert (answer["problem"], answer["error"]) == ("api", f"not done after {account_probe.ASK_SECONDS:.0f} s")
    assert (database.chats, database.tokens, answer["left"]) == ({}, set(), "")


def test_a_chat_that_may_be_made_yet_is_told_by_its_title(asked: Asked) -> None:
    answer = asked(Database(), first={"POST new": 500})

    assert (answer["problem"], answer["error"]) == ("api", "app-1: POST /api/v1/chats/new answers 500 no")
    assert account_probe.TITLE.fullmatch(answer["left"])


@pytest.mark.parametrize("fault", ["DELETE 1", "keeps chats"])
def test_a_chat_that_cannot_be_deleted_is_told_by_its_title(asked: Asked, fault: str) -> None:
    answer = asked(Database(), first={fault: 500})

    assert answer["problem"] == "api"
    assert account_probe.TITLE.fullmatch(answer["left"])


def test_a_chat_that_a_killed_probe_left_behind_is_deleted_and_no_other(asked: Asked) -> None:
    database = Database()
    database.chats = {
        "a": {"id": "a", "title": f"verification {'0' * 32}", "created_at": time.time() - 61},
        "b": {"id": "b", "title": f"verification {'1' * 32}", "created_at": time.time()},
        "c": {"id": "c", "title": "verification of my taxes", "created_at": 1},
    }

    asked(database)

    assert set(database.chats) == {"b", "c"}


@pytest.mark.parametrize(
    ("status", "problem"), [(400, "refused"), (403, "refused"), (429, "rate-limited"), (500, "api")]
)
def test_a_sign_in_that_is_refused_is_told_from_one_that_fails(asked: Asked, status: int, problem: str) -> None:
    answer = asked(Database(), first={"POST signin": status})

    assert (answer["problem"], answer["error"]) == (problem, f"app-1: POST /api/v1/auths/signin answers {status} no")


def test_an_account_is_taken_from_the_process_that_was_given_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBUI_ADMIN_EMAIL", "admin@example.org")
    monkeypatch.setenv("WEBUI_ADMIN_PASSWORD", "secret")

    assert account_probe.credentials() == ("admin@example.org", "secret")


def test_a_replica_without_an_address_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_probe, "credentials", lambda: ("admin@example.org", "secret"))

    answer = asyncio.run(account_probe.main({"replicas": {"app-1": "http://127.0.0.1:8080", "app-2": ""}}))

    assert answer == {"problem": "out-of-reach", "error": "app-1 shares no network with app-2"}


def test_without_an_account_nothing_is_asked(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_probe, "credentials", lambda: ("", ""))

    assert asyncio.run(account_probe.main({"replicas": {"app-1": "http://127.0.0.1:8080"}})) == {"problem": "none"}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"detail": "no"}, "no"),
        ({"next_step": "mfa"}, "mfa"),
        ({"detail": [{"msg": "not an e-mail", "input": {"password": "secret"}}]}, ""),
        ("Internal Server Error", ""),
    ],
)
def test_what_was_sent_is_not_repeated(answer: Any, words: str) -> None:
    assert account_probe.detail_in(answer) == words
