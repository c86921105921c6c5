"""docs/faults.md: what a run of the catalogue saw."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.integration.catalogue.fault import Fault

PAGE = Path(__file__).parents[3] / "docs/faults.md"

HEAD = """\
# Faults

Every fault here is injected into real containers by `tests/integration/test_fault_catalogue.py`, which writes this
page: do not edit it. `/health` and `/ready` are what Open WebUI says of itself while the fault is there; `none` is no
answer within 5 s, `-` that there is no Open WebUI to ask, or that what it depends on is only stood in for. The last
column is the check that names the fault; the cause leads to its fix. `proved` with a cause means that a question could
not be asked, and counts neither way.
"""

TABLE = """\
| fault | `/health` | `/ready` | verdict | cause | check |
|---|---|---|---|---|---|
"""


def page(themes: Mapping[str, Iterable[Fault]]) -> str:
    """The page for faults that were seen to be as they say."""
    failures = [fault for faults in themes.values() for fault in faults if fault.verdict == "failed"]
    green = sum(fault.own == "200/200" for fault in failures)
    asked = sum(fault.own != "-/-" for fault in failures)
    count = (
        f"Of {asked} faults that fail the proof of a real Open WebUI, {green} leave its `/health` and `/ready` 200.\n"
    )
    sections = (f"## {theme}\n\n{TABLE}{''.join(map(_row, faults))}" for theme, faults in themes.items())
    return "\n".join([HEAD, count, *sections])


def _row(fault: Fault) -> str:
    health, ready = (" or ".join(words) for words in fault.own_answers.values())
    cause = f"[{fault.cause}](troubleshooting.md#{fault.cause})"
    return f"| {fault.name} | {health} | {ready} | {fault.verdict} | {cause} | `{fault.check}` |\n"
