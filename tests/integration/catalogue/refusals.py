"""Faults in which Valkey answers and refuses: what live events do not need, and so they go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.integration.catalogue.fault import Fault, Inject
from tests.integration.hand_made import BOOT_SECONDS, PASSWORD, VALKEY_IMAGE, Labs, Pair
from verification.subject import Subject

NOWHERE = "192.0.2.1"
"""An address that nobody has: https://www.rfc-editor.org/rfc/rfc5737"""


def told(do: list[list[str]], undo: list[list[str]]) -> Inject:
    """Valkey is told something, and proved again once that is undone."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        lab = labs.pair
        subject = lab.subject()
        try:
            for words in do:
                lab.valkey_cli(*words)
            yield subject
        finally:
            for words in undo:
                lab.valkey_cli(*words)
        prove(lab)

    return inject


def prove(lab: Pair) -> None:
    """The sound pair is proved; a listener that backs off is waited for."""
    report = lab.verified()
    assert report["verdict"] == "proved", report["summary"]


def disk_refuses(*options: str) -> Inject:
    """Valkey may not write where its data lie, and has tried to."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        lab = labs.pair
        subject = lab.subject()
        try:
            lab.valkey_cli("CONFIG", "SET", "save", "3600 1", *options)
            mode(lab, "555")
            save(lab)
            yield subject
        finally:
            mode(lab, "755")
            save(lab)
            lab.valkey_cli("CONFIG", "SET", "save", "", "stop-writes-on-bgsave-error", "yes")
        prove(lab)

    return inject


def mode(lab: Pair, bits: str) -> None:
    """Give Valkey's directory this mode."""
    assert lab.container(lab.valkey).exec_run(["chmod", bits, "/data"], user="root").exit_code == 0


def save(lab: Pair) -> None:
    """Let Valkey save, and wait until it has, or has failed to."""
    lab.valkey_cli("BGSAVE")
    end = time.monotonic() + BOOT_SECONDS
    while "rdb_bgsave_in_progress:0" not in lab.valkey_cli("INFO", "persistence") and time.monotonic() < end:
        time.sleep(0.1)


def asked_by(url: str) -> Inject:
    """A sound pair whose Valkey is asked by a URL; ``{another}`` stands for a Valkey that the app does not use."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        lab = labs.pair
        app = lab.app
        with lab.removed_after(lab.run("another", VALKEY_IMAGE, {})) as another:
            there = url.format(another=another, valkey=lab.valkey)
            yield Subject(apps=(app,), valkey_url=there, wait_seconds=BOOT_SECONDS)

    return inject


FAULTS = (
    Fault(
        name="Valkey is a replica since a failover",
        inject=told([["REPLICAOF", NOWHERE, "6379"]], [["REPLICAOF", "NO", "ONE"]]),
        check="valkey-writes",
        cause="valkey-read-only",
    ),
    Fault(
        name="Valkey is a replica that has lost its primary and serves no old data",
        inject=told(
            [["CONFIG", "SET", "replica-serve-stale-data", "no"], ["REPLICAOF", NOWHERE, "6379"]],
            [["REPLICAOF", "NO", "ONE"], ["CONFIG", "SET", "replica-serve-stale-data", "yes"]],
        ),
        check="valkey-pong",
        cause="valkey-read-only",
        own="200/503",
    ),
    Fault(
        name="Valkey has reached its `maxmemory`",
        inject=told([["CONFIG", "SET", "maxmemory", "1"]], [["CONFIG", "SET", "maxmemory", "0"]]),
        check="valkey-writes",
        cause="valkey-out-of-memory",
    ),
    Fault(
        name="Valkey cannot save to its disk",
        inject=disk_refuses(),
        check="valkey-pong",
        cause="valkey-persistence-failing",
        also={"connect": "valkey-persistence-failing", "valkey-writes": "valkey-persistence-failing"},
        own="200/503",
    ),
    Fault(
        name="Valkey cannot save to its disk and takes writes all the same",
        inject=disk_refuses("stop-writes-on-bgsave-error", "no"),
        check="valkey-writes",
        cause="valkey-persistence-failing",
    ),
    Fault(
        name="an ACL without the app's keys",
        inject=told(
            [["ACL", "SETUSER", "default", "resetkeys", "~other:*"]], [["ACL", "SETUSER", "default", "allkeys"]]
        ),
        check="valkey-writes",
        cause="valkey-acl-denied",
    ),
    Fault(
        name="an ACL without EVAL, which the locks of Open WebUI need",
        inject=told([["ACL", "SETUSER", "default", "-eval"]], [["ACL", "SETUSER", "default", "+@all"]]),
        check="valkey-writes",
        cause="valkey-acl-denied",
    ),
    Fault(
        name="Valkey is asked by the URL of another one (`--valkey-url`)",
        inject=asked_by("redis://{another}:6379/0"),
        check="name-resolution",
        cause="name-resolves-elsewhere",
    ),
    Fault(
        name="Valkey is asked by a URL that it refuses (`--valkey-url`)",
        inject=asked_by(f"redis://:not-{PASSWORD}@{{valkey}}:6379/0"),
        check="valkey-pong",
        cause="valkey-not-asked",
        status="unknown",
        verdict="unknown",
    ),
)
