"""A release is of a version that the changelog knows, by locked tools, with sums that sha256sum reads."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.documents import PROJECT
from tooling.release import TOOLS, ReleaseError, changes_of, release, write_sums

PYPROJECT = '[project]\nname = "open-webui-valkey"\nversion = "1.2.0"\n'
CHANGELOG = """# Changelog

## [Unreleased]

- Later.

## [1.2.0] - 2026-12-01

### Added

- This.

## [1.1.0] - 2026-11-01
"""


def checkout(folder: Path, changelog: str) -> Path:
    (folder / "pyproject.toml").write_text(PYPROJECT, encoding="utf-8")
    (folder / "CHANGELOG.md").write_text(changelog, encoding="utf-8")
    (folder / "dist").mkdir()
    return folder


def test_the_changes_of_a_version_are_those_below_its_heading() -> None:
    assert changes_of("1.2.0", CHANGELOG) == "### Added\n\n- This."
    assert changes_of("1.1.0", CHANGELOG) == ""
    assert changes_of("1x2.0", CHANGELOG) == ""


def test_a_version_that_the_changelog_does_not_know_is_not_released(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(subprocess, "run", pytest.fail)
    with pytest.raises(ReleaseError, match=r"no section `## \[1.2.0\] - YYYY-MM-DD`"):
        release(checkout(tmp_path, CHANGELOG.replace("1.2.0", "1.3.0")))


def test_a_release_is_built_by_locked_tools_and_has_the_sums_of_all_in_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], *, cwd: Path, check: bool) -> SimpleNamespace:
        assert (cwd, check) == (tmp_path, False)
        ran.append(command)
        (tmp_path / "dist/open_webui_valkey-1.2.0-py3-none-any.whl").write_bytes(b"wheel")
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    folder = release(checkout(tmp_path, CHANGELOG))
    assert ran[1][-4:] == ["--require-hashes", "--python", ".cache/release/bin/python", str(TOOLS)]
    assert ran[-1][-2:] == ["dist/open_webui_valkey-1.2.0.cdx.json", "requirements.txt"]
    assert (folder / "SHA256SUMS").read_text() == (
        "ba59926159d2aa256eb8739b8da7e2b574b960e1202c6d624cbe981cef996c91  open_webui_valkey-1.2.0-py3-none-any.whl\n"
    )


def test_a_tool_that_fails_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failed: Any = SimpleNamespace(returncode=3)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(ReleaseError, match=r"tooling\.machine\.uv venv .* ended with 3"):
        release(checkout(tmp_path, CHANGELOG))


def test_sums_are_of_files_that_a_release_has(tmp_path: Path) -> None:
    for name in ("b.whl", "a.tar.gz", ".gitignore", "SHA256SUMS"):
        (tmp_path / name).write_bytes(b"")
    lines = write_sums(tmp_path).read_text().splitlines()
    assert [line.partition("  ")[2] for line in lines] == ["a.tar.gz", "b.whl"]


def test_the_tools_have_hashes_and_the_builder_is_of_the_versions_that_the_package_asks_for() -> None:
    text = TOOLS.read_text(encoding="utf-8")
    blocks = re.split(r"(?m)^(?=[a-z])", text)
    assert [one for one in blocks if "==" in one and "--hash=sha256:" not in one] == []
    wanted = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    assert wanted == ["hatchling>=1.27,<2"]
    assert re.search(r"(?m)^hatchling==1\.(2[7-9]|[3-9]\d)\.", text)
