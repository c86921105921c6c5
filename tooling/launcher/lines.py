"""Lines for people: columns, and how long ago something was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

_UNITS: Final = ((86400, "days"), (3600, "h"), (60, "min"), (1, "s"))


def columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows, the first of which is the heading, with each column as wide as it needs to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def ago(when: str | float) -> str:
    """How long ago something was, such as ``3 h ago``; ``-`` where nobody knows.

    Args:
        when: RFC 3339, as Docker and the state have it, or seconds since 1970.
    """
    try:
        then = datetime.fromisoformat(when) if isinstance(when, str) else datetime.fromtimestamp(when, UTC)
    except ValueError:
        return "-"
    seconds = int((datetime.now(UTC) - (then if then.tzinfo else then.replace(tzinfo=UTC))).total_seconds())
    if then.year < 1970:  # noqa: PLR2004 - Docker's word for never
        return "-"
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= 2 * size), (1, "s"))
    return f"{max(seconds, 0) // size} {unit} ago"
