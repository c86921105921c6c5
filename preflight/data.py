"""Data of a deployed stack that an update would leave behind, or make useless."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import docker

from components.embedding import embedding, variables_of
from docker_access import labels
from preflight.objects import inspected, role_of, variables
from settings import Settings

DATA_PATHS: Final = {"valkey": "/data", "open-webui": "/app/backend/data", "postgres": "/var/lib/postgresql/data"}
"""Where a container of each role has its data."""

REPLICATED_ROLES: Final = frozenset({"postgres", "postgres-setup", "gateway", "files"})
"""Roles that containers have in the replicated topology only."""


def data_left_behind(settings: Settings, containers: list[dict[str, Any]]) -> Iterator[str]:
    """Another topology or other names mean other data: people would find an empty Open WebUI."""
    deployed = _deployed_topology(containers)
    if deployed and deployed != settings.topology:
        yield _topology_problem(settings, containers, deployed)
        return
    names = settings.names
    wanted = {"valkey": names.valkey_volume, "open-webui": names.open_webui_volume, "postgres": names.postgres_volume}
    for container in containers:
        volume, mounted = wanted.get(role_of(container)), _data_volume(container)
        if volume and mounted and volume != mounted:
            yield (
                f"container {container['Names'][0].removeprefix('/')} has its data in volume {mounted}, and the "
                f"names asked for would leave it there and begin with {volume}. "
                f"Leave {settings.project}:tutorialNames and openWebuiVolume as they were; or, if that is meant, "
                f"take the stack down first (make destroy STACK={settings.stack})."
            )


def embedding_changes(settings: Settings, client: docker.APIClient) -> Iterator[str]:
    """Another model would not find what the present one embedded, and Open WebUI does not say so.

    In ``single`` this cannot happen: the database keeps the first choice, and no variable changes it.
    """
    if not settings.replicated:
        return
    wanted = labels.filters({**settings.labels, labels.ROLE: "open-webui"})
    for container in client.containers(all=True, filters=wanted):
        before = container["Labels"].get(labels.EMBEDDING) or _embedding_of(settings, client, container["Id"])
        if before != settings.embedding:
            line = ", ".join(f"{name}: {json.dumps(value)}" for name, value in variables_of(before).items())
            yield (
                f"documents of stack {settings.stack} were embedded by {before}, and its settings choose "
                f"{settings.embedding}: what was uploaded would not be found any more. Keep what there was "
                f"({settings.project}:extraEnvironment: {{{line}}}); or, if that is meant, add embedding-change to "
                f"{settings.project}:acknowledged, and after the update have all documents embedded again "
                "(Admin Panel, Settings, Documents, Reindex)."
            )
            return


def _embedding_of(settings: Settings, client: docker.APIClient, container: str) -> str:
    """The embedding of a container without a label for it. Its ``extraEnvironment`` is in a file, which is not read."""
    return embedding({**variables(inspected(client.inspect_container, container)), **settings.extra_environment})


def _data_volume(container: Mapping[str, Any]) -> str:
    """Name of the volume with a container's data; empty where it has none."""
    path = DATA_PATHS.get(role_of(container))
    mounts = (mount for mount in container.get("Mounts") or () if mount.get("Type") == "volume")
    return next((str(mount["Name"]) for mount in mounts if mount.get("Destination") == path), "")


def _deployed_topology(containers: list[dict[str, Any]]) -> str:
    """The topology that the stack's containers are of; empty where none of them tells."""
    roles = {role_of(container) for container in containers}
    if roles & REPLICATED_ROLES:
        return "replicated"
    return "single" if "open-webui" in roles else ""


def _topology_problem(settings: Settings, containers: list[dict[str, Any]], deployed: str) -> str:
    database, other = ("SQLite", "Postgres") if deployed == "single" else ("Postgres", "SQLite")
    role = "open-webui" if deployed == "single" else "postgres"
    volume = next((_data_volume(container) for container in containers if role_of(container) == role), "")
    kept_in = f"{database}, volume {volume}" if volume else database
    return (
        f"stack {settings.stack} is deployed with topology {deployed}: its accounts and chats are in {kept_in}; "
        f"topology {settings.topology} would begin with an empty {other}. Set {settings.project}:topology: {deployed}; "
        "deploy the other topology as a stack of another name, beside this one; or, if that is meant, take this one "
        f"down first (make destroy STACK={settings.stack}; the volume stays unless dataOnDestroy: delete was deployed)."
    )
