"""The error of Pulumi's files."""

from __future__ import annotations

from tooling.errors import ToolError


class PulumiFilesError(ToolError):
    """A file of Pulumi, or what is encrypted in it, cannot be used."""
