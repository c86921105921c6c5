"""Waiting and asking, over a Docker made of recorded answers and a clock that jumps."""

from __future__ import annotations

import json
import socket
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from docker_access.background import bounded
from docker_access.polling import Clock
from verification.ask import through_url
from verification.ask.connectivity import TRIES, TRY
from verification.ask.docker_view import CouldNotAsk, Executed
from verification.ask.observe import ask_app as run_probe
from verification.ask.observe import observe, secrets_in_files
from verification.ask.readiness import HEALTH, READY, require, wait_until_ready
from verification.ask.through_url import ask_url
from verification.ask.valkey_client import ask_valkey as run_ping
from verification.ask.valkey_client import ping, read_statistics, statistics_of
from verification.evidence.container import Container, Image
from verification.evidence.inside import Schema
from verification.evidence.url import HttpAnswer
from verification.inside.runner import source
from verification.run import verify
from verification.subject import AccountFile, Isolation, Login, Subject
from verification.subject import PublishedPort as Place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from verification.evidence import Evidence
    from verification.evidence.valkey import Valkey

SUBJECT = Subject(apps=("open-webui",), valkey="redis-valkey", wait_seconds=30)
FIVE_SECONDS = {"Interval": 5_000_000_000, "Timeout": 5_000_000_000}
NUMSUB = "socketio\n1\n---\nid=7 addr=172.20.0.3:50312 laddr=172.20.0.2:6379 name= db=0 sub=2 psub=0\n"
NUMSUB += "id=8 addr=172.20.0.9:1 laddr=172.20.0.2:6379 db=0 sub=0 psub=0\n---\n# Server\nvalkey_version:8.0.1\n"

LOGIN = Login(user="verify", password_file="/run/secrets/verify")
KINDS = {HEALTH: "health", READY: "ready", TRY: "reach"}
KINDS |= {ping(login): "ping" for login in (None, LOGIN)}
KINDS |= {statistics_of(login): "statistics" for login in (None, LOGIN)}
KINDS |= {source("account_probe"): "account"}

PROBED = {
    "process": "process 1 (uvicorn)",
    "environment": {"WEBSOCKET_MANAGER": "redis", "UVICORN_WORKERS": "1"},
    "connections": {"WEBSOCKET_REDIS_URL": {"url": "redis://v:6379/1", "host": "v", "addresses": ["172.20.0.2"]}},
    "http": {"/health": {"status": 200, "body": "{}", "seconds": 0.01}},
    "live": {"connected": True, "room_milliseconds": 0.7, "shared_milliseconds": 0.6, "unheard_of": 1},
    "subscribers": 1,
    "schema": {"revisions": ["a"], "heads": ["a"], "known": True},
    "seconds": 0.4,
}


def inspected(status: str = "running", health: str = "healthy", restarts: int = 0) -> dict[str, Any]:
    state = {"Status": status, "StartedAt": "2026-11-23T04:00:00.1Z", "ExitCode": 0, "Health": {"Status": health}}
    return {
        "Id": "0123456789abcdef",
        "State": state,
        "RestartCount": restarts,
        "Image": "sha256:1",
        "NetworkSettings": {"Networks": {"net": {"IPAddress": "172.20.0.2"}}},
    }


