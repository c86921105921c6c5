"""What the last update left, as the state has it, in Docker's own terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tooling.pulumi_files.checkpoint import STACK_TYPE, Checkpoint, Resource
from tooling.pulumi_files.values import unwrap

MIB: Final = 1024 * 1024
BILLION: Final = 10**9


@dataclass(frozen=True, kw_only=True)
class Join:
    """How a container joined a network: further names it answers to there, and its fixed IPv4 address if any."""

    aliases: tuple[str, ...] = ()
    address: str = ""


@dataclass(frozen=True, kw_only=True)
class Container:
    """A container that was made.

    Attributes:
        name: Its name.
        id: Its id.
        runs: It is to run all the time; else it ran once, or was never started.
        properties: Dotted paths of ``docker inspect``, and what was asked for there.
        environment: Its variables, secrets among them; None where the image's cannot be told apart from them.
        networks: By name, the networks it joined.
        files: By path, the content of the files it was given.
    """

    name: str
    id: str
    runs: bool
    properties: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    networks: Mapping[str, Join] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network that was made; ``internal`` ones have no way out of this host."""

    name: str
    id: str
    internal: bool


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """Everything of a stack that can be compared.

    Attributes:
        volumes: Names of its volumes.
        images: References of its images, and the id each had.
        panel: What looks at the admin panel's settings that the stack file says; empty where it says none.
        unfinished: URNs of what an interrupted update was changing.
    """

    containers: tuple[Container, ...] = ()
    networks: tuple[Network, ...] = ()
    volumes: tuple[str, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    panel: Mapping[str, Any] = field(default_factory=dict)
    unfinished: tuple[str, ...] = ()


def recorded(checkpoint: Checkpoint) -> Recorded:
    """What a state says was made; what waits for its deletion is not part of it."""
    live = [one for one in checkpoint.resources if not (one.delete or one.pending_replacement)]
    expected: Mapping[str, Mapping[str, Any]] = next(
        (unwrap(one.outputs).get("expected") or {} for one in live if one.type == STACK_TYPE), {}
    )

    def of(kind: str) -> list[Resource]:
        return [one for one in live if one.type == kind and one.custom]

    return Recorded(
        containers=tuple(_container(one, expected) for one in of("docker:index/container:Container")),
        networks=tuple(
            Network(name=str(one.inputs["name"]), id=one.id, internal=bool(one.inputs.get("internal")))
            for one in of("docker:index/network:Network")
        ),
        volumes=tuple(one.id for one in of("docker:index/volume:Volume")),
        images={
            str(one.inputs["name"]): str(one.outputs["imageId"]) for one in of("docker:index/remoteImage:RemoteImage")
        },
        panel=next((unwrap(one.outputs) for one in of("pulumi-python:dynamic/openwebui:PanelSettings")), {}),
        unfinished=tuple(operation.resource.urn for operation in checkpoint.operations),
    )


def _container(resource: Resource, expected: Mapping[str, Mapping[str, Any]]) -> Container:
    inputs = unwrap(resource.inputs)
    name = str(inputs["name"])
    variables = (str(line).partition("=") for line in inputs.get("envs") or ())
    asked = {
        path: value
        for path, value in expected.get(name, {}).items()
        if not path.startswith("Config.Env[") and path != "NetworkSettings.Networks"
    }
    return Container(
        name=name,
        id=resource.id,
        runs=bool(inputs.get("mustRun")),
        properties={**changeable(inputs), **asked},
        environment={key: value for key, _, value in variables},
        networks={
            str(join["name"]): Join(aliases=tuple(join.get("aliases") or ()), address=join.get("ipv4Address") or "")
            for join in inputs.get("networksAdvanced") or ()
        },
        files={str(file["file"]): str(file.get("content") or "") for file in inputs.get("uploads") or ()},
    )


def changeable(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What ``docker update`` can change of a container in place, as it was asked for.

    Source: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerUpdate
    """
    return {
        "HostConfig.Memory": int(inputs.get("memory") or 0) * MIB,
        "HostConfig.MemorySwap": int(inputs.get("memorySwap") or 0) * MIB,
        "HostConfig.MemoryReservation": int(inputs.get("memoryReservation") or 0) * MIB,
        "HostConfig.NanoCpus": round(float(inputs.get("cpus") or 0) * BILLION),
        "HostConfig.CpuShares": int(inputs.get("cpuShares") or 0),
        "HostConfig.CpusetCpus": inputs.get("cpuSet") or "",
        "HostConfig.CpusetMems": "",
        "HostConfig.CpuPeriod": 0,
        "HostConfig.CpuQuota": 0,
        "HostConfig.BlkioWeight": 0,
        "HostConfig.PidsLimit": 0,
        "HostConfig.RestartPolicy.Name": inputs.get("restart") or "no",
        "HostConfig.RestartPolicy.MaximumRetryCount": int(inputs.get("maxRetryCount") or 0),
    }
