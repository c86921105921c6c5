"""Which version of a package the mirrors have, and which of them a build takes."""

from __future__ import annotations

import fcntl
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tooling.images.build import BuildContext
from tooling.images.debian import Distribution, Release, output
from tooling.images.errors import ImageError
from tooling.images.version import VersionConstraint


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A version of a package that a mirror has.

    Attributes:
        upstream: Version of the software: ``8.0.1``.
        package: Version of the package: ``8.0.1+dfsg1-1~bpo12+2``.
        release: Release it is for.
        backports: It lies in the release's backports.
    """

    upstream: str
    package: str
    release: Release
    backports: bool


def candidates(context: BuildContext, package: str, releases: tuple[Release, ...] = ()) -> Iterator[Candidate]:
    """Versions of ``package`` on the mirrors, release by release: ask no further than needed.

    Only ``releases`` are looked into where some are named, and all there are where none is.
    """
    distribution = context.distribution
    for release in releases or distribution.releases():
        context.stage.text = f"asking the mirror for {package} in {release.codename}"
        backports = "backports" in release.pockets
        folder = context.cache / "apt" / release.codename
        for version, suite in _madison(distribution, release, package, folder, backports=backports):
            upstream = re.split(r"[-+~]", version.rpartition(":")[2], maxsplit=1)[0]
            yield Candidate(upstream=upstream, package=version, release=release, backports=suite.endswith("-backports"))


def newest(context: BuildContext, package: str, release: Release) -> Candidate:
    """The version of ``package`` that a release has.

    Raises:
        ImageError: The mirrors have none, or do not answer.
    """
    for candidate in candidates(context, package, (release,)):
        return candidate
    raise ImageError(
        f"this machine's mirror has no {package} for {release.codename}. See what `apt-get update` says of it, or "
        "bring the image with `docker load`."
    )


def choose(context: BuildContext, package: str, constraint: VersionConstraint, software: str) -> Candidate:
    """An allowed version of ``package``, of the oldest release that has one; else the nearest there is.

    A mirror has one patch version of a release and its suites, seldom the one a registry's tag names. The nearest is
    of the same major and minor version, newer rather than older where two are as near.

    Raises:
        ImageError: No release on the mirror has it or a neighbour; the text names those there are.
    """
    seen: list[Candidate] = []
    for candidate in candidates(context, package):
        if constraint.matches(candidate.upstream):
            return candidate
        seen.append(candidate)
    nearest = min(
        (candidate for candidate in seen if constraint.is_neighbour(candidate.upstream)),
        key=lambda candidate: constraint.distance(candidate.upstream),
        default=None,
    )
    if nearest is not None:
        return nearest
    there = ", ".join(dict.fromkeys(f"{c.upstream} ({c.release.codename})" for c in seen)) or "none at all"
    raise ImageError(
        f"there is no {software} {constraint.version} among the packages of this machine's mirror, which has "
        f"{there}. Ask for one of those by its number, or bring the image with `docker load`."
    )


def _madison(
    distribution: Distribution, release: Release, package: str, folder: Path, *, backports: bool
) -> list[tuple[str, str]]:
    """Version and suite of ``package``, newest first, from an apt of its own that knows this release only."""
    folder.mkdir(parents=True, exist_ok=True)
    # The set-up of another stack may be asking too. Apt does not wait for its turn: it would find nothing.
    with (folder / "turn").open("wb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        for name in ("lists/partial", "cache/archives/partial", "preferences.d"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        sources = "".join(f"{s.line()}\n" for s in distribution.sources_of(release, backports=backports))
        (folder / "sources.list").write_text(sources, encoding="utf-8")
        # From where apt is started: a path of this file cannot hold a quotation mark, which the project's may.
        own = {
            "Dir::Etc::sourcelist": "./sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferencesparts": "./preferences.d",
            "Dir::State::lists": "./lists",
            "Dir::State::status": "./status",
            "Dir::Cache": "./cache",
            "Acquire::Languages": "none",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
            "Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled": "false",
        }
        (folder / "apt.conf").write_text(
            "".join(f'{name} "{value}";\n' for name, value in own.items()), encoding="utf-8"
        )
        # A release or pocket that this mirror does not carry is an error to apt and only an absence here.
        subprocess.run(["apt-get", "-c", "apt.conf", "update"], capture_output=True, check=False, cwd=folder)
        lines = output(["apt-cache", "-c", "apt.conf", "madison", package], folder).splitlines()
    rows = [[column.strip() for column in line.split("|")] for line in lines if line.count("|") == 2]  # noqa: PLR2004 - name, version, origin
    return [(version, origin.split()[1].partition("/")[0]) for _, version, origin in rows if "Packages" in origin]
