"""Remembers which Docker host a stack lives on, and which of what is there was made from its state.

So no other host is taken for one from which everything has vanished, and no other state's deployment for its own.

The provider is stored in state by reference to this module: never move or rename it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pulumi
from pulumi.dynamic import (
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)

from docker_access.client import api_client
from docker_access.daemon import WITHOUT_DOCKER
from docker_access.deployments import Owner, origin, refuse_anothers
from docker_access.identity import identity, refuse_another
from docker_access.provider_errors import message_alone

if TYPE_CHECKING:
    import docker

SECONDS: Final = 30
"""How long Docker may take for one answer."""


class DockerHostProvider(ResourceProvider):
    """Has an operation fail on a Docker that is not the one of the last update, or has another state's deployment."""

    serialize_as_secret_always = False

    @message_alone()
    def check(self, olds: dict[str, Any], news: dict[str, Any]) -> CheckResult:
        """See, before a state begins, that nothing of the stack was made from another.

        Raises:
            AnothersDeploymentError: Something was.
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
            return CreateResult("docker-host", {**props, **identity(client), "marks": Owner.new().marks})

    @message_alone()
    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The Docker that answers, if it is the stack's; one that the stack was moved to is remembered from then on.

        Raises:
            OtherDockerHostError: It is another, with nothing of the stack.
            AnothersDeploymentError: What is there of the stack was made from another state.
        """
        with closing(api_client(SECONDS)) as client:
            refuse_anothers(client, props["labels"], Owner.of(props, origin()), begun=True)
            return ReadResult(id_, {**props, **refuse_another(client, props, props["labels"])})

    def diff(self, _id: str, olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """What is remembered follows from where the stack is, never from the program."""
        return DiffResult(changes=not olds.get("marks"))

    def update(self, _id: str, olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Give an identity to a state from before there were any."""
        return UpdateResult({**olds, "marks": Owner.new().marks})


def _refuse_what_is_there(client: docker.APIClient, props: Mapping[str, Any]) -> None:
    """For a state that begins. Whether it made what carries no identity cannot be told from here."""
    refuse_anothers(client, props["labels"], Owner(identity="", origin=origin()), begun=True)


class DockerHost(Resource, module="openwebui", name="DockerHost"):
    """The Docker host a stack lives on.

    Guarantees:
        - With a refresh, nothing is planned or changed on a Docker that is not the stack's, nor where the stack was
          deployed from another state.

    Attributes:
        engine: Docker's id of itself; empty where it tells none.
        name: Name of its machine.
        marks: Labels of what is made from this state: :data:`labels.STATE` and :data:`labels.ORIGIN`.
    """

    engine: pulumi.Output[str]
    name: pulumi.Output[str]
    marks: pulumi.Output[dict[str, str]]

    def __init__(
        self, resource_name: str, *, labels: Mapping[str, str], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare it.

        Args:
            resource_name: Name of the Pulumi resource.
            labels: Marks of ownership: what carries them is the stack's.
            opts: Pulumi's options.
        """
        # Nothing of it is anywhere but in the state: to delete it, Pulumi need not start the host of its provider.
        own = pulumi.ResourceOptions(retain_on_delete=True)
        inputs = {"labels": dict(labels), "engine": None, "name": None, "marks": None}
        super().__init__(DockerHostProvider(), resource_name, inputs, pulumi.ResourceOptions.merge(opts, own))
