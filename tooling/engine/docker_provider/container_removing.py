"""Looking at a container, and removing it.

Source: https://github.com/kreuzwerker/terraform-provider-docker/blob/master/internal/provider/resource_docker_container_funcs.go
"""

from __future__ import annotations

from typing import Any

from tooling.engine.docker_provider.client import REMOVAL_SECONDS, Docker, is_removed, look
from tooling.engine.provider import ProviderError
from tooling.pulumi_files.values import Properties


def inspect(docker: Docker, name_or_id: str) -> dict[str, Any] | None:
    """What ``docker inspect`` shows of a container; None where there is none."""
    return look(f"inspect the container {name_or_id}", lambda: docker.api.inspect_container(name_or_id))


def grace_seconds(facts: Properties) -> int:
    """Seconds between the signal to stop and the one that nothing survives."""
    return max(int(facts.get("destroyGraceSeconds") or 0), 0)


def remove(docker: Docker, container_id: str, facts: Properties) -> None:
    """Stop a container, giving it ``destroyGraceSeconds``, and remove it; one that is gone is fine.

    Args:
        docker: The connection.
        container_id: Its id or name.
        facts: What was asked for. One to wait for (``attach``) is not stopped first.
    """

    def end() -> None:
        if not facts.get("attach"):
            docker.api.stop(container_id, timeout=grace_seconds(facts))
        docker.api.remove_container(container_id, v=bool(facts.get("removeVolumes", True)), force=True)

    if not is_removed(f"container {facts.get('name', container_id)}", end, "already in progress"):
        raise ProviderError(
            f"the container {container_id[:12]} is being removed, and still there after {REMOVAL_SECONDS} s. "
            "Look into the log of the Docker daemon."
        )