@dataclass
class Docker:
    """Answers in order, the last one for good."""

    states: dict[str, list[dict[str, Any]]] = field(
        default_factory=lambda: {"open-webui": [inspected()], "redis-valkey": [inspected()]}
    )
    health: list[int] = field(default_factory=lambda: [0])
    ready: int = 0
    ping: Executed = field(default_factory=lambda: Executed(output="redis-cli\nPONG\n"))
    probe: Executed = field(default_factory=lambda: Executed(output=json.dumps(PROBED)))
    numsub: list[str] = field(default_factory=lambda: [NUMSUB])
    ran: list[str] = field(default_factory=list)
    running_beside: list[str] = field(default_factory=list)
    commands: list[list[str]] = field(default_factory=list)
    reached: list[Executed] = field(default_factory=lambda: [Executed(output="172.20.0.3 8080\n")])
    networks: dict[str, bool] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    account: list[dict[str, Any]] = field(default_factory=lambda: [{"problem": "none"}])
    environments: list[Mapping[str, str] | None] = field(default_factory=list)

    def close(self) -> None:
        pass

    def names(self) -> list[str]:
        return sorted(self.states)

    def container(self, name: str) -> Container:
        answers = self.states[name]
        return Container(name=name, inspect=answers.pop(0) if len(answers) > 1 else answers[0])

    def siblings(self, container: Container) -> list[str]:
        return self.running_beside

    def image(self, container: Container) -> Image | None:
        return Image(reference="image:1", id="sha256:1", version="1", origin="pulled")

    def internal(self, network: str) -> bool:
        return self.networks.get(network, False)

    def read_file(self, name: str, path: str) -> str | None:
        return self.files.get(f"{name}:{path}")

    def read_files(self, name: str, path: str) -> list[str]:
        return [text for place, text in self.files.items() if place.startswith(f"{name}:{path}")]

    def through(self, name: str, host: str, port: int) -> AbstractContextManager[socket.socket]:
        raise OSError(f"{name}: {host}:{port}")

    def log_tail(self, name: str) -> tuple[str, ...]:
        return (f"last words of {name}",)

    def last_exit(self, container: Container) -> int | None:
        return 3

    def logged(self, container: Container, line: str, *, within_seconds: int) -> bool | None:
        return True

    def execute(
        self, name: str, command: list[str], *, seconds: float, environment: Mapping[str, str] | None = None
    ) -> Executed:
        kind = KINDS.get(command[2], "probe")
        self.ran.append(kind)
        self.commands.append(command)
        if kind == "account":
            self.environments.append(environment)
            return Executed(output=json.dumps(self.account.pop(0) if len(self.account) > 1 else self.account[0]))
        if kind == "reach":
            return self.reached.pop(0) if len(self.reached) > 1 else self.reached[0]
        if kind == "health":
            return Executed(exit_code=self.health.pop(0) if len(self.health) > 1 else self.health[0])
        if kind == "ready":
            return Executed(exit_code=self.ready)
        if kind == "statistics":
            return Executed(output=self.numsub.pop(0) if len(self.numsub) > 1 else self.numsub[0])
        return self.ping if kind == "ping" else self.probe


