"""Docstrings that say too little are found, and every output of a component is registered."""

import ast
import inspect
import textwrap
from pathlib import Path

import pulumi
import pytest

from tooling.documents.docstrings import (
    argument_problems,
    attribute_problems,
    method_problems,
    package_problems,
    public_classes,
)
from tooling.documents.reference import attribute_types

COMPONENTS = [thing for thing in public_classes() if issubclass(thing, pulumi.ComponentResource)]


class Said:
    """A class.

    Args:
        port: A TCP port; None for none.
        count: How many
        gone: It is no argument any more.

    Attributes:
        id: Where it is.
    """

    id: str
    name: str

    def __init__(self, port: "int | None", count: int, other: "str | None" = None) -> None: ...

    def reload(self, after: str) -> None:
        """Do it again."""


def test_what_docstrings_do_not_say_is_named() -> None:
    assert list(argument_problems(Said)) == [
        "gone is documented, and no argument",
        "the argument count needs a sentence",
        "the number count needs its unit",
        "the argument other needs a sentence",
        "other may be None, and needs what that means",
    ]
    assert list(attribute_problems(Said)) == ["the attribute name needs a sentence"]
    assert list(method_problems(Said)) == ["the argument after of reload is not documented"]


def test_a_module_that_is_long_or_names_no_source_is_named(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text('"""Read ``known`` first."""')
    (tmp_path / "known.py").write_text('"""Source: a book."""' + "\n" * 501)
    (tmp_path / "other.py").write_text('"""Mine."""')
    assert [found.removeprefix(f"{tmp_path}/") for found in package_problems(tmp_path)] == [
        "known.py: more than 500 lines",
        "other.py: not in the reading order of the package",
        "other.py: does not name the source of what it does",
    ]


def test_there_are_components() -> None:
    assert {thing.__name__ for thing in COMPONENTS} == {"Gateway", "Network", "OpenWebUI", "Postgres", "Valkey"}


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
