"""Faults around a sound Open WebUI and its Valkey: both are as they should be until one of them is meddled with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from operator import methodcaller
from typing import Any, Literal

import redis

from tests.integration.catalogue.fault import Fault, Inject
from tests.integration.catalogue.refusals import prove, told
from tests.integration.deployment import pause
from tests.integration.hand_made import PASSWORD, Labs, Pair
from verification.subject import Subject


def app_with(**changes: str | None) -> Inject:
    """An app that differs in some variables; in a value ``{valkey}`` and ``{password}`` stand for the right ones."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        lab = labs.variants
        words = {name: value and value.format(valkey=lab.valkey, password=PASSWORD) for name, value in changes.items()}
        with lab.another_app("variant", words) as app:
            yield lab.subject(app)

    return inject


def meddled(
    whom: Literal["app", "valkey"], do: Callable[[Any], Any], undo: Callable[[Any], Any], **changes: Any
) -> Inject:
    """Docker is told to do something with one of the two; proved again once that is undone.

    Args:
        whom: Which of the two.
        do: What is done with its container.
        undo: What undoes it.
        changes: How the subject then differs.
    """

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        lab = labs.pair
        subject = lab.subject()
        container = lab.container(getattr(lab, whom))
        do(container)
        try:
            yield replace(subject, **changes)
        finally:
            undo(container)
        prove(lab)

    return inject


KILLED = (methodcaller("kill"), methodcaller("start"))
STOPPED = (methodcaller("stop"), methodcaller("start"))
PAUSED = (pause, methodcaller("unpause"))
FROZEN = (methodcaller("kill", "STOP"), methodcaller("kill", "CONT"))
"""Its process stands still: Docker goes on calling the container running, and healthy for a while."""


@contextmanager
def crowded(labs: Labs) -> Iterator[Subject]:
    """Valkey takes no further clients; one that was there before lets them in again."""
    lab = labs.pair
    subject = lab.subject()
    with connected(lab) as client:
        client.config_set("maxclients", 1)
        try:
            yield subject
        finally:
            client.config_set("maxclients", 10000)
    prove(lab)


@contextmanager
def connected(lab: Pair) -> Iterator[Any]:
    """A client on this host that keeps its connection, also when Valkey takes no further ones."""
    networks = lab.container(lab.valkey).attrs["NetworkSettings"]["Networks"]
    with redis.Redis(
        host=networks[lab.network.name]["IPAddress"], password=PASSWORD, single_connection_client=True
    ) as client:
        client.ping()
        yield client


def acl(*rules: str) -> Inject:
    """The app's account in Valkey lacks some rights."""
    every = ("allchannels", "allkeys", "+@all")
    return told([["ACL", "SETUSER", "default", *rules]], [["ACL", "SETUSER", "default", *every]])


@contextmanager
def second_open_webui(labs: Labs) -> Iterator[Subject]:
    """Another stack on the same Valkey, with databases and a prefix of its own."""
    lab = labs.pair
    apart = {"WEBSOCKET_REDIS_URL": lab.url(5), "REDIS_URL": lab.url(6), "REDIS_KEY_PREFIX": "other"}
    subject = lab.subject()
    with lab.another_app("second", apart) as second:
        lab.verified(second)  # it listens from its first socket on
        yield subject


@contextmanager
def another_was_asked_for(labs: Labs) -> Iterator[Subject]:
    """The app runs with another URL than the one asked for."""
    lab = labs.pair
    yield lab.subject(expected={lab.app: {"Config.Env[REDIS_URL]": f"redis://{lab.valkey}:6379/0"}})


@contextmanager
def another_variable_was_asked_for(labs: Labs) -> Iterator[Subject]:
    """The app runs with another variable than the one asked for."""
    lab = labs.pair
    yield lab.subject(expected={lab.app: {"Config.Env[WEBUI_SECRET_KEY]": "another"}})


FAULTS = (
    Fault(
        name="Valkey is stopped",
        inject=meddled("valkey", *STOPPED),
        check="containers-running",
        cause="valkey-exited",
        also={"valkey-pong": "valkey-exited", "live-event": "not-asked", "connect": "not-asked"},
        own="200/503",
    ),
    Fault(
        name="Valkey is paused",
        inject=meddled("valkey", *PAUSED),
        check="containers-running",
        cause="valkey-paused",
        also={"valkey-pong": "valkey-paused", "live-event": "not-asked"},
        own="200/503 or none",
    ),
    Fault(
        name="Valkey hangs: its process is stopped",
        inject=meddled("valkey", *FROZEN),
        check="valkey-pong",
        cause="valkey-hung",
        also={"connect": "valkey-hung", "live-event": "valkey-hung"},
        own="200/503 or none",
    ),
    Fault(
        name="Valkey takes no further clients (`maxclients`)",
        inject=crowded,
        check="connect",
        cause="valkey-clients-exhausted",
        also={"valkey-pong": "valkey-clients-exhausted", "live-event": "valkey-clients-exhausted"},
        own="200/200 or 503",
    ),
    Fault(
        name="an ACL without the rooms' channels",
        inject=acl("resetchannels", "&socketio", "&open-webui:*"),
        check="valkey-acl",
        cause="valkey-acl-denied",
        also={"live-event": "valkey-acl-denied"},
    ),
    Fault(
        name="an ACL without the shared channel",
        inject=acl("resetchannels", "&socketio#*", "&open-webui:*"),
        check="valkey-acl",
        cause="valkey-acl-denied",
        also={"live-event": "valkey-acl-denied"},
    ),
    Fault(
        name="an ACL without PUBLISH",
        inject=acl("-publish"),
        check="valkey-acl",
        cause="valkey-acl-denied",
        also={"live-event": "valkey-acl-denied"},
    ),
    Fault(
        name="an ACL without PUBSUB",
        inject=acl("-pubsub"),
        check="pubsub-subscribers",
        cause="subscribers-refused",
        status="unknown",
        verdict="proved",
    ),
    Fault(
        name="a second Open WebUI on the same Valkey",
        inject=second_open_webui,
        check="pubsub-subscribers",
        cause="foreign-subscriber",
    ),
    Fault(
        name="Open WebUI runs with another `REDIS_URL` than asked for",
        inject=another_was_asked_for,
        check="environment",
        cause="url-differs-from-intended",
        also={"as-asked": "differs-from-asked"},
    ),
    Fault(
        name="Open WebUI runs with another `WEBUI_SECRET_KEY` than asked for",
        inject=another_variable_was_asked_for,
        check="environment",
        cause="environment-differs",
        also={"as-asked": "differs-from-asked"},
    ),
)
