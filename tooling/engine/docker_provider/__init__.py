"""Pulumi's ResourceProvider service for four Docker resource types, answered over the Docker SDK.

It does what the Docker plugin does and records what the plugin records, so that either can go on where the
other left off. Each resource type is a module with the same functions; :class:`DockerProvider` picks it.
Left out: every other resource type and data source, registry credentials of the program, SSH to the daemon.

Read in this order: ``client`` (the daemon), ``properties`` (what a table of properties says), ``checking``,
``diffing``, ``recording`` and ``refreshing`` (what is done with it), ``volume``, ``network``, ``remote_image``, and the
longest, ``container``: ``container_properties``, ``container_request``, ``container_inspect``, ``container_making``,
``container_waiting``, ``container_removing``.

Source: https://github.com/pulumi/pulumi-docker/tree/v5.2.0/provider
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from tooling.engine.docker_provider import container, network, remote_image, volume
from tooling.engine.docker_provider.checking import check
from tooling.engine.docker_provider.client import Call, Docker, NotAnsweringError, once_made
from tooling.engine.docker_provider.diffing import diff
from tooling.engine.provider import Diff, ProviderError, State
from tooling.pulumi_files.urns import name_of, type_of
from tooling.pulumi_files.values import Properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tooling.engine.docker_provider.properties import Table
    from tooling.pulumi_files.checkpoint import Resource

__all__ = ["DockerProvider", "table_of"]

GET_NETWORK: Final = "docker:index/getNetwork:getNetwork"


class _Resource(Protocol):
    """What the module of a resource type offers."""

    TYPE: str
    TABLE: Table
    DELETE_BEFORE_REPLACE: bool | None

    def create(self, call: Call, inputs: Properties) -> State: ...
    def read(self, call: Call, _id: str, inputs: Properties, outputs: Properties) -> State | None: ...
    def update(self, call: Call, _id: str, old_outputs: Properties, new_inputs: Properties) -> Properties: ...
    def delete(self, call: Call, _id: str, inputs: Properties, outputs: Properties) -> None: ...
    def find(self, call: Call, inputs: Properties) -> str | None: ...


_RESOURCES: Final[dict[str, _Resource]] = {module.TYPE: module for module in (container, network, remote_image, volume)}


class DockerProvider:
    """Containers, networks, volumes and images of one Docker daemon; see :class:`tooling.engine.provider.Provider`.

    Args:
        log: Takes the URN of a resource and a line on how it goes; called from the caller's threads.
        holder: Whose, of what the state records, a real thing of some id is: what it records is never lost.
    """

    def __init__(
        self,
        *,
        log: Callable[[str, str], None] = lambda _urn, _message: None,
        holder: Callable[[str], Resource | None] = lambda _: None,
    ) -> None:
        self._log = log
        self._holder = holder
        self._docker = Docker()

    def check(self, urn: str, old_inputs: Properties | None, new_inputs: Properties) -> Properties:
        """Validate inputs and fill in the plugin's defaults."""
        resource = _resource(urn)
        return check(resource.TYPE, resource.TABLE, name_of(urn), old_inputs, new_inputs)

    def diff(
        self,
        urn: str,
        resource_id: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        ignore_changes: list[str],
    ) -> Diff:
        """Decide as the plugin does: from what is recorded as outputs, not as inputs."""
        del resource_id, old_inputs
        resource = _resource(urn)
        return diff(
            resource.TABLE,
            old_outputs,
            new_inputs,
            delete_before_replace=resource.DELETE_BEFORE_REPLACE,
            ignore_changes=ignore_changes,
        )

    def create(self, urn: str, inputs: Properties, timeout_seconds: float | None) -> State:
        """Make the resource."""
        with self._changes():
            return _resource(urn).create(self._call(urn, timeout_seconds), inputs)

    def read(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> State | None:
        """Look at the resource as it is."""
        return _resource(urn).read(self._call(urn), resource_id, inputs, outputs)

    def update(
        self,
        urn: str,
        resource_id: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        timeout_seconds: float | None,
    ) -> Properties:
        """Change the resource in place."""
        del old_inputs
        with self._changes():
            return _resource(urn).update(self._call(urn, timeout_seconds), resource_id, old_outputs, new_inputs)

    def runs(self, urn: str) -> bool:
        """Whether it is a container."""
        return _resource(urn).TYPE == container.TYPE

    def stop(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> None:
        """Stop a container."""
        with self._changes():
            container.stop(self._call(urn), resource_id, inputs, outputs)

    def delete(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> None:
        """Remove the resource; one that is gone is fine."""
        with self._changes():
            _resource(urn).delete(self._call(urn), resource_id, inputs, outputs)

    def find(self, urn: str, inputs: Properties) -> str | None:
        """Id of what an interrupted create left behind, if it is this stack's and as asked for."""
        return _resource(urn).find(self._call(urn), inputs)

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """Answer ``getNetwork``."""
        if token != GET_NETWORK:
            raise ProviderError(
                f"the embedded engine does not know the data source {token}, only {GET_NETWORK}; the Pulumi CLI does."
            )
        return network.get_network(self._docker, arguments)

    def close(self) -> None:
        """Close the connections to Docker."""
        self._docker.close()

    @contextmanager
    def _changes(self) -> Iterator[None]:
        """Have a Docker that is lost on the way leave the outcome open; one that was never reached has done nothing."""
        try:
            yield
        except NotAnsweringError:
            if not self._docker.is_connected:
                raise
            with once_made():
                raise

    def _call(self, urn: str, timeout_seconds: float | None = None) -> Call:
        return Call(
            docker=self._docker, log=partial(self._log, urn), holder=self._holder, timeout_seconds=timeout_seconds
        )


def table_of(urn: str) -> Table:
    """The properties of a resource's type."""
    return _resource(urn).TABLE


def _resource(urn: str) -> _Resource:
    token = type_of(urn)
    if token not in _RESOURCES:
        raise ProviderError(
            f"the embedded engine does not know the resource type {token}, only "
            f"{', '.join(sorted(_RESOURCES))}; the Pulumi CLI does."
        )
    return _RESOURCES[token]
