"""How the components are put together: ``single``, the tutorial's setup, or ``replicated``, a team's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.docker_host import DockerHost
from components.marks import mark_what_is_made
from topologies import replicated, single

if TYPE_CHECKING:
    from settings import Settings
    from topologies.deployed import Deployed


def deploy(settings: Settings) -> Deployed:
    """Declare the components of the stack's topology, and the Docker host that all of it lives on."""
    mark_what_is_made(DockerHost("docker-host", labels=settings.labels).marks)
    return replicated.deploy(settings) if settings.replicated else single.deploy(settings)
