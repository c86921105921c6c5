"""Remembers which Docker host a stack lives on, and the identity of its state.

So another host is not taken for one from which everything has vanished, nor another state's deployment for the stack's.

The provider is stored in state by reference to this module: never move or rename it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from typing import Any, Final

import docker
import pulumi
from pulumi.dynamic import CheckResult, CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from docker_access.client import api_client
from docker_access.daemon import WITHOUT_DOCKER
from docker_access.deployments import Owner, origin, refuse_anothers
from docker_access.identity import identity, refuse_another
from docker_access.provider_errors import message_alone

SECONDS: Final = 30
"""How long Docker may take for one answer."""


class DockerHostProvider(ResourceProvider):
    """Fails an operation on a Docker that is not that of the last update, or that has another state's deployment."""

    serialize_as_secret_always = False
    """The state holds a reference to this module instead of the provider. It is no secret, and is not encrypted."""

    @message_alone()
    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """Refuse to begin a state where the stack was deployed from another one.

        Raises:
            AnothersDeploymentError: It was.
        """
        if not olds and not os.environ.get(WITHOUT_DOCKER):
            with closing(api_client(SECONDS)) as client:
                _refuse_what_is_there(client, news)
        return CheckResult(news, [])

    @message_alone()
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Remember the Docker that answers, and give the state an identity.

        Raises:
            AnothersDeploymentError: Another state has begun since the check.
        """
        with closing(api_client(SECONDS)) as client:
            _refuse_what_is_there(client, props)
            return CreateResult("docker-host", {**props, **identity(client), "marks": Owner.new().labels})

    @message_alone()
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The Docker that answers, if the stack is on it. One that the stack was moved to is remembered from now on.

        Raises:
            OtherDockerHostError: It is another Docker, with nothing of the stack.
            AnothersDeploymentError: The stack was deployed there from another state.
        """
        with closing(api_client(SECONDS)) as client:
            refuse_anothers(client, props["labels"], Owner.of(props, origin()), begun=True)
            return ReadResult(id_, {**props, **refuse_another(client, props, props["labels"])})

    def diff(self, _id: str, olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Nothing in the program changes what is remembered; a state without an identity gets one."""
        return DiffResult(changes=not olds.get("marks"))

    def update(self, _id: str, olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Give an identity to a state that is older than identities."""
        return UpdateResult({**olds, "marks": Owner.new().labels})


def _refuse_what_is_there(client: docker.APIClient, props: Mapping[str, Any]) -> None:
    """For a state that begins. Objects without an identity are let be: they may have been made from this state."""
    refuse_anothers(client, props["labels"], Owner(identity="", origin=origin()), begun=True)


class DockerHost(Resource, module="openwebui", name="DockerHost"):
    """The Docker host a stack lives on.

    Guarantees:
        - With a refresh, nothing is planned or changed on a Docker that is not the stack's, nor where the stack was
          deployed from another state.

    Attributes:
        engine: Docker's id of itself; empty where it tells none.
        name: Name of its machine.
        marks: Labels of everything that is made from this state: :data:`labels.STATE` and :data:`labels.ORIGIN`.
    """

    engine: pulumi.Output[str]
    name: pulumi.Output[str]
    marks: pulumi.Output[dict[str, str]]

    def __init__(
        self, resource_name: str, *, labels: Mapping[str, str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the host.

        Args:
            resource_name: Name of the Pulumi resource.
            labels: The stack's labels, project and stack, by which its objects are found.
            opts: Pulumi's options.
        """
        # It exists in the state only: with this, Pulumi deletes it without starting its provider's process.
        own = pulumi.ResourceOptions(retain_on_delete=True)
        inputs = {"labels": dict(labels), "engine": None, "name": None, "marks": None}
        super().__init__(DockerHostProvider(), resource_name, inputs, pulumi.ResourceOptions.merge(opts, own))
