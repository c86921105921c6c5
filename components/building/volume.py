"""Volumes: those with data outlive their containers, the others only pass something from one container to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker


@dataclass(frozen=True, kw_only=True)
class DataVolume:
    """A volume with data.

    Attributes:
        name: Its name in Docker.
        external: It exists already: it is only used, and never removed.
        keep: It stays in place when the stack is destroyed, and is taken over by the next one. Of no effect with
            ``external``.
    """

    name: str
    external: bool = False
    keep: bool = True


def create_volume(
    resource_name: str, *, name: str, owner: Mapping[str, str], parent: pulumi.Resource, keep: bool = False
) -> docker.Volume:
    """Create a volume with the owner's labels; one to ``keep`` stays in place when the stack is destroyed."""
    return docker.Volume(
        resource_name,
        name=name,
        labels=[docker.VolumeLabelArgs(label=key, value=value) for key, value in sorted(owner.items())],
        opts=pulumi.ResourceOptions(parent=parent, retain_on_delete=keep),
    )


def have_volume(
    resource_name: str, volume: DataVolume, *, owner: Mapping[str, str], parent: pulumi.Resource
) -> tuple[pulumi.Input[str], docker.Volume | None]:
    """The name to mount a data volume by, and its resource; None where it existed. See :func:`create_volume`."""
    if volume.external:
        return volume.name, None
    created = create_volume(resource_name, name=volume.name, owner=owner, parent=parent, keep=volume.keep)
    return created.name, created
