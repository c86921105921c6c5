"""The properties of a container.

Source: https://github.com/kreuzwerker/terraform-provider-docker/blob/master/internal/provider/resource_docker_container.go
"""

from __future__ import annotations

from typing import Final

from tooling.engine import durations
from tooling.engine.docker_provider.properties import (
    Property,
    block,
    boolean,
    integer,
    list_of,
    mapping,
    set_of,
    string,
)
from tooling.engine.docker_provider.recording import time_limits

TYPE: Final = "docker:index/container:Container"
MIB: Final = 1024 * 1024


def _duration() -> Property:
    return string(default="0s", pattern=durations.PATTERN)


_LABEL: Final = {"label": string(required=True), "value": string(required=True)}
_CAPABILITIES: Final = {"adds": set_of(terraform="add"), "drops": set_of(terraform="drop")}
_DEVICE: Final = {
    "containerPath": string(),
    "hostPath": string(required=True),
    "permissions": string(default="rwm"),
}
_HEALTHCHECK: Final = {
    "interval": _duration(),
    "retries": integer(default=0, minimum=0),
    "startInterval": _duration(),
    "startPeriod": _duration(),
    "tests": list_of(terraform="test"),
    "timeout": _duration(),
}
_HOST: Final = {"host": string(required=True), "ip": string(required=True)}
_MOUNT: Final = {
    "bindOptions": block({"propagation": string(pattern="r?(private|shared|slave)")}),
    "readOnly": boolean(),
    "source": string(),
    "target": string(required=True),
    "tmpfsOptions": block({"mode": integer(), "sizeBytes": integer()}),
    "type": string(required=True, pattern="bind|volume|tmpfs"),
    "volumeOptions": block(
        {
            "driverName": string(),
            "driverOptions": mapping(),
            "labels": set_of(_LABEL, known=False),
            "noCopy": boolean(),
            "subpath": string(),
        }
    ),
}
_NETWORK_DATA: Final = {
    "gateway": string(),
    "globalIpv6Address": string(),
    "globalIpv6PrefixLength": integer(),
    "ipAddress": string(),
    "ipPrefixLength": integer(),
    "ipv6Gateway": string(),
    "macAddress": string(),
    "networkName": string(),
}
_NETWORK: Final = {
    "aliases": set_of(),
    "driverOpts": set_of(),
    "gwPriority": integer(known=False),
    "ipv4Address": string(),
    "ipv6Address": string(),
    "linkLocalIps": set_of(),
    "macAddress": string(),
    "name": string(required=True),
}
_PORT: Final = {
    "external": integer(computed=True),
    "internal": integer(required=True),
    "ip": string(default="0.0.0.0", blank_is_default=True),  # noqa: S104 - the plugin's default
    "protocol": string(default="tcp"),
}
_RATE: Final = {"path": string(required=True), "rate": integer(required=True, minimum=0)}
_ULIMIT: Final = {
    "hard": integer(required=True),
    "name": string(required=True),
    "soft": integer(required=True),
}
_UPLOAD: Final = {
    "content": string(),
    "contentBase64": string(pattern=r"[A-Za-z0-9+/\s]*=*\s*"),
    "executable": boolean(default=False),
    "file": string(required=True),
    "permissions": string(pattern="0[0-7]{3}"),
    "source": string(known=False),
    "sourceHash": string(known=False),
}
_VOLUME: Final = {
    "containerPath": string(),
    "fromContainer": string(),
    "hostPath": string(pattern="/.*|[A-Za-z]:.*"),
    "readOnly": boolean(),
    "selinuxRelabel": string(pattern="z|Z"),
    "volumeName": string(),
}

