"""Labels everything that is made in Docker with the state that it is made from."""

from __future__ import annotations

from typing import Any, Final, cast

import pulumi
import pulumi_docker as docker
from pulumi import ResourceTransformation, ResourceTransformationArgs, ResourceTransformationResult

from docker_access import labels

LABELS: Final[dict[str, Any]] = {
    "docker:index/container:Container": docker.ContainerLabelArgs,
    "docker:index/network:Network": docker.NetworkLabelArgs,
    "docker:index/volume:Volume": docker.VolumeLabelArgs,
}
REPLACED: Final = "docker:index/container:Container"
"""The one type of these that another state's labels replace. Networks and volumes keep those they were made with, since
a replaced volume would lose its data."""


def label_with_state(state_labels: pulumi.Output[dict[str, str]]) -> ResourceTransformation:
    """A transformation for components: it labels every container, network and volume below them.

    Args:
        state_labels: :attr:`components.docker_host.DockerHost.marks`.

    Source: https://www.pulumi.com/docs/iac/concepts/options/transformations/
    """

    def labelled(args: ResourceTransformationArgs) -> ResourceTransformationResult | None:
        label, given = LABELS.get(args.type_), cast("list[Any] | None", args.props.get("labels"))
        if label is None or not given:
            return None
        added = [label(label=key, value=state_labels[key]) for key in (labels.STATE, labels.ORIGIN)]
        props = {**args.props, "labels": sorted([*given, *added], key=lambda one: str(one.label))}
        kept = pulumi.ResourceOptions(ignore_changes=[] if args.type_ == REPLACED else ["labels"])
        return ResourceTransformationResult(props, pulumi.ResourceOptions.merge(args.opts, kept))

    return labelled
