"""Gathers the evidence: waits until the containers answer, then asks all at once, each question bounded in time."""

from __future__ import annotations

import re
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from threading import Thread
from typing import Any, Final, Protocol, TypeVar
from urllib.parse import urlsplit

from docker_access import redaction
from verification.ask.account import ask_account
from verification.ask.docker_view import CouldNotAsk
from verification.ask.from_inside import Inside, way_inside
from verification.ask.front_door import DEFAULT_PORTS, FOREIGN_ORIGIN, FrontDoor, origin_of
from verification.ask.reach import ask_reach
from verification.ask.valkey_client import ping, read_statistics, statistics_of
from verification.ask.valkey_url import ask_by_url
from verification.checks.evidence import (
    Account,
    App,
    Container,
    Evidence,
    HttpAnswer,
    IdleSocket,
    Image,
    Page,
    Probe,
    Valkey,
)
from verification.checks.finding import UPDATE
from verification.inside import runner as inside
from verification.subject import Login, Subject

LOG_LINE: Final = "Using Redis to manage websockets."
LOG_LINE_SECONDS: Final = 300
"""How long after its start Open WebUI may take to print it."""

LIVE_SECONDS: Final = 75.0
"""How long live events are waited for: after an outage of Valkey the app's listener backs off up to 60 s.

Source: https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/socket/redis_room_channels.py
"""

PROBE_MARGIN_SECONDS: Final = 25.0
VALKEY_SECONDS: Final = 8.0
DOOR_SETTLE_SECONDS: Final = 14.0
"""How long a gateway may take to find its replicas healthy after they answer: ours avoids one that failed for 10 s."""
CERTIFICATE_SECONDS: Final = 30.0
"""How long a gateway may take to have its certificate from a public authority."""
SUBSCRIBERS_SETTLE_SECONDS: Final = 3.0
"""How long a number of subscribers that is not the expected one is asked again: connections close a little late."""
POLL_SECONDS: Final = 0.25
ANSWER_POLL_SECONDS: Final = 1.0
BOOT_SECONDS: Final = 4.0
"""Open WebUI never answers sooner, and each question takes CPU time from its boot."""
PROGRESS_SECONDS: Final = 4.0
PATHS: Final = ("/health", "/ready", "/api/version")
PASSING: Final = frozenset({0, 502, 503, 504})
"""What a gateway answers that has no replica to hand a request to, yet."""

HEALTH: Final = 'curl --noproxy "*" -fsS -m 2 -o /dev/null "http://127.0.0.1:${PORT:-8080}/health"'
READY: Final = HEALTH.replace("/health", "/ready")

Progress = Callable[[str], None]
_T = TypeVar("_T")


class View(inside.View, Protocol):
    """What the observer asks of Docker; :class:`verification.ask.docker_view.DockerView` in earnest."""

    def close(self) -> None:
        """Close the connections to the daemon."""

    def names(self) -> list[str]:
        """Names of all containers."""

    def container(self, name: str) -> Container:
        """One container."""

    def siblings(self, container: Container) -> list[str]:
        """Names of running containers of the same stack and role."""

    def image(self, container: Container) -> Image | None:
        """Its image."""

    def internal(self, network: str) -> bool:
        """Whether a network has no way out of this host."""

    def read_file(self, name: str, path: str) -> str | None:
        """Text of a file in a container."""

    def read_files(self, name: str, path: str) -> list[str]:
        """Texts of a file, or of all files below a folder, in a container."""

    def through(self, name: str, host: str, port: int) -> AbstractContextManager[socket.socket]:
        """A TCP connection from inside a container."""

    def log_tail(self, name: str) -> tuple[str, ...]:
        """Its last log lines."""

    def last_exit(self, container: Container) -> int | None:
        """Exit code of the run before the present one."""

    def logged(self, container: Container, line: str, *, within_seconds: int) -> bool | None:
        """Whether it logged a line soon after its start."""


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Time, to be replaced in tests."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def ended(container: Container) -> bool:
    """The container does not run and nothing will change that while we wait."""
    return container.status in {"missing", "exited", "dead", "restarting", "removing", "paused", "created"}


def require(view: View, subject: Subject) -> None:
    """Refuse names of containers that do not exist; but what the apps followed may be pruned since.

    Raises:
        CouldNotAsk: One is missing; says which there are.
    """
    there = view.names()
    asked = (*subject.services, *filter(None, [subject.migration]))
    for name in asked:
        if name not in there and not (
            name == subject.migration and all(view.container(app).follows_a_migration for app in subject.apps)
        ):
            stacks = (view.container(other).stack for other in asked if other in there)
            stack = next(filter(None, stacks), "")
            raise CouldNotAsk(
                "container-missing",
                f"there is no container named {name!r}; there are: {', '.join(there) or '(none)'}",
                "name one of these, or start the containers first" + (f": {UPDATE} STACK={stack}" if stack else ""),
            )


