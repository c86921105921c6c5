"""One update of a stack at a time."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier, Timer
from types import SimpleNamespace
from typing import Any

import pytest

from tooling.errors import ToolError
from tooling.pulumi_files import lock
from tooling.pulumi_files.backend import Backend
from tooling.pulumi_files.checkpoint import timestamp
from tooling.pulumi_files.lock import break_locks, locked, release


@pytest.fixture
def backend(tmp_path: Path) -> Backend:
    return Backend(tmp_path, "web", "dev")


def identity() -> dict[str, str]:
    return lock._identity(os.getpid())


def hold(backend: Backend, **content: Any) -> Path:
    backend.locks.mkdir(parents=True, exist_ok=True)
    path = backend.locks / "1234.json"
    known = {
        "pid": os.getpid(),
        "username": "ann",
        "hostname": socket.gethostname(),
        "timestamp": timestamp(),
    }
    path.write_text(json.dumps(known | content))
    return path


def test_a_held_lock_is_refused_with_who_holds_it_since_when_and_how_to_break_it(backend: Backend) -> None:
    hold(backend)
    with (
        pytest.raises(ToolError, match=r"held by ann@.*process \d+, since 20.*Z \(\d+ s ago\)\. .*cancel --stack dev"),
        locked(backend),
    ):
        pass
    assert len(list(backend.locks.iterdir())) == 1


def test_a_lock_is_gone_after_the_run_even_if_it_failed(backend: Backend) -> None:
    def run() -> None:
        with locked(backend):
            assert json.loads(next(backend.locks.glob("*.json")).read_text())["pid"] == os.getpid()
            raise KeyError

    with pytest.raises(KeyError):
        run()
    assert not list(backend.locks.iterdir())


def test_a_run_that_stops_at_once_takes_its_own_lock_with_it_and_no_other(backend: Backend) -> None:
    with locked(backend):
        theirs = hold(backend, hostname="elsewhere")
        release(backend)
        assert list(backend.locks.iterdir()) == [theirs]


def test_a_second_run_is_refused_while_the_first_goes_on(backend: Backend) -> None:
    with locked(backend):
        with pytest.raises(ToolError, match="is locked"), locked(backend):
            pass
        assert len(list(backend.locks.iterdir())) == 1


def test_a_lock_of_a_process_that_is_gone_is_taken_over(backend: Backend, capsys: pytest.CaptureFixture[str]) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    hold(backend, pid=ended.pid)
    with locked(backend):
        assert "Taking over" in capsys.readouterr().err


def test_a_lock_of_a_killed_process_that_nobody_reaps_is_taken_over(backend: Backend) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as killed:
        hold(backend, pid=killed.pid)
        killed.kill()
        os.waitid(os.P_PID, killed.pid, os.WEXITED | os.WNOWAIT)
        with locked(backend):
            pass


def test_a_lock_whose_process_number_was_given_to_a_later_process_is_taken_over(backend: Backend) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as later:
        hold(backend, pid=later.pid, timestamp="2020-01-01T00:00:00Z")
        with locked(backend):
            pass
        later.kill()


def test_a_lock_of_a_running_process_holds_although_the_clock_was_set_forward(backend: Backend) -> None:
    with locked(backend):
        (lock,) = backend.locks.iterdir()
        lock.write_text(json.dumps(json.loads(lock.read_text()) | {"timestamp": "2020-01-01T00:00:00Z"}))
        with pytest.raises(ToolError, match="is locked"), locked(backend):
            pass


@pytest.mark.parametrize("changed", [{"boot": "an earlier one"}, {"started": "1"}])
def test_a_lock_of_an_earlier_process_of_the_same_number_is_taken_over(
    backend: Backend, changed: dict[str, str]
) -> None:
    hold(backend, process=identity() | changed)
    with locked(backend):
        pass


@pytest.mark.parametrize(("theirs", "ours"), [({}, identity()), (identity(), {}), ("1", identity())])
@pytest.mark.parametrize(("pid", "taken_over"), [(os.getpid(), False), (999999999, True)], ids=["runs", "is gone"])
def test_a_lock_goes_by_the_number_of_its_process_where_more_is_not_known(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, theirs: Any, ours: dict[str, str], pid: int, *, taken_over: bool
) -> None:
    """There is no ``/proc`` on macOS, and the state may lie where machines of both kinds reach it."""
    other = hold(backend, pid=pid, process=theirs)
    monkeypatch.setattr(lock, "_identity", lambda _: ours)
    with suppress(ToolError), locked(backend):
        pass
    assert other.exists() != taken_over


def test_a_lock_of_another_machine_is_never_taken_over(backend: Backend) -> None:
    hold(backend, pid=999999999, hostname="elsewhere")
    with pytest.raises(ToolError, match="ann@elsewhere"), locked(backend):
        pass


@pytest.mark.parametrize("place", ["machine", "namespace"])
def test_a_process_that_cannot_be_seen_from_here_keeps_its_lock(backend: Backend, place: str) -> None:
    hold(backend, pid=999999999, process=identity() | {place: "another"})
    with pytest.raises(ToolError, match="cancel --yes --stack dev"), locked(backend):
        pass


def test_a_clock_that_runs_ahead_is_told(backend: Backend) -> None:
    hold(backend, timestamp=(datetime.now(UTC) + timedelta(hours=5, minutes=1)).isoformat())
    with pytest.raises(ToolError, match=r"\(5:0\d:\d\d ahead of this machine's clock\)"), locked(backend):
        pass


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=90), r"9\d s ago"),
        (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=3), "3 days ago"),
    ],
)
def test_the_age_of_a_lock_is_told_in_words(backend: Backend, age: timedelta, words: str) -> None:
    hold(backend, timestamp=(datetime.now(UTC) - age).isoformat(), hostname="elsewhere")
    with pytest.raises(ToolError, match=rf"\({words}\)"), locked(backend):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_lock_that_cannot_be_read_is_refused_by_its_path(backend: Backend, content: str) -> None:
    lock = hold(backend)
    lock.write_text(content)
    with pytest.raises(ToolError, match=rf"{lock} cannot be read.*cancel --yes --stack dev"), locked(backend):
        pass
    assert list(backend.locks.iterdir()) == [lock]


def test_cancel_leaves_the_lock_of_a_running_process_unless_told_to(backend: Backend) -> None:
    hold(backend)
    with pytest.raises(ToolError, match=r"stays: held by ann@.*at work.*cancel --yes --stack dev"):
        break_locks(backend, force=False)
    assert len(list(backend.locks.iterdir())) == 1
    assert "held by ann@" in break_locks(backend, force=True)[0]
    assert not list(backend.locks.iterdir())


def test_cancel_asks_for_a_lock_of_another_machine_to_be_confirmed(backend: Backend) -> None:
    hold(backend, hostname="elsewhere")
    with pytest.raises(ToolError, match=r"ann@elsewhere.*cannot be seen from here.*cancel --yes"):
        break_locks(backend, force=False)


def test_cancel_removes_the_lock_of_a_process_that_is_gone_and_says_whose(backend: Backend) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    lock = hold(backend, pid=ended.pid)
    lock.with_name("1234.json.attrs").write_text("{}")
    assert "held by ann@" in break_locks(backend, force=False)[0]
    assert not list(backend.locks.iterdir())


def test_of_several_that_begin_at_once_exactly_one_goes_on(backend: Backend) -> None:
    runs, rounds = 8, 15
    together = Barrier(runs, timeout=60)

    def run(_: int) -> bool:
        together.wait()
        try:
            with locked(backend):
                together.wait()  # until all the others have been refused
                return True
        except ToolError:
            together.wait()
            return False

    with ThreadPoolExecutor(runs) as pool:
        for _ in range(rounds):
            assert sum(pool.map(run, range(runs))) == 1
    assert not list(backend.locks.iterdir())


def test_of_several_that_find_a_stale_lock_exactly_one_takes_it_over(backend: Backend) -> None:
    hold(backend, process=identity() | {"started": "1"})
    test_of_several_that_begin_at_once_exactly_one_goes_on(backend)


def test_a_lock_written_at_the_same_moment_and_withdrawn_is_no_obstacle(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the Pulumi CLI does, having seen ours; it asks for no turn."""
    write = lock._write

    def write_while_another_does(own: Path) -> None:
        write(own)
        other = hold(backend)
        Timer(0.1, other.unlink).start()

    monkeypatch.setattr(lock, "_write", write_while_another_does)
    monkeypatch.setattr(lock, "_YIELD_SECONDS", 60)
    with locked(backend):
        assert len(list(backend.locks.iterdir())) == 1


