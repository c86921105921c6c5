"""The changelog has the form of Keep a Changelog, the version of the package, and every name that came or went."""

from __future__ import annotations

import re
import tomllib
from datetime import date

import yaml

from tests.documents import PROJECT
from tests.public_names import RECORDED, public_names
from tooling.release import changes_of

CHANGELOG = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")
KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")


def sections() -> dict[str, str]:
    """Text below each second-level heading."""
    parts = re.split(r"(?m)^## (.+)\n", CHANGELOG)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def unreleased() -> str:
    return next(iter(sections().values()))


def missing(before: dict[str, list[str]], now: dict[str, list[str]], text: str) -> list[str]:
    """Each name that is in one of the two only, and not in the text."""
    named = set(re.findall(r"[\w.-]+", text))
    return [
        f"{kind}: {name}"
        for kind in {**before, **now}
        for name in sorted(set(before.get(kind, [])) ^ set(now.get(kind, [])))
        if name not in named
    ]


def test_the_versions_stand_in_their_order_with_their_dates() -> None:
    first, *released = sections()
    assert first == "[Unreleased]"
    found = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", heading) for heading in released]
    versions = [tuple(map(int, one[1].split("."))) for one in found if one]
    days = [date.fromisoformat(one[2]) for one in found if one]
    assert len(versions) == len(released)
    assert versions == sorted(versions, reverse=True)
    assert days == sorted(days, reverse=True)


def test_every_change_is_of_a_kind_that_there_is() -> None:
    assert set(re.findall(r"(?m)^### (.+)$", CHANGELOG)) <= set(KINDS)


def test_the_version_of_the_package_has_its_section() -> None:
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert changes_of(version, CHANGELOG)
    assert list(sections())[1].startswith(f"[{version}] "), "the newest section is that of the version"


def test_every_name_that_came_or_went_since_the_last_version_is_in_it() -> None:
    before = yaml.safe_load(RECORDED.read_text(encoding="utf-8"))
    left = missing(before, public_names(), unreleased())
    assert left == [], "say under Unreleased what users have to do; after a release, `python -m tests.public_names`"


def test_a_name_that_went_or_came_unsaid_is_found() -> None:
    before, now = {"settings": ["uiPort", "tls"]}, {"settings": ["tls", "uiPorts"], "labels": ["pulumi.new"]}
    assert missing(before, now, "- `uiPort` is gone.") == ["settings: uiPorts", "labels: pulumi.new"]
    assert missing(before, now, "- `uiPorts` for `uiPort`; label `pulumi.new`.") == []
