"""What the launcher must know of a stack before an engine runs: that it exists, what failed of it, what it keeps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import docker.errors

from docker_access import labels
from docker_access.one_shots import ROLES
from tooling.errors import ToolError
from tooling.pulumi_files.project import Project, load_project, stack_names

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container
    from docker.models.volumes import Volume

PROJECT_FOLDER: Final = Path(__file__).resolve().parents[2]


def open_project(stack: str) -> Project:
    """The project, once it is certain that it has the stack.

    Raises:
        ToolError: It has not; the text lists the stacks there are.
    """
    project = load_project(PROJECT_FOLDER)
    known = stack_names(project)
    if stack not in known:
        raise ToolError(
            f"there is no stack {stack!r}. Stacks here: {', '.join(known) or 'none'}. Choose one with STACK=NAME, "
            f"or write {project.stacks_directory.name}/Pulumi.{stack}.yaml (it may be empty)."
        )
    return project


def ownership(project: Project, stack: str) -> dict[str, str]:
    """Labels of what a stack owns."""
    return {labels.PROJECT: project.name, labels.STACK: stack}


def _marks(project: Project, stack: str) -> list[str]:
    """The same as Docker's filter."""
    return [f"{key}={value}" for key, value in ownership(project, stack).items()]


def failed_one_shots(client: docker.DockerClient, project: Project, stack: str) -> list[Container]:
    """One-shot containers of the stack that failed."""
    marks = _marks(project, stack)
    return [
        container
        for container in client.containers.list(
            all=True, filters={"label": marks, "status": "exited"}, ignore_removed=True
        )
        if container.labels.get(labels.ROLE) in ROLES and container.attrs["State"]["ExitCode"] != 0
    ]


def remove_failed_one_shots(client: docker.DockerClient, project: Project, stack: str) -> list[str]:
    """Remove one-shot containers of the stack that failed, so that the next update runs them anew; their names."""
    removed = []
    for container in failed_one_shots(client, project, stack):
        container.remove(v=True)
        removed.append(f"{container.name} (exit code {container.attrs['State']['ExitCode']})")
    return removed


def kept_volumes(client: docker.DockerClient, project: Project, stack: str) -> list[Volume]:
    """The stack's data volumes that are still there, by name."""
    marks = _marks(project, stack)
    return sorted(client.volumes.list(filters={"label": marks}), key=lambda volume: str(volume.name))
