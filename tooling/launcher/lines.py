"""Lines for people: columns, and how long ago something was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from tooling.pulumi_files import ages


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
    then = ages.time_of(when) if isinstance(when, str) else datetime.fromtimestamp(when, UTC)
    if then is None or then.year < 1970:  # noqa: PLR2004 - Docker's word for never
        return "-"
    return ages.ago(max(ages.seconds_since(then), 0))
