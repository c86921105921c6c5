"""``make test`` forgets no test."""

from pathlib import Path

from tests.__main__ import parts


def test_every_module_is_in_one_part() -> None:
    given = [Path(path) for part in parts() for path in part]

    for module in Path("tests").rglob("test_*.py"):
        assert sum(module.is_relative_to(path) for path in given) == 1, module


def test_every_part_is_there() -> None:
    assert [path for part in parts() for path in part if not Path(path).exists()] == []
