"""Image references as Docker reads them: repository, tag, digest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from images.errors import ImageError

# https://github.com/distribution/reference/blob/main/regexp.go
_COMPONENT: Final = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
# The first component is a host only if it looks like one; else capital letters would pass in it.
_HOST: Final = r"(?:localhost|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+|[A-Za-z0-9-]+(?=:)|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_REFERENCE: Final = re.compile(
    rf"(?P<repository>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?"
    r"(?:@(?P<digest>[A-Za-z][\w+.-]*:[0-9a-fA-F]{32,}))?",
    re.ASCII,
)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """An image reference taken apart.

    Attributes:
        repository: Everything before tag and digest, as written: ``docker.io/valkey/valkey``.
        tag: The tag; ``latest`` where none is written, as Docker does.
        digest: ``sha256:...``, or empty.
    """

    repository: str
    tag: str
    digest: str

    @property
    def name(self) -> str:
        """Last component of the repository: the software, whatever registry or mirror it is named from."""
        return self.repository.rpartition("/")[2]

    @property
    def registry(self) -> str:
        """Host of the registry; ``docker.io`` where none is written, as Docker does."""
        host, slash, _ = self.repository.partition("/")
        return host if slash and (host == "localhost" or any(c in host for c in ".:")) else "docker.io"

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"


def parse(text: str) -> Reference:
    """Take an image reference apart.

    Raises:
        ImageError: ``text`` is not a reference.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise ImageError(
            f"image reference {text!r} is not valid. Write REPOSITORY[:TAG] or REPOSITORY@DIGEST in lower "
            "case, for example docker.io/valkey/valkey:8.0.1-alpine."
        )
    return Reference(repository=match["repository"], tag=match["tag"] or "latest", digest=match["digest"] or "")
