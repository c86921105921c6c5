"""Properties of a container, and where Docker shows what was asked for."""

from __future__ import annotations

from typing import Any, Final

from tests.engine.docker_examples import IMAGE, LABELS, PREFIX
from tooling.pulumi_files.values import Properties

MIB: Final = 1024 * 1024
NAME: Final = f"{PREFIX}-properties"

Case = tuple[set[str], Properties, dict[str, Any]]
HOST: Final = "HostConfig."
CASES: Final[list[Case]] = [
    # Properties, what the program gives, where an inspect shows what.
    ({"image"}, {}, {"Config.Image": IMAGE}),
    ({"command"}, {"command": ["sleep", "7"]}, {"Config.Cmd": ["sleep", "7"]}),
    ({"entrypoints"}, {"entrypoints": ["sh"]}, {"Config.Entrypoint": ["sh"]}),
    ({"envs"}, {"envs": ["A=1"]}, {"Config.Env": ["A=1"]}),
    ({"labels", "labels.label", "labels.value"}, {}, {"Config.Labels": {x["label"]: x["value"] for x in LABELS}}),
    ({"user"}, {"user": "1:2"}, {"Config.User": "1:2"}),
    ({"workingDir"}, {"workingDir": "/tmp"}, {"Config.WorkingDir": "/tmp"}),
    ({"hostname"}, {"hostname": "h"}, {"Config.Hostname": "h"}),
    ({"domainname"}, {"domainname": "d.example"}, {"Config.Domainname": "d.example"}),
    ({"tty"}, {"tty": True}, {"Config.Tty": True}),
    ({"stdinOpen"}, {"stdinOpen": True}, {"Config.OpenStdin": True}),
    ({"stopSignal"}, {"stopSignal": "SIGINT"}, {"Config.StopSignal": "SIGINT"}),
    ({"stopTimeout"}, {"stopTimeout": 7}, {"Config.StopTimeout": 7}),
    (
        {"healthcheck"} | {f"healthcheck.{x}" for x in ("tests", "interval", "timeout", "startPeriod", "retries")},
        {
            "healthcheck": {
                "tests": ["CMD", "true"], "interval": "1m0s", "timeout": "2s", "startPeriod": "3s", "retries": 4,
            }
        },
        {
            "Config.Healthcheck": {
                "Test": ["CMD", "true"], "Interval": 60 * 10**9, "Timeout": 2 * 10**9, "StartPeriod": 3 * 10**9,
                "Retries": 4,
            }
        },
    ),
    ({"networkMode"}, {"networkMode": "host"}, {HOST + "NetworkMode": "host"}),
    (
        {"restart", "maxRetryCount"},
        {"restart": "on-failure", "maxRetryCount": 3},
        {HOST + "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}},
    ),
    ({"init"}, {"init": True}, {HOST + "Init": True}),
    (
        {"logDriver", "logOpts"},
        {"logDriver": "json-file", "logOpts": {"max-size": "1m"}},
        {HOST + "LogConfig": {"Type": "json-file", "Config": {"max-size": "1m"}}},
    ),
    (
        {"ports", "ports.internal", "ports.external", "ports.ip", "ports.protocol"},
        {"ports": [{"internal": 80, "external": 18474, "ip": "127.0.0.2", "protocol": "udp"}]},
        {HOST + "PortBindings": {"80/udp": [{"HostIp": "127.0.0.2", "HostPort": "18474"}]}},
    ),
    (
        {"volumes", "volumes.volumeName", "volumes.containerPath", "volumes.readOnly", "volumes.selinuxRelabel"},
        {"volumes": [{"volumeName": f"{NAME}-v", "containerPath": "/v", "readOnly": True, "selinuxRelabel": "z"}]},
        {HOST + "Binds": [f"{NAME}-v:/v:ro,z"]},
    ),
    (
        {"volumes.hostPath"},
        {"volumes": [{"hostPath": "/tmp", "containerPath": "/v"}]},
        {HOST + "Binds": ["/tmp:/v:rw"]},
    ),
    ({"volumes.fromContainer"}, {"volumes": [{"fromContainer": f"{NAME}-0"}]}, {HOST + "VolumesFrom": [f"{NAME}-0"]}),
    (
        {"mounts", "mounts.type", "mounts.target", "mounts.source", "mounts.readOnly"}
        | {"mounts.bindOptions", "mounts.bindOptions.propagation"},
        {
            "mounts": [
                {
                    "type": "bind", "target": "/m", "source": "/tmp", "readOnly": True,
                    "bindOptions": {"propagation": "rslave"},
                }
            ]
        },
        {
            HOST + "Mounts": [
                {
                    "Type": "bind", "Target": "/m", "Source": "/tmp", "ReadOnly": True,
                    "BindOptions": {"Propagation": "rslave"},
                }
            ]
        },
    ),
    (
        {"mounts.tmpfsOptions", "mounts.tmpfsOptions.mode", "mounts.tmpfsOptions.sizeBytes"},
        {"mounts": [{"type": "tmpfs", "target": "/m", "tmpfsOptions": {"mode": 448, "sizeBytes": 4096}}]},
        {HOST + "Mounts": [{"Type": "tmpfs", "Target": "/m", "TmpfsOptions": {"SizeBytes": 4096, "Mode": 448}}]},
    ),
    (
        {f"mounts.volumeOptions{x}" for x in ("", ".noCopy", ".driverName", ".driverOptions")},
        {
            "mounts": [
                {
                    "type": "volume", "target": "/m", "source": f"{NAME}-w",
                    "volumeOptions": {
                        "noCopy": True, "driverName": "local", "driverOptions": {"type": "tmpfs", "device": "tmpfs"}
                    },
                }
            ]
        },
        {
            HOST + "Mounts": [
                {
                    "Type": "volume", "Target": "/m", "Source": f"{NAME}-w",
                    "VolumeOptions": {
                        "NoCopy": True,
                        "DriverConfig": {"Name": "local", "Options": {"type": "tmpfs", "device": "tmpfs"}},
                    },
                }
            ]
        },
    ),
    ({"tmpfs"}, {"tmpfs": {"/t": "size=1m"}}, {HOST + "Tmpfs": {"/t": "size=1m"}}),
    (
        {"memory", "memoryReservation", "memorySwap"},
        {"memory": 64, "memoryReservation": 32, "memorySwap": 128},
        {HOST + "Memory": 64 * MIB, HOST + "MemoryReservation": 32 * MIB, HOST + "MemorySwap": 128 * MIB},
    ),
    ({"shmSize"}, {"shmSize": 32}, {HOST + "ShmSize": 32 * MIB}),
    ({"cpus"}, {"cpus": "0.5"}, {HOST + "NanoCpus": 5 * 10**8}),
    (
        {"cpuPeriod", "cpuQuota"},
        {"cpuPeriod": 90000, "cpuQuota": 45000},
        {HOST + "CpuPeriod": 90000, HOST + "CpuQuota": 45000},
    ),
    ({"cpuShares"}, {"cpuShares": 512}, {HOST + "CpuShares": 512}),
    ({"cpuSet"}, {"cpuSet": "0"}, {HOST + "CpusetCpus": "0"}),
    (
        {"ulimits", "ulimits.name", "ulimits.soft", "ulimits.hard"},
        {"ulimits": [{"name": "nofile", "soft": 10, "hard": 20}]},
        {HOST + "Ulimits": [{"Name": "nofile", "Soft": 10, "Hard": 20}]},
    ),
    ({"privileged"}, {"privileged": True}, {HOST + "Privileged": True}),
    ({"publishAllPorts"}, {"publishAllPorts": True}, {HOST + "PublishAllPorts": True}),
    ({"readOnly"}, {"readOnly": True}, {HOST + "ReadonlyRootfs": True}),
    ({"runtime"}, {"runtime": "runc"}, {HOST + "Runtime": "runc"}),
    (
        {"hosts", "hosts.host", "hosts.ip"},
        {"hosts": [{"host": "a", "ip": "192.0.2.1"}]},
        {HOST + "ExtraHosts": ["a:192.0.2.1"]},
    ),
    (
        {"capabilities", "capabilities.adds", "capabilities.drops"},
        {"capabilities": {"adds": ["CAP_CHOWN"], "drops": ["ALL"]}},
        {HOST + "CapAdd": ["CAP_CHOWN"], HOST + "CapDrop": ["ALL"]},
    ),
    (
        {"securityOpts"},
        {"securityOpts": ["no-new-privileges:true"]},
        {HOST + "SecurityOpt": ["no-new-privileges:true"]},
    ),
    (
        {"devices", "devices.hostPath", "devices.containerPath", "devices.permissions"},
        {"devices": [{"hostPath": "/dev/null", "containerPath": "/dev/none", "permissions": "r"}]},
        {HOST + "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/none", "CgroupPermissions": "r"}]},
    ),
    ({"dns"}, {"dns": ["192.0.2.2"]}, {HOST + "Dns": ["192.0.2.2"]}),
    ({"dnsOpts"}, {"dnsOpts": ["ndots:2"]}, {HOST + "DnsOptions": ["ndots:2"]}),
    ({"dnsSearches"}, {"dnsSearches": ["example"]}, {HOST + "DnsSearch": ["example"]}),
    ({"groupAdds"}, {"groupAdds": ["7"]}, {HOST + "GroupAdd": ["7"]}),
    ({"sysctls"}, {"sysctls": {"net.core.somaxconn": "100"}}, {HOST + "Sysctls": {"net.core.somaxconn": "100"}}),
    ({"pidMode"}, {"pidMode": "host"}, {HOST + "PidMode": "host"}),
    ({"ipcMode"}, {"ipcMode": "private"}, {HOST + "IpcMode": "private"}),
    ({"usernsMode"}, {"usernsMode": "host"}, {HOST + "UsernsMode": "host"}),
    ({"cgroupnsMode"}, {"cgroupnsMode": "host"}, {HOST + "CgroupnsMode": "host"}),
    ({"cgroupParent"}, {"cgroupParent": "/some"}, {HOST + "CgroupParent": "/some"}),
]  # fmt: skip
NOT_EVERYWHERE: Final[list[Case]] = [
    # Docker takes it only over certain file systems.
    ({"storageOpts"}, {"storageOpts": {"size": "1G"}}, {HOST + "StorageOpt": {"size": "1G"}}),
]
