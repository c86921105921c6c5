"""What version an image's tag asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tooling.images.errors import ImageError

# pgvector's tags name the PostgreSQL they are for, which is part of the version: 0.8.0-pg17.
_TAG: Final = re.compile(r"v?(\d+(?:\.\d+)*(?:-pg\d+)?)(?:-[a-z][\w.-]*)?")
_NEWEST: Final = frozenset({"latest", "main", "alpine", "bookworm", "trixie", "main-slim", "slim"})


@dataclass(frozen=True)
class VersionConstraint:
    """A version asked for: all of it, or its beginning (``8`` is any 8.x.y).

    Attributes:
        version: Numbers with dots: ``8.0.1``, ``8``.
    """

    version: str

    @property
    def exact(self) -> bool:
        """The version has its three numbers."""
        return self.version.count(".") >= 2  # noqa: PLR2004 - major.minor.patch

    def matches(self, version: str) -> bool:
        """``version`` is this one or begins with it, in each of its parts: ``0.8-pg17`` is ``0.8.0-pg17.12`` too."""
        asked, found = self.version.split("-"), version.split("-")
        return len(asked) == len(found) and all(
            part == whole or part.startswith(f"{whole}.") for whole, part in zip(asked, found, strict=True)
        )

    def is_neighbour(self, version: str) -> bool:
        """``version`` differs from this one, which is exact, in nothing but its patch number."""
        asked, found = key(self.version), key(version)
        return self.exact and len(found) >= len(asked) and found[:2] == asked[:2]

    def distance(self, version: str) -> tuple[int, int]:
        """How far a neighbour is from this version: patch releases between them; then newer before older."""
        patch = key(version)[2] - key(self.version)[2]
        return abs(patch), -patch


def of_tag(tag: str, newest: str) -> VersionConstraint:
    """The version ``tag`` asks for; ``main``, ``latest`` and the like ask for ``newest``.

    Raises:
        ImageError: The tag names no version.
    """
    if tag in _NEWEST:
        return VersionConstraint(newest)
    match = _TAG.fullmatch(tag)
    if match is None:
        raise ImageError(
            f"tag {tag!r} names no version that could be built on this machine. Use a version, for example "
            f":{newest}; or :latest; or a registry that has it; or bring the image with `docker load`."
        )
    return VersionConstraint(match[1])


def is_version(tag: str) -> bool:
    """The tag names a version by its numbers."""
    return _TAG.fullmatch(tag) is not None


def key(version: str) -> tuple[int, ...]:
    """The numbers of a version, for comparing."""
    return tuple(int(number) for number in re.findall(r"\d+", version))
