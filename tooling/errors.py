"""The errors that `make` and the engine tell: one base, which every command line catches and prints.

The text of each is for the user: what, the value seen, the way out.
"""

from __future__ import annotations


class ToolError(Exception):
    """The command cannot go on. Exit code 1."""


class UsageError(ToolError):
    """The command line asks for something that cannot be asked. Exit code 2."""
