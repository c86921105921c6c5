"""The README fits a screen, and what it shows of ``make up`` is what the code prints."""

from __future__ import annotations

import io
import re
from collections import Counter

from rich.console import Console

from tests.documents import PROJECT, blocks
from tooling.engine.display import Display

README = (PROJECT / "README.md").read_text(encoding="utf-8")


def shown() -> list[str]:
    """The lines below ``$ make up``."""
    (block,) = [block for block in blocks("README.md") if block.text.startswith("$ make up\n")]
    return block.text.splitlines()[1:]


def test_it_fits_a_screen() -> None:
    assert len(README.splitlines()) <= 110


def test_what_it_is_the_picture_and_the_first_command_stand_in_its_first_half() -> None:
    first = README[: len(README) // 2]
    assert first.index("```mermaid") < first.index("$ make up\n") < first.index("make test")


def test_the_end_of_an_update_is_what_the_engine_prints() -> None:
    end = shown()[shown().index(" …") + 3 : -1]
    outputs = dict(re.findall(r'^  \+ (\w+) +: "(.+)"$', "\n".join(end), flags=re.MULTILINE))
    # A report of as many lines as that of a laptop's stack had.
    report = {f"line {number}": number for number in range(266)}
    text = io.StringIO()
    display = Display(Console(file=text, width=200), preview=False)
    # The longest name of an output: the others are aligned with it.
    display.summary(Counter(create=16), {"migration_container": "m", **outputs, "verification": report}, {})
    printed = text.getvalue().splitlines()
    assert outputs.keys() == {"url", "valkey_container", "valkey_version"}
    assert printed[:2] == ["Outputs:", '  + migration_container: "m"']
    assert [*printed[2:-1], "Duration: 16s"] == end
