"""What a crash or a lost state left of a stack, out of the way before an engine begins.

The embedded engine does this by itself; the Pulumi CLI keeps the lock of a process that was killed, and stops at the
name of a container whose creation it did not see end. On a shared backend ``make cancel YES=1`` does it,
whose user says that nobody is at work: that cannot be seen from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import labels
from docker_access import one_shots
from docker_access.deployments import Owner, takes_over
from engine.lock import locked
from engine.state import Backend, latest_of
from engine.workspace import backend_directory, state_file
from images.progress import say
from launcher.engines import exported
from launcher.errors import LauncherError
from launcher.stack import ownership

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import docker

    from engine.workspace import Project


def remove_strays(client: docker.DockerClient, project: Project, stack: str, owner: Owner) -> list[str]:
    """Remove the stack's containers and networks that were made from its state, which does not know them.

    Data volumes stay. Where the user takes over what another state has deployed, that is removed too.

    Runs under the stack's lock, which it takes over from a process of this machine that is gone: what another run has
    just made, and not recorded yet, is no stray. On a shared backend that cannot be known, and nothing of the stack's
    own is removed.

    Args:
        client: Docker.
        project: The project.
        stack: The stack.
        owner: Its state.

    Returns:
        What was removed, as in ``container open-webui-team``.

    Raises:
        EngineError: Somebody else holds the lock.
        LauncherError: A shared backend does not answer, or what would be removed is a migration at work.
    """
    if state_file(project, stack) is None:
        if not takes_over():
            return []
        known = set(_ids(exported(project, stack).get("deployment") or {}))
        return _remove(client, project, stack, lambda _, id_, state: id_ not in known and state != owner.identity)
    backend = Backend(backend_directory(project), project.name, stack)
    with locked(backend):
        document = backend.read()
        known = set(_ids(latest_of(document) if document else {}))
        removable = {owner.identity, ""}
        return _remove(
            client, project, stack, lambda _, id_, state: id_ not in known and (state in removable or takes_over())
        )


def remove_unfinished(
    client: docker.DockerClient, project: Project, stack: str, owner: Owner, deployment: Mapping[str, Any]
) -> list[str]:
    """Remove the stack's containers and networks whose creation was cut short, so that their names are free again.

    Only while nobody else changes the stack.

    Args:
        client: Docker.
        project: The project.
        stack: The stack.
        owner: Its state.
        deployment: Of ``pulumi stack export``; what was being created stands among its pending operations.

    Returns:
        What was removed, as in ``container open-webui-team``.

    Raises:
        LauncherError: What would be removed is a migration at work.
    """
    pending = [one["resource"] for one in deployment.get("pending_operations") or () if one["type"] == "creating"]
    names = {str(resource.get("inputs", {}).get("name")) for resource in pending}
    known = set(_ids(deployment))
    removable = {owner.identity, ""}
    return _remove(
        client, project, stack, lambda name, id_, state: id_ not in known and name in names and state in removable
    )


def _remove(
    client: docker.DockerClient, project: Project, stack: str, is_stray: Callable[[str, str, str], bool]
) -> list[str]:
    """Remove what carries the stack's labels, by a question about name, id and state; empty is the state before."""
    marks: dict[str, Any] = {"label": ownership(project, stack)}
    removed = []
    for container in client.api.containers(all=True, filters=marks):
        name = container["Names"][0].lstrip("/")
        if is_stray(name, container["Id"], container["Labels"].get(labels.STATE, "")):
            _remove_container(client.api, name)
            removed.append(f"container {name}")
    for network in client.api.networks(filters=marks):
        name, labelled = network["Name"], network["Labels"] or {}
        if not is_stray(name, network["Id"], labelled.get(labels.STATE, "")):
            continue
        # One in use stays: by whom is the engine's to say.
        if not client.api.inspect_network(network["Id"])["Containers"]:
            client.api.remove_network(network["Id"])
            removed.append(f"network {name}")
    return removed


def _remove_container(api: docker.APIClient, name: str) -> None:
    from engine.docker_provider.container_waiting import await_made  # noqa: PLC0415 - 80 ms, where there is a stray

    found = await_made(api, name, say)
    if found is None:
        return
    if found["State"]["Running"]:
        if found["Config"]["Labels"].get(labels.ROLE) in one_shots.ROLES:
            raise LauncherError(one_shots.refusal(found, one_shots.told(api, found)))
        api.stop(found["Id"])
    api.remove_container(found["Id"], v=True, force=True)


def _ids(deployment: Mapping[str, Any]) -> Iterator[str]:
    """Ids of the resources in a deployment, and of those an interrupted step was changing."""
    for resource in deployment.get("resources") or ():
        yield str(resource.get("id"))
    for operation in deployment.get("pending_operations") or ():
        yield str(operation["resource"].get("id"))
