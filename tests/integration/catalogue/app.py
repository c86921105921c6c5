"""Faults of Open WebUI itself: it does not run, does not answer, or does not listen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from tests.integration.catalogue.fault import Fault, Inject
from tests.integration.catalogue.pair import FROZEN, PAUSED, STOPPED, meddled
from tests.integration.catalogue.stand_ins import healthcheck, stand_in_app
from tests.integration.hand_made import PASSWORD, VALKEY_IMAGE, Labs
from verification.ask import observe
from verification.subject import Subject

A_MOMENT = 3.0
"""How long is waited, in seconds, for what does not come."""
FAILING = healthcheck("echo 'NOAUTH Authentication required.'; exit 1")


def stood_in_for(changes: dict[str, str] | None = None, **options: Any) -> Inject:
    """Something else in the place of the app."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        lab = labs.variants
        with stand_in_app(lab, changes, **options) as app:
            if "command" not in options:
                lab.wait_for_answer(app)
            yield replace(lab.subject(app), wait_seconds=A_MOMENT)

    return inject


def that_treats_events(mode: str) -> Inject:
    """An app that only looks right; as long as for a listener that backs off is not waited for it."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        with stood_in_for(mode=mode)(labs) as subject, mock.patch.object(observe, "LIVE_SECONDS", A_MOMENT):
            yield subject

    return inject


@contextmanager
def sick_valkey(labs: Labs) -> Iterator[Subject]:
    """A Valkey whose healthcheck has no password."""
    lab = labs.variants
    command = ["valkey-server", "--requirepass", PASSWORD]
    with lab.removed_after(lab.run("sick-valkey", VALKEY_IMAGE, {}, command, healthcheck=FAILING)) as sick:
        url = f"redis://:{PASSWORD}@{sick}:6379"
        with stand_in_app(lab, {"WEBSOCKET_REDIS_URL": f"{url}/1", "REDIS_URL": f"{url}/0"}) as app:
            lab.wait_for_answer(app)
            yield replace(lab.subject(app), valkey=sick, wait_seconds=A_MOMENT)


@contextmanager
def missing_process(labs: Labs) -> Iterator[Subject]:
    """An app that says it has two processes, and has one."""
    lab = labs.variants
    with stand_in_app(lab, {"UVICORN_WORKERS": "2"}, command=["bash", "start.sh", "--workers", "1"]) as app:
        lab.wait_for_answer(app)
        yield lab.subject(app)


FAULTS = (
    Fault(
        name="Open WebUI is stopped",
        inject=meddled("app", *STOPPED),
        check="containers-running",
        cause="app-exited",
        also={"live-event": "not-asked"},
        own="none/none",
    ),
    Fault(
        name="Open WebUI is paused",
        inject=meddled("app", *PAUSED),
        check="containers-running",
        cause="app-paused",
        also={"live-event": "not-asked"},
        own="none/none",
    ),
    Fault(
        name="Open WebUI hangs: its process is frozen",
        inject=meddled("app", *FROZEN, wait_seconds=0),
        check="health",
        cause="app-no-answer",
        own="none/none",
    ),
    Fault(
        name="Open WebUI does not come up",
        inject=stood_in_for(command=["sleep", "infinity"], healthcheck=healthcheck("false", start_period=60)),
        check="containers-running",
        cause="app-not-ready",
        also={"health": "app-no-answer"},
        own="-/-",
    ),
    Fault(
        name="Open WebUI's healthcheck fails",
        inject=stood_in_for(healthcheck=healthcheck("echo 'no space left on device'; exit 1")),
        check="containers-running",
        cause="app-unhealthy",
        own="-/-",
    ),
    Fault(
        name="`/health` is 500",
        inject=stood_in_for({"STAND_IN_HEALTH": "500"}),
        check="health",
        cause="health-not-200",
        own="-/-",
    ),
    Fault(
        name="Open WebUI listens, and passes nothing on",
        inject=that_treats_events("deaf"),
        check="live-event",
        cause="event-not-received",
        own="-/-",
    ),
    Fault(
        name="Open WebUI knows no channels of rooms, and says that it does",
        inject=that_treats_events("shared"),
        check="live-event",
        cause="event-not-received",
        own="-/-",
    ),
    Fault(
        name="one of Open WebUI's processes does not listen",
        inject=missing_process,
        check="pubsub-subscribers",
        cause="replica-not-subscribed",
        own="-/-",
    ),
    Fault(
        name="Open WebUI is not seen to publish anything by itself",
        inject=that_treats_events("mute"),
        check="sending",
        cause="sending-not-seen",
        status="unknown",
        verdict="proved",
        own="-/-",
    ),
    Fault(
        name="Open WebUI tells everybody what is for one",
        inject=that_treats_events("broadcast"),
        check="live-event",
        cause="decoy-received",
        own="-/-",
    ),
    Fault(
        name="Valkey's healthcheck fails: it has no password",
        inject=sick_valkey,
        check="containers-running",
        cause="valkey-unhealthy",
        own="-/-",
    ),
)
