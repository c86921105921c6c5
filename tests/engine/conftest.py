"""Fixtures: a stack of fake things in a temporary file backend."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine import two_things
from tests.engine.fakes import FakeProvider, Stack
from tests.engine.integrity import integrity_faults
from tests.engine.small_program import World, run_with
from tests.engine.two_things import Run
from tooling.engine.__main__ import main
from tooling.pulumi_files.backend import Backend
from tooling.pulumi_files.secrets import Secrets


@pytest.fixture(autouse=True)
def no_power_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is read as it was, with or without waiting for the disk."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(autouse=True)
def what_the_cli_accepts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each state that a test has the engine write is one that the CLI would use, whatever became of the run."""
    faults: list[str] = []
    write = Backend.write

    def checked(backend: Backend, content: bytes) -> None:
        if found := integrity_faults(json.loads(content)):
            faults.extend(found)
            raise AssertionError(found)
        write(backend, content)

    monkeypatch.setattr(Backend, "write", checked)
    yield
    assert not faults  # Where a thread of the engine's own has swallowed it.


@pytest.fixture(scope="session")
def secrets() -> Secrets:
    """One derived key for all tests: deriving one takes a third of a second."""
    return Secrets.new("correct horse")


@pytest.fixture
def without_leftovers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each program starts from nothing.

    Bytecode of one that is rewritten within the second, and as long, would be taken for its own. What one that
    failed has left unevaluated is collected now: later, it would be another test's warning.
    """
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    gc.collect()
    gc.freeze()  # The next one need not go through what there is by now.


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider()


@pytest.fixture
def stack(tmp_path: Path, secrets: Secrets, provider: FakeProvider) -> Stack:
    return Stack(Backend(tmp_path, "web", "dev"), secrets, provider)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: FakeProvider) -> Path:
    """A folder with the program of :mod:`tests.engine.two_things` and its stack ``dev``."""
    run_with(lambda: provider, monkeypatch)
    (tmp_path / "Pulumi.yaml").write_text(two_things.PROJECT)
    (tmp_path / "__main__.py").write_text(two_things.PROGRAM)
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/Pulumi.dev.yaml").write_text("")
    return tmp_path


@pytest.fixture
def run(project: Path) -> Run:
    """Runs a command of the engine on it; gives the exit code."""
    return lambda *arguments: main([*arguments, "--cwd", str(project)])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> World:
    made = World(tmp_path, capsys)
    # Two programs of one length within a second would be one to Python's cache.
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    run_with(lambda: made.provider, monkeypatch)
    return made
