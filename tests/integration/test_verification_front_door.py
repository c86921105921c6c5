"""What is asked through the URL, at a published port and through a proxy: what is well, and which origin is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.hand_made import PAIR_URL, PING_SECONDS, Pair
from tests.integration.relay import relay
from tests.lease import free_port
from verification.report import Report

pytestmark = pytest.mark.docker

PORT = free_port()
URL = f"http://127.0.0.1:{PORT}"


@pytest.fixture(scope="module")
def app(pair: Pair) -> str:
    """An app that is published itself, and knows two addresses of its own."""
    origins = {"CORS_ALLOW_ORIGIN": f"{PAIR_URL};{URL}"}
    name = pair.start_app("published", origins, ports={"8080/tcp": ("127.0.0.1", PORT)})
    pair.wait_for_boot(name)
    return name


def row(report: Report, check: str) -> dict[str, Any]:
    return next(row for row in report["checks"] if row["id"] == check)


def test_at_a_published_port_its_own_pages_get_a_websocket_and_others_none(pair: Pair, app: str) -> None:
    report = pair.verified(app, url=URL)

    assert report["verdict"] == "proved", report["summary"]
    assert row(report, "front-door")["evidence"].endswith(f"{URL}, and not for another origin (403)")
    assert row(report, "idle-socket")["status"] == "unknown"


def test_at_another_name_of_the_published_port_the_app_itself_refuses_the_origin(pair: Pair, app: str) -> None:
    report = pair.verified(app, url=f"http://localhost:{PORT}")

    assert report["summary"].startswith("failed: origin-refused"), report["summary"]
    assert f"403 from {app}" in row(report, "front-door")["evidence"]


def test_a_silent_websocket_that_a_proxy_leaves_alone_outlives_a_ping_interval(pair: Pair, app: str) -> None:
    with relay(pair.address(app), patience=3 * PING_SECONDS) as door:
        report = pair.verified(app, url=PAIR_URL, door=door, idle=True)

    assert report["verdict"] == "proved", report["summary"]
    assert "a silent websocket got its first ping" in row(report, "idle-socket")["evidence"]
