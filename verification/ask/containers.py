"""What a container is, by its labels, its image and its variables."""

from __future__ import annotations

from typing import Final

from docker_access import labels
from verification.evidence.container import Container
from verification.evidence.inside import WEBSOCKET_URL

COMPOSE_PROJECT: Final = "com.docker.compose.project"
COMPOSE_ONE_OFF: Final = "com.docker.compose.oneoff"
"""Labels of Docker Compose; ``docker compose run`` makes one-off containers.

Source: https://github.com/docker/compose/blob/v2.40.0/pkg/api/labels.go
"""

IMAGE_TITLE: Final = "org.opencontainers.image.title"
OPEN_WEBUI: Final = "open-webui"


def deployer_of(container: Container) -> str:
    """Who deployed it, in words; empty when it was made by hand."""
    found = container.labels
    if container.is_own:
        return f"{found[labels.PROJECT]}, stack {found[labels.STACK]}"
    return f"compose project {found[COMPOSE_PROJECT]}" if found.get(COMPOSE_PROJECT) else ""


def is_open_webui(container: Container) -> bool:
    """Whether it is Open WebUI, by this project's labels, its image or its variables; and no one-shot job."""
    found = container.labels
    if container.is_own:
        return found[labels.ROLE] == OPEN_WEBUI
    if found.get(COMPOSE_ONE_OFF) == "True":
        return False
    title = found.get(IMAGE_TITLE, "").lower().replace(" ", "-")
    named = OPEN_WEBUI in {image_name(container), title}
    return named or not {"WEBSOCKET_MANAGER", WEBSOCKET_URL}.isdisjoint(container.variables)


def app_port(container: Container) -> str:
    """TCP port Open WebUI listens on in its container."""
    return container.variables.get("PORT") or "8080"


def image_name(container: Container) -> str:
    """Last part of its image's name, without registry, tag and digest."""
    reference = str(container.config.get("Image", ""))
    return reference.partition("@")[0].rpartition("/")[2].partition(":")[0]
