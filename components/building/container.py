"""Makes containers and images as described: hardened, with a log that rotates and a stop that waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pulumi
import pulumi_docker as docker

from components.building.spec import NO_NEW_PRIVILEGES, ContainerSpec
from components.pids_limit import PidsLimit
from docker_access import labels

KEPT: Final = ("healthcheck", "init", "tmpfs")
"""Properties that the plugin reports as updated, and leaves as they were.

Source: https://github.com/kreuzwerker/terraform-provider-docker/issues/988
"""

ONE_SHOT_TIMEOUT: Final = "720h"
"""How long an engine waits for a one-shot to end: a migration takes as long as it takes. Else it is 20 minutes.

Source: https://www.pulumi.com/docs/iac/concepts/options/customtimeouts/
"""


def create_container(
    resource_name: str,
    spec: ContainerSpec,
    *,
    parent: pulumi.Resource,
    image: docker.RemoteImage,
    volumes: Mapping[str, pulumi.Input[str]] | None = None,
    secret_environment: Mapping[str, pulumi.Input[str]] | None = None,
    uploads: Mapping[str, pulumi.Input[str]] | None = None,
    extra_labels: Mapping[str, pulumi.Input[str]] | None = None,
    depends_on: Sequence[pulumi.Resource] = (),
    follows: pulumi.Output[str] | None = None,
    wait_seconds: int | None = None,
) -> docker.Container:
    """Create a container as described.

    Args:
        resource_name: Name of the Pulumi resource.
        spec: The description.
        parent: The component the container belongs to.
        image: The image resource: when its content changes under the same tag, the container is replaced.
        volumes: By the volume names in the description: the name as an output of the volume's resource.
        secret_environment: Further variables, hidden in state and in diffs.
        uploads: Files put into it before it starts, path to content, readable by everybody in it; hidden
            where one of them is a secret.
        extra_labels: Labels beside the description's; a changed one replaces the container.
        depends_on: What must exist first.
        follows: Id of what this container must not run beside, such as a one-shot container that has succeeded. When
            that is replaced, this one is stopped before and created again after.
        wait_seconds: Wait this long until the container is healthy.
    """
    one_shot = spec.restart == "no" and spec.start
    secret_variables = pulumi.Output.secret(dict(secret_environment)) if secret_environment else None
    all_labels: dict[str, pulumi.Input[str]] = {
        **spec.all_labels,
        labels.IMAGE_ID: image.image_id,
        **(extra_labels or {}),
    }
    if spec.networks:
        ids = pulumi.Output.all(*(join.network.network_id for join in spec.networks))
        all_labels[labels.NETWORK_ID] = ids.apply(",".join)
    # This has the engine stop the container before it replaces what the container follows. Before the engine deletes
    # something that it replaces, it deletes the dependents that are replaced too, and only those. It finds them by a
    # diff in which every property that comes from the replaced one is unknown (`calculateDependentReplacements`, in
    # pulumi/pkg/resource/deploy/step_generator.go). To Docker's plugin an unknown image means a replacement; an unknown
    # label does not. So the image is made to come from `follows`, although its value is always the same.
    # The option `replace_with` would say this outright, but older Pulumi CLIs cannot read its state format (version 4).
    image_reference = follows.apply(lambda _: spec.image) if follows else spec.image
    limits = spec.limits
    container = docker.Container(
        resource_name,
        name=spec.name,
        image=image_reference,
        command=list(spec.command) if spec.command is not None else None,
        envs=_variables(spec.environment, secret_variables),
        user=spec.user,
        init=spec.init or None,
        restart=spec.restart,
        start=None if spec.start else False,
        must_run=spec.restart != "no",
        attach=one_shot or None,
        logs=one_shot or None,
        read_only=spec.read_only or None,
        tmpfs=dict(spec.tmpfs) or None,
        capabilities=docker.ContainerCapabilitiesArgs(adds=list(spec.capabilities) or None, drops=["ALL"]),
        security_opts=[NO_NEW_PRIVILEGES],
        memory=limits.memory or None if limits else None,
        # Docker's own default. Left out, the plugin would report it as a change.
        memory_swap=2 * limits.memory or None if limits else None,
        cpus=str(float(limits.cpus)) if limits and limits.cpus else None,
        ulimits=[docker.ContainerUlimitArgs(name="nofile", soft=limits.nofile, hard=limits.nofile)]
        if limits and limits.nofile
        else None,
        shm_size=spec.shm_size,
        destroy_grace_seconds=spec.stop_grace_seconds,
        stop_timeout=spec.stop_grace_seconds,
        log_driver="json-file",
        log_opts={"max-size": spec.log.max_size, "max-file": spec.log.max_file},
        network_mode=None if spec.networks else "none",
        networks_advanced=[
            docker.ContainerNetworksAdvancedArgs(
                name=join.network.name, aliases=list(join.aliases) or None, ipv4_address=join.address
            )
            for join in spec.networks
        ]
        or None,
        ports=[
            docker.ContainerPortArgs(internal=port.container_port, external=port.host_port, ip=port.address)
            for port in spec.ports
        ]
        or None,
        hosts=[docker.ContainerHostArgs(host=host, ip=address) for host, address in sorted(spec.hosts.items())] or None,
        volumes=[
            docker.ContainerVolumeArgs(volume_name=(volumes or {})[volume], container_path=path)
            for volume, path in spec.volumes.items()
        ]
        or None,
        uploads=_uploads(uploads) if uploads else None,
        healthcheck=docker.ContainerHealthcheckArgs(
            tests=list(spec.healthcheck.test),
            interval=spec.healthcheck.interval,
            timeout=spec.healthcheck.timeout,
            start_period=spec.healthcheck.start_period,
            retries=spec.healthcheck.retries,
        )
        if spec.healthcheck
        else None,
        wait=wait_seconds is not None or None,
        wait_timeout=wait_seconds,
        labels=[docker.ContainerLabelArgs(label=key, value=value) for key, value in sorted(all_labels.items())],
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=list(depends_on),
            # The name is fixed, and two containers must never share a data volume.
            delete_before_replace=True,
            # Docker changes a memory limit in place, but cannot take it away.
            replace_on_changes=[*KEPT, *(() if limits and limits.memory else ("memory",))],
            # A program that fails may print its secrets, and the state is kept, copied and shown.
            additional_secret_outputs=["containerLogs"] if one_shot else None,
            custom_timeouts=pulumi.CustomTimeouts(create=ONE_SHOT_TIMEOUT) if one_shot else None,
        ),
    )
    if limits and limits.pids:
        PidsLimit(
            f"{resource_name}-pids",
            container_id=container.id,
            limit=limits.pids,
            opts=pulumi.ResourceOptions(parent=parent),
        )
    return container


def _uploads(files: Mapping[str, pulumi.Input[str]]) -> list[docker.ContainerUploadArgs]:
    """Docker's upload blocks. Whoever gets into the container may read the files."""
    return [
        docker.ContainerUploadArgs(file=path, content=content, permissions="0444")
        for path, content in sorted(files.items())
    ]


def _variables(
    environment: Mapping[str, str], secrets: pulumi.Output[dict[str, Any]] | None
) -> pulumi.Input[list[pulumi.Input[str]]] | None:
    """Docker's ``NAME=value`` lines, sorted; all of them a secret if one is."""
    if secrets is None:
        return [f"{name}={value}" for name, value in sorted(environment.items())] or None
    return secrets.apply(lambda found: [f"{n}={v}" for n, v in sorted({**environment, **found}.items())])


def create_image(resource_name: str, reference: str, *, parent: pulumi.Resource) -> docker.RemoteImage:
    """Create an image resource. The image stays on the host when the stack is destroyed."""
    options = pulumi.ResourceOptions(parent=parent)
    return docker.RemoteImage(resource_name, name=reference, keep_locally=True, opts=options)
