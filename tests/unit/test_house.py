"""The house: which room may import which, and that no two modules import each other."""

from __future__ import annotations

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parents[2]

MAY_IMPORT: Final[dict[str, set[str]]] = {
    "docker_access": set(),
    "components": {"docker_access"},
    "verification": {"docker_access"},
    "settings": {"components", "docker_access"},
    "preflight": {"settings", "components", "docker_access"},
    "topologies": {"settings", "components", "verification"},
    "__main__": {"settings", "preflight", "topologies"},
    "plugin": {"settings", "preflight", "topologies"},
    "tooling": {"settings", "preflight", "components", "verification", "docker_access"},
}
"""By room: the rooms of which it imports."""

WITHIN_TOOLING: Final[dict[str, set[str]]] = {
    "errors": set(),
    "documents": set(),
    "machine": set(),
    "pulumi_files": {"errors"},
    "pulumi_cli": {"errors", "machine", "pulumi_files"},
    "engine": {"errors", "pulumi_files"},
    "images": {"errors", "machine"},
    "drift": {"pulumi_files"},
    "preview_report": {"errors", "pulumi_cli", "pulumi_files", "engine"},
    "launcher": {
        "errors", "machine", "pulumi_files", "pulumi_cli", "engine", "images", "drift", "preview_report",
    },
}  # fmt: skip
"""The same of the rooms in ``tooling``."""

NAMED_BY_STATE: Final = {
    "components.certificate", "components.docker_host", "components.panel_settings", "components.pids_limit",
    "components.reload", "components.schema", "components.secret", "verification.provider",
}  # fmt: skip
"""Modules that the state of a deployed stack names: moved, they would be asked for and not be there."""


@cache
def modules() -> dict[str, str]:
    """The text of every module of the project by its name; its tests and examples are left out."""
    folders = (path for path in PROJECT.iterdir() if path.is_dir() and path.name[0] not in "._")
    files = [
        *PROJECT.glob("*.py"),
        *(file for folder in folders if folder.name not in {"tests", "examples"} for file in folder.rglob("*.py")),
    ]
    names = {
        ".".join(file.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__"): file for file in files
    }
    return {name: file.read_text(encoding="utf-8") for name, file in names.items()}


@cache
def imports() -> dict[str, set[str]]:
    """By module: the modules of the project it imports, wherever in it."""
    return {name: _imported(ast.parse(text), set(modules())) - {name} for name, text in modules().items()}


def _imported(tree: ast.Module, known: set[str]) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            of_modules = {f"{node.module}.{alias.name}" for alias in node.names} & known
            found |= of_modules or {str(node.module)}
    return found & known


def _room(module: str, depth: int) -> str:
    return module.split(".")[depth]


def test_every_arrow_between_rooms_points_down() -> None:
    arrows = {(_room(module, 0), _room(other, 0)) for module, others in imports().items() for other in others}
    assert {(room, other) for room, other in arrows if room != other} == {
        (room, other) for room, others in MAY_IMPORT.items() for other in others
    }


def test_every_arrow_within_tooling_points_down() -> None:
    arrows = {
        (_room(module, 1), _room(other, 1))
        for module, others in imports().items()
        for other in others
        if module.startswith("tooling.") and other.startswith("tooling.")
    }
    assert {(room, other) for room, other in arrows if room != other} == {
        (room, other) for room, others in WITHIN_TOOLING.items() for other in others
    }


def test_no_modules_import_each_other() -> None:
    try:
        list(TopologicalSorter(imports()).static_order())
    except CycleError as error:
        raise AssertionError(" -> ".join(error.args[1])) from None


def test_what_the_state_names_is_where_it_was() -> None:
    rooms = {"components", "verification"}
    assert {
        name for name, text in modules().items() if _room(name, 0) in rooms and "(ResourceProvider)" in text
    } == NAMED_BY_STATE
