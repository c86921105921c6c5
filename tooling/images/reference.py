"""Image references, as the settings read them."""

from __future__ import annotations

from settings import references
from settings.references import Reference
from settings.values import Invalid
from tooling.images.errors import ImageError


def parse(text: str) -> Reference:
    """Take an image reference apart.

    Raises:
        ImageError: ``text`` is not a reference.
    """
    try:
        return references.parse(text)
    except Invalid:
        raise ImageError(
            f"image reference {text!r} is not valid. Write REPOSITORY[:TAG] or REPOSITORY@DIGEST in lower "
            "case, for example docker.io/valkey/valkey:8.0.1-alpine."
        ) from None
