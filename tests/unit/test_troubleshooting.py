"""docs/troubleshooting.md has every cause, check and option of the verification."""

import json
import re
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
