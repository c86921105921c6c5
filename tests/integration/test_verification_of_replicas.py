"""The verification of sound replicas behind a gateway, Valkey locked down: proved quickly, and nothing is left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.hand_made import Labs, Replicas, silent
from verification.report import Report, as_text
from verification.run import verify

pytestmark = [pytest.mark.docker, pytest.mark.nightly]

QUICK_SECONDS = 5
"""On a machine that does other things meanwhile; alone it takes half of that."""


@pytest.fixture
def replicas(labs: Labs) -> Replicas:
    return labs.replicas


@pytest.fixture
def verified(replicas: Replicas) -> Callable[..., Report]:
    def run(**changes: Any) -> Report:
        return verify(replace(replicas.subject, **changes), silent)

    return run


def rows(report: Report) -> dict[str, Any]:
    return {row["id"]: row for row in report["checks"]}


def test_a_sound_deployment_is_proved_by_every_check_that_applies(
    replicas: Replicas, verified: Callable[..., Report]
) -> None:
    report = min((verified() for _ in range(3)), key=lambda found: found["seconds"])

    assert report["verdict"] == "proved", as_text(report)
    unasked = {row["id"] for row in report["checks"] if row["class"] == "unknown"}
    assert unasked == {"account", "idle-socket", "migration", "log-line"}
    assert "not for another origin (403)" in rows(report)["front-door"]["evidence"]
    assert replicas.apps[0] in rows(report)["isolation"]["evidence"]
    assert report["seconds"] < QUICK_SECONDS
    assert not [password for password in replicas.passwords.values() if password in json.dumps(report)]


def test_a_valkey_elsewhere_is_asked_through_the_apps(verified: Callable[..., Report]) -> None:
    report = verified(valkey="", valkey_login=None, app_user="", isolation=None)

    assert report["verdict"] == "proved", as_text(report)
    assert "to the apps' own connections" in rows(report)["valkey-pong"]["evidence"]
