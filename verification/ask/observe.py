"""Gathers the evidence: asks all questions at once, each bounded in time."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Mapping
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

from docker_access import redaction
from docker_access.background import in_background
from docker_access.polling import Clock, poll
from verification.ask.account import ask_account
from verification.ask.connectivity import ask_connectivity
from verification.ask.readiness import PROGRESS_SECONDS, has_ended
from verification.ask.through_url import UrlAnswers, ask_idle_socket, ask_url, ask_url_event, has_proxy
from verification.ask.valkey_client import ask_statistics, ask_valkey
from verification.ask.valkey_url import ask_elsewhere
from verification.ask.view import Progress, View
from verification.evidence import App, Evidence
from verification.evidence.container import Container
from verification.evidence.inside import Account, Probe
from verification.evidence.url import origin_of
from verification.evidence.valkey import Valkey
from verification.inside import runner
from verification.subject import Subject

LOG_LINE: Final = "Using Redis to manage websockets."
LOG_LINE_SECONDS: Final = 300
"""How long after its start Open WebUI may take to print it."""
LIVE_SECONDS: Final = 75.0
"""How long live events are waited for: after an outage of Valkey the app's listener backs off up to 60 s.

Source: https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/socket/redis_room_channels.py
"""
PROBE_MARGIN_SECONDS: Final = 25.0
SECRETS_PATH: Final = "/run/secrets"
"""Where containers have files with secrets: this project's, Compose's and Swarm's."""

T = TypeVar("T")


def observe(view: View, subject: Subject, progress: Progress, clock: Clock) -> Evidence:
    """Ask every question at once; the slowest decides how long it takes."""
    salt = secrets.token_hex(8)
    # With a container down the reason is plain, and answers from the others would only bury it.
    first = {name: view.container(name) for name in subject.services}
    down = [name for name, container in first.items() if has_ended(container)]
    shared = {"salt": salt, "valkey": sorted(first[subject.valkey].addresses) if subject.valkey else []}
    probes = {name: in_background(partial(ask_app, view, subject, name, shared)) for name in subject.apps if not down}
    pong = in_background(lambda: ask_valkey(view, subject.valkey, subject.valkey_login)) if subject.valkey else None
    by_url = in_background(lambda: ask_url(view, subject, clock)) if subject.url and not down else None
    keep_silent = subject.idle if subject.idle is not None else has_proxy(subject, map(first.__getitem__, subject.apps))
    idle = in_background(lambda: ask_idle_socket(view, subject, by_url.result())) if by_url and keep_silent else None
    connectivity = in_background(lambda: ask_connectivity(view, subject)) if not down else None
    account = in_background(lambda: ask_account(view, subject)) if not down else None
    lines = {name: in_background(partial(has_log_line, view, name)) for name in subject.apps}
    hidden = in_background(lambda: secrets_in_files(view, subject))
    others: dict[str, Future[Any] | None] = {
        f"waiting for {subject.url} to let requests through": by_url,
        f"keeping a websocket to {subject.url} silent until the first ping": idle,
        "waiting for what the administrator's account sees": account,
    }
    await_answers(view, subject, probes, {words: it for words, it in others.items() if it}, progress, clock)
    unasked = f"{', '.join(down) or 'a container'} does not run"
    answered = {name: _result(probes.get(name), Probe(problem="not-asked", error=unasked)) for name in subject.apps}
    received = all(probe.live.received for probe in answered.values())
    signed_in = _result(account, Account(problem="not-asked", error=unasked))
    if signed_in.worth_another and received:
        # Its events may have been posted while a listener was backing off, or another verification signed it out.
        signed_in = ask_account(view, subject)
    through = _result(by_url, UrlAnswers())
    # Only now: before, a listener may have been backing off.
    event = in_background(lambda: ask_url_event(view, subject, through.route)) if through.opens and received else None
    beside = view.siblings(view.container(subject.apps[0]))
    draining = tuple(view.container(name) for name in beside if name not in subject.apps)
    processes = sum(probe.workers for probe in answered.values()) + len(draining)
    valkey: Valkey | None = None
    if pong:
        valkey = ask_statistics(view, pong.result(), subject.valkey_login, processes, clock)
        valkey = replace(valkey, container=described(view, subject.valkey, first[subject.valkey]))
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
        url_event=event.result() if event else None,
        idle=_result(idle, None),
        connectivity=connectivity.result() if connectivity else None,
        account=signed_in,
        draining=draining,
        app_user=subject.app_user,
        secrets=hidden.result(),
        proved_ago=None if subject.proved_at is None else time.time() - subject.proved_at,
        expected=subject.expected,
        salt=salt,
    )


