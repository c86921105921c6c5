"""Data volumes: those that should exist and do not, those that are somebody else's, and those that others use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import docker

from preflight.names import other_names
from preflight.objects import owner_of_another
from settings import Settings


def volume_problems(settings: Settings, name: str, volume: Mapping[str, Any]) -> Iterator[str]:
    """A data volume is somebody else's; or it is only used, and is missing or the stack's own."""
    adopted = name == settings.adopted_volume
    if not settings.is_external(name):
        yield from foreign_volume(settings, name, volume)
    elif adopted and not volume:
        yield (
            f"volume {name} does not exist, and {settings.project}:openWebuiVolume names it. Name one that holds Open "
            "WebUI's data (docker volume ls lists those there are), or leave the line out to have one created."
        )
    elif not volume:
        yield (
            f"volume {name} does not exist, and {settings.project}:volumesExternal says it does. "
            f"Create it (docker volume create {name}) or set {settings.project}:volumesExternal: false."
        )
    elif not owner_of_another(volume["Labels"] or {}, settings):
        # An external volume leaves the stack. Deployed with dataOnDestroy: delete, it would be removed then.
        way_out = "Leave out" if adopted else "Set"
        line = "openWebuiVolume" if adopted else "volumesExternal: false"
        yield f"volume {name} is this stack's own. {way_out} {settings.project}:{line}."


def used_by_others(settings: Settings, name: str, client: docker.APIClient) -> Iterator[str]:
    """Somebody else's container writes to the volume: two programs damage one SQLite file, or one Valkey's."""
    for container in client.containers(filters={"volume": name}):
        writes = any(mount.get("Name") == name and mount.get("RW") for mount in container.get("Mounts") or ())
        if writes and owner_of_another(container["Labels"] or {}, settings):
            user = container["Names"][0].removeprefix("/")
            yield f"volume {name} is in use: container {user} runs and writes to it. Stop it (docker stop {user})."


def foreign_volume(settings: Settings, name: str, volume: Mapping[str, Any]) -> Iterator[str]:
    """A volume that the stack would create is somebody else's."""
    owner = volume and owner_of_another(volume["Labels"] or {}, settings)
    if not owner:
        return
    if name in settings.volumes:
        way_out = f"Use it with the data it holds ({settings.project}:volumesExternal: true)"
    else:
        way_out = f"Remove it (docker volume rm {name})"
    yield f"volume {name} exists and is not this stack's ({owner}). {way_out}, or {other_names(settings)}."


def volumes_without_data(settings: Settings) -> list[str]:
    """Names of the volumes that the stack fills by itself: those with files, and the one with Postgres' socket."""
    if not settings.replicated:
        return []
    names = settings.names
    files = (names.valkey_files, names.open_webui_files, names.gateway_files)
    return [*(name for name in files if name in settings.containers), names.postgres_socket]
