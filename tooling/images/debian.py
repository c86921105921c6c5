"""Debian and Ubuntu packages, over the mirrors this machine's own apt is configured with.

No mirror's address, proxy or key stands in this project: all are read from apt's configuration at build time.
Formats: https://manpages.debian.org/bookworm/apt/sources.list.5.en.html
"""

from __future__ import annotations

import platform
import re
import shlex
import shutil
from dataclasses import dataclass, field, replace
from email import message_from_string
from pathlib import Path
from typing import Final

from tooling.images.errors import ImageError
from tooling.machine.host import apt_install, captured, root_prefix


@dataclass(frozen=True, kw_only=True)
class Release:
    """A release of a distribution that images can be made from.

    Attributes:
        codename: Name of its suite on a mirror.
        python: Version of its ``python3``.
        glibc: Version of its C library, which decides what binary wheels run on it.
        pockets: Suites beside it that complete it: ``-updates``, ``-security``, ``-backports``.
    """

    codename: str
    python: str
    glibc: str
    pockets: tuple[str, ...] = ("updates", "security", "backports")


RELEASES: Final[dict[str, tuple[Release, ...]]] = {
    "debian": (
        Release(codename="bookworm", python="3.11", glibc="2.36"),
        Release(codename="trixie", python="3.13", glibc="2.41"),
        Release(codename="forky", python="3.13", glibc="2.41", pockets=()),
        Release(codename="sid", python="3.13", glibc="2.41", pockets=()),
    ),
    "ubuntu": (
        Release(codename="noble", python="3.12", glibc="2.39"),
        Release(codename="questing", python="3.13", glibc="2.42"),
    ),
}
"""Oldest first: the first release with an allowed version of a package is the one taken."""

COMPONENTS: Final = {"debian": ("main",), "ubuntu": ("main", "universe")}


@dataclass(frozen=True, kw_only=True)
class Source:
    """One suite of one mirror, as apt's configuration has it.

    Attributes:
        uri: Address of the repository.
        suite: ``bookworm``, ``bookworm-security``, ...
        components: ``main``, ...
        options: What tells apt to trust it: ``signed-by``, ``trusted``, ``check-valid-until``, ...
    """

    uri: str
    suite: str
    components: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)

    def line(self) -> str:
        """The source in apt's one-line format."""
        options = " ".join(f"{name}={value}" for name, value in self.options.items())
        bracket = f"[{options}] " if options else ""
        return f"deb {bracket}{self.uri} {self.suite} {' '.join(self.components)}".rstrip()


_OPTIONS: Final = ("signed-by", "trusted", "check-valid-until", "check-date", "allow-insecure", "allow-weak")
_ONE_LINE: Final = re.compile(
    r"deb\s+(?:\[(?P<options>[^\]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>[^#]*)"
)


def parse_one_line(text: str) -> list[Source]:
    """Sources of a ``sources.list``; lines that are not ``deb`` are none."""
    sources = []
    for line in text.splitlines():
        match = _ONE_LINE.match(line.strip())
        if match:
            options = dict(o.split("=", 1) for o in (match["options"] or "").split() if "=" in o)
            sources.append(
                Source(
                    uri=match["uri"],
                    suite=match["suite"],
                    components=tuple(match["components"].split()),
                    options={k.lower(): v for k, v in options.items() if k.lower() in _OPTIONS},
                )
            )
    return sources


def parse_deb822(text: str, key_folder: Path) -> list[Source]:
    """Sources of a ``*.sources`` file; a key written into the file itself is stored in ``key_folder``."""
    sources = []
    uncommented = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("#"))
    for paragraph in re.split(r"\n\s*\n", uncommented.strip()):
        # The format is that of mail headers, which Debian has it from.
        fields = message_from_string(paragraph)
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").strip().lower() == "no":
            continue
        options = {name: fields[name].strip() for name in _OPTIONS if fields.get(name)}
        if "BEGIN PGP" in options.get("signed-by", ""):
            options["signed-by"] = str(_store_key(options["signed-by"], key_folder))
        sources += [
            Source(uri=uri, suite=suite, components=tuple(fields.get("components", "").split()), options=options)
            for uri in fields.get("uris", "").split()
            for suite in fields.get("suites", "").split()
        ]
    return sources


