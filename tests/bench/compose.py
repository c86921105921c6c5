"""The containers of a deployed stack as a compose file, so that both are asked for the same thing.

Written from what Docker says of the containers and from the order their stack makes them in, never by hand: the file
cannot drift from the program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

CONTAINER: Final = "docker:index/container:Container"
ANONYMOUS: Final = re.compile(r"[0-9a-f]{64}")
"""What Docker calls a volume that nobody named."""


def compose_file(
    containers: Sequence[Mapping[str, Any]],
    networks: Sequence[Mapping[str, Any]],
    resources: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """A compose file that makes the same containers, waits for the same of them, in the same order.

    Args:
        containers: What ``docker inspect`` shows of each of them.
        networks: The same of their networks.
        resources: The resources of the stack's state.

    Raises:
        ValueError: one of them has files put into it, which a compose file cannot say.
    """
    made = {resource["urn"]: resource for resource in resources if resource["type"] == CONTAINER}
    inputs = {resource["inputs"]["name"]: resource["inputs"] for resource in made.values()}
    if uploads := [name for name, given in inputs.items() if given.get("uploads")]:
        raise ValueError(f"files are put into {', '.join(uploads)}; a compose file cannot say that")
    after = {
        resource["inputs"]["name"]: {
            made[urn]["inputs"]["name"]: {"condition": _condition(made[urn]["inputs"])}
            for urn in resource.get("dependencies") or ()
            if urn in made
        }
        for resource in made.values()
    }
    services = {_name(found): _service(found, after[_name(found)]) for found in containers}
    volumes = {text.partition(":")[0] for service in services.values() for text in service.get("volumes", ())}
    file = {
        "services": services,
        "networks": {one["Name"]: {"driver": one["Driver"], "internal": one["Internal"]} for one in networks},
        "volumes": {volume: {} for volume in sorted(volumes)},
    }
    escaped: dict[str, Any] = _escape(file)
    return escaped


def _name(found: Mapping[str, Any]) -> str:
    return str(found["Name"]).removeprefix("/")


def _condition(inputs: Mapping[str, Any]) -> str:
    """What whoever depends on a container waits for."""
    if inputs.get("attach"):
        return "service_completed_successfully"
    return "service_healthy" if inputs.get("wait") else "service_started"


def _service(found: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    config, host = found["Config"], found["HostConfig"]
    restart = host["RestartPolicy"]
    service = {
        "image": config["Image"],
        "entrypoint": config.get("Entrypoint"),
        "command": config.get("Cmd"),
        "environment": config.get("Env"),
        "user": config.get("User"),
        "healthcheck": _healthcheck(config.get("Healthcheck")),
        "stop_grace_period": f"{config['StopTimeout']}s" if config.get("StopTimeout") else None,
        "restart": ":".join(
            [restart["Name"], *([str(count)] if (count := restart["MaximumRetryCount"]) else [])],
        ),
        "ports": list(_ports(host.get("PortBindings") or {})),
        "cap_add": host.get("CapAdd"),
        "cap_drop": host.get("CapDrop"),
        "security_opt": host.get("SecurityOpt"),
        "read_only": host.get("ReadonlyRootfs"),
        "tmpfs": [f"{path}:{options}" for path, options in (host.get("Tmpfs") or {}).items()],
        "mem_limit": host.get("Memory"),
        "cpus": (host.get("NanoCpus") or 0) / 1e9,
        "pids_limit": host.get("PidsLimit"),
        "logging": {"driver": host["LogConfig"]["Type"], "options": host["LogConfig"]["Config"]},
        "volumes": [
            f"{mount['Name']}:{mount['Destination']}:{'rw' if mount['RW'] else 'ro'}"
            for mount in found["Mounts"]
            if mount["Type"] == "volume" and not ANONYMOUS.fullmatch(mount["Name"])
        ],
        "networks": {
            network: {"aliases": [alias for alias in joined.get("Aliases") or () if alias != found["Id"][:12]]}
            for network, joined in found["NetworkSettings"]["Networks"].items()
        },
        "depends_on": after,
    }
    return {key: value for key, value in service.items() if value}


def _healthcheck(given: Mapping[str, Any] | None) -> dict[str, Any]:
    times = {"interval": "Interval", "timeout": "Timeout", "start_period": "StartPeriod"}
    if not given:
        return {}
    check = {"test": given["Test"], "retries": given.get("Retries")}
    return {key: value for key, value in check.items() if value} | {
        key: f"{given[name]}ns" for key, name in times.items() if given.get(name)
    }


def _ports(bindings: Mapping[str, Sequence[Mapping[str, str]] | None]) -> Iterable[str]:
    for inside, outside in bindings.items():
        for one in outside or ():
            yield f"{one['HostIp'] or '0.0.0.0'}:{one['HostPort']}:{inside}"  # noqa: S104 - what an empty one means


def _escape(value: Any) -> Any:
    """With every ``$`` doubled: compose would look for a variable."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, Mapping):
        return {key: _escape(inner) for key, inner in value.items()}
    return [_escape(inner) for inner in value] if isinstance(value, list) else value
