"""Marks everything that a program makes in Docker with the state it is made from."""

from __future__ import annotations

from typing import Any, Final, cast

import pulumi
import pulumi_docker as docker
from pulumi import ResourceTransformationArgs, ResourceTransformationResult

from docker_access import labels

LABELS: Final[dict[str, Any]] = {
    "docker:index/container:Container": docker.ContainerLabelArgs,
    "docker:index/network:Network": docker.NetworkLabelArgs,
    "docker:index/volume:Volume": docker.VolumeLabelArgs,
}
REPLACED: Final = "docker:index/container:Container"
"""Which of them is replaced for another mark: networks and volumes keep what they were made with, and volumes data."""


def mark_what_is_made(marks: pulumi.Output[dict[str, str]]) -> None:
    """Add marks to the labels of every container, network and volume that the program makes from here on.

    Args:
        marks: :attr:`components.docker_host.DockerHost.marks`.

    Source: https://www.pulumi.com/docs/iac/concepts/options/transformations/
    """

    def marked(args: ResourceTransformationArgs) -> ResourceTransformationResult | None:
        label, given = LABELS.get(args.type_), cast("list[Any] | None", args.props.get("labels"))
        if label is None or not given:
            return None
        added = [label(label=key, value=marks[key]) for key in (labels.STATE, labels.ORIGIN)]
        props = {**args.props, "labels": sorted([*given, *added], key=lambda one: str(one.label))}
        kept = pulumi.ResourceOptions(ignore_changes=[] if args.type_ == REPLACED else ["labels"])
        return ResourceTransformationResult(props, pulumi.ResourceOptions.merge(args.opts, kept))

    pulumi.runtime.register_stack_transformation(marked)
