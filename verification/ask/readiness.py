"""Waits until the containers answer."""

from __future__ import annotations

from typing import Final

from docker_access.polling import Clock, poll
from verification.ask.docker_view import CouldNotAsk
from verification.ask.valkey_client import VALKEY_SECONDS, ping
from verification.ask.view import Progress, View
from verification.checks.finding import UPDATE
from verification.evidence.container import Container
from verification.subject import Subject

ANSWER_POLL_SECONDS: Final = 1.0
BOOT_SECONDS: Final = 4.0
"""Open WebUI never answers sooner, and each question takes CPU time from its boot."""
PROGRESS_SECONDS: Final = 4.0
"""Between two lines of progress."""

HEALTH: Final = 'curl --noproxy "*" -fsS -m 2 -o /dev/null "http://127.0.0.1:${PORT:-8080}/health"'
READY: Final = HEALTH.replace("/health", "/ready")


def require(view: View, subject: Subject) -> None:
    """Refuse names of containers that do not exist; but the migration that the apps followed may be pruned since.

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


def has_ended(container: Container) -> bool:
    """The container does not run and nothing will change that while we wait."""
    return container.status in {"missing", "exited", "dead", "restarting", "removing", "paused", "created"}


def wait_until_ready(view: View, subject: Subject, progress: Progress, clock: Clock) -> None:
    """Return as soon as every container answers, one has ended, or the time is up; the checks tell which it was."""
    start = clock.now()
    waiting = list(subject.services)
    restarts: dict[str, int] = {}
    next_line = start
    next_question: float | None = None

    for _ in poll(subject.wait_seconds, clock=clock):
        containers = {name: view.container(name) for name in waiting}
        if next_question is None:
            booting = any(containers[name].health == "starting" for name in subject.apps)
            next_question = start + (BOOT_SECONDS if booting else 0)
        restarts = {name: item.restarts for name, item in containers.items()} | restarts
        if any(has_ended(item) or item.restarts > restarts[name] for name, item in containers.items()):
            return
        ask = clock.now() >= next_question
        if ask:
            next_question = clock.now() + ANSWER_POLL_SECONDS
        elapsed = clock.now() - start
        waiting = [
            name
            for name, item in containers.items()
            if not (answers(view, subject, item, ask=ask) and is_up_to_date(view, subject, item, elapsed))
        ]
        if waiting and clock.now() >= next_line:
            next_line = clock.now() + PROGRESS_SECONDS
            progress("; ".join(_progress_line(containers[name], elapsed) for name in waiting))
        if not waiting:
            return


def _progress_line(container: Container, elapsed: float) -> str:
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


def is_up_to_date(view: View, subject: Subject, container: Container, elapsed: float) -> bool:
    """Whether Docker's verdict is current: an ``unhealthy`` may be old until the next healthcheck."""
    if container.health != "unhealthy" or elapsed > container.healthcheck_seconds:
        return True
    if container.name == subject.valkey:
        executed = view.execute(container.name, ["sh", "-c", ping(subject.valkey_login)], seconds=VALKEY_SECONDS)
        return "PONG" not in executed.output
    if container.name not in subject.apps:
        return False
    return view.execute(container.name, ["sh", "-c", READY], seconds=VALKEY_SECONDS).exit_code != 0
