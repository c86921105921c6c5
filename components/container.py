"""What every container shares: hardening, log rotation, stop grace, restart policy, marks of ownership.

A container is described once, by a :class:`ContainerSpec`. Both the Docker resource and the list of what
``docker inspect`` must show afterwards are derived from it, so that what was asked and what is proved cannot differ.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pulumi
import pulumi_docker as docker

from components.pids_limit import PidsLimit
from docker_access import labels, redaction
from docker_access.last_words import of_the_host

if TYPE_CHECKING:
    from components.limits import Limits
    from components.network import Network

STOP_GRACE_SECONDS: Final = 20
"""Time between SIGTERM and SIGKILL; Docker's plugin otherwise kills after 10 ms and Valkey loses its last save."""

NO_NEW_PRIVILEGES: Final = "no-new-privileges:true"

KEPT: Final = ("healthcheck", "init", "tmpfs")
"""Properties that the plugin reports as updated, and leaves as they were.

Source: https://github.com/kreuzwerker/terraform-provider-docker/issues/988
"""

ONE_SHOT_TIMEOUT: Final = "720h"
"""How long an engine waits for a one-shot to end: a migration takes as long as it takes. Else it is 20 minutes.

Source: https://www.pulumi.com/docs/iac/concepts/options/customtimeouts/
"""

MIB: Final = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Healthcheck:
    """How Docker asks a container whether it is well.

    Attributes:
        test: Docker's form, ``["CMD", ...]`` or ``["CMD-SHELL", line]``.
        interval: Time between two probes, a Go duration in canonical form such as ``1m0s``.
        timeout: How long a probe may take, likewise.
        start_period: Time in which failures do not count, likewise.
        retries: How many failures in a row make the container unhealthy.
    """

    test: Sequence[str]
    interval: str
    timeout: str
    start_period: str
    retries: int


@dataclass(frozen=True, kw_only=True)
class PublishedPort:
    """A container's TCP port published on the host.

    Attributes:
        address: IP address of the host to publish on; ``0.0.0.0`` is every one.
        host_port: TCP port there.
        container_port: TCP port in the container.
    """

    address: str
    host_port: int
    container_port: int


@dataclass(frozen=True, kw_only=True)
class LogRotation:
    """Docker's json-file log.

    Attributes:
        max_size: Size at which a file is closed and another begun, in Docker's form: ``10m`` is 10 MiB.
        max_file: How many files are kept, a number as text.

    Source: https://docs.docker.com/engine/logging/drivers/json-file/
    """

    max_size: str = "10m"
    max_file: str = "3"


@dataclass(frozen=True, kw_only=True)
class Join:
    """A network a container joins.

    Attributes:
        network: The network.
        aliases: Further names the container answers to there.
        address: Fixed IPv4 address there; None lets Docker choose.
    """

    network: Network
    aliases: Sequence[str] = ()
    address: str | None = None


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """What a container is asked to be.

    Attributes:
        name: Name in Docker.
        role: What it is for, the label :data:`labels.ROLE`.
        image: Image reference, as written in the settings.
        networks: The networks it joins; none cuts it off.
        labels: Marks of ownership.
        command: Command, or None for the image's own.
        environment: Variables without secrets.
        volumes: Name of a volume, and where it is mounted.
        ports: Ports published on the host.
        hosts: Names it knows besides, to IPv4 addresses or ``host-gateway``.
        user: ``UID:GID`` it runs as, or None for the image's own.
        read_only: Its root file system cannot be written.
        tmpfs: Folders in memory, and their mount options.
        capabilities: Linux capabilities it keeps, in canonical form (``CAP_SETUID``), sorted; all others are dropped.
        limits: What it may use, or None for no limits.
        shm_size: Shared memory, MiB; None for Docker's 64.
        init: Run it under Docker's init, which reaps zombies and passes signals on.
        healthcheck: Docker's health probe, or None for the image's own.
        restart: Docker's restart policy; ``no`` makes a one-shot container.
        start: False makes a container that is created and never started.
        stop_grace_seconds: Seconds between SIGTERM (or the image's own stop signal) and SIGKILL.
        log: Log rotation.
    """

    name: str
    role: str
    image: str
    networks: Sequence[Join]
    labels: Mapping[str, str]
    command: Sequence[str] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    ports: Sequence[PublishedPort] = ()
    hosts: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    read_only: bool = False
    tmpfs: Mapping[str, str] = field(default_factory=dict)
    capabilities: Sequence[str] = ()
    limits: Limits | None = None
    shm_size: int | None = None
    init: bool = False
    healthcheck: Healthcheck | None = None
    restart: str = "unless-stopped"
    start: bool = True
    stop_grace_seconds: int = STOP_GRACE_SECONDS
    log: LogRotation = field(default_factory=LogRotation)

    @property
    def all_labels(self) -> dict[str, str]:
        """Labels that follow from the description alone."""
        return {
            **self.labels,
            labels.ROLE: self.role,
            labels.ENVIRONMENT_SHA256: environment_sha256(self.environment),
        }


