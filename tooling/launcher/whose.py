"""Refuses, before an engine begins, a Docker that is not the stack's, and a deployment that is another state's.

The program's own resource (``components.docker_host``) refuses both too, in the refresh that every operation begins
with. The Pulumi CLI saves what such a refresh found even so; with nothing begun, nothing is saved.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import requests.exceptions
from docker.errors import DockerException

from docker_access.client import api_client
from docker_access.deployments import AnothersDeploymentError, Owner, made, origin, refuse_anothers
from docker_access.identity import OtherDockerHostError, refuse_another
from tooling.errors import ToolError
from tooling.launcher.stack import ownership
from tooling.machine.progress import say
from tooling.preview_report.steps import CONTAINER, DOCKER_HOST
from tooling.pulumi_cli.stacks import exported
from tooling.pulumi_files.checkpoint import latest_of
from tooling.pulumi_files.project import BACKEND_VARIABLE, backend_url
from tooling.pulumi_files.stack import find_stack

if TYPE_CHECKING:
    from collections.abc import Mapping

    import docker

    from tooling.pulumi_files.project import Project


def owner_of(project: Project, stack: str) -> Owner:
    """The stack's state as the owner of what runs, once it is certain that it is.

    A Docker that does not answer is for others to report; one that ceases to is no permission.

    Raises:
        ToolError: The Docker that answers is not the stack's, or what it runs was made from another state.
        PulumiFilesError: The state cannot be read.
        docker.errors.DockerException: Docker began to answer, and does not tell all that was asked.
    """
    resources = deployment_of(project, stack).get("resources") or []
    recorded = next((found.get("outputs") or {} for found in resources if found.get("type") == DOCKER_HOST), {})
    owner = Owner.of(recorded, kept_at(project))
    marks = ownership(project, stack)
    try:
        client = api_client()
    except (DockerException, requests.exceptions.RequestException):
        return owner
    with closing(client):
        try:
            if "engine" in recorded:
                refuse_another(client, recorded, marks)
            refuse_anothers(client, marks, owner, begun=_may_have_made(client, marks, resources))
        except (OtherDockerHostError, AnothersDeploymentError) as error:
            raise ToolError(str(error)) from None
    if resources and not owner.identity:
        say(
            f"stack {stack} was deployed before states had identities: the next `make up STACK={stack}` gives it one, "
            "and makes its containers anew with it"
        )
    return owner


def _may_have_made(client: docker.APIClient, marks: Mapping[str, str], resources: list[dict[str, Any]]) -> bool:
    """Whether containers that carry no identity may be of this state: it is where they are, or knows of none.

    Two checkouts of before there were identities could each have a state, of which one is out of date.
    """
    known = {resource.get("id") for resource in resources if resource.get("type") == CONTAINER}
    if not known:
        return bool(resources)
    return any(one.id in known for one in made(client, marks))


def kept_at(project: Project) -> str:
    """Where the project's states are kept now, as :func:`docker_access.deployments.origin` has it."""
    return origin({BACKEND_VARIABLE: backend_url(project)})


def deployment_of(project: Project, stack: str) -> Mapping[str, Any]:
    """What the stack's state records, as ``pulumi stack export`` has it; empty where there is none.

    Raises:
        PulumiFilesError: The state cannot be read.
        ToolError: A shared backend does not answer.
    """
    found = find_stack(project, stack)
    if found.shared or found.backend.compressed:
        return exported(project, stack).get("deployment") or {}
    document = found.backend.read()
    return latest_of(document) if document else {}
