"""Faults of what was asked for: containers that are others, versions, and logs that do not tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from docker.types import LogConfig

from tests.integration.catalogue.fault import Fault, Inject
from tests.integration.catalogue.stand_ins import stand_in, stand_in_app
from tests.integration.hand_made import Labs
from tests.lease import free_port
from verification.subject import Subject

SILENT = "exec bash start.sh > /dev/null 2>&1"


def not_as_asked(expected: dict[str, Any], **options: Any) -> Inject:
    """A sound pair and a container beside it that was made with other options than were asked for."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        subject = labs.pair.subject()
        with stand_in(labs.pair, "stand-in-postgres", "sleep infinity", **options) as name:
            yield replace(subject, postgres=name, expected={name: expected})

    return inject


@contextmanager
def updated(labs: Labs) -> Iterator[Subject]:
    """Somebody has told Docker to change Valkey's container."""
    lab = labs.pair
    subject = lab.subject(expected={lab.valkey: {"HostConfig.RestartPolicy.Name": "no"}})
    lab.container(lab.valkey).update(restart_policy={"Name": "always"})
    try:
        yield subject
    finally:
        lab.container(lab.valkey).update(restart_policy={"Name": "no"})


def app_that(changes: dict[str, str], **options: Any) -> Inject:
    """A stand-in for Open WebUI that differs in some variables or in Docker's options."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        with stand_in_app(labs.variants, changes, **options) as name:
            yield labs.variants.subject(name)

    return inject


@contextmanager
def sound(labs: Labs) -> Iterator[Subject]:
    """A sound pair; Open WebUI logs as it does when nothing is said."""
    yield labs.pair.subject()


def quiet(name: str, cause: Any, inject: Inject, own: str = "-/-") -> Fault:
    """A log that does not tell; the proof stands without it."""
    return Fault(name=name, inject=inject, check="log-line", cause=cause, status="unknown", verdict="proved", own=own)


FAULTS = (
    Fault(
        name="a container was re-created by hand, without `--read-only` and `--cap-drop ALL`",
        inject=not_as_asked({"HostConfig.ReadonlyRootfs": True, "HostConfig.CapDrop": ["ALL"]}),
        check="as-asked",
        cause="hardening-drift",
    ),
    Fault(
        name="a container was made with a port on the host",
        inject=not_as_asked({"HostConfig.PortBindings": {}}, ports={"5432/tcp": ("127.0.0.1", free_port())}),
        check="as-asked",
        cause="port-exposed",
    ),
    Fault(
        name="`docker update` has changed Valkey's container",
        inject=updated,
        check="as-asked",
        cause="differs-from-asked",
    ),
    Fault(
        name="Open WebUI is older than 0.12.0",
        inject=app_that({"STAND_IN_VERSION": "0.6.40"}),
        check="version",
        cause="version-unsupported",
        own="-/-",
    ),
    Fault(
        name="Open WebUI tells no version",
        inject=app_that({"STAND_IN_VERSION": ""}),
        check="version",
        cause="version-unreadable",
        own="-/-",
    ),
    quiet("`GLOBAL_LOG_LEVEL` is INFO", "log-level", sound, own="200/200"),
    quiet(
        "at DEBUG the app's own process runs the migrations",
        "migrations-in-app-process",
        app_that({"GLOBAL_LOG_LEVEL": "DEBUG"}),
    ),
    quiet(
        "at DEBUG the line is not in the log",
        "not-in-log",
        app_that({"GLOBAL_LOG_LEVEL": "DEBUG", "ENABLE_DB_MIGRATIONS": "False"}, command=["sh", "-c", SILENT]),
    ),
    quiet(
        "Docker keeps no log of the app's container",
        "log-unreadable",
        app_that({"GLOBAL_LOG_LEVEL": "DEBUG"}, log_config=LogConfig(type="none")),
    ),
)
