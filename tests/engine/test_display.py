"""What is on screen, on a terminal and in a pipe."""

from __future__ import annotations

import io
import re
from collections import Counter

import pytest
from rich.console import Console

from tests.engine.fakes import STACK
from tooling.engine.display import Display
from tooling.engine.events import Change
from tooling.pulumi_files.values import UNKNOWN, Secret

GROUP = "urn:pulumi:dev::web::web:index:Group::group"
BOX = "urn:pulumi:dev::web::web:index:Group$docker:index/container:Container::box"
PROOF = "urn:pulumi:dev::web::pulumi-python:dynamic/proof:Proof::proof"


def display(
    *, terminal: bool = False, preview: bool = False, hidden: tuple[str, ...] = ()
) -> tuple[Display, io.StringIO]:
    text = io.StringIO()
    console = Console(file=text, force_terminal=terminal, no_color=True, width=100, height=40, legacy_windows=False)
    return Display(console, preview=preview, hidden=hidden), text


def run(shown: Display) -> None:
    shown.begin("Updating (dev):")
    shown.seen(STACK, "")
    shown.seen(GROUP, STACK)
    shown.seen(BOX, GROUP)
    shown.done("same", STACK)
    shown.done("same", GROUP)
    shown.plan("create", BOX, [])
    shown.start("create", BOX)
    shown.progress(BOX, "waiting for it")
    shown.done("create", BOX)
    shown.seen(PROOF, STACK)
    shown.start("create", PROOF)
    shown.progress("", "first check passed")
    shown.fail("create", PROOF, "the proof failed.\nDo this.")
    shown.note("error", "", "the proof failed.\nDo this.")
    shown.summary(Counter(create=1, same=2), {"url": "http://x", "key": Secret("hush")}, {"url": "http://old"})


def test_a_pipe_gets_a_line_for_each_event() -> None:
    shown, text = display()
    run(shown)
    assert text.getvalue().splitlines()[2:] == [
        " +  docker:index:Container box creating",
        "      waiting for it",
        " +  docker:index:Container box created",
        " +  pulumi-python:dynamic:Proof proof creating",
        "      first check passed",
        "    pulumi-python:dynamic:Proof proof failed",
        "",
        "Diagnostics:",
        "  pulumi-python:dynamic:Proof (proof), program:",
        "    error: the proof failed.",
        "    Do this.",
        "",
        "Outputs:",
        "  + key: [secret]",
        '  ~ url: "http://x"',
        "",
        "Resources:",
        "    + 1 created",
        "    1 change. 2 unchanged",
        "",
        "Duration: 1s",
    ]


def test_a_terminal_gets_a_tree_of_what_changes_and_the_report_at_the_end() -> None:
    shown, text = display(terminal=True)
    run(shown)
    said = re.sub(r" +", " ", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text.getvalue()))
    assert "\n ├─ web:index:Group group \n" in said
    assert "\n + │ └─ docker:index:Container box created\n" in said
    assert "\n + └─ pulumi-python:dynamic:Proof proof failed \n" in said
    assert "Diagnostics:\n pulumi-python:dynamic:Proof (proof):\n first check passed\n" in said
    assert "hush" not in said


def test_a_preview_shows_what_changes_inside_a_property() -> None:
    shown, text = display(preview=True)
    shown.begin("Previewing update (dev):")
    shown.seen(BOX, GROUP)
    changes = [
        Change(key="labels", old={"a": 1, "b": 2}, new={"a": 1, "b": UNKNOWN}, replaces=False),
        Change(key="envs", old=Secret(["A"]), new=Secret(["B"]), replaces=True),
        Change(key="ports", old=[80], new=[80, 90], replaces=False),
        Change(key="networks", old=["n"], new=["n"], replaces=True),
    ]
    shown.plan("replace", BOX, changes)
    shown.done("replace", BOX)
    assert text.getvalue().splitlines()[2:] == [
        " +- docker:index:Container box replace",
        "      ~ labels.b: 2 => [unknown]",
        "      ~ envs: [secret] => [secret] (replaces)",
        "      + ports[1]: 90",
        "      ~ networks (replaces)",
    ]


