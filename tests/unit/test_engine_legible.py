"""A reader gets through the engine: every module is short, in the reading order, and says what it is a copy of."""

import ast
from pathlib import Path

import pytest

ENGINE = Path(__file__).resolve().parents[2] / "engine"
PACKAGES = [ENGINE, ENGINE / "docker_provider"]
MODULES = [path for package in PACKAGES for path in sorted(package.glob("*.py"))]
LINES = 500


def docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_the_reading_order_names_every_module(package: Path) -> None:
    order = docstring(package / "__init__.py")
    assert [path.stem for path in sorted(package.glob("*.py")) if f"``{path.stem}``" not in order] == ["__init__"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_is_short_and_names_the_source_of_what_it_does(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LINES
    if path.name not in {"__init__.py", "errors.py"}:
        assert "Source: " in docstring(path)