class Jumping:
    """A clock whose sleeps take no time."""

    def __init__(self) -> None:
        self.time = 0.0

    def clock(self) -> Clock:
        return Clock(now=lambda: self.time, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@pytest.fixture
def jumping() -> Jumping:
    return Jumping()


def waited(docker: Docker, jumping: Jumping) -> list[str]:
    said: list[str] = []
    wait_until_ready(docker, SUBJECT, said.append, jumping.clock())
    return said


def test_healthy_containers_are_not_waited_for(jumping: Jumping) -> None:
    assert waited(Docker(), jumping) == []
    assert jumping.time == 0


def test_progress_is_told_at_once_and_then_every_few_seconds(jumping: Jumping) -> None:
    docker = Docker(health=[22])
    docker.states["open-webui"] = [inspected(health="starting")] * 48 + [inspected()]

    said = waited(docker, jumping)

    assert said[0] == "open-webui: starting, 0 s (health: starting)"
    assert said[1:] == [f"open-webui: starting, {seconds} s (health: starting)" for seconds in (4, 8)]


def test_an_app_that_answers_is_ready_before_dockers_next_healthcheck(jumping: Jumping) -> None:
    docker = Docker(health=[22, 22, 0])
    docker.states["open-webui"] = [inspected(health="starting")]

    waited(docker, jumping)

    # Three questions, a second apart, the first when it can have booted.
    assert jumping.time == pytest.approx(6, abs=0.5)


def test_an_app_without_a_healthcheck_is_asked_itself(jumping: Jumping) -> None:
    docker = Docker(health=[7, 0])
    docker.states["open-webui"] = [inspected(health="none")]

    waited(docker, jumping)

    assert docker.ran == ["health", "health"]


def test_without_curl_and_healthcheck_the_probe_is_left_to_find_out(jumping: Jumping) -> None:
    docker = Docker(health=[127])
    docker.states["open-webui"] = [inspected(health="none")]

    waited(docker, jumping)

    assert jumping.time == 0


def test_an_unhealthy_app_that_is_well_by_now_is_given_until_docker_asks_again(jumping: Jumping) -> None:
    docker = Docker()
    docker.states["open-webui"] = [{**inspected(health="unhealthy"), "Config": {"Healthcheck": FIVE_SECONDS}}]

    waited(docker, jumping)

    assert jumping.time == pytest.approx(10, abs=1.5)


def test_an_app_that_turns_healthy_meanwhile_is_waited_for_no_longer(jumping: Jumping) -> None:
    docker = Docker()
    docker.states["open-webui"] = [inspected(health="unhealthy")] * 3 + [inspected()]

    waited(docker, jumping)

    assert jumping.time < 2


def test_an_unhealthy_app_that_answers_but_is_not_ready_is_judged_at_once(jumping: Jumping) -> None:
    docker = Docker(ready=22)
    docker.states["open-webui"] = [inspected(health="unhealthy")]

    waited(docker, jumping)

    assert jumping.time < 2


def test_an_unhealthy_valkey_that_answers_something_else_than_pong_is_judged_at_once(jumping: Jumping) -> None:
    docker = Docker(ping=Executed(exit_code=1, output="redis-cli\nNOAUTH Authentication required.\n"))
    docker.states["redis-valkey"] = [inspected(health="unhealthy")]

    waited(docker, jumping)

    assert jumping.time < 2


@pytest.mark.parametrize("status", ["exited", "dead", "restarting", "paused", "created", "missing"])
def test_a_container_that_has_ended_is_not_waited_for(jumping: Jumping, status: str) -> None:
    docker = Docker(health=[22])
    docker.states["open-webui"] = [inspected(health="starting")] * 3 + [inspected(status=status)]

    waited(docker, jumping)

    assert jumping.time < 1


def test_a_container_that_docker_had_to_start_again_is_not_waited_for(jumping: Jumping) -> None:
    docker = Docker(health=[22])
    docker.states["open-webui"] = [inspected(health="starting", restarts=2)] * 3 + [
        inspected(health="starting", restarts=3)
    ]

    waited(docker, jumping)

    assert jumping.time < 1


def test_a_valkey_without_a_healthcheck_is_ready_when_it_answers_anything(jumping: Jumping) -> None:
    docker = Docker(ping=Executed(output="redis-cli\nNOAUTH Authentication required.\n", exit_code=1))
    docker.states["redis-valkey"] = [inspected(health="none")]

    waited(docker, jumping)

    assert jumping.time == 0


def test_a_name_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(CouldNotAsk, match="no container named 'nobody'; there are: open-webui, redis-valkey"):
        require(Docker(), Subject(apps=("nobody",), valkey="redis-valkey"))


def test_the_migration_container_must_exist_too() -> None:
    with pytest.raises(CouldNotAsk, match="'migration'"):
        require(Docker(), Subject(apps=("open-webui",), valkey="redis-valkey", migration="migration"))


def test_but_one_that_the_apps_followed_may_be_pruned() -> None:
    docker = Docker()
    docker.states["open-webui"] = [{**inspected(), "Config": {"Labels": {"pulumi.schema-id": "s1"}}}]
    require(docker, Subject(apps=("open-webui",), valkey="redis-valkey", migration="migration"))


def valkey_in(seen: Evidence) -> Valkey:
    assert seen.valkey is not None
    return seen.valkey


def valkey_container_in(seen: Evidence) -> Container:
    container = valkey_in(seen).container
    assert container is not None
    return container


def test_everything_is_asked_once(jumping: Jumping) -> None:
    docker = Docker()

    seen = observe(docker, SUBJECT, print, jumping.clock())

    assert sorted(docker.ran) == ["account", "ping", "probe", "statistics"]
    assert seen.apps[0].probe.live.received
    assert seen.apps[0].probe.connections["WEBSOCKET_REDIS_URL"].addresses == ("172.20.0.2",)
    assert seen.apps[0].probe.schema == Schema(revisions=("a",), heads=("a",))
    assert seen.apps[0].log_line is True
    found = valkey_in(seen)
    assert (found.client, found.answer) == ("redis-cli", "PONG")
    assert (found.subscribers, found.subscriber_addresses) == (1, ("172.20.0.3",))
    assert found.version == "8.0.1"


def test_behind_a_container_that_has_ended_nothing_is_probed(jumping: Jumping) -> None:
    docker = Docker(ping=Executed(problem="not-running"))
    docker.states["redis-valkey"] = [inspected(status="exited", health="unhealthy")]

    seen = observe(docker, SUBJECT, print, jumping.clock())

    assert "probe" not in docker.ran
    assert seen.apps[0].probe.error == "redis-valkey does not run"
    assert valkey_container_in(seen).log_tail == ("last words of redis-valkey",)


def test_a_container_that_docker_starts_again_meanwhile_does_not_pass_as_running(jumping: Jumping) -> None:
    docker = Docker()
    docker.states["redis-valkey"] = [inspected(restarts=2), inspected(restarts=3)]

    seen = valkey_container_in(observe(docker, SUBJECT, print, jumping.clock()))

    assert seen.unsteady
    assert seen.last_exit == 3


def test_a_number_of_subscribers_that_settles_is_waited_for(jumping: Jumping) -> None:
    docker = Docker(numsub=[NUMSUB.replace("socketio\n1", "socketio\n2"), NUMSUB])

    seen = observe(docker, SUBJECT, print, jumping.clock())

    assert valkey_in(seen).subscribers == 1
    assert docker.ran.count("statistics") == 2


def test_a_number_of_subscribers_that_stays_wrong_is_taken_as_it_is(jumping: Jumping) -> None:
    docker = Docker(numsub=[NUMSUB.replace("socketio\n1", "socketio\n2")])

    assert valkey_in(observe(docker, SUBJECT, print, jumping.clock())).subscribers == 2


@pytest.mark.parametrize(
    ("executed", "problem", "words"),
    [
        (Executed(problem="paused", error="is paused"), "paused", "is paused"),
        (Executed(exit_code=1, error="ModuleNotFoundError: No module named 'socketio'"), "failed", "No module named"),
        (Executed(output="not JSON"), "failed", "not JSON"),
    ],
)
def test_a_probe_without_an_answer_says_why(executed: Executed, problem: str, words: str) -> None:
    found = run_probe(Docker(probe=executed), SUBJECT, "open-webui", {"salt": "salt", "valkey": []})

    assert found.problem == problem
    assert words in found.error


@pytest.mark.parametrize(("exit_code", "problem"), [(0, ""), (1, ""), (124, "timeout"), (127, "no-client")])
def test_the_exit_code_of_ping_tells_only_whether_it_ran(exit_code: int, problem: str) -> None:
    assert run_ping(Docker(ping=Executed(exit_code=exit_code)), "redis-valkey", None).problem == problem


def asked() -> Valkey:
    return run_ping(Docker(), "redis-valkey", None)


def test_statistics_that_are_refused_are_not_zero() -> None:
    refused = "NOPERM this user has no permissions\n\n---\nNOPERM\n\n---\nNOPERM\n"

    found = read_statistics(asked(), Executed(output=refused))

    assert (found.subscribers, found.subscriber_addresses, found.version) == (None, None, "")


def test_subscribers_over_ipv6_and_a_redis_are_read_too() -> None:
    text = "socketio\n1\n---\nid=7 addr=[fd00::3]:50312 laddr=x:1 sub=1 psub=0\n---\nredis_version:7.4.2\n"

    found = read_statistics(asked(), Executed(output=text))

    assert (found.subscriber_addresses, found.version) == (("fd00::3",), "7.4.2")


def test_docker_not_answering_is_an_unknown_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")

    report = verify(SUBJECT, print)

    assert report["verdict"] == "unknown"
    assert report["checks"][0]["cause"] == "docker-unreachable"
    assert "systemctl start docker" in report["checks"][0]["fix"]


def test_a_sound_view_is_proved_in_one_pass(jumping: Jumping) -> None:
    probed = json.loads(json.dumps(PROBED))
    probed["connections"]["REDIS_URL"] = probed["connections"]["WEBSOCKET_REDIS_URL"]
    probed["http"] |= {
        "/ready": {"status": 200},
        "/api/version": {"status": 200, "body": '{"version":"0.12.4"}'},
    }
    docker = Docker(
        probe=Executed(output=json.dumps(probed)), numsub=[NUMSUB.replace("addr=172.20.0.3", "addr=172.20.0.2")]
    )

    report = verify(SUBJECT, print, connect=lambda: docker, clock=jumping.clock())

    assert report["verdict"] == "proved", report["summary"]
    assert report["images"]["open-webui"] == {
        "reference": "image:1", "id": "sha256:1", "version": "1", "origin": "pulled",
    }  # fmt: skip


def hang() -> None:
    import threading  # noqa: PLC0415 - only to hang

    threading.Event().wait()


def fail() -> None:
    raise ValueError("as it is")


@pytest.mark.parametrize(("call", "error"), [(hang, TimeoutError), (fail, ValueError)])
def test_a_bounded_call_ends(call: Callable[[], None], error: type[Exception]) -> None:
    with pytest.raises(error):
        bounded(call, 0.05)


def behind_gateway() -> Docker:
    docker = Docker(
        probe=Executed(output=json.dumps(PROBED)), networks={"data": True}, files={"gateway:/ca.pem": "a PEM text"}
    )
    on = {"app": {"edge": "172.20.0.3", "data": "10.0.0.3"}, "valkey": {"data": "10.0.0.4"}, "postgres": {"data": ""}}
    for name in ("app", "valkey", "postgres", "gateway"):
        networks = {net: {"IPAddress": address} for net, address in on.get(name, {"edge": "172.20.0.2"}).items()}
        docker.states[name] = [{**inspected(), "NetworkSettings": {"Networks": networks}}]
    return docker


BEHIND_GATEWAY = Subject(
    apps=("app",),
    valkey="valkey",
    postgres="postgres",
    gateway="gateway",
    valkey_login=LOGIN,
    isolation=Isolation(edge="edge", private=("valkey", "postgres")),
    app_user="openwebui",
    wait_seconds=30,
)


def test_postgres_and_the_gateway_are_waited_for(jumping: Jumping) -> None:
    docker = behind_gateway()
    sound = docker.states["postgres"][0]
    docker.states["postgres"] = [inspected(health="starting")] * 9 + [sound]

    wait_until_ready(docker, BEHIND_GATEWAY, print, jumping.clock())

    assert jumping.time == pytest.approx(2.25)


def test_an_unhealthy_postgres_is_given_one_healthcheck_to_become_well(jumping: Jumping) -> None:
    docker = behind_gateway()
    docker.states["postgres"] = [{**inspected(health="unhealthy"), "Config": {"Healthcheck": FIVE_SECONDS}}]

    wait_until_ready(docker, BEHIND_GATEWAY, print, jumping.clock())

    assert jumping.time == pytest.approx(10, abs=1.5)


def test_what_is_waited_for_is_said_as_it_is(jumping: Jumping) -> None:
    docker = behind_gateway()
    docker.states["postgres"] = [{**inspected(health="unhealthy"), "Config": {"Healthcheck": FIVE_SECONDS}}]
    said: list[str] = []

    wait_until_ready(docker, BEHIND_GATEWAY, said.append, jumping.clock())

    assert said[0] == "postgres: unhealthy so far, waiting for its next healthcheck, 0 s"


def test_where_not_even_a_replica_answers_it_is_tried_again(jumping: Jumping) -> None:
    docker = behind_gateway()
    docker.reached = [Executed()]

    reach = observe(docker, BEHIND_GATEWAY, print, jumping.clock()).connectivity

    assert reach is not None
    assert (docker.ran.count("reach"), reach.control) == (TRIES, ())


def test_what_is_to_be_isolated_and_has_no_gateway_to_try_it_from_is_not_passed_over(jumping: Jumping) -> None:
    reach = observe(behind_gateway(), replace(BEHIND_GATEWAY, gateway=""), print, jumping.clock()).connectivity

    assert reach is not None
    assert "no gateway was named" in reach.error


def test_behind_a_postgres_that_has_ended_nothing_is_probed(jumping: Jumping) -> None:
    docker = behind_gateway()
    docker.states["postgres"] = [inspected(status="exited")]

    seen = observe(docker, BEHIND_GATEWAY, print, jumping.clock())

    assert "probe" not in docker.ran
    assert seen.apps[0].probe.error == "postgres does not run"
    assert seen.connectivity is None


def test_without_a_valkey_here_only_the_apps_are_asked(jumping: Jumping) -> None:
    docker = Docker()

    seen = observe(docker, Subject(apps=("open-webui",)), print, jumping.clock())

    assert sorted(docker.ran) == ["account", "probe"]
    assert seen.valkey is None


@pytest.mark.parametrize(("login", "counts"), [(None, True), (LOGIN, False)])
def test_the_apps_account_asks_who_listens_only_where_nobody_else_can(login: Login | None, *, counts: bool) -> None:
    docker = behind_gateway()

    run_probe(docker, replace(BEHIND_GATEWAY, valkey_login=login), "app", {"salt": "salt", "valkey": []})

    assert json.loads(docker.commands[-1][3])["counts"] is counts


def test_the_apps_are_told_where_valkey_is(jumping: Jumping) -> None:
    docker = Docker()

    observe(docker, SUBJECT, print, jumping.clock())

    told = next(command[3] for command in docker.commands if command[0] == "python3" and '"patience"' in command[3])
    assert json.loads(told)["valkey"] == ["172.20.0.2"]


def test_what_the_gateways_network_reaches_is_tried_at_every_address_and_name(jumping: Jumping) -> None:
    docker = behind_gateway()

    reach = observe(docker, BEHIND_GATEWAY, print, jumping.clock()).connectivity

    assert reach is not None
    words = next(command for command in docker.commands if command[2] == TRY)[4:]
    assert list(zip(words[::2], words[1::2], strict=True)) == [
        ("10.0.0.4", "6379"), ("valkey", "6379"), ("postgres", "5432"), ("172.20.0.3", "8080"),
    ]  # fmt: skip
    assert (reach.answered, reach.control) == ((), ("app (172.20.0.3:8080)",))
    assert (reach.tried, reach.internal, reach.error) == (3, {"data": True}, "")


def test_what_answers_from_there_is_named(jumping: Jumping) -> None:
    docker = behind_gateway()
    docker.reached = [Executed(output="10.0.0.4 6379\n172.20.0.3 8080\n")]

    reach = observe(docker, BEHIND_GATEWAY, print, jumping.clock()).connectivity

    assert reach is not None
    assert reach.answered == ("valkey (10.0.0.4:6379)",)


def test_what_answers_once_only_while_docker_makes_a_network_of_anybodys_is_not_exposed(jumping: Jumping) -> None:
    docker = behind_gateway()
    docker.reached = [Executed(output="10.0.0.4 6379\n172.20.0.3 8080\n"), Executed(output="172.20.0.3 8080\n")]

    reach = observe(docker, BEHIND_GATEWAY, print, jumping.clock()).connectivity

    assert reach is not None
    assert (docker.ran.count("reach"), reach.answered, reach.control) == (2, (), ("app (172.20.0.3:8080)",))


def test_a_replica_that_is_not_reached_from_there_is_tried_again_and_named(jumping: Jumping) -> None:
    docker = behind_gateway()
    docker.states["second"] = [inspected()]
    subject = replace(BEHIND_GATEWAY, apps=("app", "second"))

    reach = observe(docker, subject, print, jumping.clock()).connectivity

    assert reach is not None
    assert (docker.ran.count("reach"), reach.missed) == (TRIES, ("second",))


@pytest.mark.parametrize(
    ("executed", "words"),
    [
        (Executed(exit_code=127), "gateway has no nc"),
        (Executed(exit_code=126), "gateway has no sh"),
        (Executed(problem="timeout", error="no answer within 8 s"), "gateway: no answer within 8 s"),
    ],
)
def test_what_could_not_be_tried_from_there_says_why(jumping: Jumping, executed: Executed, words: str) -> None:
    docker = behind_gateway()
    docker.reached = [executed]

    reach = observe(docker, BEHIND_GATEWAY, print, jumping.clock()).connectivity

    assert reach is not None
    assert reach.error == words


class Endpoint:
    """A public endpoint that answers in order, the last answer for good."""

    def __init__(self, *health: HttpAnswer) -> None:
        self.health = list(health)
        self.asked: list[str] = []
        self.ca: list[str] = []
        self.inside: list[Any] = []

    def __call__(self, *, url: str, published: object, ca: str, inside: Any) -> Endpoint:
        self.ca.append(ca)
        self.inside.append(inside)
        return self

    def get(self, path: str) -> HttpAnswer:
        self.asked.append(path)
        if path != "/health":
            return HttpAnswer(status=200)
        return self.health.pop(0) if len(self.health) > 1 else self.health[0]

    def upgrade(self, origin: str) -> HttpAnswer:
        self.asked.append(origin)
        return HttpAnswer(status=101, body="0{}")


WITH_DOOR = replace(BEHIND_GATEWAY, url="https://chat.test:8443/", ca="/ca.pem")


def asked_at(
    door: Endpoint, monkeypatch: pytest.MonkeyPatch, subject: Subject, docker: Docker, clock: Clock
) -> through_url.UrlAnswers:
    monkeypatch.setattr(through_url, "PublicEndpoint", door)
    return ask_url(docker, subject, clock)


def test_a_gateway_that_has_not_found_its_replicas_yet_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, jumping: Jumping
) -> None:
    door = Endpoint(HttpAnswer(error="refused"), HttpAnswer(status=503), HttpAnswer(status=200))

    asked_at(door, monkeypatch, WITH_DOOR, behind_gateway(), jumping.clock())

    assert door.asked[:3] == ["/health"] * 3
    assert sorted(door.asked[3:]) == ["/api/version", "/ready", "https://chat.test:8443", "https://elsewhere.invalid"]
    assert door.ca[-1] == "a PEM text"