TABLE: Final = {
    "attach": boolean(default=False),
    "bridge": string(computed=True, output_only=True),
    "capabilities": block(_CAPABILITIES, replaces=True),
    "cgroupParent": string(replaces=True),
    "cgroupnsMode": string(replaces=True, pattern="(private|host)?"),
    "command": list_of(replaces=True, computed=True),
    "containerLogs": string(computed=True, output_only=True),
    "containerReadRefreshTimeoutMilliseconds": integer(default=15000, known=False),
    "cpuPeriod": integer(minimum=0),
    "cpuQuota": integer(minimum=0),
    "cpuSet": string(pattern=r"\d+([,-]\d+)*"),
    "cpuShares": integer(minimum=0),
    "cpus": string(replaces=True, pattern=r"(\d+(\.\d+)?)?"),
    "destroyGraceSeconds": integer(),
    "deviceReadBps": set_of(_RATE, known=False),
    "deviceReadIops": set_of(_RATE, known=False),
    "deviceRequests": set_of(_RATE, replaces=True, known=False),
    "deviceWriteBps": set_of(_RATE, known=False),
    "deviceWriteIops": set_of(_RATE, known=False),
    "devices": set_of(_DEVICE, replaces=True),
    "dns": set_of(replaces=True),
    "dnsOpts": set_of(replaces=True),
    "dnsSearches": set_of(replaces=True, terraform="dns_search"),
    "domainname": string(replaces=True),
    "entrypoints": list_of(replaces=True, computed=True, terraform="entrypoint"),
    "envs": set_of(replaces=True, computed=True, terraform="env"),
    "exitCode": integer(computed=True, output_only=True),
    "gpus": string(replaces=True, known=False),
    "groupAdds": set_of(replaces=True, terraform="group_add"),
    "healthcheck": block(_HEALTHCHECK, computed=True),
    "hostname": string(replaces=True, computed=True),
    "hosts": set_of(_HOST, replaces=True, terraform="host"),
    "image": string(replaces=True, required=True),
    "init": boolean(computed=True),
    "ipcMode": string(replaces=True, computed=True),
    "labels": set_of(_LABEL, replaces=True, computed=True),
    "logDriver": string(replaces=True, computed=True),
    "logOpts": mapping(replaces=True),
    "logs": boolean(default=False),
    "maxRetryCount": integer(),
    "memory": integer(minimum=0),
    "memoryReservation": integer(default=0, minimum=0),
    "memorySwap": integer(minimum=-1),
    "mounts": set_of(_MOUNT, replaces=True),
    "mustRun": boolean(default=True),
    "name": string(replaces=True, autonamed=True),
    "networkDatas": list_of(_NETWORK_DATA, computed=True, output_only=True, terraform="network_data"),
    "networkMode": string(replaces=True, default="bridge"),
    "networksAdvanced": set_of(_NETWORK, replaces=True),
    "pidMode": string(replaces=True),
    "platform": string(replaces=True, computed=True),
    "ports": list_of(_PORT, replaces=True),
    "privileged": boolean(replaces=True),
    "publishAllPorts": boolean(replaces=True),
    "readOnly": boolean(replaces=True, default=False),
    "removeVolumes": boolean(default=True),
    "restart": string(default="no", pattern="no|on-failure|always|unless-stopped"),
    "rm": boolean(default=False, known=False),
    "runtime": string(replaces=True, computed=True),
    "securityOpts": set_of(replaces=True, computed=True),
    "shmSize": integer(replaces=True, computed=True, minimum=0),
    "start": boolean(default=True),
    "stdinOpen": boolean(replaces=True, default=False),
    "stopSignal": string(replaces=True, computed=True),
    "stopTimeout": integer(replaces=True, computed=True),
    "storageOpts": mapping(replaces=True),
    "sysctls": mapping(replaces=True),
    "tmpfs": mapping(),
    "tty": boolean(replaces=True, default=False),
    "ulimits": set_of(_ULIMIT, replaces=True, terraform="ulimit"),
    "uploads": set_of(_UPLOAD, replaces=True, terraform="upload"),
    "user": string(replaces=True, blank_keeps=True),
    "usernsMode": string(replaces=True),
    "volumes": set_of(_VOLUME, replaces=True),
    "wait": boolean(default=False),
    "waitTimeout": integer(default=60),
    "workingDir": string(replaces=True, blank_keeps=True),
}
"""Every property of the plugin's container, in its own order of names."""


def meta(create_seconds: float | None) -> str:
    """The bridge's ``__meta`` of a container."""
    return time_limits(create_seconds, schema_version="2")
