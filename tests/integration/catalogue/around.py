"""Faults of the containers around Open WebUI: they are gone, do not run, or are not well."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

from tests.integration.catalogue.fault import Fault, Inject
from tests.integration.catalogue.pair import KILLED, PAUSED
from tests.integration.catalogue.stand_ins import healthcheck, stand_in
from tests.integration.hand_made import CADDY_IMAGE, STAND_IN, Labs
from verification.subject import Subject

Role = Literal["valkey", "postgres", "gateway", "migration"]

GONE_SOON = "sleep 3"
"""Long enough for the verification to have found it there."""
SICK = healthcheck("echo 'no space left on device'; exit 1")
NEVER_READY = healthcheck("false", start_period=60)
AGAIN_AND_AGAIN = {"Name": "always"}


def beside(role: Role, script: str, **options: Any) -> Inject:
    """A sound pair in which a shell script stands in for one more container, or for its Valkey."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        subject = labs.pair.subject()
        with stand_in(labs.pair, f"stand-in-{role}", script, **options) as name:
            named: dict[str, Any] = {role: name}
            yield replace(subject, **named)

    return inject


def instead_of_the_app(script: str, **options: Any) -> Inject:
    """A shell script in the place of Open WebUI."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        lab = labs.variants
        with stand_in(lab, "stand-in-app", script, image=STAND_IN, **options) as name:
            yield lab.subject(name)

    return inject


def ended(role: Role, script: str) -> Inject:
    """A sound pair, and beside it a container that has ended."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        with beside(role, script)(labs) as subject:
            labs.client.containers.get(getattr(subject, role)).wait(timeout=30)
            yield subject

    return inject


def of_replicas(role: Role, do: Callable[[Any], Any], undo: Callable[[Any], Any]) -> Inject:
    """A container of the replicated deployment, and what Docker is told to do with it."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        subject = labs.replicas.subject
        container = labs.client.containers.get(getattr(subject, role))
        do(container)
        try:
            yield subject
        finally:
            undo(container)

    return inject


@contextmanager
def migration_removed(labs: Labs) -> Iterator[Subject]:
    """The migration is removed while something else is still waited for."""
    slow = "sleep 6; touch /tmp/up; sleep infinity"
    up = healthcheck("test -e /tmp/up", start_period=60)
    with (
        beside("gateway", slow, healthcheck=up)(labs) as subject,
        beside("migration", GONE_SOON, auto_remove=True)(labs) as migrated,
    ):
        yield replace(subject, migration=migrated.migration)


FAULTS = (
    Fault(
        name="Open WebUI's container is removed while it boots",
        inject=instead_of_the_app(GONE_SOON, auto_remove=True, healthcheck=NEVER_READY),
        check="containers-running",
        cause="app-missing",
        own="-/-",
    ),
    Fault(
        name="Open WebUI's container exits again and again",
        inject=instead_of_the_app("exit 3", restart_policy=AGAIN_AND_AGAIN),
        check="containers-running",
        cause="app-restarting",
        own="-/-",
    ),
    Fault(
        name="Valkey's container is removed",
        inject=beside("valkey", GONE_SOON, auto_remove=True, healthcheck=NEVER_READY),
        check="containers-running",
        cause="valkey-missing",
        own="-/-",
    ),
    Fault(
        name="Valkey's container exits again and again",
        inject=beside("valkey", "exec valkey-server --no-such-option yes", restart_policy=AGAIN_AND_AGAIN),
        check="containers-running",
        cause="valkey-restarting",
        own="-/-",
    ),
    Fault(
        name="Postgres' container is removed",
        inject=beside("postgres", GONE_SOON, auto_remove=True, healthcheck=NEVER_READY),
        check="containers-running",
        cause="postgres-missing",
        own="-/-",
    ),
    Fault(
        name="Postgres is killed",
        inject=of_replicas("postgres", *KILLED),
        check="containers-running",
        cause="postgres-exited",
        also={"health": "not-asked", "live-event": "not-asked"},
        own="-/-",
    ),
    Fault(
        name="Postgres' container exits again and again",
        inject=beside("postgres", "echo 'database files are incompatible'; exit 1", restart_policy=AGAIN_AND_AGAIN),
        check="containers-running",
        cause="postgres-restarting",
        own="-/-",
    ),
    Fault(
        name="Postgres is paused",
        inject=of_replicas("postgres", *PAUSED),
        check="containers-running",
        cause="postgres-paused",
        own="-/-",
    ),
    Fault(
        name="Postgres' healthcheck fails",
        inject=beside("postgres", "sleep infinity", healthcheck=SICK),
        check="containers-running",
        cause="postgres-unhealthy",
        own="-/-",
    ),
    Fault(
        name="the gateway's container is removed",
        inject=beside("gateway", GONE_SOON, auto_remove=True, healthcheck=NEVER_READY),
        check="containers-running",
        cause="gateway-missing",
    ),
    Fault(
        name="the gateway is killed",
        inject=of_replicas("gateway", *KILLED),
        check="containers-running",
        cause="gateway-exited",
    ),
    Fault(
        name="the gateway exits over its configuration, again and again",
        inject=beside(
            "gateway",
            "exec caddy run --config /no/such/Caddyfile",
            image=CADDY_IMAGE,
            restart_policy=AGAIN_AND_AGAIN,
        ),
        check="containers-running",
        cause="gateway-restarting",
    ),
    Fault(
        name="the gateway is paused",
        inject=of_replicas("gateway", *PAUSED),
        check="containers-running",
        cause="gateway-paused",
    ),
    Fault(
        name="the gateway's healthcheck fails",
        inject=beside("gateway", "sleep infinity", healthcheck=SICK),
        check="containers-running",
        cause="gateway-unhealthy",
    ),
    Fault(
        name="the migration's container is removed",
        inject=migration_removed,
        check="migration",
        cause="migration-missing",
    ),
    Fault(
        name="the migration does not come to an end",
        inject=beside("migration", "sleep infinity"),
        check="migration",
        cause="migration-not-finished",
    ),
    Fault(
        name="the migration fails",
        inject=ended("migration", "echo 'table config already exists'; exit 1"),
        check="migration",
        cause="migration-failed",
    ),
)
