"""Refuses, before an engine begins, a Docker that is not the stack's, and a deployment that is another state's.

The program's own resource (``components.docker_host``) refuses both too, in the refresh that every operation begins
with. The Pulumi CLI saves what such a refresh found even so; with nothing begun, nothing is saved.
"""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final

import requests.exceptions
from docker.errors import DockerException

import labels
from docker_access import api_client
from docker_access.deployments import AnothersDeploymentError, Owner, origin, refuse_anothers
from docker_host import OtherDockerHostError, refuse_another
from engine.state import Backend, latest_of
from engine.workspace import BACKEND_VARIABLE, backend_directory, backend_url, state_file
from images.progress import say
from launcher.engines import exported
from launcher.errors import LauncherError

if TYPE_CHECKING:
    from engine.workspace import Project

TYPE: Final = "pulumi-python:dynamic/openwebui:DockerHost"


def owner_of(project: Project, stack: str) -> Owner:
    """The stack's state as the owner of what runs, once it is certain that it is.

    A Docker that does not answer is for others to report.

    Raises:
        LauncherError: The Docker that answers is not the stack's, or what it runs was made from another state.
        EngineError: The state cannot be read.
    """
    resources = resources_of(project, stack)
    recorded = next((found.get("outputs") or {} for found in resources if found.get("type") == TYPE), {})
    owner = Owner.of(recorded, origin({BACKEND_VARIABLE: backend_url(project)}))
    ownership = {labels.PROJECT: project.name, labels.STACK: stack}
    silent = suppress(DockerException, requests.exceptions.RequestException)
    with silent, closing(api_client()) as client:
        try:
            if "engine" in recorded:
                refuse_another(client, recorded, ownership)
            refuse_anothers(client, ownership, owner, begun=bool(resources))
        except (OtherDockerHostError, AnothersDeploymentError) as error:
            raise LauncherError(str(error)) from None
    if resources and not owner.identity:
        say(
            f"stack {stack} was deployed before states had identities: the next `make up STACK={stack}` gives it one, "
            "and makes its containers anew with it"
        )
    return owner


def resources_of(project: Project, stack: str) -> list[dict[str, Any]]:
    """What the stack's state records; nothing where there is none.

    Raises:
        EngineError: The state cannot be read.
    """
    if state_file(project, stack) is not None:
        document = Backend(backend_directory(project), project.name, stack).read()
        latest = latest_of(document) if document else {}
    else:
        latest = {}
        # A stack that is not there yet is made by the command that follows; it says what else is wrong.
        with suppress(LauncherError):
            latest = exported(project, stack).get("deployment") or {}
    return latest.get("resources") or []
