"""Refuses, before an engine begins, a Docker that is not the stack's, and a deployment that is another state's.

The program's own resource (``components.docker_host``) refuses both too, in the refresh that every operation begins
with. The Pulumi CLI saves what such a refresh found even so; with nothing begun, nothing is saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import docker
import requests.exceptions
from docker.errors import DockerException

from docker_access.client import api_client
from docker_access.deployments import AnothersDeploymentError, Owner, origin, refuse_anothers, stack_objects
from docker_access.identity import OtherDockerHostError, refuse_another
from tooling.errors import ToolError
from tooling.launcher.stack import own_labels
from tooling.machine.progress import say
from tooling.preview_report.steps import CONTAINER, DOCKER_HOST
from tooling.pulumi_cli.stacks import deployment
from tooling.pulumi_files.project import BACKEND_VARIABLE
from tooling.pulumi_files.stack import Stack


def checked_owner(stack: Stack) -> Owner:
    """The stack's state as the owner of what runs, once it is certain that it is.

    A Docker that does not answer is for others to report; one that ceases to is no permission.

    Raises:
        ToolError: The Docker that answers is not the stack's, or what it runs was made from another state; or the
            state cannot be read.
        docker.errors.DockerException: Docker began to answer, and does not tell all that was asked.
    """
    resources = deployment(stack).get("resources") or []
    recorded = next((found.get("outputs") or {} for found in resources if found.get("type") == DOCKER_HOST), {})
    owner = Owner.of(recorded, state_origin(stack))
    try:
        client = api_client()
    except (DockerException, requests.exceptions.RequestException):
        return owner
    own = own_labels(stack)
    with closing(client):
        try:
            if "engine" in recorded:
                refuse_another(client, recorded, own)
            refuse_anothers(client, own, owner, begun=_may_have_made(client, own, resources))
        except (OtherDockerHostError, AnothersDeploymentError) as error:
            raise ToolError(str(error)) from None
    if resources and not owner.identity:
        say(
            f"stack {stack.name} was deployed before states had identities: the next `make up STACK={stack.name}` "
            "gives it one, and re-creates its containers with it"
        )
    return owner


def _may_have_made(client: docker.APIClient, own: Mapping[str, str], resources: list[dict[str, Any]]) -> bool:
    """Whether containers that carry no identity may be of this state: it is where they are, or knows of none.

    Two checkouts of before there were identities could each have a state, of which one is out of date.
    """
    known = {resource.get("id") for resource in resources if resource.get("type") == CONTAINER}
    if not known:
        return bool(resources)
    return any(one.id in known for one in stack_objects(client, own))


def state_origin(stack: Stack) -> str:
    """Where the stack's state is kept now, as :func:`docker_access.deployments.origin` has it."""
    return origin({BACKEND_VARIABLE: stack.backend_url})
