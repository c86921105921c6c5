"""The exceptions of this package."""

from __future__ import annotations

from tooling.errors import ToolError


class ImageError(ToolError):
    """An image cannot be had."""


class UnreachableError(ImageError):
    """Whoever was asked did not answer, and would not answer another question either."""
