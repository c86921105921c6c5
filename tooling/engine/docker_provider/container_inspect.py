"""What an inspect says of a container, as its outputs; all of it is pure.

Source: https://github.com/kreuzwerker/terraform-provider-docker/blob/master/internal/provider/resource_docker_container_funcs.go
(resourceDockerContainerRead)
"""

from __future__ import annotations

from typing import Any

from tooling.engine.docker_provider.container_properties import MIB, TABLE
from tooling.engine.durations import duration_text
from tooling.pulumi_files.values import Properties


def observed(found: dict[str, Any], asked: Properties) -> Properties:
    """Outputs of the container that ``docker inspect`` describes.

    Args:
        found: The answer of ``GET /containers/{id}/json``.
        asked: Recorded outputs, or checked inputs; what cannot be read back is taken from there.
    """
    config, host, running = found["Config"], found["HostConfig"], found["State"]["Running"]
    outputs = {key: asked[key] for key in TABLE if key in asked}
    outputs |= _observed_networks(found, outputs)
    if not running:
        # The plugin's way of making a stopped container show up as a change.
        outputs |= {"exitCode": found["State"]["ExitCode"], "mustRun": False}
    outputs |= {
        "id": found["Id"],
        "name": found["Name"].lstrip("/"),
        "image": found["Image"] if str(asked.get("image", "")).startswith("sha256:") else config["Image"],
        "hostname": config.get("Hostname"),
        "domainname": config.get("Domainname"),
        "command": config.get("Cmd") or [],
        "entrypoints": config.get("Entrypoint") or [],
        "envs": asked.get("envs") or [],
        "labels": asked.get("labels") or [],
        "user": config.get("User"),
        "workingDir": config.get("WorkingDir"),
        "tty": config.get("Tty"),
        "stdinOpen": config.get("OpenStdin"),
        "stopSignal": config.get("StopSignal") or "",
        "stopTimeout": config.get("StopTimeout") or 0,
        "platform": found.get("Platform"),
        "init": bool(host.get("Init")),
        "restart": host["RestartPolicy"]["Name"],
        "maxRetryCount": host["RestartPolicy"]["MaximumRetryCount"],
        "networkMode": host["NetworkMode"],
        **_observed_limits(host, outputs),
        **_observed_isolation(host, outputs),
    }
    if config.get("Healthcheck"):
        outputs["healthcheck"] = _observed_healthcheck(config["Healthcheck"])
    return outputs


def _observed_networks(found: dict[str, Any], asked: Properties) -> Properties:
    settings = found["NetworkSettings"]
    networks = sorted((settings.get("Networks") or {}).items())
    outputs: Properties = {
        "bridge": settings.get("Bridge", ""),
        "networkDatas": [
            {
                "gateway": network["Gateway"],
                "globalIpv6Address": network["GlobalIPv6Address"],
                "globalIpv6PrefixLength": network["GlobalIPv6PrefixLen"],
                "ipAddress": network["IPAddress"],
                "ipPrefixLength": network["IPPrefixLen"],
                "ipv6Gateway": network["IPv6Gateway"],
                "macAddress": network["MacAddress"],
                "networkName": name,
            }
            for name, network in networks
        ],
    }
    # A stopped container has no ports: unless it may be stopped, that counts as a change.
    if asked.get("ports") and (found["State"]["Running"] or asked.get("mustRun", True)):
        outputs["ports"] = _observed_ports(settings.get("Ports") or {})
    return outputs


def _observed_ports(ports: dict[str, list[dict[str, str]] | None]) -> list[Properties]:
    return [
        {
            "internal": int(key.partition("/")[0]),
            "external": int(binding["HostPort"] or 0),
            "ip": binding["HostIp"],
            "protocol": key.partition("/")[2],
        }
        for key in sorted(ports, key=lambda key: int(key.partition("/")[0]))
        for binding in ports[key] or []
    ]


