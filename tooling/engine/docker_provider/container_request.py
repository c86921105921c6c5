"""The request that makes a container, from its inputs; all of it is pure.

Source: https://github.com/kreuzwerker/terraform-provider-docker/blob/master/internal/provider/resource_docker_container_funcs.go
(resourceDockerContainerCreate)
"""

from __future__ import annotations

from typing import Any

from tooling.engine.docker_provider.client import labels_of
from tooling.engine.docker_provider.container_properties import MIB, TYPE
from tooling.engine.durations import nanoseconds
from tooling.engine.provider import ProviderError
from tooling.pulumi_files.values import Properties


def request(inputs: Properties) -> dict[str, Any]:
    """Body of ``POST /containers/create`` for checked inputs.

    Networks of ``networksAdvanced`` are not in it: the plugin joins them afterwards, and would otherwise read
    another ``NetworkMode`` than the one it knows.

    Raises:
        ProviderError: Properties that exclude each other.

    Source: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerCreate
    """
    exposed, bindings = _ports(inputs)
    volumes, binds, volumes_from = _volumes(inputs)
    body = {
        "Image": inputs["image"],
        "Hostname": inputs.get("hostname"),
        "Domainname": inputs.get("domainname"),
        "Tty": inputs.get("tty"),
        "OpenStdin": inputs.get("stdinOpen"),
        "StopSignal": inputs.get("stopSignal"),
        "StopTimeout": inputs.get("stopTimeout"),
        "Env": sorted(inputs.get("envs") or []),
        "Cmd": inputs.get("command"),
        "Entrypoint": inputs.get("entrypoints"),
        "User": inputs.get("user"),
        "ExposedPorts": exposed,
        "WorkingDir": inputs.get("workingDir"),
        "Volumes": volumes,
        "Labels": labels_of(inputs),
        "Healthcheck": _healthcheck(inputs.get("healthcheck")),
    }
    host = {
        "NetworkMode": inputs["networkMode"],
        "RestartPolicy": {
            "Name": inputs["restart"],
            "MaximumRetryCount": inputs.get("maxRetryCount", 0),
        },
        "Init": inputs.get("init", False),
        "LogConfig": {"Type": inputs.get("logDriver", ""), "Config": inputs.get("logOpts") or {}},
        "PortBindings": bindings,
        "Binds": binds,
        "VolumesFrom": volumes_from,
        "Mounts": [_mount(mount) for mount in inputs.get("mounts") or []],
        **_limits(inputs),
        **_isolation(inputs),
    }
    return {**_given(body), "HostConfig": _given(host)}


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value or key == "Init"}


def _limits(inputs: Properties) -> dict[str, Any]:
    swap = inputs.get("memorySwap", 0)
    cpus = inputs.get("cpus")
    return {
        "Memory": inputs.get("memory", 0) * MIB,
        "MemoryReservation": inputs.get("memoryReservation", 0) * MIB,
        "MemorySwap": swap * MIB if swap > 0 else swap,
        "ShmSize": inputs.get("shmSize", 0) * MIB,
        "NanoCpus": round(float(cpus) * 10**9) if cpus else 0,
        "CpuPeriod": 0 if cpus else inputs.get("cpuPeriod"),
        "CpuQuota": 0 if cpus else inputs.get("cpuQuota"),
        "CpuShares": inputs.get("cpuShares"),
        "CpusetCpus": inputs.get("cpuSet"),
        "Ulimits": [
            {"Name": limit["name"], "Soft": limit["soft"], "Hard": limit["hard"]}
            for limit in inputs.get("ulimits") or []
        ],
        "StorageOpt": inputs.get("storageOpts"),
    }


def _isolation(inputs: Properties) -> dict[str, Any]:
    capabilities = inputs.get("capabilities") or {}
    security = sorted(inputs.get("securityOpts") or [])
    unconfined = "systempaths=unconfined" in security
    isolation = {
        "Privileged": inputs.get("privileged"),
        "PublishAllPorts": inputs.get("publishAllPorts"),
        "ReadonlyRootfs": inputs.get("readOnly"),
        "Runtime": inputs.get("runtime"),
        "Tmpfs": inputs.get("tmpfs"),
        "ExtraHosts": [f"{host['host']}:{host['ip']}" for host in inputs.get("hosts") or []],
        "CapAdd": sorted(capabilities.get("adds") or []),
        "CapDrop": sorted(capabilities.get("drops") or []),
        "SecurityOpt": [option for option in security if option != "systempaths=unconfined"],
        "Devices": [
            {
                "PathOnHost": device["hostPath"],
                "PathInContainer": device.get("containerPath") or device["hostPath"],
                "CgroupPermissions": device["permissions"],
            }
            for device in inputs.get("devices") or []
        ],
        "Dns": sorted(inputs.get("dns") or []),
        "DnsOptions": sorted(inputs.get("dnsOpts") or []),
        "DnsSearch": sorted(inputs.get("dnsSearches") or []),
        "GroupAdd": sorted(inputs.get("groupAdds") or []),
        "Sysctls": inputs.get("sysctls"),
        "PidMode": inputs.get("pidMode"),
        "IpcMode": inputs.get("ipcMode"),
        "UsernsMode": inputs.get("usernsMode"),
        "CgroupnsMode": inputs.get("cgroupnsMode"),
        "CgroupParent": inputs.get("cgroupParent"),
    }
    # Empty lists, unlike missing ones, switch Docker's own masks off.
    return isolation | ({"MaskedPaths": [], "ReadonlyPaths": []} if unconfined else {})


