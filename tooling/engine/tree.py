"""The picture that is redrawn on a terminal while a run goes on: a tree of the resources that change.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/backend/display/tree.go
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from tooling.engine.events import Change
from tooling.engine.rendering import OPS, changed_lines, shown_type, time_taken
from tooling.pulumi_files.urns import name_of

_TICKING_SECONDS: Final = 2.0
"""How long a step may take before its seconds are shown."""


@dataclass
class Row:
    """A resource on screen.

    Attributes:
        op: What is done with it, or planned.
        status: The operation under way, or the last one.
        seconds: How long that took; None while it lasts.
        message: What its provider says of it now.
    """

    urn: str
    parent: str = ""
    op: str = ""
    status: str = ""
    started: float = 0.0
    seconds: float | None = None
    message: str = ""
    changes: list[Change] = field(default_factory=list)
    failed: bool = False

    @property
    def is_at_work(self) -> bool:
        """Whether an operation on it has begun and not ended."""
        return bool(self.started) and self.seconds is None

    @property
    def changes_something(self) -> bool:
        """Whether there is more to show than its name."""
        return self.failed or self.status not in ("", "same") or self.op not in ("", "same")


def tree(
    rows: Mapping[str, Row],
    masked: Callable[[RenderableType], RenderableType],
    *,
    preview: bool,
    most: int | None = None,
) -> RenderableType:
    """A table of what changes, each resource below its parent.

    Args:
        rows: By URN.
        masked: Takes secrets out of a line.
        preview: Nothing is done: what would be is shown, with the places that differ.
        most: Lines there are room for: then what is at work or failed comes first, and the rest is counted.
    """
    shown = list(_branches(rows))
    left = 0
    if most is not None and len(shown) > most:
        first = sorted(shown, key=lambda one: not (one[0].is_at_work or one[0].failed))[: max(most - 1, 1)]
        left, shown = len(shown) - len(first), [one for one in shown if one in first]
    table = Table.grid(padding=(0, 2, 0, 0))
    for column in ("", "Type", "Name", "Status"):
        table.add_column(header=column, no_wrap=column != "Status")
    table.add_row("", Text("Type", "bold"), Text("Name", "bold"), Text("Status", "bold"))
    for row, branch in shown:
        op = row.op or row.status or "same"
        colour = "red" if row.failed else OPS[op].colour
        table.add_row(
            Text(f" {OPS[op].sign}", colour),
            Text.assemble((branch, "dim"), shown_type(row.urn)),
            Text(name_of(row.urn)),
            _status(row, colour, preview=preview),
        )
        for line in changed_lines(row.changes, margin="") if preview else ():
            table.add_row("", "", "", masked(line))
    if left:
        table.add_row("", Text(f"and {left} more", "dim"), "", "")
    return table


def _branches(rows: Mapping[str, Row]) -> Iterator[tuple[Row, str]]:
    """What changes and all above it, parents first, each with the lines that lead to it."""
    shown: set[str] = set()
    for row in rows.values():
        above: Row | None = row if row.changes_something else None
        while above is not None and above.urn not in shown:
            shown.add(above.urn)
            above = rows.get(above.parent)

    children: dict[str, list[Row]] = {}
    for row in rows.values():
        if row.urn in shown:
            children.setdefault(row.parent, []).append(row)

    def below(row: Row, branch: str, indent: str) -> Iterator[tuple[Row, str]]:
        yield row, branch
        for child in children.get(row.urn, ()):
            last = child is children[row.urn][-1]
            yield from below(child, indent + ("└─ " if last else "├─ "), indent + ("   " if last else "│  "))

    for row in rows.values():
        if row.urn in shown and row.parent not in shown:
            yield from below(row, "", "")


def _status(row: Row, colour: str, *, preview: bool) -> Text:
    if row.failed:
        return Text("failed", colour)
    if not row.changes_something:
        return Text("")
    if preview:
        return Text(OPS[row.op].planned, colour)
    if row.seconds is not None:
        return Text(OPS[row.op].done + time_taken(row.seconds), colour)
    if not row.started:
        return Text("")
    elapsed = time.monotonic() - row.started
    ticking = f" ({elapsed:.0f}s)" if elapsed >= _TICKING_SECONDS else ""
    return Text.assemble((f"{OPS[row.status].doing}{ticking}", colour), (f"  {row.message}", "dim"))
