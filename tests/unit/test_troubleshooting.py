"""docs/troubleshooting.md has every cause, check and option of the verification."""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

from verification.__main__ import parser
from verification.checks import CHECKS
from verification.checks.causes import CAUSES, Role, Trouble, cause_of
from verification.subject import Subject, subject_of

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/troubleshooting.md"


def sections() -> dict[str, str]:
    """Text below each third-level heading; the heading is GitHub's anchor too."""
    parts = re.split(r"^### (.+)\n", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {heading: text.split("\n## ")[0].strip() for heading, text in zip(parts[::2], parts[1::2], strict=True)}


def headings() -> list[str]:
    return re.findall(r"^### (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_every_cause_has_one_section_and_every_section_is_a_cause() -> None:
    assert sorted(headings()) == sorted(CAUSES)


def test_every_trouble_of_every_role_is_a_cause() -> None:
    named = {cause_of(role, trouble) for role in get_args(Role) for trouble in get_args(Trouble)}
    assert named - {*CAUSES} == set()


def test_every_section_says_something() -> None:
    assert [cause for cause, text in sections().items() if not text] == []


def test_every_check_is_named_with_its_question() -> None:
    listed = re.findall(r"^- `([a-z-]+)`: (.+\?)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(listed) == sorted((check.id, check.question) for check in CHECKS)


def said_by_the_code() -> Iterator[str]:
    """Every text in the code, with a gap for each value in it."""
    for room in ("settings", "preflight", "components", "docker_access", "tooling"):
        for module in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


EXAMPLE = re.compile(r"\.\.\.|'[^']*'|\([^)]*\)|\b[A-Z]\b|[\w:@]*\d[\w.:/]*|[\w-]+:\w+")
"""What stands for a value in a message of the page."""
OF_DOCKER_AND_THE_CLI = {
    "the stack is currently locked by 1 lock(s)",
    "Conflict. The container name ... is already in use",
}


def test_every_message_that_it_explains_is_one_of_the_code() -> None:
    known = " ".join(" ".join(said_by_the_code()).replace(":", "").split())
    tables = PAGE.read_text(encoding="utf-8").partition("## Before the deployment\n")[2].partition("\n## ")[0]
    cells = "".join(line.partition(" | ")[0] for line in tables.splitlines() if line.startswith("| `"))
    quoted = set(re.findall(r"`([^`]+)`", cells))
    assert len(quoted) > 60
    unknown = []
    for message in quoted - OF_DOCKER_AND_THE_CLI:
        words = [part.replace(":", "").split() for part in EXAMPLE.split(message)]
        threes = [" ".join(part[at : at + 3]).strip(" ,;") for part in words for at in range(max(len(part) - 2, 1))]
        threes = [three for three in threes if " " in three]
        # Half of them: the code has a value where the page has an example of it.
        if 2 * sum(three in known for three in threes) < len(threes):
            unknown.append(message)
    assert unknown == []


def test_every_option_of_the_command_line_is_told() -> None:
    options = {option for action in parser()._actions for option in action.option_strings} - {"-h", "--help"}
    doctor = PAGE.read_text(encoding="utf-8").partition("## The doctor\n")[2].partition("\n## ")[0]
    assert options == set(re.findall(r"(?<=`)--[a-z-]+", doctor))


def test_the_subject_it_shows_can_be_read() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("```json\n")[2].partition("```")[0]
    shown = subject_of(json.loads(text))
    empty = Subject(apps=())
    assert [item.name for item in fields(shown) if getattr(shown, item.name) == getattr(empty, item.name)] == [
        "valkey_url", "proved_at", "wait_seconds", "idle",
    ]  # fmt: skip
