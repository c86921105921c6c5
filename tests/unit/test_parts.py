"""``make test`` forgets no test, and passes over no failure in silence."""

from pathlib import Path

import pytest

from tests.__main__ import RUN_AGAIN, Share, parts, run, settle

FAILS_ONCE = """
from pathlib import Path

def test_it():
    been_here = Path(__file__).with_suffix(".been")
    before = been_here.exists()
    been_here.touch()
    assert before
"""
FAILS = "def test_it():\n    assert False\n"
PASSES = "def test_it():\n    pass\n"
NO_PYTHON = "def"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = alone\n")
    return tmp_path


def share(folder: Path, *modules: str) -> Share:
    """Some modules, given as their text, that were run and of which at least one failed."""
    number = len(list(folder.iterdir()))
    inner = folder / f"share{number}"
    inner.mkdir()
    for index, text in enumerate(modules):
        (inner / f"test_{number}_{index}.py").write_text(text)
    made = Share((str(inner),), "not alone", inner / "cache")
    assert run(made) != 0
    return made


def test_every_module_is_in_one_part() -> None:
    given = [Path(path) for part in parts() for path in part]

    for module in Path("tests").rglob("test_*.py"):
        assert sum(module.is_relative_to(path) for path in given) == 1, module


def test_every_part_is_there() -> None:
    assert [path for part in parts() for path in part if not Path(path).exists()] == []


def test_a_part_runs_where_it_is_told_to_and_no_longer_than_it_may(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "test_place.py").write_text("import os\ndef test_it():\n    assert os.environ['PLACE'] == 'there'\n")
    (folder / "test_long.py").write_text("import time\ndef test_it():\n    time.sleep(100)\n")
    within = ("env", "PLACE=there")
    assert run(Share((str(folder / "test_place.py"),), "not alone", folder / "cache", within, 60)) == 0
    assert run(Share((str(folder / "test_long.py"),), "not alone", folder / "cache", within, 3)) != 0
    assert "ended after 3 s, which is too long" in capsys.readouterr().out


def test_a_test_that_passes_the_second_time_is_named_and_its_first_failure_shown(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert settle([share(folder, FAILS_ONCE, PASSES)]) == 0
    printed = capsys.readouterr().out
    assert "assert before" in printed
    assert "1 passed" in printed[printed.index("once more: begun") :]
    assert printed.endswith(".py::test_it\n")
    assert "these when they were run a second time" in printed


def test_a_test_that_fails_twice_has_failed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert settle([share(folder, FAILS_ONCE), share(folder, FAILS)]) == 1
    assert "Not passed" in capsys.readouterr().out


def test_failures_in_many_modules_are_no_chance(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert settle([share(folder, *[FAILS_ONCE] * RUN_AGAIN)]) == 0
    assert settle([share(folder, FAILS_ONCE, FAILS_ONCE), share(folder, *[FAILS_ONCE] * (RUN_AGAIN - 1))]) == 1
    assert capsys.readouterr().out.count("once more: begun") == 1


def test_a_module_that_is_no_python_has_failed(folder: Path) -> None:
    assert settle([share(folder, NO_PYTHON)]) == 1
    assert settle([share(folder, FAILS_ONCE, NO_PYTHON)]) == 1


def test_nothing_that_failed_is_all_passed(capsys: pytest.CaptureFixture[str]) -> None:
    assert settle([]) == 0
    assert capsys.readouterr().out == "All tests passed.\n"