def wait_until_ready(view: View, subject: Subject, progress: Progress, clock: Clock) -> None:
    """Return as soon as every container answers, one has ended, or the time is up; the checks tell which it was."""
    start = clock.now()
    restarts: dict[str, int] = {}
    waiting = list(subject.services)
    next_line = start
    next_question: float | None = None
    while True:
        containers = {name: view.container(name) for name in waiting}
        if next_question is None:
            booting = any(containers[name].health == "starting" for name in subject.apps)
            next_question = start + (BOOT_SECONDS if booting else 0)
        restarts = {name: item.restarts for name, item in containers.items()} | restarts
        if any(ended(item) or item.restarts > restarts[name] for name, item in containers.items()):
            return
        ask = clock.now() >= next_question
        if ask:
            next_question = clock.now() + ANSWER_POLL_SECONDS
        elapsed = clock.now() - start
        waiting = [
            name
            for name, item in containers.items()
            if not (answers(view, subject, item, ask=ask) and believed(view, subject, item, elapsed))
        ]
        if not waiting or elapsed > subject.wait_seconds:
            return
        if clock.now() >= next_line:
            next_line = clock.now() + PROGRESS_SECONDS
            progress("; ".join(waiting_for(containers[name], elapsed) for name in waiting))
        clock.sleep(POLL_SECONDS)


def waiting_for(container: Container, elapsed: float) -> str:
    """In words, what is waited for."""
    if container.health == "unhealthy":
        return f"{container.name}: unhealthy so far, waiting for its next healthcheck, {elapsed:.0f} s"
    return f"{container.name}: starting, {elapsed:.0f} s (health: {container.health})"


def answers(view: View, subject: Subject, container: Container, *, ask: bool) -> bool:
    """Docker calls it healthy, or it answers already and only Docker's next healthcheck is still to come."""
    if container.health == "healthy":
        return True
    if not ask:
        return False
    if container.name == subject.valkey:
        executed = view.execute(container.name, ["sh", "-c", ping(subject.valkey_login)], seconds=VALKEY_SECONDS)
        # NOAUTH and the like are answers too: the checks judge them.
        return not executed.problem and "refused" not in executed.output and "LOADING" not in executed.output
    if container.name not in subject.apps:
        return container.health != "starting"
    executed = view.execute(container.name, ["sh", "-c", HEALTH], seconds=VALKEY_SECONDS)
    # Without curl (126, 127) only Docker's healthcheck can tell; without that either, the probe asks by itself.
    missing_curl = executed.exit_code in {126, 127}
    return not executed.problem and (executed.exit_code == 0 or (missing_curl and container.health == "none"))


def believed(view: View, subject: Subject, container: Container, elapsed: float) -> bool:
    """Docker's verdict is up to date: an ``unhealthy`` may be from before, and only its next healthcheck changes it."""
    if container.health != "unhealthy" or elapsed > container.healthcheck_seconds:
        return True
    if container.name == subject.valkey:
        executed = view.execute(container.name, ["sh", "-c", ping(subject.valkey_login)], seconds=VALKEY_SECONDS)
        return "PONG" not in executed.output
    if container.name not in subject.apps:
        return False
    return view.execute(container.name, ["sh", "-c", READY], seconds=VALKEY_SECONDS).exit_code != 0


