"""The engine's own errors."""

from __future__ import annotations

from tooling.errors import ToolError


class EngineError(ToolError):
    """The run cannot go on; the state is as the last finished step left it."""


class OnlyTheCliError(EngineError):
    """Something of Pulumi that this engine leaves to the CLI."""


def only_the_cli(what: str) -> OnlyTheCliError:
    """The error for a feature of Pulumi that this engine leaves to the CLI.

    Args:
        what: The feature with the value seen, as the subject of the sentence.
    """
    return OnlyTheCliError(f"{what}: the embedded engine does not do that, the Pulumi CLI does.")
