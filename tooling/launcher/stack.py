"""What the launcher must know of a stack before an engine runs: that it exists, what failed of it, what it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import docker
from docker.models.containers import Container
from docker.models.volumes import Volume

from docker_access import labels
from docker_access.one_shots import ROLES
from tooling.errors import ToolError
from tooling.pulumi_files.project import load_project, stack_names
from tooling.pulumi_files.stack import Stack, find_stack

PROJECT_FOLDER: Final = Path(__file__).resolve().parents[2]


def open_stack(name: str) -> Stack:
    """A stack of this project.

    Raises:
        ToolError: There is none of this name; the text lists the stacks there are.
    """
    project = load_project(PROJECT_FOLDER)
    known = stack_names(project)
    if name not in known:
        raise ToolError(
            f"there is no stack {name!r}. Stacks here: {', '.join(known) or 'none'}. Choose one with STACK=NAME, "
            f"or write {project.stacks_directory.name}/Pulumi.{name}.yaml (it may be empty)."
        )
    return find_stack(project, name)


def own_labels(stack: Stack) -> dict[str, str]:
    """Labels of what a stack owns."""
    return {labels.PROJECT: stack.project.name, labels.STACK: stack.name}


def failed_one_shots(client: docker.DockerClient, stack: Stack) -> list[Container]:
    """One-shot containers of the stack that failed."""
    exited = {**labels.filters(own_labels(stack)), "status": "exited"}
    return [
        container
        for container in client.containers.list(all=True, filters=exited, ignore_removed=True)
        if container.labels.get(labels.ROLE) in ROLES and container.attrs["State"]["ExitCode"] != 0
    ]


def remove_failed_one_shots(client: docker.DockerClient, stack: Stack) -> list[str]:
    """Remove one-shot containers of the stack that failed, so that the next update runs them again; their names."""
    removed = []
    for container in failed_one_shots(client, stack):
        container.remove(v=True)
        removed.append(f"{container.name} (exit code {container.attrs['State']['ExitCode']})")
    return removed


def kept_volumes(client: docker.DockerClient, stack: Stack) -> list[Volume]:
    """The stack's data volumes that are still there, by name."""
    return sorted(client.volumes.list(filters=labels.filters(own_labels(stack))), key=lambda one: str(one.name))
