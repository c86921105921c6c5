"""Whatever a stack file looks like: one value changes, all else is read as before, and every other line stays."""

from __future__ import annotations

import json
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import TRIED
from tooling.pulumi_files.yaml_edit import NotABlockError, set_in

NAMES = ["config", "web:mode", "mode", "a", "b c", "1", "true", "é"]
COMMENTS = ["", " # why", "  #", " # a: b"]
GAPS = ["", "\n", "# a comment\n", "    # a comment further in\n", "\n\n"]


VALUES = [
    " 1", " true", " ~", "", " x y", " 'it''s'", ' "a # b\\n"', " [1, {a: 2}]", " {a: 1, b: [2]}", " {}", " []",
    " !!str 5", " |\n>text # kept\n\n>  more", " >-\n>one\n>two", " 'two\n>lines'", "\n>below", " plain\n>over two",
    "\n>- 1\n>- a: 2",
]  # fmt: skip
"""Values as people write them behind a key; ``>`` at the beginning of a line is where it is indented to."""


def scalars(indent: int) -> st.SearchStrategy[str]:
    """A value behind its key."""
    text = st.text(st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029"), max_size=6)
    written = st.sampled_from(VALUES).map(lambda value: value.replace("\n>", "\n" + " " * indent))
    return written | text.map(lambda value: " " + json.dumps(value))


@st.composite
def blocks(draw: st.DrawFn, indent: int = 0, depth: int = 3) -> str:
    """A mapping with a key a line, of any indentation, with comments and blank lines."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    lines = []
    for name in names:
        written = draw(st.sampled_from([name, json.dumps(name, ensure_ascii=False), f"'{name}'"]))
        deeper = indent + draw(st.sampled_from([2, 4, 3]))
        if depth and draw(st.booleans()):
            value = draw(st.sampled_from(COMMENTS)) + "\n" + draw(blocks(deeper, depth - 1))
        else:
            value = draw(scalars(deeper))
            value += draw(st.sampled_from(COMMENTS)) if "\n" not in value else ""
        lines.append(draw(st.sampled_from(GAPS)) + f"{' ' * indent}{written}:{value}")
    return "\n".join(lines)


@st.composite
def documents(draw: st.DrawFn) -> str:
    text = draw(st.just("") | blocks())
    before = draw(st.sampled_from(["", "# a file\n", "---\n", "# a file\n\n---\n"]))
    ends = ["\n", "\n\n", "\n# the end\n", "\n# the end"]
    # A block of text that ends with the file has no line break at its end, and gets one with the next line.
    return before + text + draw(st.sampled_from(ends if "|" in text else ["", *ends]))


def read(text: str) -> Any:
    return yaml.safe_load(text)


def with_value(document: Any, path: list[list[str]], value: Any) -> Any:
    """The document with the value at the place, as dictionaries have it."""
    if not path:
        return value
    below = dict(document or {})
    name = next((key for key in below if isinstance(key, str) and key in path[0]), path[0][0])
    return {**below, name: with_value(below.get(name) if len(path) > 1 else None, path[1:], value)}


def there(document: Any, path: list[list[str]]) -> Any:
    """What stands at the place; None for nothing."""
    for names in path:
        below = document if isinstance(document, dict) else {}
        document = next((below[key] for key in below if isinstance(key, str) and key in names), None)
    return document


PATHS = st.lists(st.sampled_from([["config"], ["web:mode", "mode"], ["a"], ["b c"]]), min_size=1, max_size=3)


@TRIED
@given(documents(), PATHS, st.text(max_size=8).map(json.dumps) | st.just("v1:abc=="), st.booleans())
def test_one_value_changes_and_all_else_is_read_as_before(
    text: str,
    path: list[list[str]],
    written: str,
    secure: bool,  # noqa: FBT001 - drawn
) -> None:
    before = read(text)
    try:
        after = set_in(text, path, written, secure=secure)
    except NotABlockError:
        return
    value = yaml.safe_load(written)
    assert read(after) == with_value(before, path, {"secure": value} if secure else value), after
    assert set_in(after, path, written, secure=secure) == after


@TRIED
@given(documents(), PATHS)
def test_no_comment_and_no_other_line_is_lost(text: str, path: list[list[str]]) -> None:
    try:
        after = set_in(text, path, "new")
    except NotABlockError:
        return
    if isinstance(there(read(text), path), dict | list):
        return  # What stands in what is replaced goes with it.
    for line in text.splitlines():
        if line.strip().startswith("#"):
            assert line in after.splitlines(), after
