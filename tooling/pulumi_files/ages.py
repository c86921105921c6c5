"""When something was, and how long that is ago, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_UNITS: Final = ((86400, "days"), (3600, "h"), (60, "min"))


def time_of(text: str) -> datetime | None:
    """The time that a text in RFC 3339 names, as Docker and Pulumi write it; None where it names none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def seconds_since(time: datetime) -> int:
    """Whole seconds from then to now; negative where that is ahead of this machine's clock."""
    return int((datetime.now(UTC) - time).total_seconds())


def ago(seconds: int) -> str:
    """Seconds in the unit that fits, such as ``3 h ago``."""
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= 2 * size), (1, "s"))
    return f"{seconds // size} {unit} ago"
