import json
import math
from collections.abc import Collection

import pytest

from tests.bench import publisher
from tests.bench.figures import REFUSED, Get, Latency, Outage, Recorded, Sent, latency, outage, percentile
from tests.bench.load import Join, Load
from tests.bench.proof import Cost, as_cost
from tests.bench.report import BARS, Results, document, table
from tests.bench.speed import Speed
from verification.checks.verdict import Verdict
from verification.report.terminal import Report


def recorded(*, sent: int, lost: Collection[int] = (), rooms: int = 4) -> Recorded:
    """Events at 10 per second from second 100 on, each on its way for as many milliseconds as its number."""
    return Recorded(
        rooms=[f"room{index}" for index in range(rooms)],
        sent={number: Sent(at=100 + number / 10, receivers=1) for number in range(sent)},
        arrived={number: 100 + number / 10 + number / 1000 for number in range(sent) if number not in lost},
    )


def get(began: float, ended: float, status: int = 200, error: str = "") -> Get:
    return Get(began=began, ended=ended, path="/api/version", status=status, error=error)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1.0), (0.5, 50.0), (0.99, 99.0), (0.991, 100.0), (1.0, 100.0)])
def test_a_percentile_is_a_value_that_was_seen(share: float, expected: float) -> None:
    assert percentile([float(value) for value in range(1, 101)], share) == expected


def test_latency_is_of_the_events_that_arrived() -> None:
    found = latency(recorded(sent=101, lost={100}))
    assert [round(ms) for ms in (found.p50, found.p90, found.p99, found.maximum)] == [49, 89, 98, 99]


def test_nothing_that_arrived_is_said_and_not_averaged() -> None:
    with pytest.raises(ValueError, match="none of 3 events arrived at 4 sockets"):
        latency(recorded(sent=3, lost={0, 1, 2}))


def test_an_event_for_a_socket_that_is_gone_is_not_missing() -> None:
    seen = recorded(sent=12, lost={4, 5})
    assert seen.missing() == [pytest.approx(100.4), pytest.approx(100.5)]
    assert seen.missing(before=100.45) == [pytest.approx(100.4)]
    seen.dropped[0] = (100.4, 1006)
    assert seen.missing() == [pytest.approx(100.5)]


def test_an_event_that_valkey_did_not_take_is_missing() -> None:
    seen = recorded(sent=4, lost={2})
    seen.sent[2] = Sent(at=100.2, receivers=REFUSED)
    assert seen.missing() == [pytest.approx(100.2)]


def test_an_outage_is_what_clients_noticed() -> None:
    seen = recorded(sent=40, lost={10, 11, 13, 16})
    seen.dropped[0] = (101.25, 1006)
    seen.gets = [get(100, 100.1), get(101, 101.5, 503), get(101.2, 102, 0, "TimeoutError: "), get(102, 104)]

    found = outage(seen, since=101.0, proved=103.0)

    assert found == Outage(
        sockets=4,
        sockets_lost=1,
        sockets_lost_seconds=0.25,
        gets=4,
        gets_failed=2,
        failures={"/api/version: 503": 1, "/api/version: TimeoutError: ": 1},
        failing_seconds=1.0,
        slowest_seconds=2.0,
        events=30,
        events_lost=3,
        events_back_seconds=101.3 - 101.0,
        proved_seconds=2.0,
    )


def test_an_outage_that_nobody_noticed_is_all_zeros() -> None:
    seen = recorded(sent=40)
    seen.gets = [get(100, 100.5)]
    found = outage(seen, since=101.0, proved=101.0)
    assert (found.sockets_lost, found.gets_failed, found.failures, found.events_lost) == (0, 0, {}, 0)
    assert (found.failing_seconds, found.events_back_seconds, found.proved_seconds) == (0, 0, 0)


def test_an_event_is_published_as_python_socketio_would() -> None:
    event = json.loads(publisher.message(7, "a-room", 12.5))
    assert (event["method"], event["namespace"], event["room"]) == ("emit", "/", "a-room")
    assert event["data"][:2] == [7, 12.5]
    packet = "42" + json.dumps([event["event"], *event["data"]], separators=(",", ":"))
    assert 110 <= len(packet) <= 130


def proof(replicas: int, seconds: float) -> Cost:
    return Cost(
        replicas=replicas, passed=18, unasked=("idle-socket",), seconds=seconds, slowest=("isolation", 1.1)
    )  # fmt: skip


def told(verdict: Verdict) -> Report:
    """A report of two checks."""
    checks = [
        {"id": "isolation", "status": "passed", "seconds": 1.1},
        {"id": "idle-socket", "status": "unknown", "seconds": 0.0},
    ]
    return {
        "verdict": verdict, "summary": "in words", "seconds": 1.2, "checks": checks, "images": {}, "asked_at": "",
        "apps": [], "valkey": "", "open_webui_version": "", "valkey_version": "",
    }  # fmt: skip


def test_a_proof_costs_what_all_checks_take_side_by_side() -> None:
    assert as_cost(told("proved"), 2) == Cost(
        replicas=2, passed=1, unasked=("idle-socket",), seconds=1.2, slowest=("isolation", 1.1)
    )
    assert as_cost(told("proved"), 2).bar == pytest.approx(2.3)


def test_what_is_not_proved_has_no_cost() -> None:
    with pytest.raises(AssertionError, match="in words"):
        as_cost(told("failed"), 1)


def test_the_document_shows_every_figure_and_its_bar() -> None:
    seen = outage(recorded(sent=4), since=math.inf, proved=math.inf)
    ms = Latency(p50=1.04, p90=2, p99=3.96, maximum=40)
    slow = Load(
        replicas=2, sockets=500, asked=2000, reached=1500, events=12000, lost=3, repeated=1, sockets_lost=0,
        latency=ms, cpu={"open-webui": 24.4, "valkey": 4, "gateway": 10},
    )  # fmt: skip
    results = Results(
        facts={"date": "2026-11-23"},
        loads=[slow],
        joins=[Join(sockets=500, with_account=True, seconds=4)],
        outages=dict.fromkeys(BARS, seen),
        speed=Speed(proved=26, migration=6, ready=12, healthy=14, unchanged=3, verify=2),
        costs=[proof(1, 1.5), proof(3, 2.14)],
    )

    text = document(results)

    assert "| 2 | 500 | 1500 (2000 asked) | 3 of 12000, 1 repeated | 1.0 / 2.0 / 4.0 / 40.0 | 24, 4, 10 |" in text
    assert "| 500 | yes | 4.0 | 125 |" in text
    assert "| ratio (bar 1.3) | 1.30 |" in text
    assert "| 3 | 2.1 | 2.6 | 18 | idle-socket | isolation, 1.1 s |" in text
    assert "Each further replica: +0.32 s (bar +0.3 s)." in text
    for what, bar in BARS.items():
        assert f"| {what} | {bar} | 0 of 4 | 0 of 0 |" in text


def test_a_table_has_a_line_under_its_head() -> None:
    assert table(("a", "b"), (1, 2)) == "| a | b |\n|---|---|\n| 1 | 2 |\n"