def _result(future: Future[T] | None, otherwise: T) -> T:
    """What a question came to, if it was asked and has an answer by now."""
    return future.result() if future is not None and future.done() else otherwise


def await_answers(
    view: View,
    subject: Subject,
    probes: Mapping[str, Future[Probe]],
    others: Mapping[str, Future[Any]],
    progress: Progress,
    clock: Clock,
) -> None:
    """Wait until all have answered, or a container has ended: each question is bounded in time by itself.

    ``probes`` are the answers from inside the apps, by container, and ``others`` by what is said while they are waited
    for.
    """
    start = clock.now()
    next_line = start + PROGRESS_SECONDS
    asked = [*probes.values(), *others.values()]

    for _ in poll(math.inf, every_seconds=0, clock=clock):
        if not wait(asked, timeout=1.0).not_done:
            return
        elapsed = clock.now() - start
        if clock.now() >= next_line:
            next_line = clock.now() + PROGRESS_SECONDS
            names = ", ".join(name for name, probe in probes.items() if not probe.done())
            live = f"waiting for a live event at {names}: {elapsed:.0f} s of {LIVE_SECONDS:.0f} s" if names else ""
            words = (f"{words}: {elapsed:.0f} s" for words, answer in others.items() if not answer.done())
            if line := live or next(words, ""):
                progress(line)
        if any(has_ended(view.container(name)) for name in subject.services):
            break
    wait(asked, timeout=1.0)


def ask_app(view: View, subject: Subject, name: str, shared: Mapping[str, Any]) -> Probe:
    """Run the probe inside one app container.

    ``shared`` is what all of them are told: the ``salt``, and the addresses of ``valkey`` where it is a container here.
    """
    asked = {
        **shared,
        "patience": LIVE_SECONDS,
        "replicas": len(subject.apps),
        # Where Valkey can be asked with an account of its own, asking with the app's would only fill its ACL LOG.
        "counts": subject.valkey_login is None and not subject.valkey_url,
        "leave": bool(subject.valkey_url),
        # One replica asks for all: somebody else's servers are not to be asked by each.
        "models": name == subject.apps[0],
        "origin": origin_of(subject.url) if subject.url else "",
    }
    executed = runner.run(view, name, "probe", asked, seconds=LIVE_SECONDS + PROBE_MARGIN_SECONDS)
    if executed.problem:
        return Probe(problem=executed.problem, error=executed.error)
    try:
        return Probe.from_json(executed.answer())
    except ValueError:
        return Probe(problem="failed", error=executed.complaint)


def has_log_line(view: View, name: str) -> bool | None:
    """Whether the app's log holds the tutorial's line; None where it cannot be read."""
    container = view.container(name)
    return view.logged(container, LOG_LINE, within_seconds=LOG_LINE_SECONDS) if container.inspect else None


def described(view: View, name: str, first: Container | None = None) -> Container:
    """A container with its image, and with its last log lines where something is wrong with it.

    ``first`` is the container as it was before the questions were asked.
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


def secrets_in_files(view: View, subject: Subject) -> frozenset[str]:
    """Each value in each of the files, which no report may show."""
    names = [*subject.services, *filter(None, [subject.migration])]
    places = [(name, SECRETS_PATH) for name in names]
    for name in names:
        variables = view.container(name).variables.items()
        places += [(name, path) for variable, path in variables if _names_secret_file(variable, path)]
    if subject.account:
        places.append((subject.account.container, subject.account.path))
    texts = {text for name, path in places for text in view.read_files(name, path)}
    return frozenset().union(*map(redaction.values, texts))


def _names_secret_file(variable: str, path: str) -> bool:
    """Whether a variable names a file with a secret for another's value, as many images take it; others name a log."""
    name = variable.removesuffix("_FILE")
    return name != variable and path.startswith("/") and bool(redaction.names_a_secret(name) or name.endswith("URL"))
