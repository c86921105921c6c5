"""The description of a container, and what ``docker inspect`` must show of one that was made from it.

A container is described once. Both the Docker resource and what the verification expects of it are derived from that
description, so that what was asked for and what is proved cannot differ.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from docker_access import labels

if TYPE_CHECKING:
    from components.limits import Limits
    from components.network import Network

STOP_GRACE_SECONDS: Final = 20
"""Seconds between SIGTERM and SIGKILL. Docker's plugin otherwise kills after 10 ms, and Valkey loses its last save."""

NO_NEW_PRIVILEGES: Final = "no-new-privileges:true"

MIB: Final = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Healthcheck:
    """Docker's health probe.

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
    """A network that a container joins.

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
    """The description of a container.

    Attributes:
        name: Name in Docker.
        role: What it is for: the value of the label :data:`docker_access.labels.ROLE`.
        image: Image reference, as written in the settings.
        networks: The networks it joins. With none it reaches nothing.
        labels: Docker labels of the stack, key to value; :attr:`all_labels` adds to them.
        command: Command, or None for the image's own.
        environment: Variables without secrets.
        volumes: Name of a volume to the path where it is mounted.
        ports: Ports published on the host.
        hosts: Further host names that it resolves, to IPv4 addresses or ``host-gateway``.
        user: ``UID:GID`` it runs as, or None for the image's own.
        read_only: Its root file system cannot be written.
        tmpfs: Folders in memory to their mount options.
        capabilities: Linux capabilities it keeps, in canonical form (``CAP_SETUID``), sorted; all others are dropped.
        limits: How much it may use, or None for no limits.
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
        """The labels that follow from the description alone; :func:`create_container` knows more."""
        return {**self.labels, labels.ROLE: self.role, labels.ENVIRONMENT_SHA256: texts_sha256(self.environment)}


def texts_sha256(texts: Mapping[str, str]) -> str:
    """Hash of variables or files by their names, independent of their order."""
    return hashlib.sha256(json.dumps(dict(texts), sort_keys=True).encode()).hexdigest()


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
