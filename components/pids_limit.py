"""A limit on a container's processes. Docker's Pulumi plugin cannot set it, so it is set on the running container.

The provider is stored in state by reference to this module: never move or rename it.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any, Final

import pulumi
from docker.errors import NotFound
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from docker_access.client import api_client

SECONDS: Final = 30
"""How long Docker may take for one answer."""


class PidsLimitProvider(ResourceProvider):
    """Sets ``HostConfig.PidsLimit`` and keeps it so.

    Source: https://docs.docker.com/reference/cli/docker/container/update/
    """

    serialize_as_secret_always = False
    """The state holds a reference to this module instead of the provider. It is no secret, and is not encrypted."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Set the limit."""
        _set(props)
        return CreateResult(props["container_id"], props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """The limit as it is now. A container that is gone will be replaced, and this resource with it."""
        with closing(api_client()) as client:
            try:
                limit = client.inspect_container(id_)["HostConfig"].get("PidsLimit") or 0
            except NotFound:
                return ReadResult(id_, props)
        return ReadResult(id_, {**props, "limit": limit})

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Another container makes another resource; another limit is set in place."""
        replaced = olds.get("container_id") != news.get("container_id")
        changed = replaced or _number(olds.get("limit")) != _number(news.get("limit"))
        return DiffResult(changes=changed, replaces=["container_id"] if replaced else [])

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Set the limit."""
        _set(news)
        return UpdateResult(news)


def _number(value: Any) -> int:
    """An integer, of which Pulumi makes a float."""
    return int(value or 0)


def _set(props: dict[str, Any]) -> None:
    with closing(api_client()) as client:
        # The SDK's own update_container knows no PidsLimit.
        address = f"{client.base_url}/v{client.api_version}/containers/{props['container_id']}/update"
        client.post(address, json={"PidsLimit": _number(props["limit"])}, timeout=SECONDS).raise_for_status()


class PidsLimit(Resource, module="openwebui", name="PidsLimit"):
    """How many processes and threads a container may have."""

    def __init__(
        self,
        name: str,
        *,
        container_id: pulumi.Input[str],
        limit: pulumi.Input[int],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the limit.

        Args:
            name: Name of the Pulumi resource.
            container_id: Id of the container.
            limit: Processes and threads it may have at once.
            opts: Pulumi's options.
        """
        # It ends with its container: with this, Pulumi deletes it without starting its provider's process.
        own = pulumi.ResourceOptions(retain_on_delete=True)
        inputs = {"container_id": container_id, "limit": limit}
        super().__init__(PidsLimitProvider(), name, inputs, pulumi.ResourceOptions.merge(opts, own))
