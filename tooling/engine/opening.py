"""Opens a project, a stack and its state for one command, unless that is the Pulumi CLI's to do (``refusals``).

Source: https://github.com/pulumi/pulumi/blob/master/pkg/cmd/pulumi/stack/io.go (RequireStack)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tooling.engine.errors import only_the_cli
from tooling.engine.refusals import refuse_backend, refuse_project, refuse_state
from tooling.pulumi_files.backend import Backend
from tooling.pulumi_files.project import Project, load_project
from tooling.pulumi_files.stack import find_stack
from tooling.pulumi_files.workspace import Workspace


def open_project(directory: Path) -> Project:
    """The project in a directory.

    Raises:
        OnlyTheCliError: It is for the Pulumi CLI.
        PulumiFilesError: Its file cannot be used.
    """
    project = load_project(directory)
    refuse_project(project)
    return project


def open_workspace(directory: Path, name: str | None) -> Workspace:
    """A stack of the project in a directory.

    Args:
        directory: The project's directory.
        name: The stack's name; None takes that of ``PULUMI_STACK``, else the only one there is.

    Raises:
        OnlyTheCliError: The project, or its backend, is for the Pulumi CLI.
        PulumiFilesError: A file cannot be used.
        UsageError: There is no such stack.
    """
    stack = find_stack(open_project(directory), name)
    refuse_backend(stack)
    return Workspace(stack)


def read_state(backend: Backend) -> dict[str, Any] | None:
    """The document of a stack's state file; None where there is none.

    Raises:
        OnlyTheCliError: It is for the Pulumi CLI.
        PulumiFilesError: It cannot be used.
    """
    if backend.compressed:
        raise only_the_cli(f"{backend.compressed}: compressed state")
    document = backend.read()
    if document is not None:
        refuse_state(backend.file, document)
    return document
