"""The one exception of this package."""

from __future__ import annotations

from tooling.errors import ToolError


class ImageError(ToolError):
    """An image cannot be had."""
