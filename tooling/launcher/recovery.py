"""Removes what a crash or a lost state left of a stack, before an engine begins.

The embedded engine does this by itself; the Pulumi CLI keeps the lock of a process that was killed, and stops at the
name of a container whose creation it did not see end. On a shared backend ``make cancel YES=1`` does it:
its user says that nobody is at work, which cannot be seen from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import docker

from docker_access import labels, one_shots
from docker_access.deployments import Owner, StackObject, stack_objects, takes_over
from tooling.errors import ToolError
from tooling.launcher.stack import own_labels
from tooling.machine.progress import say
from tooling.pulumi_cli.stacks import deployment
from tooling.pulumi_files.lock import locked
from tooling.pulumi_files.stack import Stack


@dataclass(frozen=True, kw_only=True)
class Stray:
    """A container or network of a stack that its state does not know, and where it comes from, as a clause."""

    object: StackObject
    why: str


def strays(api: docker.APIClient, stack: Stack, owner: Owner) -> list[Stray]:
    """What :func:`remove_strays` would remove.

    Raises:
        PulumiFilesError: The state cannot be read.
        ToolError: A shared backend does not answer, or a network that is taken over has guests on it.
    """
    if stack.shared and not takes_over():
        return []
    known = set(_ids(deployment(stack)))
    own = {owner.identity} if stack.shared else {owner.identity, ""}
    there = [one for one in stack_objects(api, own_labels(stack)) if one.kind != "volume"]
    found = []
    for one in there:
        anothers = one.labels.get(labels.STATE, "") not in own or (stack.shared and not known)
        if one.id in known or not (takes_over() if anothers else not stack.shared):
            continue
        if anothers and one.kind == "network":
            _refuse_guests(api, one, {other.id for other in there})
        where = one.labels.get(labels.ORIGIN, "a place that is not known")
        why = f"was made from another state, in {where}" if anothers else "this stack made and its state does not know"
        found.append(Stray(object=one, why=f"which {why}"))
    return found


def _refuse_guests(api: docker.APIClient, network: StackObject, ours: set[str]) -> None:
    """Stop before anything is removed: Docker keeps a network that is in use, and no engine makes a second one."""
    joined = api.inspect_network(network.id)["Containers"] or {}
    guests = sorted(one["Name"] for id_, one in joined.items() if id_ not in ours)
    if guests:
        lines = " && ".join(f"docker network disconnect {network.name} {guest}" for guest in guests)
        raise ToolError(
            f"network {network.name} cannot be taken over while others are on it: {', '.join(guests)}. Nothing was "
            f"changed. Way out: {lines}; join it again afterwards."
        )


def remove_strays(client: docker.DockerClient, stack: Stack, owner: Owner) -> list[str]:
    """Remove the stack's containers and networks that were made from its state, which does not know them.

    Data volumes stay. Where the user takes over what another state has deployed, that is removed too.

    Runs under the stack's lock, which it takes over from a process of this machine that is gone: what another run has
    just made, and not recorded yet, is no stray. On a shared backend that cannot be known, and nothing of the stack's
    own is removed.

    Returns:
        What was removed, as in ``container open-webui-team, which this stack made and its state does not know``.

    Raises:
        PulumiFilesError: Somebody else holds the lock.
        ToolError: A shared backend does not answer, a network that is taken over has guests on it, or what would be
            removed is a migration at work.
    """
    with nullcontext() if stack.shared else locked(stack.backend):
        found = strays(client.api, stack, owner)
        gone = set(_remove(client.api, (one.object for one in found)))
    return [f"{one.object}, {one.why}" for one in found if one.object.id in gone]


def remove_unfinished(
    client: docker.DockerClient, stack: Stack, owner: Owner, recorded: Mapping[str, Any]
) -> list[str]:
    """Remove the stack's containers and networks whose creation was cut short, so that their names are free again.

    Only while nobody else changes the stack. What was being created is among the pending operations of its deployment,
    as ``pulumi stack export`` has it.

    Returns:
        What was removed, as in ``container open-webui-team``.

    Raises:
        ToolError: What would be removed is a migration at work.
    """
    pending = [one["resource"] for one in recorded.get("pending_operations") or () if one["type"] == "creating"]
    names = {str(resource.get("inputs", {}).get("name")) for resource in pending}
    known, own = set(_ids(recorded)), {owner.identity, ""}
    found = [
        one
        for one in stack_objects(client.api, own_labels(stack))
        if one.kind != "volume" and one.id not in known
        if one.name in names and one.labels.get(labels.STATE, "") in own
    ]
    gone = set(_remove(client.api, found))
    return [str(one) for one in found if one.id in gone]


def _remove(api: docker.APIClient, found: Iterable[StackObject]) -> Iterator[str]:
    """Remove containers and then networks; the ids of those that are gone."""
    for one in found:
        if one.kind == "container":
            _remove_container(api, one.name)
        # One in use stays: by whom is the engine's to say.
        elif api.inspect_network(one.id)["Containers"]:
            continue
        else:
            api.remove_network(one.id)
        yield one.id


def _remove_container(api: docker.APIClient, name: str) -> None:
    from tooling.engine.docker_provider.container_waiting import await_made  # noqa: PLC0415 - 80 ms, where there is a stray

    found = await_made(api, name, say)
    if found is None:
        return
    if found["State"]["Running"]:
        if found["Config"]["Labels"].get(labels.ROLE) in one_shots.ROLES:
            raise ToolError(one_shots.refusal(found, one_shots.current_progress(api, found)))
        api.stop(found["Id"])
    api.remove_container(found["Id"], v=True, force=True)


def _ids(recorded: Mapping[str, Any]) -> Iterator[str]:
    """Ids of the resources in a deployment, and of those an interrupted step was changing."""
    pending = [operation["resource"] for operation in recorded.get("pending_operations") or ()]
    for resource in (*(recorded.get("resources") or ()), *pending):
        if resource.get("id"):
            yield str(resource["id"])
