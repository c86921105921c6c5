"""The verification of one Open WebUI and its Valkey, made by hand with plain Docker: what is sound is proved, quickly.

What is not sound is in the fault catalogue: test_fault_catalogue.py.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.hand_made import APP_IMAGE, PASSWORD, VALKEY_IMAGE, Labs, Pair
from verification.docker_view import DockerView
from verification.observe import described
from verification.report import Report

pytestmark = [pytest.mark.docker, pytest.mark.nightly]

PROJECT = Path(__file__).parents[2]
BOUND_SECONDS = 20


@pytest.fixture
def pair(labs: Labs) -> Pair:
    return labs.pair


def quickest(prove: Callable[[], Report]) -> Report:
    """The quickest of three proofs: the machine may do other things meanwhile."""
    return min((prove() for _ in range(3)), key=lambda found: found["seconds"])


def causes(report: Report) -> dict[str, str]:
    return {row["id"]: row["cause"] for row in report["checks"] if row["status"] == "failed"}


def test_a_sound_pair_is_proved_quickly_and_no_secret_gets_out(pair: Pair) -> None:
    pair.verified()  # its first socket has the app listen

    report = quickest(pair.verified)

    assert report["verdict"] == "proved", report["summary"]
    assert causes(report) == {}
    assert report["seconds"] <= 2
    assert report["open_webui_version"] >= "0.12.0"
    assert report["valkey_version"]
    assert set(report["images"]) == {pair.app, pair.valkey}
    assert PASSWORD not in json.dumps(report)


def test_the_command_line_proves_it_in_json_and_exits_with_0(pair: Pair) -> None:
    expected = {
        pair.app: {"Config.Env[WEBSOCKET_MANAGER]": "redis", "HostConfig.CapDrop": [], "Config.Image": APP_IMAGE},
        pair.valkey: {"Config.Cmd": ["valkey-server", "--requirepass", PASSWORD]},
    }
    command = [sys.executable, "-m", "verification", "--subject", "-", "--json"]

    done = subprocess.run(
        command,
        input=json.dumps({"apps": [pair.app], "valkey": pair.valkey, "expected": expected}),
        capture_output=True,
        text=True,
        cwd=PROJECT,
        timeout=60,
        check=False,
    )

    report = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout
    assert report["verdict"] == "proved"
    assert {"id", "class", "question", "status", "cause", "evidence", "fix", "seconds"} == set(report["checks"][0])
    assert PASSWORD not in done.stdout + done.stderr


def test_an_exited_app_shows_its_exit_code_and_its_log(pair: Pair) -> None:
    broken = pair.run("broken", APP_IMAGE, {}, ["sh", "-c", "echo the last words; exit 7"])
    with pair.removed_after(broken):
        report = pair.verified(broken)

        row = report["checks"][0]
        assert row["cause"] == "app-exited"
        assert "exit code 7" in row["evidence"]
        assert "the last words" in row["evidence"]
        assert report["seconds"] < BOUND_SECONDS


def test_a_container_that_does_not_exist_exits_with_2_and_names_those_there_are(pair: Pair) -> None:
    command = [sys.executable, "-m", "verification", "--app", "no-such-app", "--valkey", pair.valkey]

    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, timeout=60, check=False)

    assert done.returncode == 2
    assert "no container named 'no-such-app'" in done.stdout
    assert pair.app in done.stdout


def test_docker_not_answering_exits_with_2_and_says_so() -> None:
    command = [sys.executable, "-m", "verification", "--app", "a", "--valkey", "v", "--json"]

    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=PROJECT,
        timeout=60,
        check=False,
        env={**os.environ, "DOCKER_HOST": "unix:///nonexistent/docker.sock"},
    )

    assert done.returncode == 2
    assert json.loads(done.stdout)["checks"][0]["cause"] == "docker-unreachable"


def test_two_replicas_are_proved_together(pair: Pair) -> None:
    with pair.another_app("second") as second:
        pair.verified(pair.app, second)  # their first sockets have them listen

        report = quickest(lambda: pair.verified(pair.app, second))

        assert report["verdict"] == "proved", report["summary"]
        assert "2 replicas" in report["summary"]
        assert causes(report) == {}
        assert report["seconds"] <= 2.5


def test_the_exit_code_of_a_container_that_runs_again_is_remembered() -> None:
    name = f"vr-{secrets.token_hex(3)}"
    script = "test -e /tmp/twice && sleep 60; test -e /tmp/once && touch /tmp/twice; touch /tmp/once; exit 3"
    run = ["docker", "run", "-d", "--name", name, "--restart", "on-failure", "--entrypoint", "sh", VALKEY_IMAGE]
    subprocess.run([*run, "-c", script], check=True, capture_output=True)
    view = DockerView()
    try:
        deadline = time.monotonic() + BOUND_SECONDS
        while (seen := described(view, name)).restarts < 2 or seen.status != "running":
            assert time.monotonic() < deadline, seen.state
            time.sleep(0.1)
        assert seen.exit_code == 0
        assert seen.last_exit == 3
    finally:
        view.close()
        subprocess.run(["docker", "rm", "-fv", name], check=True, capture_output=True)
