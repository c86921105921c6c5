"""The report as Markdown, for a pull request or a ticket: the verdict first, failures folded."""

from __future__ import annotations

import re
from typing import Any, Final

from verification.report.terminal import (
    Report,
    detailed,
    display_status,
    duration,
    explanation,
    local_builds,
    summary_line,
)

MARKS: Final = {"passed": "✅", "proved": "✅", "failed": "❌", "unknown": "❔", "advice": "⚠️", "skipped": "⚪"}


def as_markdown(found: Report) -> str:
    """The report in GitHub's Markdown; what was seen cannot break out of its place."""
    lines = [
        f"### {MARKS[found['verdict']]} {prose(found['summary'])}",
        "",
        *(f"> {prose(line)}\n" for line in local_builds(found)),
        "| | check | asked | seen | took |",
        "|---|---|---|---|---:|",
        *(_row(row) for row in found["checks"]),
        *(line for row in detailed(found) for line in _details(row)),
        "",
        *_asked_of(found),
    ]
    return "\n".join(lines)


def _row(row: dict[str, Any]) -> str:
    seen = prose(summary_line(row)).replace("|", "\\|")
    return f"| {MARKS[display_status(row)]} | `{row['id']}` | {row['question']} | {seen} | {duration(row)} |"


def _details(row: dict[str, Any]) -> list[str]:
    fix = ["", "To fix it:", "", *fenced(row["fix"])] if row["fix"] else []
    return [
        "",
        f"<details><summary>{MARKS[display_status(row)]} <code>{row['id']}</code>: {row['cause']}</summary>",
        "",
        *fenced(row["evidence"]),
        *fix,
        "",
        f"More: `{explanation(row)}`",
        "",
        "</details>",
    ]


def _asked_of(found: Report) -> list[str]:
    """When and of what it was asked, in a list."""
    images = (
        f"- {prose(name)}: {code(image['reference'])}, version {prose(image['version'] or 'not told')}, "
        f"{prose(image['origin'])}"
        for name, image in sorted(found["images"].items())
    )
    return [f"Asked {found['asked_at']}, in {found['seconds']:.1f} s.", "", *images]


def prose(text: str) -> str:
    """Text that Markdown shows as it is, in one line.

    What GitHub would make a link or a mention of stands as code: in ``redis://user:***@host`` it sees somebody called
    ``host``, and calls him.
    """
    return " ".join(code(word) if re.search(r"://|@|#", word) else _escaped(word) for word in text.split())


def code(word: str) -> str:
    """Code within a line, whatever it contains."""
    ticks = "`" * (_longest_run(word) + 1)
    space = " " if "`" in word else ""
    return f"{ticks}{space}{word}{space}{ticks}"


def _escaped(word: str) -> str:
    word = word.replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\`*_\[\]~])", r"\\\1", word)


def fenced(text: str) -> list[str]:
    """Text as a code block, whatever it contains."""
    fence = "`" * max(_longest_run(text) + 1, 3)
    return [fence, *text.splitlines(), fence]


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
