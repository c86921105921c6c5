"""Image references as Docker reads them: repository, tag, digest."""

from __future__ import annotations

from dataclasses import dataclass

from settings.values import match_reference
from tooling.images.errors import ImageError


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
        match = match_reference(self.repository)
        return (match["registry"] if match else None) or "docker.io"

    def __str__(self) -> str:
        return f"{self.repository}@{self.digest}" if self.digest else f"{self.repository}:{self.tag}"


def parse(text: str) -> Reference:
    """Take an image reference apart.

    Raises:
        ImageError: ``text`` is not a reference.
    """
    match = match_reference(text)
    if match is None:
        raise ImageError(
            f"image reference {text!r} is not valid. Write REPOSITORY[:TAG] or REPOSITORY@DIGEST in lower "
            "case, for example docker.io/valkey/valkey:8.0.1-alpine."
        )
    return Reference(repository=match["name"], tag=match["tag"] or "latest", digest=match["digest"] or "")