def environment_sha256(environment: Mapping[str, str]) -> str:
    """Hash of the variables that are no secrets, independent of their order."""
    return hashlib.sha256(json.dumps(dict(environment), sort_keys=True).encode()).hexdigest()


def expected_inspect(spec: ContainerSpec) -> dict[str, Any]:
    """What ``docker inspect`` must show of a container made from a description.

    Keys are dotted paths; ``Config.Env[NAME]`` is one variable, ``Config.Labels[KEY]`` one label.
    """
    expected: dict[str, Any] = {
        "Config.Image": spec.image,
        "HostConfig.CapDrop": ["ALL"],
        "HostConfig.CapAdd": list(spec.capabilities),
        "HostConfig.SecurityOpt": [NO_NEW_PRIVILEGES],
        "HostConfig.Privileged": False,
        "HostConfig.RestartPolicy.Name": spec.restart,
        "HostConfig.LogConfig.Type": "json-file",
        "HostConfig.LogConfig.Config": {"max-size": spec.log.max_size, "max-file": spec.log.max_file},
        "HostConfig.PortBindings": {
            f"{port.container_port}/tcp": [{"HostIp": port.address, "HostPort": str(port.host_port)}]
            for port in spec.ports
        },
        "NetworkSettings.Networks": [join.network.docker_name for join in spec.networks] or ["none"],
        "HostConfig.Binds": [f"{volume}:{path}:rw" for volume, path in spec.volumes.items()],
        "HostConfig.ExtraHosts": [f"{host}:{address}" for host, address in spec.hosts.items()],
        "HostConfig.ReadonlyRootfs": spec.read_only,
        "HostConfig.Tmpfs": dict(spec.tmpfs),
        "HostConfig.Init": spec.init,
    }
    if spec.user is not None:
        expected["Config.User"] = spec.user
    if spec.limits:
        expected |= _expected_limits(spec.limits)
    if spec.command is not None:
        expected["Config.Cmd"] = list(spec.command)
    if spec.healthcheck:
        expected["Config.Healthcheck.Test"] = list(spec.healthcheck.test)
    expected |= {f"Config.Env[{name}]": value for name, value in spec.environment.items()}
    expected |= {f"Config.Labels[{key}]": value for key, value in spec.all_labels.items()}
    return expected


