"""Files that a container reads at its start: configuration and secrets, which ``docker inspect`` does not show.

The files lie in a volume. Docker's plugin can upload only into a container that has not started and whose root can be
written. So another container, which is created and never started, mounts the volume and takes the uploads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pulumi
import pulumi_docker as docker

from components.building.container import create_container
from components.building.spec import ContainerSpec, texts_sha256
from components.building.volume import create_volume

SECRETS_PATH: Final = "/run/secrets"
"""Where containers find their files, as in Swarm and Kubernetes."""


@dataclass(frozen=True, kw_only=True)
class Files:
    """Files in a volume; mount it at the path where it was filled.

    Attributes:
        volume: The volume's name in Docker.
        sha256: Hash of all of them. It is not a secret, since each secret in them is too long to be guessed.
        container: The container that put them there. A container that reads them depends on it.
    """

    volume: pulumi.Input[str]
    sha256: pulumi.Output[str]
    container: docker.Container


def create_files(
    resource_name: str,
    *,
    name: str,
    contents: Mapping[str, pulumi.Input[str]],
    image: docker.RemoteImage,
    image_reference: str,
    labels: Mapping[str, str],
    parent: pulumi.Resource,
    path: str = SECRETS_PATH,
) -> Files:
    """Put files into a volume.

    Args:
        resource_name: Name of the Pulumi resource.
        name: Name in Docker of the volume, and of the container that puts them there.
        contents: Path of a file, below ``path``, to its content.
        image: Image of the container that reads them, which is there anyway.
        image_reference: The same, as written in the settings.
        labels: Docker labels of the stack, key to value.
        parent: The component they belong to.
        path: Where the volume is mounted.
    """
    mounted = create_volume(f"{resource_name}-volume", name=name, owner=labels, parent=parent).name
    container = create_container(
        resource_name,
        ContainerSpec(
            name=name,
            role="files",
            image=image_reference,
            networks=(),
            labels=labels,
            volumes={name: path},
            restart="no",
            start=False,
        ),
        parent=parent,
        image=image,
        volumes={name: mounted},
        uploads=contents,
    )
    return Files(
        volume=mounted,
        sha256=pulumi.Output.unsecret(pulumi.Output.all(**contents).apply(texts_sha256)),
        container=container,
    )
