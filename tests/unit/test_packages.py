"""What `make test` does about programs that tests need and Python cannot bring."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import packages
from tests.packages import PackageError, Program


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def put(folder: Path, name: str) -> None:
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)


HERE = Program(names=("e-nothing", "e-here"), package="here")
SERVER = Program(names=("e-served",), package="server", units=("server.service", "server.socket"))
PLAIN = Program(names=("e-plain",), package="plain")


def test_what_is_there_is_left_alone(bin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(bin_folder, "e-here")
    monkeypatch.setattr(packages, "apt_install", lambda *_: pytest.fail("nothing is missing"))
    packages.ensure([HERE])
    assert HERE.path == str(bin_folder / "e-here")


def test_what_is_missing_is_installed_at_once_and_its_services_stopped(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(bin_folder, "e-here")
    asked: list[tuple[str, ...]] = []
    stopped: list[tuple[str, ...]] = []

    def install(*names: str) -> str:
        asked.append(names)
        put(bin_folder, "e-served")
        put(bin_folder, "e-plain")
        return ""

    monkeypatch.setattr(packages, "apt_install", install)
    monkeypatch.setattr(packages, "stop", stopped.append)
    packages.ensure([SERVER, HERE, PLAIN])
    assert asked == [("plain", "server")]
    assert stopped == [SERVER.units, ()]
    assert "e-served, e-plain: not on this machine" in capsys.readouterr().err


@pytest.mark.parametrize(("failure", "said"), [("needs root", "failed: needs root"), ("", "brought no e-plain")])
def test_what_cannot_be_installed_is_said_with_the_way_out(
    bin_folder: Path, monkeypatch: pytest.MonkeyPatch, failure: str, said: str
) -> None:
    monkeypatch.setattr(packages, "apt_install", lambda *_: failure)
    with pytest.raises(PackageError, match=rf"(?s)tests need e-plain, and installing plain {said}\n.*make unit"):
        packages.ensure([PLAIN])


def test_a_program_that_is_not_here_names_its_package(bin_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(packages.PROGRAMS, "plain", PLAIN)
    with pytest.raises(PackageError, match=r"plain is not on this machine. `make test` installs it from plain"):
        packages.path_of("plain")
