"""Names that the stack wants, and that containers or networks of somebody else have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from preflight.objects import owner_of_another
from settings import Names, Settings


def container_problems(settings: Settings, name: str, container: Mapping[str, Any]) -> Iterator[str]:
    """A container of this name is somebody else's."""
    owner = container and owner_of_another(container["Config"]["Labels"] or {}, settings)
    if owner:
        yield (
            f"container {name} exists and is not this stack's ({owner}, image {container['Config']['Image']}). "
            f"Rename it (docker rename {name} {name}-old), remove it (docker stop {name}; docker rm {name}), "
            f"or {other_names(settings)}."
        )


def network_problems(settings: Settings, name: str, network: Mapping[str, Any]) -> Iterator[str]:
    """A network of this name is somebody else's, or is missing, or is ours where it should not be."""
    external = settings.network_external and name == settings.names.network
    if external and not network:
        yield (
            f"network {name} does not exist, and {settings.project}:networkExternal says it does. "
            f"Create it (docker network create {name}) or set {settings.project}:networkExternal: false."
        )
    if not network:
        return
    owner = owner_of_another(network["Labels"] or {}, settings)
    if external and not owner:
        yield (
            f"network {name} is this stack's own, and {settings.project}:networkExternal would have it "
            f"removed under its containers. Set {settings.project}:networkExternal: false, or name a "
            f"network that is not the stack's ({settings.project}:networkName)."
        )
    if owner and not external:
        ways_out = (
            f"Remove it (docker network rm {name}), or {other_names(settings)}."
            if settings.replicated
            else f"Join it ({settings.project}:networkExternal: true), remove it (docker network rm {name}), "
            f"or name another ({settings.project}:networkName)."
        )
        yield f"network {name} exists and is not this stack's ({owner}). {ways_out}"


def other_names(settings: Settings) -> str:
    """The way out that every taken name has: how to get names that are free."""
    if settings.names.open_webui == Names.of_tutorial().open_webui:
        return f"use names of the stack's own ({settings.project}:tutorialNames: false)"
    return "deploy a stack of another name (STACK=NAME): Docker's names come from it"
