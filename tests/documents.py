"""The commands that the documents tell people to type, for tests to run.

A command stands in a fenced block, below a heading. After the fence stands ``sh``, or ``console`` where what it prints
is shown too. It is either run by a test, which gets it here by document and heading, or marked, after that word:

``internet``
    It needs what no machine without the internet has: a registry, a certificate of a public authority, a git host.
``elsewhere``
    It needs another machine, a person at a screen, or a service that tests cannot have.

``tests/unit/test_documents.py`` fails on any other command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parents[1]
SHELLS: Final = ("sh", "console")
MARKS: Final = ("internet", "elsewhere")


@dataclass(frozen=True)
class Block:
    """A fenced block of a document.

    Attributes:
        document: Path of the document within the project.
        line: Number of the line on which its fence opens, from 1.
        heading: The nearest heading above it; empty if there is none.
        language: The first word after the fence; empty if there is none.
        mark: The words after that.
        text: What stands between the fences.
    """

    document: str
    line: int
    heading: str
    language: str
    mark: str
    text: str

    @property
    def commands(self) -> str:
        """What to type, without the output that a console shows."""
        if self.language != "console":
            return self.text
        return "".join(line.removeprefix("$ ") for line in self.text.splitlines(keepends=True) if line.startswith("$ "))

    @property
    def is_to_be_run(self) -> bool:
        """Whether a test has to run it."""
        return self.language in SHELLS and not self.mark


def documents() -> list[str]:
    """Every document for people, by its path within the project."""
    found = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md"), *PROJECT.glob("examples/**/*.md")]
    # Who has tried the example has a virtual environment in it, full of other people's documents.
    names = [path.relative_to(PROJECT) for path in found]
    return sorted(str(name) for name in names if not any(part.startswith(".") for part in name.parts))


def blocks(document: str) -> Iterator[Block]:
    """The fenced blocks of a document, from top to bottom."""
    heading, opened, inside = "", None, ""
    for number, line in enumerate((PROJECT / document).read_text(encoding="utf-8").splitlines(keepends=True), start=1):
        fence = re.match(r" *```(.*)", line)
        if fence and opened is None:
            opened, inside = (number, *fence[1].partition(" ")[::2]), ""
        elif fence and opened:
            first, language, mark = opened
            yield Block(document, first, heading, language, mark.strip(), inside)
            opened = None
        elif opened:
            inside += line
        elif title := re.match(r"#+ (.+)", line):
            heading = title[1].strip()


def commands(document: str, heading: str, **words: str) -> str:
    """The commands below one heading of a document that are not marked, as one shell script.

    Tests name both literally: that is how a command is known to be run.

    Args:
        document: Path within the project, as ``docs/operations.md``.
        heading: The heading, without its ``#``.
        words: What to write instead of a word of the document, where tests need another one; ``_`` stands for ``-``.

    Raises:
        LookupError: There are no such commands.
    """
    found = [one.commands for one in blocks(document) if one.heading == heading and one.is_to_be_run]
    if not found:
        raise LookupError(f"{document} has no command below a heading {heading!r}")
    script = "".join(found)
    for word, other in words.items():
        script = re.sub(rf"(?<![\w/]){word.replace('_', '-')}(?![\w])", other, script)
    return script
