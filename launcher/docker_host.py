"""Refuses, before an engine begins, a Docker that is not the stack's.

The program's own resource (``components.docker_host``) refuses it too, in the refresh that every operation begins with.
The Pulumi CLI saves what such a refresh found even so; with nothing begun, nothing is saved.
"""

from __future__ import annotations

from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final

import requests.exceptions
from docker.errors import DockerException

import labels
from docker_access import api_client
from docker_host import OtherDockerHostError, refuse_another
from engine.state import Backend, latest_of
from engine.workspace import backend_directory, state_file
from launcher.engines import exported
from launcher.errors import LauncherError

if TYPE_CHECKING:
    from engine.workspace import Project

TYPE: Final = "pulumi-python:dynamic/openwebui:DockerHost"


def refuse_another_docker(project: Project, stack: str) -> None:
    """See that the Docker that answers is the stack's; one that does not answer is for others to report.

    Raises:
        LauncherError: It is another.
        EngineError: The state cannot be read.
    """
    recorded = next((found.get("outputs") for found in _resources(project, stack) if found.get("type") == TYPE), None)
    if not recorded or "engine" not in recorded:
        return
    ownership = {labels.PROJECT: project.name, labels.STACK: stack}
    silent = suppress(DockerException, requests.exceptions.RequestException)
    with silent, closing(api_client()) as client:
        try:
            refuse_another(client, recorded, ownership)
        except OtherDockerHostError as error:
            raise LauncherError(str(error)) from None


def _resources(project: Project, stack: str) -> list[dict[str, Any]]:
    if state_file(project, stack) is not None:
        document = Backend(backend_directory(project), project.name, stack).read()
        latest = latest_of(document) if document else {}
    else:
        latest = {}
        # A stack that is not there yet is made by the command that follows; it says what else is wrong.
        with suppress(LauncherError):
            latest = exported(project, stack).get("deployment") or {}
    return latest.get("resources") or []
