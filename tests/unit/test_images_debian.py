"""What is read of this machine's apt configuration, and the sources made of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tooling.images import packages
from tooling.images.build import BuildContext
from tooling.images.debian import RELEASES, Distribution, Source, parse_deb822, parse_one_line
from tooling.images.errors import ImageError
from tooling.images.packages import Candidate, candidates, choose, newest
from tooling.images.version import VersionConstraint
from tooling.machine.progress import Stage

if TYPE_CHECKING:
    from pathlib import Path

BOOKWORM, TRIXIE, _, SID = RELEASES["debian"]


def machine(*sources: Source, codename: str = "bookworm") -> Distribution:
    return Distribution(name="debian", codename=codename, architecture="amd64", sources=tuple(sources), apt_options=())


def source(suite: str, uri: str = "http://mirror.example/debian", **options: str) -> Source:
    return Source(
        uri=uri, suite=suite, components=("main",), options={k.replace("_", "-"): v for k, v in options.items()}
    )


def test_one_line_sources_are_read_with_what_makes_apt_trust_them() -> None:
    text = """
    # deb http://commented.example/debian bookworm main
    deb-src http://mirror.example/debian bookworm main
    deb [arch=amd64 signed-by=/etc/keys/ours.gpg trusted=yes] https://mirror.example/debian bookworm main contrib # why
    """
    assert parse_one_line(text) == [
        Source(
            uri="https://mirror.example/debian",
            suite="bookworm",
            components=("main", "contrib"),
            options={"signed-by": "/etc/keys/ours.gpg", "trusted": "yes"},
        )
    ]


def test_deb822_sources_are_read_suite_by_suite(tmp_path: Path) -> None:
    text = """\
Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    assert parse_deb822(text, tmp_path) == [
        source("bookworm", signed_by=keyring),
        source("bookworm-updates", signed_by=keyring),
    ]


def test_a_key_inside_a_deb822_file_is_stored_beside_the_build(tmp_path: Path) -> None:
    text = """\
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----
"""
    (found,) = parse_deb822(text, tmp_path / "keys")
    stored = (tmp_path / "keys/inline-0.asc").read_text()
    assert found.options == {"signed-by": str(tmp_path / "keys/inline-0.asc")}
    assert stored == "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQINBF\n-----END PGP PUBLIC KEY BLOCK-----\n"


def test_a_source_is_written_as_apt_reads_it() -> None:
    line = source("bookworm", signed_by="/k.gpg", trusted="yes").line()
    assert line == "deb [signed-by=/k.gpg trusted=yes] http://mirror.example/debian bookworm main"
    assert parse_one_line(line) == [source("bookworm", signed_by="/k.gpg", trusted="yes")]


def test_another_release_comes_from_the_same_mirrors_with_the_same_keys() -> None:
    here = machine(
        source("bookworm", signed_by="/k.gpg"), source("bookworm-security", uri="http://mirror.example/security")
    )
    assert here.sources_of(TRIXIE) == [
        source("trixie", signed_by="/k.gpg"),
        source("trixie-security", uri="http://mirror.example/security"),
    ]


def test_backports_are_added_only_when_asked_for() -> None:
    here = machine(source("bookworm"), source("bookworm-updates"))
    assert [s.suite for s in here.sources_of(BOOKWORM)] == ["bookworm", "bookworm-updates"]
    assert [s.suite for s in here.sources_of(BOOKWORM, backports=True)][-1] == "bookworm-backports"


def test_unstable_has_no_updates_beside_it() -> None:
    here = machine(source("bookworm"), source("bookworm-updates"), source("bookworm-security"))
    assert [s.suite for s in here.sources_of(SID)] == ["sid"]


def test_a_machine_that_calls_its_release_stable_is_understood() -> None:
    assert [s.suite for s in machine(source("stable")).sources_of(BOOKWORM)] == ["bookworm"]


def test_a_machine_without_a_source_for_its_release_is_told_what_is_there() -> None:
    with pytest.raises(ImageError, match=r"no source for its own release 'bookworm' \(seen: nodistro\)"):
        machine(source("nodistro")).sources_of(BOOKWORM)


def test_two_set_ups_at_once_take_turns_at_asking_the_mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_ins = {
        "apt-get": f"mkdir {tmp_path}/busy || touch {tmp_path}/collision; sleep 0.02; rmdir {tmp_path}/busy",
        "apt-cache": "echo 'valkey | 8.0.1-1 | http://mirror.example bookworm/main amd64 Packages'",
    }
    for name, body in stand_ins.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    context = BuildContext(
        distribution=machine(source("bookworm")), cache=tmp_path / "cache", work=tmp_path, stage=Stage("")
    )

    def ask(_: int) -> list[str]:
        return [candidate.upstream for candidate in candidates(context, "valkey", (BOOKWORM,))]

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(ask, range(3))) == [["8.0.1"]] * 3
    assert not (tmp_path / "collision").exists()


def test_the_mirror_is_asked_from_a_project_in_any_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    what_apt_reads = r"""! grep -vE '^[A-Za-z0-9:.-]+ "[^"]*";$' apt.conf"""
    row = "valkey | 8.0.1-1 | http://mirror.example bookworm/main amd64 Packages"
    for name, body in {"apt-get": "true", "apt-cache": f"{what_apt_reads} && echo '{row}'"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    context = BuildContext(
        distribution=machine(source("bookworm")),
        cache=tmp_path / """it's "ünïcode" $HOME""",
        work=tmp_path,
        stage=Stage(""),
    )

    assert newest(context, "valkey", BOOKWORM).package == "8.0.1-1"


def test_a_mirror_that_has_not_what_an_image_is_made_of_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(packages, "candidates", lambda *_: iter(()))
    context = BuildContext(distribution=machine(), cache=tmp_path, work=tmp_path, stage=Stage("a test"))
    with pytest.raises(ImageError, match=r"mirror has no python3 for bookworm\. See what `apt-get update` says"):
        newest(context, "python3", BOOKWORM)


@pytest.mark.parametrize(
    ("wanted", "there", "chosen"),
    [
        ("8.1.4", ("8.1.1", "8.1.4", "9.1.2"), "8.1.4"),
        ("8.1.10", ("8.0.1", "8.1.1", "8.1.4", "9.1.2"), "8.1.4"),
        ("8.1.3", ("8.1.2", "8.1.4"), "8.1.4"),
        ("8.1", ("8.0.1", "8.1.1", "8.1.4"), "8.1.1"),
    ],
)
def test_what_the_mirror_has_not_is_stood_in_for_by_the_nearest_of_the_same_minor_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wanted: str, there: tuple[str, ...], chosen: str
) -> None:
    assert choose_among(monkeypatch, tmp_path, wanted, there).upstream == chosen


def test_no_other_minor_version_ever_stands_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"no Valkey 8\.2\.1 among .* has 8\.1\.1 \(bookworm\), 9\.1\.2 \(bookworm\)"):
        choose_among(monkeypatch, tmp_path, "8.2.1", ("8.1.1", "9.1.2"))


def choose_among(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, wanted: str, there: tuple[str, ...]) -> Candidate:
    mirror = [Candidate(upstream=v, package=f"{v}-1", release=BOOKWORM, backports=False) for v in there]
    monkeypatch.setattr(packages, "candidates", lambda *_: iter(mirror))
    context = BuildContext(distribution=machine(), cache=tmp_path, work=tmp_path, stage=Stage("a test"))
    return choose(context, "valkey-server", VersionConstraint(wanted), "Valkey")
