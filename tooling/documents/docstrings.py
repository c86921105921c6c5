"""Whether docstrings say what their readers need. ``make lint`` runs this.

Components: every argument and output is documented by a sentence, with its unit and what None means, and the page made
of them is up to date. Engine: every module is short, in the reading order, and names the source of what it does.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pulumi

import components
from components import accounts, limits
from docker_access.surroundings import print_in_any_encoding
from tooling.documents.reference import (
    DOCUMENT,
    ORDER,
    START,
    argument_docs,
    arguments,
    attribute_docs,
    attribute_types,
    reference,
    sections,
)
from verification.resource import Verification, VerificationArgs

RUN_ELSEWHERE: Final = {"components.open_webui.migrate", "components.open_webui.panel_fill"}
"""Imported in Open WebUI's container only."""

UNITS: Final = (
    "port", "second", "mib", "cpus", "connections", "bytes", "processes", "files", "failures", "pool", "number of",
    "unit",
)  # fmt: skip

LINES: Final = 500
"""No module of the engine has more."""

PLAIN: Final = frozenset({"__init__.py", "errors.py"})
"""Modules that are no copy of anything."""


def public_classes() -> list[type]:
    """Every public class of the components, and of what their arguments are made of."""
    names = [module.name for module in pkgutil.walk_packages(components.__path__, "components.")]
    modules = [importlib.import_module(name) for name in names if name not in RUN_ELSEWHERE]
    found = [
        thing
        for module in (*modules, accounts, limits)
        for name, thing in vars(module).items()
        if inspect.isclass(thing) and thing.__module__ == module.__name__ and not name.startswith("_")
    ]
    return [*found, Verification, VerificationArgs]


def takes_arguments(thing: type) -> bool:
    """Whether the arguments of a class are a program's to write."""
    return dataclasses.is_dataclass(thing) or issubclass(thing, pulumi.Resource) or thing is components.ExternalValkey


def argument_problems(thing: type) -> Iterator[str]:
    """What the docs of a class's arguments lack."""
    docs, taken = argument_docs(thing), arguments(thing)
    for name in docs.keys() - taken.keys():
        yield f"{name} is documented, and no argument"
    for name, (kind, _) in taken.items():
        text = docs.get(name, "")
        if not _is_a_sentence(text):
            yield f"the argument {name} needs a sentence"
        if re.search(r"\b(int|float)\b", kind) and not any(unit in text.lower() for unit in UNITS):
            yield f"the number {name} needs its unit"
        silent = not re.search(r"\bNone\b|if there is one|Any text", text)
        if kind.endswith("| None") and name != "opts" and silent:
            yield f"{name} may be None, and needs what that means"


def attribute_problems(thing: type) -> Iterator[str]:
    """What the docs of a class's attributes lack."""
    docs = attribute_docs(thing)
    for name in attribute_types(thing):
        if not _is_a_sentence(docs.get(name, "")):
            yield f"the attribute {name} needs a sentence"


def method_problems(thing: type) -> Iterator[str]:
    """What the docs of a class's methods lack, of their arguments."""
    for name, method in vars(thing).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            docs = sections(method.__doc__ or "").get("Args", "")
            for parameter in inspect.signature(method).parameters:
                if parameter != "self" and f"{parameter}: " not in docs:
                    yield f"the argument {parameter} of {name} is not documented"


def component_problems() -> Iterator[str]:
    """What the components' docstrings and the page made of them lack."""
    for thing in public_classes():
        found = [*(argument_problems(thing) if takes_arguments(thing) else ())]
        if not issubclass(thing, Exception | pulumi.dynamic.ResourceProvider):
            found += attribute_problems(thing)
        if issubclass(thing, pulumi.ComponentResource):
            found += method_problems(thing)
        yield from (f"{thing.__module__}.{thing.__qualname__}: {what}" for what in found)
    resources = {name for name in components.__all__ if name.endswith("Resources")}
    for name in {*ORDER, *resources} ^ set(components.__all__):
        yield f"{name}: in one of components.__all__ and the reference's ORDER only"
    if DOCUMENT.read_text(encoding="utf-8").partition(START)[2] != reference():
        yield f"{DOCUMENT.name} is not up to date: `make reference` writes it"


def package_problems(folder: Path) -> Iterator[str]:
    """What the modules of a package of the engine lack."""
    order = _docstring(folder / "__init__.py")
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py" and f"``{path.stem}``" not in order:
            yield f"{path}: not in the reading order of the package"
        if len(path.read_text(encoding="utf-8").splitlines()) > LINES:
            yield f"{path}: more than {LINES} lines"
        if path.name not in PLAIN and "Source: " not in _docstring(path):
            yield f"{path}: does not name the source of what it does"


def _is_a_sentence(text: str) -> bool:
    return bool(re.match(r"[A-Z0-9`]", text)) and text.endswith(".")


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""


def main() -> int:
    """Print what is wrong; 1 if anything is."""
    print_in_any_encoding()
    engine = DOCUMENT.parents[1] / "tooling/engine"
    found = [*component_problems(), *package_problems(engine), *package_problems(engine / "docker_provider")]
    print("\n".join(found or ["docstrings: each says what its reader needs"]))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
