"""Ctrl-C: once finishes the steps under way and saves, twice stops at once; other signals likewise."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import Mock

import psutil
import pytest

from tooling.engine import interrupts
from tooling.engine.__main__ import main
from tooling.engine.interrupts import TerminalStream

pytestmark = pytest.mark.processes
ROOT = Path(__file__).resolve().parents[2]
THINGS = """\
import time

from pulumi.dynamic import CreateResult, Resource, ResourceProvider


class Slow(ResourceProvider):
    def create(self, props):
        print("begun")
        time.sleep(props["seconds"])
        return CreateResult("id", props)


class Thing(Resource):
    def __init__(self, name, props):
        super().__init__(Slow(), name, props)
"""
PROGRAM = """\
from things import Thing

first = Thing("first", {"seconds": 3})
Thing("second", {"seconds": 0.7, "after": first.id})
"""


UP = [sys.executable, "-u", "-m", "tooling.engine", "up"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a run of the project that is in ``tmp_path``."""
    files = {"Pulumi.yaml": "name: web\nruntime: python\n", "Pulumi.dev.yaml": ""}
    for name, text in (files | {"things.py": THINGS, "__main__.py": PROGRAM}).items():
        (tmp_path / name).write_text(text)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
    return inherited | {"PULUMI_CONFIG_PASSPHRASE": "pass", "PYTHONPATH": str(ROOT)}


@pytest.fixture
def engine(
    tmp_path: Path, environment: dict[str, str], request: pytest.FixtureRequest
) -> Iterator[subprocess.Popen[str]]:
    """An update whose first resource is being made; the parameter is a command to run it with."""
    with subprocess.Popen(
        [*getattr(request, "param", []), *UP],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "begun" in line:
                break
        yield process
        process.kill()


def latest(directory: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((directory / ".pulumi-state/.pulumi/stacks/web/dev.json").read_text())
    return dict(document["checkpoint"]["latest"])


def names(state: dict[str, Any]) -> set[str]:
    return {resource["urn"].rsplit("::", 1)[1] for resource in state["resources"]}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_once_finishes_what_is_under_way_and_starts_nothing_more(
    engine: subprocess.Popen[str], tmp_path: Path, number: signal.Signals
) -> None:
    engine.send_signal(number)
    said = engine.communicate(timeout=60)[0]
    assert engine.returncode == 130
    assert "Stopped by Ctrl-C" in said
    assert "finished: pulumi-python:dynamic:Resource (first)\n" in said
    assert "not begun: pulumi-python:dynamic:Resource (second)\n" in said
    state = latest(tmp_path)
    assert "first" in names(state)
    assert "second" not in names(state)
    assert "pending_operations" not in state
    assert not list((tmp_path / ".pulumi-state").rglob("locks/**/*.json"))


def test_twice_stops_at_once_with_the_operation_pending(engine: subprocess.Popen[str], tmp_path: Path) -> None:
    engine.send_signal(signal.SIGINT)
    assert engine.stdout is not None
    for line in engine.stdout:
        if "Ctrl-C again stops at once" in line:
            break
    engine.send_signal(signal.SIGINT)
    said = engine.communicate(timeout=60)[0]
    assert engine.returncode == 130
    assert "Stopped at once:\n  under way: pulumi-python:dynamic:Resource (first)\n" in said
    assert [pending["type"] for pending in latest(tmp_path)["pending_operations"]] == ["creating"]
    assert not list((tmp_path / ".pulumi-state").rglob("locks/**/*.json"))


def test_before_anything_is_begun_it_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tooling.engine.commands._workspace", interrupted)
    assert main(["up", "--stack", "dev"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_the_host_of_dynamic_resources_may_be_killed_alone(
    engine: subprocess.Popen[str], tmp_path: Path, environment: dict[str, str]
) -> None:
    """Or die: of memory, say."""
    (host,) = psutil.Process(engine.pid).children()
    host.kill()
    said = engine.communicate(timeout=60)[0]
    assert engine.returncode == 1
    assert "The host of dynamic resources ended during Create (exit code -9). Run the command again" in said
    assert [pending["type"] for pending in latest(tmp_path)["pending_operations"]] == ["creating"]
    again = subprocess.run(UP, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert {"first", "second"} <= names(latest(tmp_path))
    assert "pending_operations" not in latest(tmp_path)


# In a process of its own: this one may have threads, which do not go well with a fork.
IN_A_TERMINAL_THAT_CLOSES = """\
import os, pty, signal, sys

engine, terminal = pty.fork()
if not engine:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # Under nohup it would be ignored, here as well.
    os.execv(sys.argv[1], sys.argv[1:])
said = b""
while b"begun" not in said:
    said += os.read(terminal, 1024)
os.close(terminal)
os.kill(engine, signal.SIGHUP)  # Shells pass the signal on, so that it comes twice.
sys.exit(os.waitstatus_to_exitcode(os.waitpid(engine, 0)[1]))
"""


def test_a_terminal_that_closes_has_what_is_under_way_finished(tmp_path: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-c", IN_A_TERMINAL_THAT_CLOSES, *UP]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=False)
    assert done.returncode == 130, done.stderr
    state = latest(tmp_path)
    assert "first" in names(state)
    assert "second" not in names(state)
    assert "pending_operations" not in state
    assert not list((tmp_path / ".pulumi-state").rglob("locks/**/*.json"))


@pytest.mark.parametrize("engine", [["nohup"]], indirect=True)
def test_under_nohup_it_goes_on(engine: subprocess.Popen[str], tmp_path: Path) -> None:
    engine.send_signal(signal.SIGHUP)
    assert engine.wait(timeout=60) == 0
    assert {"first", "second"} <= names(latest(tmp_path))


def test_what_a_terminal_that_is_gone_does_not_take_is_no_error() -> None:
    class Gone(io.StringIO):
        code = errno.EIO

        def write(self, text: str) -> int:
            raise OSError(self.code, "no longer")

        def flush(self) -> None:
            raise OSError(self.code, "no longer")

    gone = Gone()
    assert TerminalStream(gone).write("four") == 4
    TerminalStream(gone).flush()
    gone.code = errno.ENOSPC
    with pytest.raises(OSError, match="no longer"):
        TerminalStream(gone).write("four")


def test_a_terminal_that_takes_nothing_holds_up_neither_the_lock_nor_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After Ctrl-S, say. The lock goes last, as threads may save until the process has ended."""
    did: list[str] = []
    stuck, ended = Event(), Mock(side_effect=SystemExit)
    shown = Mock(where_it_stopped=lambda: "  under way: a", end=stuck.wait)

    def write(_: str) -> None:
        did.append("told")
        stuck.wait()

    monkeypatch.setattr(interrupts, "_write_error", write)
    monkeypatch.setattr(interrupts, "release", lambda _: did.append("released"))
    monkeypatch.setattr(os, "_exit", ended)
    began = time.monotonic()
    with pytest.raises(SystemExit):
        interrupts._stop_at_once(shown, Mock(), pending=True)
    assert did == ["told", "released"]
    assert time.monotonic() - began < 30
    ended.assert_called_once_with(130)
    stuck.set()
