"""The verification of what is sound, deployed by hand: it is proved, whatever way it is asked, and no secret gets out.

What is not sound is in the fault catalogue: test_fault_catalogue.py.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.hand_made import BOOT_SECONDS, PASSWORD, STAND_IN, VALKEY_IMAGE, Labs, Pair, Replicas, silent
from tests.lease import free_port
from verification.ask.docker_view import DockerView
from verification.ask.observe import described
from verification.report.terminal import Report, as_text
from verification.run import verify
from verification.subject import Subject

pytestmark = pytest.mark.docker

PROJECT = Path(__file__).parents[2]
RESTARTED_SECONDS = 120


@pytest.fixture
def pair(labs: Labs) -> Pair:
    return labs.pair


@pytest.fixture
def replicas(labs: Labs) -> Replicas:
    return labs.replicas


def row(report: Report, check: str) -> dict[str, Any]:
    return next(row for row in report["checks"] if row["id"] == check)


def command_line(*options: str, given: str | None = None, **environment: str) -> dict[str, Any]:
    """What the verification reports as JSON, run as a person does; it must succeed."""
    command = [sys.executable, "-m", "verification", "--json", *options]
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, cwd=PROJECT, env={**os.environ, **environment},
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# One Open WebUI and one Valkey ----------------------------------------------------------------------------------------


def test_a_sound_pair_is_proved_and_no_secret_gets_out(pair: Pair) -> None:
    report = pair.verified()

    assert report["verdict"] == "proved", report["summary"]
    assert report["open_webui_version"] >= "0.12.0"
    assert report["valkey_version"]
    assert set(report["images"]) == {pair.app, pair.valkey}
    assert PASSWORD not in json.dumps(report)


def test_the_command_line_proves_it_in_json(pair: Pair) -> None:
    expected = {
        pair.app: {"Config.Env[WEBSOCKET_MANAGER]": "redis", "HostConfig.CapDrop": [], "Config.Image": STAND_IN},
        pair.valkey: {"Config.Cmd": ["valkey-server", "--requirepass", PASSWORD]},
    }
    given = json.dumps({"apps": [pair.app], "valkey": pair.valkey, "expected": expected})

    report = command_line("--subject", "-", given=given)

    assert report["verdict"] == "proved"
    assert {"id", "class", "question", "status", "cause", "evidence", "fix", "seconds"} == set(report["checks"][0])


def test_two_replicas_are_proved_together(pair: Pair) -> None:
    with pair.another_app("second") as second:
        report = pair.verified(pair.app, second)

    assert report["verdict"] == "proved", report["summary"]
    assert "2 replicas" in report["summary"]


def test_at_a_published_port_its_own_pages_get_a_websocket_and_others_none(labs: Labs) -> None:
    url = f"http://127.0.0.1:{(port := free_port())}"
    published = {"8080/tcp": ("127.0.0.1", port)}
    with labs.variants.another_app("published", {"CORS_ALLOW_ORIGIN": url}, ports=published) as app:
        report = labs.variants.verified(app, url=url)

    assert report["verdict"] == "proved", report["summary"]
    assert row(report, "front-door")["evidence"].endswith(f"{url}, and not for another origin (403)")
    assert row(report, "idle-socket")["status"] == "unknown"  # nothing stands between


def test_the_exit_code_of_a_container_that_runs_again_is_remembered() -> None:
    name = f"vr-{secrets.token_hex(3)}"
    script = "test -e /tmp/twice && sleep 60; test -e /tmp/once && touch /tmp/twice; touch /tmp/once; exit 3"
    run = ["docker", "run", "-d", "--name", name, "--restart", "on-failure", "--entrypoint", "sh", VALKEY_IMAGE]
    subprocess.run([*run, "-c", script], check=True, capture_output=True)
    view = DockerView()
    try:
        deadline = time.monotonic() + RESTARTED_SECONDS
        while (seen := described(view, name)).restarts < 2 or seen.status != "running":
            assert time.monotonic() < deadline, seen.state
            time.sleep(0.1)
        assert seen.exit_code == 0
        assert seen.last_exit == 3
    finally:
        view.close()
        subprocess.run(["docker", "rm", "-fv", name], check=True, capture_output=True)


# A Valkey that is asked by its URL, as one that is no container here --------------------------------------------------


def asked_by(pair: Pair, url: str) -> Report:
    report = verify(Subject(apps=(pair.app,), valkey_url=url, wait_seconds=BOOT_SECONDS), silent)
    assert report["verdict"] == "proved", report["summary"]
    assert PASSWORD not in json.dumps(report)
    return report


def test_it_is_asked_from_this_host_and_proved_to_be_the_apps_own(pair: Pair) -> None:
    report = asked_by(pair, f"redis://:{PASSWORD}@{pair.address(pair.valkey)}:6379/0")

    assert report["valkey_version"]
    assert "from this host: PONG" in row(report, "valkey-pong")["evidence"]
    assert row(report, "name-resolution")["evidence"].endswith("the Valkey that was asked by URL")
    assert row(report, "pubsub-subscribers")["evidence"].startswith("PUBSUB NUMSUB socketio is 1")
    assert "verification" not in pair.valkey_cli("--scan") + pair.valkey_cli("-n", "1", "--scan")


def test_where_this_host_knows_no_such_name_an_app_asks(pair: Pair) -> None:
    report = asked_by(pair, f"redis://:{PASSWORD}@{pair.valkey}:6379/9")

    assert f"from {pair.app}: PONG" in row(report, "valkey-pong")["evidence"]
    assert row(report, "name-resolution")["evidence"].endswith("the Valkey that was asked by URL")


def test_an_account_that_may_only_look_is_enough(pair: Pair) -> None:
    rights = ["+ping", "+info", "+pubsub|numsub", "+client|list", "+acl|log"]
    pair.valkey_cli("ACL", "SETUSER", "looker", "on", f">{PASSWORD}", *rights)

    report = asked_by(pair, f"redis://looker:{PASSWORD}@{pair.address(pair.valkey)}:6379")

    assert row(report, "valkey-pong")["status"] == row(report, "pubsub-subscribers")["status"] == "passed"


def test_the_command_line_takes_its_url_from_the_environment(pair: Pair) -> None:
    url = f"redis://:{PASSWORD}@{pair.address(pair.valkey)}:6379/0"

    assert command_line("--app", pair.app, VERIFICATION_VALKEY_URL=url)["valkey"] == url.replace(PASSWORD, "***")


# Replicas behind a gateway, Valkey locked down ------------------------------------------------------------------------


def test_sound_replicas_are_proved_and_no_secret_gets_out(replicas: Replicas) -> None:
    report = verify(replicas.subject, silent)

    assert report["verdict"] == "proved", as_text(report)
    assert "not for another origin (403)" in row(report, "front-door")["evidence"]
    assert replicas.apps[0] in row(report, "isolation")["evidence"]
    assert not [password for password in replicas.passwords.values() if password in json.dumps(report)]


def test_a_valkey_elsewhere_is_asked_through_the_apps(replicas: Replicas) -> None:
    report = verify(replace(replicas.subject, valkey="", valkey_login=None, app_user="", isolation=None), silent)

    assert report["verdict"] == "proved", as_text(report)
    assert "to the apps' own connections" in row(report, "valkey-pong")["evidence"]
