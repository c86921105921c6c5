"""Unit tests see a bare machine: what theirs happens to have would hide what a newcomer's lacks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

OF_THE_MACHINE = ("DOCKER_", "PULUMI_")
"""Beginnings of variables that say which Docker and which Pulumi this machine's user means."""


@pytest.fixture(scope="session")
def path_without_the_cli(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The PATH, without any program of the Pulumi CLI."""
    return os.pathsep.join(
        _without_the_cli(Path(folder), tmp_path_factory) for folder in os.get_exec_path() if Path(folder).is_dir()
    )


def _without_the_cli(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    if not any(folder.glob("pulumi*")):
        return str(folder)
    same = tmp_path_factory.mktemp("bin")
    for program in folder.iterdir():
        if not program.name.startswith("pulumi"):
            (same / program.name).symlink_to(program)
    return str(same)


@pytest.fixture(autouse=True)
def bare_machine(path_without_the_cli: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No Pulumi CLI on PATH, and no variable that leads to another Docker or backend."""
    monkeypatch.setenv("PATH", path_without_the_cli)
    for name in [name for name in os.environ if name.startswith(OF_THE_MACHINE)]:
        monkeypatch.delenv(name)
