"""What a crash or a lost state left of a stack, out of the way before an engine begins.

The embedded engine does this by itself; the Pulumi CLI keeps the lock of a process that was killed, and stops at the
name of a container whose creation it did not see end. On a shared backend ``make cancel YES=1`` does it,
whose user says that nobody is at work: that cannot be seen from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import docker.errors

from engine.lock import locked
from engine.state import Backend, latest_of
from engine.workspace import backend_directory, state_file
from images.progress import say
from launcher.stack import ownership

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import docker

    from engine.workspace import Project


def remove_strays(client: docker.DockerClient, project: Project, stack: str) -> list[str]:
    """Remove the stack's containers and networks that its state does not know; data volumes stay.

    Runs under the stack's lock, which it takes over from a process of this machine that is gone: what another run has
    just made, and not recorded yet, is no stray.

    Returns:
        What was removed, as in ``container open-webui-team``.

    Raises:
        EngineError: Somebody else holds the lock.
    """
    if state_file(project, stack) is None:
        return []
    backend = Backend(backend_directory(project), project.name, stack)
    with locked(backend):
        document = backend.read()
        return _remove_all_but(client, project, stack, set(_ids(latest_of(document) if document else {})))


def remove_unfinished(
    client: docker.DockerClient, project: Project, stack: str, deployment: Mapping[str, Any]
) -> list[str]:
    """Remove the stack's containers and networks whose creation was cut short, so that their names are free again.

    Only while nobody else changes the stack.

    Args:
        client: Docker.
        project: The project.
        stack: The stack.
        deployment: Of ``pulumi stack export``; what was being created stands among its pending operations.

    Returns:
        What was removed, as in ``container open-webui-team``.
    """
    pending = [one["resource"] for one in deployment.get("pending_operations") or () if one["type"] == "creating"]
    names = {str(resource.get("inputs", {}).get("name")) for resource in pending}
    return _remove_all_but(client, project, stack, set(_ids(deployment)), names)


def _remove_all_but(
    client: docker.DockerClient, project: Project, stack: str, known: set[str], names: set[str] | None = None
) -> list[str]:
    """Remove what carries the stack's marks, by ids that are to stay; if names are given, of these only."""
    marks: dict[str, Any] = {"label": ownership(project, stack)}
    removed = []
    for container in client.api.containers(all=True, filters=marks):
        name = container["Names"][0].lstrip("/")
        if container["Id"] not in known and (names is None or name in names):
            _remove(client.api, name)
            removed.append(f"container {name}")
    for network in client.networks.list(filters=marks):
        if network.id in known or not (names is None or network.name in names):
            continue
        # One in use stays: by whom is the engine's to say.
        if not client.api.inspect_network(str(network.id))["Containers"]:
            network.remove()
            removed.append(f"network {network.name}")
    return removed


def _remove(api: docker.APIClient, name: str) -> None:
    from engine.docker_provider.container_waiting import await_made  # noqa: PLC0415 - 80 ms, where there is a stray

    found = await_made(api, name, say)
    if found is None:
        return
    if found["State"]["Running"]:
        api.stop(found["Id"])
    api.remove_container(found["Id"], v=True, force=True)


def _ids(deployment: Mapping[str, Any]) -> Iterator[str]:
    """Ids of the resources in a deployment, and of those an interrupted step was changing."""
    for resource in deployment.get("resources") or ():
        yield str(resource.get("id"))
    for operation in deployment.get("pending_operations") or ():
        yield str(operation["resource"].get("id"))
