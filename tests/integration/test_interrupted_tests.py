"""A run of tests that Ctrl-C ends removes what its tests have made, however long that takes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
LONGER_THAN_XDIST_WAITS = 17
TEST = f"""\
import time
from pathlib import Path

import pytest


@pytest.fixture
def made():
    yield
    time.sleep({LONGER_THAN_XDIST_WAITS})
    Path(__file__).with_name("removed").touch()


def test_it(made):
    Path(__file__).with_name("made").touch()
    time.sleep(60)
"""


@pytest.mark.docker
@pytest.mark.nightly
def test_what_an_interrupted_run_has_made_is_removed(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TEST)
    command = [sys.executable, "-m", "pytest", "-n", "1", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    with subprocess.Popen([*command, str(tmp_path)], cwd=PROJECT, start_new_session=True) as run:
        end = time.monotonic() + 60
        while not (tmp_path / "made").exists():
            assert time.monotonic() < end
            time.sleep(0.1)
        os.killpg(run.pid, signal.SIGINT)
    assert run.returncode == pytest.ExitCode.INTERRUPTED
    assert (tmp_path / "removed").exists()
