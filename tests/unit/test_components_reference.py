"""Every argument and output of the components is documented, and the page says what the docstrings say."""

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
import textwrap

import pulumi
import pytest

import accounts
import components
import limits
from docs.reference import (
    DOCUMENT,
    ORDER,
    START,
    arguments,
    attribute_types,
    reference,
    said_of_arguments,
    said_of_attributes,
    sections,
)
from verification.resource import Verification, VerificationArgs

RUNS_ELSEWHERE = "components.migrate"
"""Imported in Open WebUI's container only."""


def public_classes() -> list[type]:
    """Every public class of the components, and of what their arguments are made of."""
    names = [f"components.{module.name}" for module in pkgutil.iter_modules(components.__path__)]
    modules = [importlib.import_module(name) for name in names if name != RUNS_ELSEWHERE]
    found = [
        thing
        for module in (*modules, accounts, limits)
        for name, thing in vars(module).items()
        if inspect.isclass(thing) and thing.__module__ == module.__name__ and not name.startswith("_")
    ]
    return [*found, Verification, VerificationArgs]


CLASSES = public_classes()
TAKE_ARGUMENTS = [
    thing
    for thing in CLASSES
    if dataclasses.is_dataclass(thing) or issubclass(thing, pulumi.Resource) or thing is components.ExternalValkey
]
COMPONENTS = [thing for thing in CLASSES if issubclass(thing, pulumi.ComponentResource)]
UNITS = (
    "port", "second", "mib", "cpus", "connections", "bytes", "processes", "files", "failures", "pool", "number of",
    "unit",
)  # fmt: skip


def is_a_sentence(text: str) -> bool:
    return bool(re.match(r"[A-Z0-9`]", text)) and text.endswith(".")


def test_there_are_components() -> None:
    assert {thing.__name__ for thing in COMPONENTS} == {"Gateway", "Network", "OpenWebUI", "Postgres", "Valkey"}


@pytest.mark.parametrize("thing", TAKE_ARGUMENTS, ids=lambda thing: thing.__qualname__)
def test_every_argument_is_documented_by_a_sentence(thing: type) -> None:
    said = said_of_arguments(thing)
    assert [name for name in arguments(thing) if not is_a_sentence(said.get(name, ""))] == []
    assert said.keys() == arguments(thing).keys()


@pytest.mark.parametrize("thing", TAKE_ARGUMENTS, ids=lambda thing: thing.__qualname__)
def test_every_number_has_its_unit(thing: type) -> None:
    said = said_of_arguments(thing)
    numbers = [name for name, (kind, _) in arguments(thing).items() if re.search(r"\b(int|float)\b", kind)]
    assert [name for name in numbers if not any(unit in said[name].lower() for unit in UNITS)] == []


@pytest.mark.parametrize("thing", TAKE_ARGUMENTS, ids=lambda thing: thing.__qualname__)
def test_every_argument_that_may_be_none_says_what_none_means(thing: type) -> None:
    said = said_of_arguments(thing)
    optional = [name for name, (kind, _) in arguments(thing).items() if kind.endswith("| None") and name != "opts"]
    silent = [name for name in optional if not re.search(r"\bNone\b|if there is one|Any text", said[name])]
    assert silent == []


@pytest.mark.parametrize("thing", CLASSES, ids=lambda thing: thing.__qualname__)
def test_every_attribute_that_is_declared_is_documented_by_a_sentence(thing: type) -> None:
    if "Error" in thing.__name__ or "Provider" in thing.__name__:
        return
    said = said_of_attributes(thing)
    assert [name for name in attribute_types(thing) if not is_a_sentence(said.get(name, ""))] == []


def constructor(thing: type) -> ast.FunctionDef:
    definition = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    assert isinstance(definition, ast.ClassDef)
    (found,) = [item for item in definition.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"]
    return found


@pytest.mark.parametrize("thing", COMPONENTS, ids=lambda thing: thing.__qualname__)
def test_every_public_attribute_a_component_sets_is_declared(thing: type) -> None:
    targets = [
        target
        for node in ast.walk(constructor(thing))
        if isinstance(node, ast.Assign)
        for outer in node.targets
        for target in (outer.elts if isinstance(outer, ast.Tuple) else [outer])
    ]
    names = {target.attr for target in targets if isinstance(target, ast.Attribute) and not target.attr.startswith("_")}
    assert names == attribute_types(thing).keys()


@pytest.mark.parametrize("thing", COMPONENTS, ids=lambda thing: thing.__qualname__)
def test_every_output_of_a_component_is_registered(thing: type) -> None:
    calls = [node for node in ast.walk(constructor(thing)) if isinstance(node, ast.Call)]
    (call,) = [node for node in calls if ast.unparse(node.func) == "self.register_outputs"]
    (registered,) = [node for node in call.args if isinstance(node, ast.Dict)]
    names = {key.value for key in registered.keys if isinstance(key, ast.Constant)}
    outputs = {name for name, kind in attribute_types(thing).items() if "pulumi.Output" in kind}
    assert outputs <= names


@pytest.mark.parametrize("thing", [*COMPONENTS, components.Valkey], ids=lambda thing: thing.__qualname__)
def test_every_method_of_a_component_documents_its_arguments(thing: type) -> None:
    for name, method in vars(thing).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            said = sections(method.__doc__ or "")
            wanted = [parameter for parameter in inspect.signature(method).parameters if parameter != "self"]
            assert all(f"{parameter}: " in said.get("Args", "") for parameter in wanted), name


def test_everything_that_is_exported_is_in_the_reference_and_can_be_imported() -> None:
    resources = {name for name in components.__all__ if name.endswith("Resources")}
    assert {*ORDER, *resources} == set(components.__all__)
    assert all(getattr(components, name).__name__ == name for name in components.__all__)


def test_the_page_is_up_to_date() -> None:
    by_hand, _, written = DOCUMENT.read_text(encoding="utf-8").partition(START)
    assert by_hand
    assert written == reference(), "`make reference` writes it"
