"""``make drift``: whether all is still there as the last update left it. Changes nothing, not even the state."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from tooling.drift.compare import differences, missing_one_shots
from tooling.drift.observed import observe
from tooling.drift.recorded import recorded
from tooling.drift.report import as_json, as_text
from tooling.errors import ToolError
from tooling.pulumi_cli.backends import secrets_provider
from tooling.pulumi_cli.stacks import exported
from tooling.pulumi_files.lock import held
from tooling.pulumi_files.project import backend_directory, state_file
from tooling.pulumi_files.stack import Workspace
from tooling.pulumi_files.state import Backend, Checkpoint, load, salt_of
from tooling.pulumi_files.values import SECRET, SIGNATURE
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
        EngineError: The state cannot be read.
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


def _only_the_cli_reads(project: Project, stack: str) -> bool:
    return state_file(project, stack) is None or bool(secrets_provider(project, stack))


def _document(project: Project, stack: str) -> dict[str, Any]:
    """The state as it lies in its backend; secrets are sealed in a file, and open in what the Pulumi CLI exports."""
    backend = None
    if state_file(project, stack) is not None:
        backend = Backend(backend_directory(project), project.name, stack)
    if backend and (holder := held(backend)):
        raise ToolError(
            f"stack {stack} is being changed: its lock is {holder}. Ask again after that; if nobody is at work any "
            f"more, run: make cancel STACK={stack}"
        )
    if backend is None or secrets_provider(project, stack):
        deployment = exported(project, stack, show_secrets=True).get("deployment") or {}
        return {"checkpoint": {"latest": deployment}}
    return backend.read() or {"checkpoint": {}}


def _checkpoint(project: Project, stack: str, document: dict[str, Any]) -> Checkpoint:
    if _only_the_cli_reads(project, stack):
        return load(_opened({**document, "checkpoint": _without_provider(document["checkpoint"])}), lambda *_: None)
    if not salt_of(document):
        return load(document, lambda *_: None)
    workspace = Workspace(project.directory, stack)
    return workspace.checkpoint(document, workspace.secrets(salt_of(document)))


def _without_provider(checkpoint: dict[str, Any]) -> dict[str, Any]:
    """The checkpoint without the name of its secrets provider: there is nothing left to open."""
    latest = {key: value for key, value in checkpoint["latest"].items() if key != "secrets_providers"}
    return {**checkpoint, "latest": latest}


def _opened(value: Any) -> Any:
    """The value with each secret that the Pulumi CLI shows in plain text in place of its wrapping.

    Source: SecretV1 of https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/core.go
    """
    if isinstance(value, dict):
        if value.get(SIGNATURE) == SECRET:
            return _opened(json.loads(value["plaintext"]))
        return {key: _opened(item) for key, item in value.items()}
    return [_opened(item) for item in value] if isinstance(value, list) else value
