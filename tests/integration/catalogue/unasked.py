"""Faults that leave a question without an answer: the verification says so, and never hangs over it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any
from unittest import mock

from docker.models.containers import Container

from tests.integration.catalogue.fault import Fault, Inject
from tests.integration.catalogue.stand_ins import stand_in, stand_in_app
from tests.integration.deployment import pause
from tests.integration.hand_made import Labs
from verification.ask import account, observe
from verification.ask.docker_view import DockerView, Executed
from verification.subject import Subject

HANGING_PYTHON = """\
printf '#!/bin/sh\\nexec sleep 600\\n' > /usr/local/bin/python3
chmod +x /usr/local/bin/python3
sleep infinity
"""


@contextmanager
def no_docker(labs: Labs) -> Iterator[Subject]:
    """A sound pair, and DOCKER_HOST names a port where nobody listens."""
    subject = labs.pair.subject()
    with mock.patch.dict(os.environ, DOCKER_HOST="tcp://127.0.0.1:1"):
        yield subject


@contextmanager
def no_such_container(labs: Labs) -> Iterator[Subject]:
    """A name that no container has."""
    yield labs.variants.subject("no-such-container")


def kill(container: Container) -> None:
    """Kill a container; return when it has ended."""
    container.kill()
    container.wait(timeout=10)


def just_before_it_is_asked(do: Callable[[Container], None]) -> Inject:
    """An app to which Docker does something when the verification has looked at it, and not asked it yet."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        execute, lock = DockerView.execute, Lock()

        with stand_in_app(labs.variants) as app:
            container = labs.client.containers.get(app)

            @cache  # several questions are asked side by side, and it is done once
            def interfere() -> None:
                do(container)

            def late(view: DockerView, name: str, words: list[str], **options: Any) -> Executed:
                if name == app and words[0] == "python3":
                    with lock:
                        interfere()
                return execute(view, name, words, **options)

            with mock.patch.object(DockerView, "execute", late):
                yield labs.variants.subject(app)

    return inject


def app_of(script: str, *, patience: float = observe.LIVE_SECONDS) -> Inject:
    """A container that is no Open WebUI: a shell script runs in an image without Python.

    Args:
        script: The script.
        patience: Seconds an app is given.
    """

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        lab = labs.variants
        with (
            mock.patch.multiple(observe, LIVE_SECONDS=patience, PROBE_MARGIN_SECONDS=2.0),
            mock.patch.object(account, "SECONDS", 3.0),
            stand_in(lab, "stand-in-app", script) as name,
        ):
            yield lab.subject(name)

    return inject


def unasked(name: str, cause: Any, inject: Inject, **more: Any) -> Fault:
    """A fault that leaves the whole verdict open."""
    said = {"check": "live-event", "own": "-/-"} | more
    return Fault(name=name, inject=inject, cause=cause, status="unknown", verdict="unknown", **said)


FAULTS = (
    unasked("Docker does not answer", "docker-unreachable", no_docker, check="containers-running", own="200/200"),
    unasked("no container has the name", "container-missing", no_such_container, check="containers-running"),
    Fault(
        name="the app is paused while it is asked",
        inject=just_before_it_is_asked(pause),
        check="health",
        cause="probe-paused",
        status="unknown",
        first="app-paused",
        own="-/-",
    ),
    Fault(
        name="the app is killed while it is asked",
        inject=just_before_it_is_asked(kill),
        check="health",
        cause="probe-not-running",
        status="unknown",
        first="app-exited",
        own="-/-",
    ),
    unasked("no command in the app's container ever ends", "probe-timeout", app_of(HANGING_PYTHON, patience=1.0)),
    unasked("the app's image has no Python", "probe-failed", app_of("sleep infinity")),
)