def observe(view: View, subject: Subject, progress: Progress, clock: Clock) -> Evidence:
    """Ask every question at once; the slowest decides how long it takes."""
    salt = secrets.token_hex(8)
    # With a container down the reason is plain, and answers from the others would only bury it.
    first = {name: view.container(name) for name in subject.services}
    down = [name for name, container in first.items() if ended(container)]
    to = {"salt": salt, "valkey": sorted(first[subject.valkey].addresses) if subject.valkey else []}
    probes = {} if down else {name: in_background(ask_app, view, subject, name, to) for name in subject.apps}
    pong = in_background(ask_valkey, view, subject.valkey, subject.valkey_login) if subject.valkey else None
    door = in_background(ask_door, view, subject, clock) if subject.url and not down else None
    wanted = (
        subject.idle if subject.idle is not None else stands_between(subject, [first[name] for name in subject.apps])
    )
    idle = in_background(ask_idle, view, subject, door) if door and wanted else None
    reach = in_background(ask_reach, view, subject) if not down else None
    account = in_background(ask_account, view, subject) if not down else None
    lines = {name: in_background(ask_log, view, name) for name in subject.apps}
    sealed = in_background(secrets_in_files, view, subject)
    others: dict[str, Future[Any] | None] = {
        f"waiting for {subject.url} to let requests through": door,
        f"keeping a websocket to {subject.url} silent until the first ping": idle,
        "waiting for what the administrator's account sees": account,
    }
    await_answers(view, subject, probes, {words: it for words, it in others.items() if it}, progress, clock)
    skipped = Probe(problem="not-asked", error=f"{', '.join(down) or 'a container'} does not run")
    answered = {name: probes[name].result() if _done(probes.get(name)) else skipped for name in subject.apps}
    signed_in = account.result() if account and _done(account) else Account(problem="not-asked", error=skipped.error)
    if signed_in.worth_another and all(probe.live.received for probe in answered.values()):
        # Its events may have been posted while a listener was backing off, or another verification signed it out.
        signed_in = ask_account(view, subject)
    through = door.result() if door and _done(door) else DoorAnswers()
    opens = through.upgrade is not None and through.upgrade.status == HTTPStatus.SWITCHING_PROTOCOLS
    # Only now: before, a listener may have been backing off.
    arrives = opens and all(probe.live.received for probe in answered.values())
    page = in_background(ask_page, view, subject, through.inside) if arrives else None
    found = view.siblings(view.container(subject.apps[0]))
    leaving = tuple(view.container(name) for name in found if name not in subject.apps)
    valkey = None
    processes = sum(probe.workers for probe in answered.values()) + len(leaving)
    if pong:
        asked = ask_statistics(view, pong.result(), subject.valkey, subject.valkey_login, processes, clock)
        valkey = replace(asked, container=described(view, subject.valkey, first[subject.valkey]))
    elif subject.valkey_url:
        valkey = ask_elsewhere(view, subject.valkey_url, answered, processes, clock)
    return Evidence(
        apps=tuple(
            App(container=described(view, name, first[name]), probe=answered[name], log_line=lines[name].result())
            for name in subject.apps
        ),
        valkey=valkey,
        postgres=described(view, subject.postgres, first[subject.postgres]) if subject.postgres else None,
        gateway=described(view, subject.gateway, first[subject.gateway]) if subject.gateway else None,
        migration=described(view, subject.migration) if subject.migration else None,
        url=subject.url.rstrip("/"),
        url_asked=through.asked,
        url_answers=through.answers,
        upgrade=through.upgrade,
        foreign_upgrade=through.foreign_upgrade,
        page=page.result() if page else None,
        idle=idle.result() if idle and _done(idle) else None,
        reach=reach.result() if reach else None,
        account=signed_in,
        leaving=leaving,
        app_user=subject.app_user,
        secrets=sealed.result(),
        proved_ago=None if subject.proved_at is None else time.time() - subject.proved_at,
        expected=subject.expected,
        salt=salt,
    )


def stands_between(subject: Subject, apps: Iterable[Container]) -> bool:
    """Whether the URL leads to something else before it leads to an app: a gateway, or any proxy."""
    parts = urlsplit(subject.url)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    # Open WebUI itself speaks no TLS.
    return bool(subject.gateway) or parts.scheme == "https" or not any(app.listens_at(host, port) for app in apps)


def _done(future: Future[Any] | None) -> bool:
    return future is not None and future.done()


def in_background(call: Callable[..., _T], *arguments: Any) -> Future[_T]:
    """Run a call on a thread that does not keep the process alive."""
    future: Future[_T] = Future()

    def run() -> None:
        try:
            future.set_result(call(*arguments))
        except Exception as error:  # noqa: BLE001 - raised again by result()
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future


def await_answers(
    view: View,
    subject: Subject,
    probes: Mapping[str, Future[Probe]],
    others: Mapping[str, Future[Any]],
    progress: Progress,
    clock: Clock,
) -> None:
    """Wait for the probes and the others, by what is said of them, but no longer once a container has ended."""
    start = clock.now()
    next_line = start + PROGRESS_SECONDS
    asked = [*probes.values(), *others.values()]
    while wait(asked, timeout=1.0).not_done:
        elapsed = clock.now() - start
        if clock.now() >= next_line:
            next_line = clock.now() + PROGRESS_SECONDS
            names = ", ".join(name for name, probe in probes.items() if not probe.done())
            live = f"waiting for a live event at {names}: {elapsed:.0f} s of {LIVE_SECONDS:.0f} s" if names else ""
            words = (f"{words}: {elapsed:.0f} s" for words, answer in others.items() if not answer.done())
            if line := live or next(words, ""):
                progress(line)
        if any(ended(view.container(name)) for name in subject.services):
            wait(asked, timeout=1.0)
            break


