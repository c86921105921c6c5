"""Runs that would overlap, for real: of the embedded engine, and of it and the Pulumi CLI."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.engine.two_engines import Project

pytestmark = pytest.mark.processes
PROJECT = f"""\
name: handover
runtime: {{name: python, options: {{toolchain: pip, virtualenv: {sys.prefix}}}}}
stackConfigDir: stacks
"""
PROGRAM = """\
import os
import time
from pathlib import Path

Path(f"running.{os.getpid()}").touch()
end = time.monotonic() + 300
while not Path("go").exists() and time.monotonic() < end:
    time.sleep(0.02)
"""
EMBEDDED = [sys.executable, "-m", "tooling.engine", "up", "--stack", "dev"]
PULUMI = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "dev"]
SECONDS = 120
"""Far more than a run takes that is refused."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A stack that was begun; its program waits for the file ``go``."""
    project = Project(tmp_path, {"Pulumi.yaml": PROJECT, "__main__.py": PROGRAM})
    (tmp_path / "go").touch()
    project.embedded("up")
    (tmp_path / "go").unlink()
    for mark in tmp_path.glob("running.*"):
        mark.unlink()
    return project


@contextmanager
def running(project: Project, *command: str) -> Iterator[subprocess.Popen[str]]:
    """A run, held by its program while it has the lock."""
    with start(project, *command) as run:
        try:
            await_one(project)
            yield run
        finally:
            (project.directory / "go").touch()
            run.wait(SECONDS)


def start(project: Project, *command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=project.directory,
        env=project.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def await_one(project: Project) -> None:
    end = time.monotonic() + SECONDS
    while not list(project.directory.glob("running.*")):
        assert time.monotonic() < end, "no program came to run"
        time.sleep(0.02)


def locks(project: Project) -> list[Path]:
    return list((project.directory / ".pulumi-state/.pulumi/locks/organization/handover/dev").glob("*.json"))


def test_of_three_runs_begun_together_one_goes_on_and_the_others_say_why(project: Project) -> None:
    runs = [start(project, *EMBEDDED) for _ in range(3)]
    try:
        end = time.monotonic() + SECONDS
        while sum(run.poll() is None for run in runs) > 1:
            assert time.monotonic() < end, "more than one goes on"
            time.sleep(0.05)
        await_one(project)
    finally:
        (project.directory / "go").touch()
        said = [run.communicate(timeout=SECONDS)[0] for run in runs]
    (winner,) = [run for run in runs if run.returncode == 0]
    for run, words in zip(runs, said, strict=True):
        if run is not winner:
            assert run.returncode == 1
            assert f"process {winner.pid}, since 20" in words
            assert (
                " ago). Wait for it to end; if it is gone, remove the lock with `python -m tooling.engine cancel"
                in words
            )
    assert not locks(project)


def test_a_preview_goes_on_beside_an_update_and_cancel_does_not_break_its_lock(project: Project) -> None:
    with running(project, *EMBEDDED) as run:
        assert "at work" in project.embedded("cancel", fails=True)
        (project.directory / "go").touch()
        project.embedded("preview")
    assert run.returncode == 0


def test_the_lock_of_a_killed_run_is_taken_over(project: Project) -> None:
    with running(project, *EMBEDDED) as run:
        run.send_signal(signal.SIGKILL)
        run.wait(SECONDS)
        assert len(locks(project)) == 1
    project.embedded("up")
    assert not locks(project)


@pytest.mark.pulumi_cli
@pytest.mark.parametrize("holder", ["embedded", "pulumi"])
def test_neither_engine_goes_on_beside_the_other(project: Project, holder: str) -> None:
    if holder == "pulumi":
        with running(project, *PULUMI) as run:
            (lock,) = locks(project)
            pid = json.loads(lock.read_text())["pid"]
            words = project.embedded("up", fails=True)
            assert f"process {pid}, since 20" in words
            assert "at work" in project.embedded("cancel", fails=True)
    else:
        with running(project, *EMBEDDED) as run:
            words = project.pulumi("up", "--yes", "--skip-preview", fails=True)
            assert "currently locked by 1 lock(s)" in words
            assert f"(pid {run.pid})" in words
    assert run.returncode == 0
    assert not locks(project)
    project.embedded("preview", "--expect-no-changes")


@pytest.mark.pulumi_cli
def test_cancel_removes_the_lock_of_a_killed_cli(project: Project) -> None:
    with running(project, *PULUMI) as run:
        run.send_signal(signal.SIGKILL)
        run.wait(SECONDS)
        assert "Removed the lock held by" in project.embedded("cancel")
        assert not locks(project)