def test_a_gateway_that_finds_none_is_asked_for_a_bounded_time(
    monkeypatch: pytest.MonkeyPatch, jumping: Jumping
) -> None:
    asked_at(Endpoint(HttpAnswer(status=503)), monkeypatch, WITH_DOOR, behind_gateway(), jumping.clock())

    assert jumping.time == pytest.approx(through_url.GATEWAY_SECONDS, abs=1)


def test_without_a_gateway_the_url_is_asked_once(monkeypatch: pytest.MonkeyPatch, jumping: Jumping) -> None:
    door = Endpoint(HttpAnswer(error="refused"))

    asked_at(door, monkeypatch, replace(WITH_DOOR, gateway="", ca=""), behind_gateway(), jumping.clock())

    assert door.asked == ["/health"]


def published_at(docker: Docker, name: str, port: int) -> None:
    network = docker.states[name][0]["NetworkSettings"]
    network["Ports"] = {"443/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}], "80/tcp": None}


FOR_ITSELF = replace(WITH_DOOR, door=Place(address="127.0.0.1", port=8443))
UNREACHED = HttpAnswer(error="the Docker host's own", out_of_reach=True)


def test_what_is_published_for_the_docker_host_alone_is_asked_from_inside_an_app(
    monkeypatch: pytest.MonkeyPatch, jumping: Jumping
) -> None:
    docker, door = behind_gateway(), Endpoint(UNREACHED, HttpAnswer(status=503), HttpAnswer(status=200))
    published_at(docker, "gateway", 8443)

    found = asked_at(door, monkeypatch, FOR_ITSELF, docker, jumping.clock())

    assert found.answers["/health"].status == 200
    assert found.asked == "from inside app, at 172.20.0.2:443: the Docker host's own"
    assert door.inside[0] is None
    for asked in door.inside[1:]:
        with pytest.raises(OSError, match=r"^app: 172\.20\.0\.2:443$"):
            asked()


@pytest.mark.parametrize(
    ("at", "port"),
    [("127.0.0.1", None), ("127.0.0.1", 9443), ("0.0.0.0", 8443), ("192.0.2.1", 8443)],  # noqa: S104 - publishes nothing
)
def test_what_no_container_publishes_and_what_is_for_others_too_stays_unasked(
    monkeypatch: pytest.MonkeyPatch, jumping: Jumping, at: str, port: int | None
) -> None:
    docker, door = behind_gateway(), Endpoint(UNREACHED)
    if port:
        published_at(docker, "gateway", port)

    found = asked_at(door, monkeypatch, replace(WITH_DOOR, door=Place(address=at, port=8443)), docker, jumping.clock())

    assert found.answers["/health"].out_of_reach
    assert (found.asked, door.inside) == ("", [None])


def test_what_is_out_of_reach_from_inside_too_is_asked_no_more(
    monkeypatch: pytest.MonkeyPatch, jumping: Jumping
) -> None:
    docker, door = behind_gateway(), Endpoint(UNREACHED)
    published_at(docker, "gateway", 8443)

    assert asked_at(door, monkeypatch, FOR_ITSELF, docker, jumping.clock()).answers["/health"].out_of_reach
    assert door.asked == ["/health", "/health"]


def test_a_certificate_from_a_public_authority_is_given_longer(
    monkeypatch: pytest.MonkeyPatch, jumping: Jumping
) -> None:
    door = Endpoint(HttpAnswer(error="tlsv1 alert internal error"))

    asked_at(door, monkeypatch, replace(WITH_DOOR, ca=""), behind_gateway(), jumping.clock())

    assert jumping.time == pytest.approx(through_url.CERTIFICATE_SECONDS, abs=1)
    assert set(door.asked) == {"/health"}


@pytest.mark.parametrize(("file", "seconds"), [({}, 14), ({"gateway:/ca.pem": "a PEM text"}, 0)])
def test_a_certificate_is_waited_for_only_while_its_authority_is_not_there(
    monkeypatch: pytest.MonkeyPatch, jumping: Jumping, file: dict[str, str], seconds: int
) -> None:
    docker = behind_gateway()
    docker.files = file

    asked_at(Endpoint(HttpAnswer(error="not trusted", untrusted=True)), monkeypatch, WITH_DOOR, docker, jumping.clock())

    assert jumping.time == pytest.approx(seconds, abs=1)


SOUND = {"problem": "", "pairs": 1, "silent": [], "strangers": [], "accepting": [], "connected": [], "left": ""}


def test_an_account_in_a_file_is_handed_over_where_docker_does_not_show_it(jumping: Jumping) -> None:
    docker = Docker(account=[SOUND])
    docker.files["migration:/migration/account.env"] = (
        "WEBUI_ADMIN_EMAIL=admin@example.org\nWEBUI_ADMIN_NAME='A B'\nWEBUI_ADMIN_PASSWORD='don'\"'\"'t tell'\n"
    )
    file = AccountFile(container="migration", path="/migration/account.env")

    seen = observe(docker, replace(SUBJECT, account=file), print, jumping.clock())

    assert seen.account.sound
    assert docker.environments == [{"WEBUI_ADMIN_EMAIL": "admin@example.org", "WEBUI_ADMIN_PASSWORD": "don't tell"}]
    assert "tell" not in json.dumps([words for words in docker.commands if words[0] == "python3"][-1][3])


def test_a_file_without_an_account_is_named(jumping: Jumping) -> None:
    docker = Docker()
    docker.files["migration:/migration/account.env"] = "WEBUI_ADMIN_EMAIL=admin@example.org\n"
    file = AccountFile(container="migration", path="/migration/account.env")

    seen = observe(docker, replace(SUBJECT, account=file), print, jumping.clock())

    assert (seen.account.problem, "account" in docker.ran) == ("none", False)
    assert "/migration/account.env of migration" in seen.account.error


@pytest.mark.parametrize(
    ("first", "questions"),
    [
        ({"silent": ["open-webui to open-webui"]}, 2),
        ({"problem": "api", "error": "POST answers 500"}, 2),
        ({"problem": "refused"}, 1),
        ({"problem": "rate-limited"}, 1),
        ({"strangers": ["open-webui"]}, 1),
        ({"accepting": ["open-webui"]}, 1),
        ({"connected": ["open-webui"]}, 1),
        ({}, 1),
    ],
)
def test_what_may_have_been_a_passing_thing_is_asked_once_more(
    first: dict[str, Any], questions: int, jumping: Jumping
) -> None:
    docker = Docker(account=[SOUND | first, SOUND])

    observe(docker, SUBJECT, print, jumping.clock())

    assert docker.ran.count("account") == questions


def test_an_account_is_not_asked_again_where_no_live_event_arrives(jumping: Jumping) -> None:
    silent = PROBED | {"live": {"connected": True}}
    docker = Docker(account=[SOUND | {"silent": ["a to b"]}], probe=Executed(output=json.dumps(silent)))

    observe(docker, SUBJECT, print, jumping.clock())

    assert docker.ran.count("account") == 1


def test_replicas_are_connected_to_where_the_first_one_reaches_them(jumping: Jumping) -> None:
    docker = Docker()
    networks = {"edge": {"IPAddress": "172.20.0.7"}, "other": {"IPAddress": "172.21.0.7"}}
    docker.states["app-1"] = [inspected() | {"NetworkSettings": {"Networks": {"edge": {"IPAddress": "172.20.0.6"}}}}]
    docker.states["app-2"] = [
        inspected() | {"NetworkSettings": {"Networks": networks}, "Config": {"Env": ["PORT=8081"]}}
    ]

    observe(docker, replace(SUBJECT, apps=("app-1", "app-2")), print, jumping.clock())

    asked = next(json.loads(words[3]) for words in docker.commands if KINDS.get(words[2]) == "account")
    assert asked == {"replicas": {"app-1": "http://127.0.0.1:8080", "app-2": "http://172.20.0.7:8081"}}


def test_a_replica_on_no_network_of_the_first_has_no_address(jumping: Jumping) -> None:
    docker = Docker()
    for name in ("app-1", "app-2"):
        docker.states[name] = [
            inspected() | {"NetworkSettings": {"Networks": {f"net-{name}": {"IPAddress": "172.20.0.7"}}}}
        ]

    observe(docker, replace(SUBJECT, apps=("app-1", "app-2")), print, jumping.clock())

    asked = next(json.loads(words[3]) for words in docker.commands if KINDS.get(words[2]) == "account")
    assert asked == {"replicas": {"app-1": "http://127.0.0.1:8080", "app-2": ""}}


@pytest.mark.parametrize(
    ("url", "gateway", "between"),
    [
        ("http://127.0.0.1:3000", "", False),
        ("http://172.20.0.3:8080", "", False),
        ("http://chat.example.org", "", True),
        ("https://chat.example.org:3000", "", True),
        ("http://127.0.0.1:3000", "caddy", True),
    ],
)
def test_whether_something_stands_before_the_app_is_told_by_the_url(url: str, gateway: str, *, between: bool) -> None:
    settings = {
        "Networks": {"net": {"IPAddress": "172.20.0.3"}},
        "Ports": {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": "3000"}]},
    }
    app = Container(name="app", inspect={"NetworkSettings": settings})

    assert through_url.has_proxy(Subject(apps=("app",), url=url, gateway=gateway), [app]) is between


def test_what_stands_in_the_containers_files_is_known_for_a_secret() -> None:
    docker = Docker(
        files={
            "open-webui:/run/secrets/open-webui.env": "OPENAI_API_KEYS='sk-first-one;sk-second-one'\n",
            "redis-valkey:/run/secrets/verify": "p4ss-of-verify",
            "redis-valkey:/etc/password": "p4ss-of-valkey",
            "redis-valkey:/etc/valkey.conf": "n0ne-of-these",
            "migration:/migration/account.env": "WEBUI_ADMIN_PASSWORD='p4ss-of-admin'\n",
            "redis-valkey:/etc/url": "redis://me:p4ss-of-url@host",
            "redis-valkey:/var/log/valkey": "what-stands-in-a-log",
        }
    )
    docker.states["redis-valkey"] = [inspected() | {"Config": {"Env": [
        "VALKEY_PASSWORD_FILE=/etc/password", "REDIS_URL_FILE=/etc/url", "LOG_FILE=/var/log/valkey",
    ]}}]  # fmt: skip
    subject = Subject(
        apps=("open-webui",), valkey="redis-valkey",
        account=AccountFile(container="migration", path="/migration/account.env"),
    )  # fmt: skip

    found = secrets_in_files(docker, subject)

    assert found >= {
        "sk-first-one",
        "sk-second-one",
        "p4ss-of-verify",
        "p4ss-of-valkey",
        "p4ss-of-admin",
        "p4ss-of-url",
    }
    assert not found & {"n0ne-of-these", "what-stands-in-a-log"}
