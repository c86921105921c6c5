"""docs/faults.md: what is expected of each fault of the catalogue, and asserted by test_fault_catalogue.py.

``python -m tests.integration.catalogue.page`` writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.integration.catalogue import THEMES, account, elsewhere
from tests.integration.catalogue.fault import Fault

PAGE = Path(__file__).parents[3] / "docs/faults.md"

HEAD = """\
# Faults

Every fault here is injected into real containers by `tests/integration/test_fault_catalogue.py`; this page is written
from what that asserts: do not edit it. `/health` and `/ready` are what Open WebUI says of itself while the fault is
there; `none` is no answer within 10 s, `-` that there is no Open WebUI to ask, or that what it depends on is only stood
in for. The last column is the check that names the fault; the cause leads to its fix. `proved` with a cause means that
a question could not be asked and that the deployment does not call for it; where it does, the verdict is `unknown`.

`make test` judges faults marked with * on Open WebUI, and the others on [a small image that stands in for
it](../tests/stand_in/__init__.py) and is held to it by `tests/integration/test_stand_in.py`. `make test-all` judges
every fault on Open WebUI that has an answer in the columns of `/health` and `/ready`.
"""

TABLE = """\
| fault | `/health` | `/ready` | verdict | cause | check |
|---|---|---|---|---|---|
"""


def is_real(fault: Fault) -> bool:
    """Whether `make test` judges it on Open WebUI itself: what stands in for it has no accounts and no migrations."""
    itself = (*account.FAULTS, *elsewhere.SCHEMA_FAULTS)
    return fault.real or (fault in itself and fault.inject is not account.without_account)


def page(themes: Mapping[str, Iterable[Fault]]) -> str:
    """The page for faults that are as they say."""
    failures = [fault for faults in themes.values() for fault in faults if fault.verdict == "failed"]
    green = sum(fault.own == "200/200" for fault in failures)
    asked = sum(fault.own != "-/-" for fault in failures)
    count = f"Of {asked} faults that fail the proof of an Open WebUI, {green} leave its `/health` and `/ready` 200.\n"
    sections = (f"## {theme}\n\n{TABLE}{''.join(map(_row, faults))}" for theme, faults in themes.items())
    return "\n".join([HEAD, count, *sections])


def _row(fault: Fault) -> str:
    health, ready = (" or ".join(words) for words in fault.own_answers.values())
    cause = f"[{fault.cause}](troubleshooting.md#{fault.cause})"
    name = f"{fault.name} *" if is_real(fault) else fault.name
    return f"| {name} | {health} | {ready} | {fault.verdict} | {cause} | `{fault.check}` |\n"


if __name__ == "__main__":
    PAGE.write_text(page(THEMES), encoding="utf-8")