def ask_app(view: View, subject: Subject, name: str, to: Mapping[str, Any]) -> Probe:
    """Run the probe inside one app container.

    Args:
        view: Docker.
        subject: What is verified.
        name: The container.
        to: What all of them are told: the ``salt``, and the addresses of ``valkey`` where it is a container here.
    """
    # Where Valkey can be asked with an account of its own, asking with the app's would only fill its ACL LOG.
    counts = subject.valkey_login is None and not subject.valkey_url
    asked = {**to, "patience": LIVE_SECONDS, "replicas": len(subject.apps), "counts": counts}
    asked["leave"] = bool(subject.valkey_url)
    asked["origin"] = origin_of(subject.url) if subject.url else ""
    executed = inside.run(view, name, asked, seconds=LIVE_SECONDS + PROBE_MARGIN_SECONDS)
    if executed.problem:
        return Probe(problem=executed.problem, error=executed.error)
    try:
        return Probe.from_json(executed.answer())
    except ValueError:
        return Probe(problem="failed", error=executed.complaint)


def ask_valkey(view: View, name: str, login: Login | None) -> Valkey:
    """PING with the client in Valkey's own container."""
    started = time.monotonic()
    executed = view.execute(name, ["sh", "-c", ping(login)], seconds=VALKEY_SECONDS)
    client, _, answer = executed.output.strip().partition("\n")
    problem = executed.problem or {124: "timeout", 127: "no-client", 143: "timeout"}.get(executed.exit_code, "")
    return Valkey(
        container=Container(name=name),
        client=client,
        login=login.user if login else "",
        answer=answer or executed.error.strip(),
        problem=problem,
        seconds=time.monotonic() - started,
    )


def ask_statistics(view: View, valkey: Valkey, name: str, login: Login | None, expected: int, clock: Clock) -> Valkey:
    """Subscribers, denials and INFO, asked in Valkey's own container."""
    if valkey.problem:
        return valkey
    command = ["sh", "-c", statistics_of(login)]

    def ask(known: Valkey) -> Valkey:
        return read_statistics(known, view.execute(name, command, seconds=VALKEY_SECONDS * 2))

    return settled(ask(valkey), ask, expected, clock)


def ask_elsewhere(view: View, url: str, probes: Mapping[str, Probe], expected: int, clock: Clock) -> Valkey:
    """The same, asked by a URL."""

    def ask(known: Valkey) -> Valkey:
        again = ask_by_url(view, url, probes, keys=False)
        return known if again.problem else replace(again, found=known.found)

    return settled(ask_by_url(view, url, probes), ask, expected, clock)


def settled(valkey: Valkey, ask: Callable[[Valkey], Valkey], expected: int, clock: Clock) -> Valkey:
    """Asked again for a moment while the number of subscribers is not the expected one."""
    end = clock.now() + SUBSCRIBERS_SETTLE_SECONDS
    while valkey.subscribers not in {None, expected} and clock.now() < end:
        clock.sleep(POLL_SECONDS)
        valkey = ask(valkey)
    return valkey


def front_door(view: View, subject: Subject, ca: str | None, way: Inside | None) -> FrontDoor:
    """The address people open, asked from here or that way."""
    through = partial(view.through, way.container, way.host, way.port) if way else None
    return FrontDoor(url=subject.url, door=subject.door, ca=ca or "", inside=through)


@dataclass(frozen=True, kw_only=True)
class DoorAnswers:
    """What was answered through the URL.

    Attributes:
        answers: To GET, by path.
        upgrade: To a websocket upgrade from the URL's own origin; None when not asked.
        foreign_upgrade: To one from another origin.
        inside: The way it was asked, where none leads there from here.
        asked: That way in words, and why; empty where it was asked from here.
    """

    inside: Inside | None = None
    asked: str = ""
    answers: dict[str, HttpAnswer] = field(default_factory=dict)
    upgrade: HttpAnswer | None = None
    foreign_upgrade: HttpAnswer | None = None