def _ports(inputs: Properties) -> tuple[dict[str, Any], dict[str, list[dict[str, str]]]]:
    exposed: dict[str, Any] = {}
    bindings: dict[str, list[dict[str, str]]] = {}
    for port in inputs.get("ports") or []:
        key = f"{port['internal']}/{port['protocol']}"
        exposed[key] = {}
        bindings.setdefault(key, []).append({"HostIp": port["ip"], "HostPort": str(port.get("external", 0))})
    return exposed, bindings


def _volumes(inputs: Properties) -> tuple[dict[str, Any], list[str], list[str]]:
    anonymous: dict[str, Any] = {}
    binds: list[str] = []
    volumes_from: list[str] = []
    for volume in inputs.get("volumes") or []:
        container, path = volume.get("fromContainer"), volume.get("containerPath")
        if bool(container) == bool(path):
            raise ProviderError(
                f"an entry of volumes of {TYPE} has containerPath {path!r} and fromContainer {container!r}. "
                "Give exactly one of them."
            )
        if container:
            volumes_from.append(container)
            continue
        anonymous[str(path)] = {}
        source = volume.get("hostPath") or volume.get("volumeName")
        if source:
            options = ["ro" if volume.get("readOnly") else "rw", volume.get("selinuxRelabel") or ""]
            binds.append(f"{source}:{path}:{','.join(filter(None, options))}")
    return anonymous, binds, volumes_from


def _mount(mount: Properties) -> dict[str, Any]:
    body: dict[str, Any] = {
        "Type": mount["type"],
        "Target": mount["target"],
        "Source": mount.get("source", ""),
        "ReadOnly": mount.get("readOnly", False),
    }
    bind, volume, tmpfs = (mount.get(key) for key in ("bindOptions", "volumeOptions", "tmpfsOptions"))
    if mount["type"] == "bind" and bind:
        body["BindOptions"] = {"Propagation": bind.get("propagation", "")}
    if mount["type"] == "volume" and volume:
        body["VolumeOptions"] = {
            "NoCopy": volume.get("noCopy", False),
            "DriverConfig": {
                "Name": volume.get("driverName", ""),
                "Options": volume.get("driverOptions") or {},
            },
        } | ({"Subpath": volume["subpath"]} if volume.get("subpath") else {})
    if mount["type"] == "tmpfs" and tmpfs:
        body["TmpfsOptions"] = {"SizeBytes": tmpfs.get("sizeBytes", 0), "Mode": tmpfs.get("mode", 0)}
    return body


def _healthcheck(healthcheck: Properties | None) -> dict[str, Any] | None:
    if not healthcheck:
        return None
    start_interval = nanoseconds(healthcheck["startInterval"])
    return {
        "Test": healthcheck.get("tests") or [],
        "Interval": nanoseconds(healthcheck["interval"]),
        "Timeout": nanoseconds(healthcheck["timeout"]),
        "StartPeriod": nanoseconds(healthcheck["startPeriod"]),
        "Retries": healthcheck.get("retries", 0),
    } | ({"StartInterval": start_interval} if start_interval else {})


def endpoint(network: Properties) -> dict[str, Any]:
    """``EndpointConfig`` for an entry of ``networksAdvanced``."""
    ipam = {
        "IPv4Address": network.get("ipv4Address", ""),
        "IPv6Address": network.get("ipv6Address", ""),
        "LinkLocalIPs": sorted(network.get("linkLocalIps") or []),
    }
    return _given(
        {
            "Aliases": sorted(network.get("aliases") or []),
            "IPAMConfig": _given(ipam),
            "MacAddress": network.get("macAddress"),
            "DriverOpts": dict(option.split("=", 1) for option in network.get("driverOpts") or []),
        }
    )