def _store_key(block: str, folder: Path) -> Path:
    # An empty line of the key is written as a lone dot in this format.
    text = "".join(f"{'' if line.strip() == '.' else line.strip()}\n" for line in block.splitlines())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"inline-{len(list(folder.iterdir()))}.asc"
    path.write_text(text, encoding="ascii")
    return path


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """This machine's distribution and how it reaches its packages.

    Attributes:
        name: ``debian`` or ``ubuntu``.
        codename: Its own release.
        architecture: As dpkg names it: ``amd64``.
        sources: What its apt is configured with.
        apt_options: Lines of apt.conf that say how to reach them: proxies, certificates, validity checks.
    """

    name: str
    codename: str
    architecture: str
    sources: tuple[Source, ...]
    apt_options: tuple[str, ...]

    def releases(self) -> tuple[Release, ...]:
        """Releases that images can be made from, oldest first."""
        return RELEASES[self.name]

    def sources_of(self, release: Release, *, backports: bool = False) -> list[Source]:
        """Sources of ``release`` on this machine's mirrors: itself, updates and security if configured here.

        Raises:
            ImageError: No source of this machine's own release is configured.
        """
        main = next((s for s in self.sources if s.suite in {self.codename, "stable", "oldstable"}), None)
        if main is None:
            seen = ", ".join(sorted({s.suite for s in self.sources})) or "none"
            raise ImageError(
                f"apt on this machine has no source for its own release {self.codename!r} (seen: {seen}). "
                "Add one to /etc/apt/sources.list.d."
            )
        components = COMPONENTS[self.name]
        found = [replace(main, suite=release.codename, components=components)]
        for pocket in ("updates", "security"):
            like = next((s for s in self.sources if s.suite.endswith(f"-{pocket}")), None)
            if like is not None and pocket in release.pockets:
                found.append(replace(like, suite=f"{release.codename}-{pocket}", components=components))
        if backports:
            found.append(replace(main, suite=f"{release.codename}-backports", components=components))
        return found


# How to reach a mirror is copied; what apt does with packages afterwards is not.
_REACH: Final = re.compile(
    r"Acquire::(?:http|https|ftp|tor|Retries|ForceIPv|Check-|Max-FutureTime|Allow)\S*\s", re.IGNORECASE
)


def this_machine(work: Path) -> Distribution:
    """Read this machine's apt configuration; ``work`` takes keys that are written inside of it.

    Raises:
        ImageError: This is neither Debian nor Ubuntu.
    """
    release = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    name = next((n for n in names if n in RELEASES), None)
    if name is None or not shutil.which("apt-get"):
        raise ImageError(
            f"images are built from Debian or Ubuntu packages, and this machine is "
            f"{release.get('ID', 'neither')!r}. Name an image of a registry it can reach, "
            "or bring the image with `docker load`."
        )
    asked = ["apt-config", "shell", "LIST", "Dir::Etc::sourcelist/f", "PARTS", "Dir::Etc::sourceparts/d"]
    places = dict(entry.split("=", 1) for entry in shlex.split(output(asked)))
    parts = sorted(Path(places.get("PARTS", "/etc/apt/sources.list.d")).glob("*"))
    sources: list[Source] = []
    for file in [Path(places.get("LIST", "/etc/apt/sources.list")), *parts]:
        if file.suffix == ".list" and file.is_file():
            sources += parse_one_line(file.read_text(encoding="utf-8"))
        elif file.suffix == ".sources" and file.is_file():
            sources += parse_deb822(file.read_text(encoding="utf-8"), work / "keys")
    return Distribution(
        name=name,
        codename=release.get("VERSION_CODENAME") or release.get("UBUNTU_CODENAME", ""),
        architecture=output(["dpkg", "--print-architecture"]).strip(),
        sources=tuple(sources),
        apt_options=tuple(line for line in output(["apt-config", "dump"]).splitlines() if _REACH.match(line)),
    )


def output(command: list[str], folder: Path | None = None) -> str:
    """What a command prints, empty where it fails."""
    return captured(command, cwd=folder).stdout


def mmdebstrap() -> list[str]:
    """How to call mmdebstrap here, installed if need be: as root where we may, else in a user namespace.

    Raises:
        ImageError: It is not there and cannot be installed.
    """
    prefix = root_prefix()
    needed = {"mmdebstrap": "mmdebstrap", **({"newuidmap": "uidmap"} if prefix is None else {})}
    missing = [package for program, package in needed.items() if not shutil.which(program)]
    failure = apt_install(*missing) if missing else ""
    if failure:
        raise ImageError(f"building an image needs {' and '.join(missing)}: {failure}")
    return [*(prefix or []), "mmdebstrap"]