def _observed_limits(host: dict[str, Any], asked: Properties) -> Properties:
    swap = host["MemorySwap"]
    outputs: Properties = {
        "memory": host["Memory"] // MIB,
        "memoryReservation": host["MemoryReservation"] // MIB,
        "memorySwap": swap // MIB if swap > 0 else swap,
        "shmSize": host["ShmSize"] // MIB,
        "cpuShares": host["CpuShares"],
        "cpuSet": host["CpusetCpus"],
        "storageOpts": host.get("StorageOpt") or None,
    }
    if host["NanoCpus"]:
        outputs["cpus"] = _cpus_text(host["NanoCpus"])
    if asked.get("ulimits"):
        outputs["ulimits"] = [
            {"name": limit["Name"], "soft": limit["Soft"], "hard": limit["Hard"]} for limit in host.get("Ulimits") or []
        ]
    return outputs


def _cpus_text(nano_cpus: int) -> str:
    """The plugin's ``nanoInt64ToDecimalString``, with its oddities: 1 becomes ``1.0``."""
    text = f"{nano_cpus / 10**9:.9f}"
    return f"{nano_cpus / 10**9:.1f}" if text.count("0") == len("000000000") else text.rstrip("0")


def _observed_isolation(host: dict[str, Any], asked: Properties) -> Properties:
    outputs: Properties = {
        "rm": host["AutoRemove"],
        "readOnly": host["ReadonlyRootfs"],
        "privileged": host["Privileged"],
        "publishAllPorts": host["PublishAllPorts"],
        "dns": host.get("Dns") or None,
        "dnsOpts": host.get("DnsOptions") or None,
        "dnsSearches": host.get("DnsSearch") or None,
        "securityOpts": host.get("SecurityOpt") or [],
        "runtime": host.get("Runtime"),
        "tmpfs": host.get("Tmpfs") or None,
        "hosts": [dict(zip(("host", "ip"), entry.split(":"), strict=False)) for entry in host.get("ExtraHosts") or []],
        "mounts": [_observed_mount(mount) for mount in host.get("Mounts") or []],
        "logDriver": host["LogConfig"]["Type"],
        "logOpts": (host["LogConfig"]["Config"] or None) if asked.get("logOpts") else None,
        "usernsMode": host.get("UsernsMode"),
        "sysctls": host.get("Sysctls") or None,
        "ipcMode": host.get("IpcMode"),
        "groupAdds": host.get("GroupAdd") or None,
    }
    if host.get("CapAdd") or host.get("CapDrop"):
        outputs["capabilities"] = {"adds": host.get("CapAdd") or [], "drops": host.get("CapDrop") or []}
    if asked.get("pidMode"):
        outputs["pidMode"] = host.get("PidMode")
    if asked.get("devices"):
        own_path = {device["hostPath"] for device in asked["devices"] if device.get("containerPath")}
        outputs["devices"] = [
            {"hostPath": device["PathOnHost"], "permissions": device["CgroupPermissions"]}
            | ({"containerPath": device["PathInContainer"]} if device["PathOnHost"] in own_path else {})
            for device in host.get("Devices") or []
        ]
    return outputs


def _observed_mount(mount: dict[str, Any]) -> Properties:
    outputs: Properties = {
        "target": mount["Target"],
        "source": mount.get("Source", ""),
        "type": mount["Type"],
        "readOnly": mount.get("ReadOnly", False),
    }
    if "BindOptions" in mount:
        outputs["bindOptions"] = {"propagation": mount["BindOptions"].get("Propagation", "")}
    if "VolumeOptions" in mount:
        options = mount["VolumeOptions"]
        driver = options.get("DriverConfig") or {}
        outputs["volumeOptions"] = {
            "noCopy": options.get("NoCopy", False),
            "driverName": driver.get("Name", ""),
            "driverOptions": driver.get("Options") or {},
            "subpath": options.get("Subpath", ""),
        }
    if "TmpfsOptions" in mount:
        options = mount["TmpfsOptions"]
        outputs["tmpfsOptions"] = {"sizeBytes": options.get("SizeBytes", 0), "mode": options.get("Mode", 0)}
    return outputs


def _observed_healthcheck(healthcheck: dict[str, Any]) -> Properties:
    return {
        "tests": healthcheck.get("Test") or [],
        "interval": duration_text(healthcheck.get("Interval", 0)),
        "timeout": duration_text(healthcheck.get("Timeout", 0)),
        "startPeriod": duration_text(healthcheck.get("StartPeriod", 0)),
        "startInterval": duration_text(healthcheck.get("StartInterval", 0)),
        "retries": healthcheck.get("Retries", 0),
    }