def test_a_lock_written_at_the_same_moment_that_stays_is_yielded_to(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = lock._write

    def write_after_another_has_looked(own: Path) -> None:
        hold(backend)
        write(own)

    monkeypatch.setattr(lock, "_write", write_after_another_has_looked)
    monkeypatch.setattr(lock, "_YIELD_SECONDS", 0.05)
    with pytest.raises(ToolError, match="is locked: held by ann@"), locked(backend):
        pass
    assert [path.name for path in backend.locks.iterdir()] == ["1234.json"]


def test_a_lock_of_another_boot_holds_where_a_copy_of_this_machine_may_share_the_folder(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(backend, process=identity() | {"boot": "its own"})
    shares = [
        SimpleNamespace(mountpoint="/", fstype="ext4"),
        SimpleNamespace(mountpoint=str(backend.locks), fstype="nfs4"),
    ]
    monkeypatch.setattr("psutil.disk_partitions", lambda **_: shares)
    with pytest.raises(ToolError, match="cancel --yes --stack dev"), locked(backend):
        pass


def test_under_make_the_way_out_is_one_of_makes(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAKELEVEL", "1")
    hold(backend, hostname="elsewhere")
    with (
        pytest.raises(ToolError, match=r"`make cancel STACK=dev YES=1` \(or `pulumi cancel --stack dev`\)"),
        locked(backend),
    ):
        pass
    with pytest.raises(ToolError, match="`make cancel STACK=dev YES=1` removes it"):
        break_locks(backend, force=False)
