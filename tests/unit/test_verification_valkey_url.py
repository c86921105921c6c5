"""A Valkey asked by a URL: from where, and how its answers are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from docker_access.polling import Clock
from verification.ask import valkey_url
from verification.ask.docker_view import Executed
from verification.ask.valkey_client import SETTLE_SECONDS
from verification.ask.valkey_url import HERE, Keys, ask_by_url, ask_elsewhere, read_answer
from verification.evidence.inside import Connection, Probe
from verification.evidence.valkey import Denial
from verification.subject import Subject

PASSWORD = "hunter22"
URL = f"redis://:{PASSWORD}@valkey.example.org:6379/0"
LEFT = Connection(url="redis://:***@valkey:6379/3", left="open-webui:verification:0")
PROBES = {"open-webui": Probe(connections={"WEBSOCKET_REDIS_URL": LEFT, "REDIS_URL": Connection()})}
ANSWER: dict[str, Any] = {
    "problem": "",
    "error": "",
    "seconds": 0.01,
    "numsub": [["socketio", 2]],
    "clients": [{"addr": "10.0.0.3:5", "sub": "2"}, {"addr": "[fd00::4]:6", "sub": "1"}, {"addr": "h:7", "sub": "0"}],
    "info": {"valkey_version": "8.0.1", "maxmemory": 0, "db0": {"keys": 1}},
    "denials": [{"username": "u", "reason": "key", "object": "k", "count": 2, "age-seconds": "0.5", "entry-id": 1}],
    "found": ["open-webui:verification:0"],
}


@dataclass
class Docker:
    """A container that answers."""

    executed: Executed = field(default_factory=lambda: Executed(output=f"{json.dumps(ANSWER)}\n"))
    ran: list[tuple[str, list[str], Mapping[str, str]]] = field(default_factory=list)

    def execute(
        self, name: str, command: list[str], *, seconds: float, environment: Mapping[str, str] | None = None
    ) -> Executed:
        self.ran.append((name, command, environment or {}))
        return self.executed


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], list[Keys]]:
    """What is answered to this host; returns the keys it asked for."""

    def answering(answer: dict[str, Any]) -> list[Keys]:
        asked: list[Keys] = []

        def ask(_url: str, keys: Keys) -> dict[str, Any]:
            asked.append(keys)
            return answer

        monkeypatch.setattr(valkey_url, "from_here", ask)
        return asked

    return answering


def test_all_answers_are_read() -> None:
    found = read_answer(ANSWER, "redis://v", HERE)

    assert (found.container, found.name, found.client, found.answer) == (None, "redis://v", HERE, "PONG")
    assert (found.subscribers, found.subscriber_addresses) == (2, ("10.0.0.3", "fd00::4"))
    assert (found.version, found.info) == ("8.0.1", {"valkey_version": "8.0.1", "maxmemory": "0"})
    assert found.denials == (Denial(user="u", reason="key", what="k", count=2, age_seconds=0.5),)
    assert found.found == frozenset({"open-webui:verification:0"})


def test_what_is_refused_is_not_nothing() -> None:
    found = read_answer({"problem": "", "error": ""}, "redis://v", HERE)

    assert (found.subscribers, found.subscriber_addresses, found.denials, found.found) == (None, None, None, None)


def test_this_host_asks_first_and_for_what_the_apps_have_left(here: Callable[..., list[Keys]]) -> None:
    asked, docker = here(ANSWER), Docker()

    found = ask_by_url(docker, URL, PROBES)

    assert (found.client, found.url) == (HERE, "redis://:***@valkey.example.org:6379/0")
    assert asked == [[(3, "open-webui:verification:0")]]
    assert docker.ran == []


@pytest.mark.parametrize("problem", ["resolve", "refused", "timeout", "tls"])
def test_what_this_host_cannot_reach_is_asked_from_an_app(here: Callable[..., list[Keys]], problem: str) -> None:
    here({"problem": problem, "error": "Timeout connecting to server"})
    docker = Docker()

    found = ask_by_url(docker, URL, PROBES)

    assert (found.client, found.answer) == ("open-webui", "PONG")
    name, command, environment = docker.ran[0]
    assert (name, environment) == ("open-webui", {"VERIFICATION_VALKEY_URL": URL})
    assert PASSWORD not in " ".join(command)
    assert json.loads(command[3])["keys"] == [[3, "open-webui:verification:0"]]


@pytest.mark.parametrize(("problem", "error"), [("auth", "WRONGPASS"), ("timeout", "Timeout reading from valkey:6379")])
def test_one_that_is_reached_is_not_asked_from_elsewhere(
    here: Callable[..., list[Keys]], problem: str, error: str
) -> None:
    here({"problem": problem, "error": error})
    docker = Docker()

    assert ask_by_url(docker, URL, PROBES).problem == problem
    assert docker.ran == []


def test_without_an_app_that_answers_this_host_has_the_last_word(here: Callable[..., list[Keys]]) -> None:
    here({"problem": "refused", "error": "Connection refused"})

    found = ask_by_url(Docker(), URL, {"open-webui": Probe(problem="not-asked")})

    assert (found.client, found.problem, found.answer) == (HERE, "refused", "Connection refused")


@pytest.mark.parametrize(
    ("executed", "problem"),
    [(Executed(problem="timeout", error="no answer"), "timeout"), (Executed(exit_code=1, error="Traceback"), "failed")],
)
def test_an_app_that_cannot_ask_says_why(here: Callable[..., list[Keys]], executed: Executed, problem: str) -> None:
    here({"problem": "refused", "error": "x"})

    found = ask_by_url(Docker(executed=executed), URL, PROBES)

    assert (found.problem, found.answer) == (problem, executed.error)


def test_a_url_that_is_none_is_said_without_its_password() -> None:
    for url in (
        f"redis://:{PASSWORD[:4]}/{PASSWORD[4:]}@h:6379/0",
        f"http://:{PASSWORD}@h",
        f"redis://:{PASSWORD}@h:x",
    ):
        found = ask_by_url(Docker(), url, {})

        assert (found.problem, found.client) == ("scheme", HERE)
        assert PASSWORD[:4] not in f"{found.answer} {found.url}"
        assert PASSWORD[4:] not in f"{found.answer} {found.url}"


def test_asking_again_keeps_what_was_found_once(here: Callable[..., list[Keys]]) -> None:
    asked = here(ANSWER)
    docker: Any = Docker()
    time = [0.0]
    clock = Clock(now=lambda: time[0], sleep=lambda seconds: time.__setitem__(0, time[0] + seconds))

    found = ask_elsewhere(docker, URL, PROBES, 1, clock)

    assert time[0] == pytest.approx(SETTLE_SECONDS)
    assert asked[1:] == [[]] * (len(asked) - 1)
    assert found.found == frozenset({"open-webui:verification:0"})


def test_a_subject_shows_no_url() -> None:
    assert PASSWORD not in repr(Subject(apps=("a",), valkey_url=URL))