@pytest.mark.parametrize("terminal", [True, False])
def test_a_secret_within_a_value_that_is_none_is_masked(*, terminal: bool) -> None:
    shown, text = display(hidden=("hush-hush",), terminal=terminal, preview=True)
    shown.begin("Previewing update (dev):")
    shown.seen(BOX, "")
    change = Change(key="url", old="x://a:hush-hush@h", new="x://b:hush-hush@h", replaces=False)
    shown.plan("update", BOX, [change])
    shown.done("update", BOX)
    shown.summary(Counter(), {"url": "x://b:hush-hush@h"}, {})
    assert "hush-hush" not in text.getvalue()
    assert "x://b:[secret]@h" in text.getvalue()


def test_secrets_are_masked_in_what_others_say() -> None:
    shown, text = display(hidden=("hush", "hush hush"))
    shown.progress("", "the password is hush hush")
    shown.note("error", "", "hush is wrong")
    shown.summary(Counter(), None, {})
    assert "hush" not in text.getvalue()
    assert "the password is [secret]" in text.getvalue()


@pytest.mark.parametrize(("lines", "folded"), [(5, False), (50, True)])
def test_a_long_output_is_folded(lines: int, folded: bool) -> None:  # noqa: FBT001 - a parameter of the test
    shown, text = display()
    shown.summary(Counter(), {"report": list(range(lines))}, {})
    assert ("[...]  (51 lines: stack output report)" in text.getvalue()) == folded


def test_what_two_resources_say_in_turn_stays_told_apart() -> None:
    shown, text = display()
    for urn in (BOX, PROOF):
        shown.start("create", urn)
    shown.progress(BOX, "first")
    shown.progress(BOX, "second")
    shown.progress(PROOF, "third")
    assert [line.rstrip() for line in text.getvalue().splitlines()][2:] == [
        "    docker:index:Container box",
        "      first",
        "      second",
        "    pulumi-python:dynamic:Proof proof",
        "      third",
    ]


def test_of_a_changed_file_only_the_changed_lines_are_shown_and_a_long_value_is_cut() -> None:
    shown, text = display(preview=True)
    shown.seen(BOX, STACK)
    old, new = "first\nto a\nlast\n", "first\nto a b\nlast\n"
    shown.plan(
        "replace",
        BOX,
        [Change(key="uploads", old=[{"content": old}], new=[{"content": new}], replaces=True),
         Change(key="expected", old=None, new="x" * 1000, replaces=False)],
    )  # fmt: skip
    shown.done("replace", BOX)
    shown.summary(Counter(), None, {})
    lines = [line.strip() for line in text.getvalue().splitlines()]
    start = lines.index("~ uploads[0].content: (replaces)")
    assert lines[start + 1 : start + 4] == ["first", "- to a", "+ to a b"]
    assert any(line.startswith("+ expected: ") and line.endswith("(1002 characters)") for line in lines)


def test_what_does_not_fit_on_the_terminal_is_counted_and_what_is_at_work_is_shown() -> None:
    shown, text = display(terminal=True)
    shown.begin("Updating (dev):")
    urns = [BOX.replace("box", f"box{number}") for number in range(200)]
    for urn in urns:
        shown.seen(urn, STACK)
        shown.plan("create", urn, [])
        shown.start("create", urn)
        shown.done("create", urn)
    shown.start("update", urns[150])
    text.truncate(0)
    assert shown._live is not None
    shown._live.refresh()
    drawn = text.getvalue()
    assert drawn.count("box") == 37
    assert "box150" in drawn
    assert "and 163 more" in drawn
    shown.done("update", urns[150])
    text.truncate(0)
    shown.end()
    assert text.getvalue().count("box") >= 200
