"""The live check is unable to pass without Valkey: apps that only look right fail it, on real containers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.catalogue.stand_ins import stand_in_app
from tests.integration.hand_made import Pair
from verification import observe

pytestmark = pytest.mark.docker


def live_event(pair: Pair, mode: str) -> dict[str, Any]:
    """What the live check says of a stand-in, next to nothing else that is wrong."""
    with stand_in_app(pair, mode=mode) as name:
        report = pair.verified(name)
    rows = {row["id"]: row for row in report["checks"]}
    failed = [check for check, row in rows.items() if row["status"] == "failed"]
    assert failed == (["live-event"] if rows["live-event"]["status"] == "failed" else []), report["summary"]
    return rows["live-event"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the apps here backs off."""
    monkeypatch.setattr(observe, "LIVE_SECONDS", 8.0)


@pytest.mark.parametrize(
    ("mode", "missing"), [("deaf", "over the room and shared channel"), ("shared", "over the room channel")]
)
def test_who_listens_and_delivers_nothing_does_not_pass(pair: Pair, impatient: None, mode: str, missing: str) -> None:
    found = live_event(pair, mode)

    assert found["cause"] == "event-not-received"
    assert missing in found["evidence"]


@pytest.mark.parametrize("mode", ["echo", "broadcast"])
def test_who_delivers_what_is_for_nobody_does_not_pass(pair: Pair, impatient: None, mode: str) -> None:
    assert live_event(pair, mode)["cause"] == "decoy-received"


def test_who_does_it_right_passes(pair: Pair, impatient: None) -> None:
    assert live_event(pair, "right")["status"] == "passed"
