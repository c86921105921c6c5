"""The document on Open WebUI's variables names those that are deployed, each once, where they are."""

import re
from pathlib import Path

import pytest

from tests.unit.recorder import Recorder, variant

DOCUMENT = Path("docs/environment.md")
ROW = re.compile(r"(?m)^\| `(\w+)` \| ([^|]+) \|(.*)\|$")
ACTIVE_WINDOW_SECONDS = 180
"""Who was not seen for longer is shown as away: ``is_user_active`` in Open WebUI's models/users.py."""


def documented() -> dict[str, str]:
    """Where a variable is set, by its name."""
    rows = ROW.findall(DOCUMENT.read_text("utf-8"))
    assert len({name for name, *_ in rows}) == len(rows)
    return {name: where.strip() for name, where, _ in rows}


def set_in(recorder: Recorder) -> set[str]:
    """Variables that a deployment gives Open WebUI, by itself or in files."""
    found: set[str] = set()
    for name, made in recorder.containers.items():
        if not name.startswith("open-webui"):
            continue
        lines = list(made.get("envs") or [])
        for upload in made.get("uploads", []):
            lines += upload["content"].splitlines() if upload["file"].endswith(".env") else []
        found |= {line.partition("=")[0] for line in lines}
    return found


@pytest.mark.parametrize(
    ("name", "places"),
    [
        ("dev", {"both"}),
        ("prod", {"both", "replicated", "the migration"}),
        ("oidc", {"both", "replicated", "with `oidc`"}),
        ("replicas that reach out", {"both", "replicated", "with `caFile`"}),
    ],
)
def test_each_variable_that_is_deployed_is_in_the_table_and_no_other(name: str, places: set[str]) -> None:
    assert set_in(variant(name)) == {variable for variable, where in documented().items() if where in places}


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_who_is_active_is_not_shown_as_away(name: str) -> None:
    lines = [line for made in variant(name).containers.values() for line in made.get("envs") or []]
    intervals = re.findall(r"DATABASE_USER_ACTIVE_STATUS_UPDATE_INTERVAL=(\d+)", "\n".join(lines))
    assert all(0 < int(interval) <= ACTIVE_WINDOW_SECONDS * 2 / 3 for interval in intervals)
