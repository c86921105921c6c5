"""Faults of replicas that do not share what they must, and of apps that pass on what they must not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.catalogue.fault import Fault
from tests.integration.catalogue.stand_ins import stand_in_app
from tests.integration.hand_made import Labs
from verification.subject import Subject


@contextmanager
def one_with_another_prefix(labs: Labs) -> Iterator[Subject]:
    """A sound app, and a second replica that keeps its sessions elsewhere in the same Valkey."""
    lab = labs.pair
    with lab.another_app("second", {"REDIS_KEY_PREFIX": "another"}) as second:
        yield lab.subject(lab.app, second)


@contextmanager
def one_without_room_channels(labs: Labs) -> Iterator[Subject]:
    """Two stand-ins, of which one knows no channels of rooms."""
    lab, changes = labs.variants, {"WEBSOCKET_REDIS_ROOM_CHANNELS": "False"}
    with (
        stand_in_app(lab, role="first") as first,
        stand_in_app(lab, changes, mode="shared", role="second") as second,
    ):
        yield lab.subject(first, second)


@contextmanager
def overhearing(labs: Labs) -> Iterator[Subject]:
    """A stand-in that passes on whatever is published on any channel."""
    with stand_in_app(labs.variants, mode="echo") as name:
        yield labs.variants.subject(name)


@contextmanager
def one_that_forgets(labs: Labs) -> Iterator[Subject]:
    """A sound stand-in, and one that keeps what is saved in the admin panel in its memory."""
    with (
        stand_in_app(labs.variants, role="first") as first,
        stand_in_app(labs.variants, FORGETFUL, role="second") as second,
    ):
        yield labs.variants.subject(first, second)


@contextmanager
def alone_and_forgetful(labs: Labs) -> Iterator[Subject]:
    """A single stand-in that keeps nothing."""
    with stand_in_app(labs.variants, FORGETFUL) as name:
        yield labs.variants.subject(name)


@contextmanager
def changed_in_the_panel(labs: Labs) -> Iterator[Subject]:
    """A stand-in whose stack file has said that nobody signs up, which its database does not say."""
    with stand_in_app(labs.variants, command=["sh", "-c", f"{SAID}; exec bash start.sh"]) as name:
        yield labs.variants.subject(name)


@contextmanager
def with_models_at(labs: Labs, url: str) -> Iterator[Subject]:
    """A stand-in that is told of an endpoint for models."""
    changes = {"OPENAI_API_BASE_URLS": url, "OPENAI_API_KEYS": "sk-0123456789"}
    with stand_in_app(labs.variants, changes) as name:
        yield labs.variants.subject(name)


FORGETFUL = {"ENABLE_PERSISTENT_CONFIG": "False"}
SAID = """echo '[{"place": ["ui.enable_signup"], "value": false, "variables": ["PATH"]}]' > \
/app/backend/data/.stack-settings.json"""

FAULTS = (
    Fault(
        name="one of two replicas keeps what is saved in the admin panel to itself",
        inject=one_that_forgets,
        check="settings-agree",
        cause="settings-not-shared",
        verdict="proved",
        own="-/-",
    ),
    Fault(
        name="a setting that the stack file says was changed in the admin panel",
        inject=changed_in_the_panel,
        check="settings-agree",
        cause="settings-otherwise",
        verdict="proved",
        own="-/-",
    ),
    Fault(
        name="a single Open WebUI keeps nothing that is saved in the admin panel",
        inject=alone_and_forgetful,
        check="settings-agree",
        cause="panel-keeps-nothing",
        status="unknown",
        verdict="proved",
        own="-/-",
    ),
    Fault(
        name="two replicas have different `REDIS_KEY_PREFIX`",
        inject=one_with_another_prefix,
        check="replicas-agree",
        cause="key-prefix-differs",
    ),
    Fault(
        name="two replicas have different `WEBSOCKET_REDIS_ROOM_CHANNELS`",
        inject=one_without_room_channels,
        check="replicas-agree",
        cause="room-channels-differ",
        own="-/-",
    ),
    Fault(
        name="nobody answers where models are configured",
        inject=lambda labs: with_models_at(labs, "http://127.0.0.1:9/v1"),
        check="models",
        cause="models-no-answer",
        verdict="proved",
        own="-/-",
    ),
    Fault(
        name="no models are configured",
        inject=alone_and_forgetful,
        check="models",
        cause="no-models",
        status="unknown",
        verdict="proved",
        own="-/-",
    ),
    Fault(
        name="the app passes on what is published on channels of nobody's",
        inject=overhearing,
        check="live-event",
        cause="decoy-received",
        own="-/-",
    ),
)
