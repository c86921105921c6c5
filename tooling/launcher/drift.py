"""``make drift``: whether all is still there as the last update left it. Changes nothing, not even the state."""

from __future__ import annotations

from contextlib import closing
from typing import Any, Final

from tooling.drift import report
from tooling.drift.compare import differences, missing_one_shots
from tooling.drift.observed import observe
from tooling.drift.recorded import recorded
from tooling.errors import ToolError
from tooling.launcher.stack import own_labels
from tooling.pulumi_cli.stacks import exported
from tooling.pulumi_files.checkpoint import Checkpoint, load, salt_of
from tooling.pulumi_files.lock import held
from tooling.pulumi_files.stack import Stack
from tooling.pulumi_files.stack_file import secrets_provider
from tooling.pulumi_files.workspace import Workspace
from verification.ask.docker_view import CouldNotAsk, DockerView

CLEAN: Final = 0
COULD_NOT_ASK: Final = 1
DRIFT: Final = 2


def drift(stack: Stack, *, as_json: bool) -> int:
    """Print the differences.

    Returns:
        0 where there are none, 2 where there are.

    Raises:
        ToolError: It could not be asked: Docker or the state does not answer, nothing is deployed, or a run that
            changes the stack is at work.
        PulumiFilesError: The state cannot be read.
    """
    name, document = stack.name, document_of(stack)
    known = recorded(checkpoint_of(stack, document))
    if not (known.containers or known.unfinished):
        raise ToolError(f"stack {name} is not deployed: its state has no container. Run: make up STACK={name}")
    try:
        with closing(DockerView()) as view:
            seen = observe(view, known, own_labels(stack))
    except CouldNotAsk as reason:
        raise ToolError(str(reason)) from None
    if document_of(stack) != document:
        raise ToolError(
            f"stack {name} was changed while it was looked at. After that update, run again: make drift STACK={name}"
        )
    found, gone = differences(known, seen), missing_one_shots(known, seen)
    print(report.as_json(found, name, gone) if as_json else report.as_text(found, known, name, gone))
    return DRIFT if found else CLEAN


def _only_the_cli_reads(stack: Stack) -> bool:
    return stack.shared or stack.backend.compressed is not None or bool(secrets_provider(stack))


def document_of(stack: Stack) -> dict[str, Any]:
    """The state as it lies in its backend; secrets are sealed in a file, and open in what the Pulumi CLI exports.

    Raises:
        ToolError: A run that changes the stack is at work.
    """
    if not stack.shared and (holder := held(stack.backend)):
        raise ToolError(
            f"stack {stack.name} is being changed: its lock is {holder}. Ask again after that; if nobody is at work "
            f"any more, run: make cancel STACK={stack.name}"
        )
    if _only_the_cli_reads(stack):
        deployment = exported(stack, show_secrets=True).get("deployment") or {}
        return {"checkpoint": {"latest": deployment}}
    return stack.backend.read() or {"checkpoint": {}}


def checkpoint_of(stack: Stack, document: dict[str, Any]) -> Checkpoint:
    """The state of a document, its secrets opened; raises :class:`PulumiFilesError`."""
    if _only_the_cli_reads(stack) or not salt_of(document):
        return load(document, lambda *_: None)
    workspace = Workspace(stack)
    return workspace.checkpoint(document, workspace.secrets(salt_of(document)))
