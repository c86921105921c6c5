"""Whether there is room for an image, before it is pulled or built.

Of a Docker on another machine, or one whose folders cannot be seen from here, nothing is known: it is not checked.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import docker

from docker_access import daemon
from settings.references import Reference

GB: Final = 10**9
PULL_BYTES: Final = {"open-webui": 6 * GB}
"""What the official image takes on disk, with what is downloaded beside what is unpacked, by :attr:`Reference.name`."""
SLIM_BYTES: Final = 3 * GB // 2
BUILD_BYTES: Final = {"open-webui": 3 * GB // 2, "caddy": 2 * GB}
ANY_BYTES: Final = GB // 2
"""What any other takes."""

_CONTAINERD: Final = Path("/var/lib/containerd")


def to_pull(reference: Reference) -> int:
    """Bytes that the image of a registry takes, about."""
    return SLIM_BYTES if "slim" in reference.tag else PULL_BYTES.get(reference.name, ANY_BYTES)


def to_build(reference: Reference) -> int:
    """Bytes that a local build takes, about."""
    return BUILD_BYTES.get(reference.name, ANY_BYTES)


def shortage(client: docker.DockerClient, reference: Reference, need: int, *, building: bool = False) -> str:
    """What an image lacks of the bytes it needs, with the way out; empty where there is room, or nothing is known.

    An image that is built here takes a temporary folder too.
    """
    for folder, what in _folders(client, building=building):
        try:
            free = shutil.disk_usage(folder).free
        except OSError:
            continue
        if free < need:
            return (
                f"{reference} needs about {need / GB:.1f} GB of disk, and {folder}, {what}, has {free / GB:.1f} GB "
                "free. Make room (`docker system df` shows what Docker holds, `docker image prune` removes images "
                f"without a name), or have {folder} on a larger disk."
            )
    return ""


def _folders(client: docker.DockerClient, *, building: bool) -> Iterator[tuple[Path, str]]:
    if building:
        yield Path(tempfile.gettempdir()), "where images are built (TMPDIR)"
    info: dict[str, Any] = client.info()
    if not daemon.is_this_machine(info):
        return
    if root := info.get("DockerRootDir"):
        yield Path(root), "where Docker has its data"
    # A containerd that Docker has started for itself has its data under Docker's own.
    address = str((info.get("Containerd") or {}).get("Address") or "")
    if ["driver-type", "io.containerd.snapshotter.v1"] in (info.get("DriverStatus") or []) and "docker" not in address:
        yield _CONTAINERD, "where containerd has Docker's images"
