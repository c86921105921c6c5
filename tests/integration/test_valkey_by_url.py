"""A Valkey asked by its URL, as one that is no container here: from this host, from an app, and one that is another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import docker_access
from tests.integration.hand_made import BOOT_SECONDS, PASSWORD, VALKEY_IMAGE, Pair, silent
from verification.report import Report
from verification.run import verify
from verification.subject import Subject

pytestmark = pytest.mark.docker

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    client = docker_access.client()
    made = Pair(client)
    try:
        assert made.verified()["verdict"] == "proved"
        yield made
    finally:
        made.remove()
        client.close()


def address(pair: Pair, name: str) -> str:
    """Address at which this host reaches a container."""
    return str(pair.container(name).attrs["NetworkSettings"]["Networks"][pair.network.name]["IPAddress"])


def asked_by(pair: Pair, url: str) -> tuple[Report, dict[str, dict[str, Any]]]:
    report = verify(Subject(apps=(pair.app,), valkey_url=url, wait_seconds=BOOT_SECONDS), silent)
    assert PASSWORD not in json.dumps(report)
    return report, {row["id"]: row for row in report["checks"]}


def test_it_is_asked_from_this_host_and_proved_to_be_the_apps_own(pair: Pair) -> None:
    report, rows = asked_by(pair, f"redis://:{PASSWORD}@{address(pair, pair.valkey)}:6379/0")

    assert report["verdict"] == "proved", report["summary"]
    assert report["valkey_version"]
    assert "from this host: PONG" in rows["valkey-pong"]["evidence"]
    assert rows["name-resolution"]["evidence"].endswith("the Valkey that was asked by URL")
    assert rows["pubsub-subscribers"]["evidence"].startswith("PUBSUB NUMSUB socketio is 1")
    assert "verification" not in pair.valkey_cli("--scan") + pair.valkey_cli("-n", "1", "--scan")


def test_where_this_host_knows_no_such_name_an_app_asks(pair: Pair) -> None:
    report, rows = asked_by(pair, f"redis://:{PASSWORD}@{pair.valkey}:6379/9")

    assert report["verdict"] == "proved", report["summary"]
    assert f"from {pair.app}: PONG" in rows["valkey-pong"]["evidence"]
    assert rows["name-resolution"]["evidence"].endswith("the Valkey that was asked by URL")


def test_the_url_of_another_valkey_is_named(pair: Pair) -> None:
    with pair.removed_after(pair.run("another", VALKEY_IMAGE, {})) as another:
        report, rows = asked_by(pair, f"redis://{another}:6379/0")

    assert report["verdict"] == "failed"
    assert rows["name-resolution"]["cause"] == "name-resolves-elsewhere"
    assert report["summary"].startswith("failed: name-resolves-elsewhere")
    assert rows["live-event"]["status"] == "passed"


def test_an_account_that_may_only_look_is_enough(pair: Pair) -> None:
    rights = ["+ping", "+info", "+pubsub|numsub", "+client|list", "+acl|log"]
    pair.valkey_cli("ACL", "SETUSER", "looker", "on", f">{PASSWORD}", *rights)

    report, rows = asked_by(pair, f"redis://looker:{PASSWORD}@{address(pair, pair.valkey)}:6379")

    assert report["verdict"] == "proved", report["summary"]
    assert rows["valkey-pong"]["status"] == rows["pubsub-subscribers"]["status"] == "passed"


def test_a_url_that_is_refused_is_said_and_not_held_against_the_apps(pair: Pair) -> None:
    report, rows = asked_by(pair, f"redis://:wrong@{address(pair, pair.valkey)}:6379/0")

    assert report["verdict"] == "proved", report["summary"]
    assert (rows["valkey-pong"]["status"], rows["valkey-pong"]["cause"]) == ("unknown", "valkey-not-asked")


def test_the_command_line_takes_it_from_the_environment(pair: Pair) -> None:
    url = f"redis://:{PASSWORD}@{address(pair, pair.valkey)}:6379/0"
    command = [sys.executable, "-m", "verification", "--app", pair.app, "--json"]

    done = subprocess.run(
        command, capture_output=True, text=True, cwd=PROJECT, timeout=60, check=False,
        env={**os.environ, "VERIFICATION_VALKEY_URL": url},
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["valkey"] == url.replace(PASSWORD, "***")
    assert PASSWORD not in done.stdout + done.stderr
