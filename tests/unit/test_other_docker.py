"""``make test-docker26`` is never green where it did not run, and runs what is there."""

import os
import shutil
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import other_docker
from tests.integration import trixie_docker
from tooling.images.errors import ImageError


@pytest.fixture
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine where all is there, but the root file system."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(trixie_docker, "ROOT", tmp_path / "root")


def test_a_machine_where_it_cannot_run_is_told_why_and_is_not_green(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert other_docker.main([]) == other_docker.CANNOT_RUN
    assert "cannot be started here: it starts a Docker daemon in namespaces of its own, which takes root. " in (
        capsys.readouterr().err
    )


@pytest.mark.usefixtures("_elsewhere")
def test_a_program_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "nsenter" else name)
    assert trixie_docker.obstacle() == "there is no nsenter on PATH"


@pytest.mark.usefixtures("_elsewhere")
def test_another_distribution_is_told_unless_the_root_file_system_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trixie_docker, "this_machine", lambda _: SimpleNamespace(name="ubuntu"))
    assert "this machine has mirrors of ubuntu only" in trixie_docker.obstacle()

    def neither(_: Path) -> None:
        raise ImageError("neither Debian nor Ubuntu")

    monkeypatch.setattr(trixie_docker, "this_machine", neither)
    assert trixie_docker.obstacle() == "neither Debian nor Ubuntu"
    trixie_docker.ROOT.mkdir()
    assert trixie_docker.obstacle() == ""


@pytest.mark.usefixtures("_elsewhere")
@pytest.mark.parametrize("error", [ImageError("mmdebstrap made none"), AssertionError("the end of dockerd's log")])
def test_a_docker_that_does_not_start_is_not_green(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trixie_docker, "obstacle", lambda: "")
    monkeypatch.setattr(other_docker, "obstacle", lambda: "")
    monkeypatch.setattr(other_docker, "have_images", list)

    def fails(**_: object) -> None:
        raise error

    monkeypatch.setattr(other_docker, "trixie_docker", fails)
    assert other_docker.main([]) == other_docker.CANNOT_RUN
    assert f"{error}. Nothing was tested." in capsys.readouterr().err


def test_what_fails_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(other_docker, "other", lambda host, enter: nullcontext((host, enter)))
    ran: list[tuple[object, ...]] = []

    def run_on(*what: object) -> int:
        ran.append(what)
        return 1

    monkeypatch.setattr(other_docker, "run_on", run_on)
    assert other_docker.main(["--host", "unix:///other.sock", "--enter", "nsenter --net=/n", "tests/x"]) == 1
    assert ran == [("unix:///other.sock", ["nsenter", "--net=/n"], ("tests/x",), ())]


def test_the_modules_that_it_runs_are_there() -> None:
    for path in (*other_docker.INSIDE, *other_docker.OUTSIDE):
        assert Path(path).exists(), path
