"""What Docker knows of an object, and whose the object is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import docker
from docker.errors import NotFound

from docker_access import labels
from settings import Settings


def inspected(inspect: Callable[[str], dict[str, Any]], name: str) -> dict[str, Any]:
    """What ``docker inspect`` shows of an object; empty where there is none."""
    try:
        return inspect(name)
    except NotFound:
        return {}


def variables(shown: Mapping[str, Any]) -> dict[str, str]:
    """The environment of an image or a container, as ``docker inspect`` shows it."""
    lines = (shown.get("Config") or {}).get("Env") or []
    return dict(line.partition("=")[::2] for line in lines)


def image_labels(client: docker.APIClient, image: str) -> Mapping[str, str] | None:
    """Labels of an image, by its reference or its id; None where it is not there."""
    shown = inspected(client.inspect_image, image)
    return (shown.get("Config") or {}).get("Labels") or {} if shown else None


def role_of(container: Mapping[str, Any]) -> str:
    """What a container is for, from its label; empty where it has none."""
    return str(container["Labels"].get(labels.ROLE, ""))


def owner_of_another(found: Mapping[str, str], settings: Settings) -> str:
    """Whose an object with these labels is, in words; empty if it is this stack's."""
    if all(found.get(key) == value for key, value in settings.labels.items()):
        return ""
    if labels.STACK in found:
        return f"it belongs to stack {found[labels.STACK]} of project {found.get(labels.PROJECT)}"
    if "com.docker.compose.project" in found:
        return f"it belongs to the compose project {found['com.docker.compose.project']}"
    return "it carries no label of a Pulumi stack"