def _expected_limits(limits: Limits) -> dict[str, Any]:
    files, cpus = limits.nofile, limits.cpus
    shown = {
        "HostConfig.Memory": limits.memory * MIB,
        "HostConfig.NanoCpus": None if cpus is None else round(cpus * 10**9),
        "HostConfig.PidsLimit": limits.pids,
        "HostConfig.Ulimits": None if files is None else [{"Name": "nofile", "Soft": files, "Hard": files}],
    }
    return {path: value for path, value in shown.items() if value is not None}


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
    gate: pulumi.Output[str] | None = None,
    wait_seconds: int | None = None,
) -> docker.Container:
    """Create a container as described.

    Args:
        resource_name: Name of the Pulumi resource.
        spec: The description.
        parent: The component the container belongs to.
        image: The image resource: when its content changes under the same tag, the container is replaced.
        volumes: Volume names of the description, each as an output of its resource.
        secret_environment: Further variables, hidden in state and in diffs.
        uploads: Files put into it before it starts, path to content, readable by everybody in it; hidden
            where one of them is a secret.
        extra_labels: Further labels; a changed one replaces the container.
        depends_on: What must exist first.
        gate: What this one follows, as of a one-shot container that succeeded: it is stopped before that is replaced,
            and made after.
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
    # Pulumi stops a dependent before it replaces what it depends on only if the dependent's own replacement is certain
    # from the property that depends; a list with an unknown in it is not certain to Docker's plugin, the image is.
    # `replace_with` would say it outright, in a state format (version 4) that older Pulumi CLIs cannot read.
    reference = gate.apply(lambda _: spec.image) if gate else spec.image
    limits = spec.limits
    container = docker.Container(
        resource_name,
        name=spec.name,
        image=reference,
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
        memory=limits.memory if limits else None,
        # Docker's default, which the plugin takes for a change unless it is said.
        memory_swap=2 * limits.memory if limits else None,
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
                name=join.network.name,
                aliases=list(join.aliases) or None,
                ipv4_address=join.address,
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
            replace_on_changes=list(KEPT),
            # Nobody knows what a program writes that fails; and the state is kept, copied and shown.
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
    """Docker's upload blocks: who may read the file is who gets into the container."""
    return [
        docker.ContainerUploadArgs(file=path, content=content, permissions="0444")
        for path, content in sorted(files.items())
    ]


def _variables(
    environment: Mapping[str, str],
    secrets: pulumi.Output[dict[str, Any]] | None,
) -> pulumi.Input[list[pulumi.Input[str]]] | None:
    """Docker's ``NAME=value`` lines, sorted; secret as a whole if one of them is."""
    if secrets is None:
        return [f"{name}={value}" for name, value in sorted(environment.items())] or None
    return secrets.apply(lambda found: [f"{n}={v}" for n, v in sorted({**environment, **found}.items())])


def succeeded(container: docker.Container, *, name: str, secrets: Sequence[pulumi.Input[Any]]) -> pulumi.Output[str]:
    """The id of a one-shot container, once it has succeeded.

    Args:
        container: The container.
        name: Its name in Docker.
        secrets: Texts that it was given, and more to wait for: its log may show what stands in them.
    """
    outcome = pulumi.Output.all(container.id, container.exit_code, container.container_logs, *secrets)
    # The log is a secret, the id is none.
    return pulumi.Output.unsecret(
        outcome.apply(lambda found: one_shot_result(*found[:3], name=name, secrets=found[3:]))
    )


def one_shot_result(
    container_id: str, exit_code: int | None, logs: str | None, *, name: str, secrets: Sequence[Any] = ()
) -> str:
    """The id of a one-shot container that succeeded.

    Raises:
        pulumi.RunError: it failed; with its exit code and the end of its log, without secrets.
    """
    if exit_code:
        stack = pulumi.get_stack()
        hidden = {value for secret in secrets if isinstance(secret, str) for value in redaction.values(secret)}
        log = redaction.redact(logs or "", hidden)
        tail = "\n".join(f"    {line}" for line in log.strip().splitlines()[-20:])
        why = of_the_host(log)
        host = f"  That is, {why}.\n" if why else ""
        raise pulumi.RunError(
            f"container {name} exited with code {exit_code}. Its last lines:\n{tail or '    (it wrote none)'}\n{host}"
            f"  Way out: mend what it says, then run it again: docker rm --volumes {name}, then "
            f"`make up STACK={stack}` or `pulumi up --stack {stack}`",
        )
    return container_id


def create_image(resource_name: str, reference: str, *, parent: pulumi.Resource) -> docker.RemoteImage:
    """An image, which stays on the host when the stack is destroyed.

    Args:
        resource_name: Name of the Pulumi resource.
        reference: Image reference, as written in the settings.
        parent: The component the image belongs to.
    """
    options = pulumi.ResourceOptions(parent=parent)
    return docker.RemoteImage(resource_name, name=reference, keep_locally=True, opts=options)
