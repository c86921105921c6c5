"""``make drift``: whether all is still there as the last update left it. Changes nothing, not even the state."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from tooling.drift.compare import differences, missing_one_shots
from tooling.drift.observed import observe
from tooling.drift.recorded import recorded
from tooling.drift.report import as_json, as_text
from tooling.errors import ToolError
from tooling.pulumi_cli.stacks import exported
from tooling.pulumi_files.checkpoint import Checkpoint, load, salt_of
from tooling.pulumi_files.lock import held
from tooling.pulumi_files.stack import Stack, find_stack
from tooling.pulumi_files.stack_file import secrets_provider
from tooling.pulumi_files.workspace import Workspace
from verification.ask.docker_view import CouldNotAsk, DockerView

if TYPE_CHECKING:
    from tooling.pulumi_files.project import Project

CLEAN: Final = 0
COULD_NOT_ASK: Final = 1
DRIFT: Final = 2


def drift(project: Project, stack: str, *, json_wanted: bool) -> int:
    """Print the differences.

    Returns:
        0 where there are none, 2 where there are.

    Raises:
        ToolError: It could not be asked: Docker or the state does not answer, nothing is deployed, or a run that
            changes the stack is at work.
        PulumiFilesError: The state cannot be read.
    """
    document = _document(project, stack)
    known = recorded(_checkpoint(project, stack, document))
    if not (known.containers or known.unfinished):
        raise ToolError(f"stack {stack} is not deployed: its state has no container. Run: make up STACK={stack}")
    try:
        with closing(DockerView()) as view:
            seen = observe(view, known, project.name, stack)
    except CouldNotAsk as reason:
        raise ToolError(str(reason)) from None
    if _document(project, stack) != document:
        raise ToolError(
            f"stack {stack} was changed while it was looked at. After that update, run again: make drift STACK={stack}"
        )
    found, gone = differences(known, seen), missing_one_shots(known, seen)
    print(as_json(found, stack, gone) if json_wanted else as_text(found, known, stack, gone))
    return DRIFT if found else CLEAN


def _only_the_cli_reads(stack: Stack) -> bool:
    return stack.shared or stack.backend.compressed is not None or bool(secrets_provider(stack))


def _document(project: Project, stack: str) -> dict[str, Any]:
    """The state as it lies in its backend; secrets are sealed in a file, and open in what the Pulumi CLI exports."""
    found = find_stack(project, stack)
    if not found.shared and (holder := held(found.backend)):
        raise ToolError(
            f"stack {stack} is being changed: its lock is {holder}. Ask again after that; if nobody is at work any "
            f"more, run: make cancel STACK={stack}"
        )
    if _only_the_cli_reads(found):
        deployment = exported(project, stack, show_secrets=True).get("deployment") or {}
        return {"checkpoint": {"latest": deployment}}
    return found.backend.read() or {"checkpoint": {}}


def _checkpoint(project: Project, stack: str, document: dict[str, Any]) -> Checkpoint:
    found = find_stack(project, stack)
    if _only_the_cli_reads(found) or not salt_of(document):
        return load(document, lambda *_: None)
    workspace = Workspace(found)
    return workspace.checkpoint(document, workspace.secrets(salt_of(document)))
