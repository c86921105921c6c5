"""Errors of Pulumi's files, each one message for the user: what, the value seen, the way out."""

from __future__ import annotations


class EngineError(Exception):
    """The command cannot go on; state is as the last finished step left it. Exit code 1."""


class UsageError(EngineError):
    """The command line asks for something that cannot be asked. Exit code 2."""


class OnlyTheCliError(EngineError):
    """Something of Pulumi that this engine leaves to the CLI."""


def only_the_cli(what: str) -> OnlyTheCliError:
    """The error for a feature of Pulumi that this engine leaves to the CLI.

    Args:
        what: The feature with the value seen, as the subject of the sentence.
    """
    return OnlyTheCliError(f"{what}: the embedded engine does not do that, the Pulumi CLI does.")