def ask_door(view: View, subject: Subject, clock: Clock) -> DoorAnswers:
    """Everything that is asked through the URL; a gateway is given time to find its replicas."""
    public = subject.url.startswith("https:") and not subject.ca
    end = clock.now() + (CERTIFICATE_SECONDS if public else DOOR_SETTLE_SECONDS) * bool(subject.gateway)
    way, asked = None, ""
    while True:
        ca = authority_of(view, subject)
        door = front_door(view, subject, ca, way)
        health = door.get("/health")
        if health.out_of_reach and not asked and (way := way_inside(view, subject)):
            asked = f"{way}: {health.error}"
            continue
        for_good = health.status not in PASSING or health.out_of_reach or (health.untrusted and ca is not None)
        if for_good or clock.now() >= end:
            break
        clock.sleep(POLL_SECONDS)
    if health.untrusted and ca is None:
        health = replace(health, error=f"{health.error}; there is no {subject.ca} in {subject.gateway}")
    if not health.status:  # nobody answers the rest either, and each would be waited for
        answers = dict.fromkeys(PATHS, health)
        return DoorAnswers(answers=answers, upgrade=health, foreign_upgrade=health, inside=way, asked=asked)
    others = {path: in_background(door.get, path) for path in PATHS if path != "/health"}
    upgrade = in_background(door.upgrade, origin_of(subject.url))
    foreign = in_background(door.upgrade, FOREIGN_ORIGIN)
    return DoorAnswers(
        answers={"/health": health, **{path: answer.result() for path, answer in others.items()}},
        upgrade=upgrade.result(),
        foreign_upgrade=foreign.result(),
        inside=way,
        asked=asked,
    )


def authority_of(view: View, subject: Subject) -> str | None:
    """The CA of the gateway's certificate; empty for this host's own, None where there is no such file."""
    return view.read_file(subject.gateway, subject.ca) if subject.ca else ""


def ask_idle(view: View, subject: Subject, door: Future[DoorAnswers]) -> IdleSocket | None:
    """Keep a websocket through the URL silent, once the gateway has found its replicas; None if it is out of reach."""
    if door.result().answers["/health"].out_of_reach:
        return None
    way = door.result().inside
    return front_door(view, subject, authority_of(view, subject), way).idle(origin_of(subject.url))


def ask_page(view: View, subject: Subject, way: Inside | None = None) -> Page:
    """Have events published for pages at the URL, from inside the first app; enough to come to every replica and on."""

    def publish(nonces: Mapping[str, str]) -> Page:
        executed = inside.run(view, subject.apps[0], {"nonces": dict(nonces), "patience": 0}, seconds=VALKEY_SECONDS)
        try:
            answer = executed.answer()
        except ValueError:
            return Page(error=f"nothing could be published: {executed.error.strip()[-300:]}")
        return Page(receivers=answer.get("receivers"), rooms=answer["rooms"], error=answer["error"])

    door = front_door(view, subject, authority_of(view, subject), way)
    return door.page(origin_of(subject.url), len(subject.apps) + 1, publish)


SECRETS_PATH: Final = "/run/secrets"
"""Where containers have files with secrets: this project's, Compose's and Swarm's."""


def secrets_in_files(view: View, subject: Subject) -> frozenset[str]:
    """What stands in the containers' files with secrets, which no report may show: each value of each."""
    names = [*subject.services, *filter(None, [subject.migration])]
    places = [(name, SECRETS_PATH) for name in names]
    for name in names:
        variables = (view.container(name).inspect.get("Config") or {}).get("Env") or []
        named = filter(None, map(FILE_VARIABLE.fullmatch, variables))
        places += [(name, it[2]) for it in named if redaction.names_a_secret(it[1]) or it[1].endswith("URL")]
    if subject.account:
        places.append((subject.account.container, subject.account.path))
    texts = {text for name, path in places for text in view.read_files(name, path)}
    return frozenset().union(*map(redaction.values, texts))


FILE_VARIABLE: Final = re.compile(r"(\w+)_FILE=(/.+)")
"""A variable that names a file with the value of another, as many images take it; others name a log, or CAs."""


def ask_log(view: View, name: str) -> bool | None:
    """Whether the app's log holds the tutorial's line."""
    container = view.container(name)
    return view.logged(container, LOG_LINE, within_seconds=LOG_LINE_SECONDS) if container.inspect else None


def described(view: View, name: str, first: Container | None = None) -> Container:
    """A container with its image, and with its last log lines where something is wrong with it.

    Args:
        view: Docker.
        name: Its name.
        first: The container as it was before the questions were asked.
    """
    container = view.container(name)
    if not container.inspect:
        return container
    if first and (first.status == "restarting" or container.restarts > first.restarts):
        container = replace(container, unsteady=True)
    if container.status == "running" and (container.restarts or container.unsteady):
        container = replace(container, last_exit=view.last_exit(container))
    sound = container.status == "running" and container.health in {"healthy", "none"} and not container.restarts
    return replace(container, image=view.image(container), log_tail=() if sound else view.log_tail(name))
