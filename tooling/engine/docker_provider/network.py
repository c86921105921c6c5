"""``docker:index/network:Network`` and the data source ``getNetwork``.

Source: https://github.com/kreuzwerker/terraform-provider-docker/blob/master/internal/provider/resource_docker_network.go
"""

from __future__ import annotations

from typing import Any, Final

from tooling.engine.docker_provider.client import (
    Call,
    Docker,
    docker_errors,
    is_lost,
    is_removed,
    labels_of,
    look,
    once_made,
    ownership,
)
from tooling.engine.docker_provider.diffing import diff
from tooling.engine.docker_provider.properties import boolean, mapping, set_of, string
from tooling.engine.docker_provider.recording import recorded
from tooling.engine.docker_provider.refreshing import refreshed_inputs
from tooling.engine.provider import ProviderError, State
from tooling.pulumi_files.values import Properties

TYPE: Final = "docker:index/network:Network"
DELETE_BEFORE_REPLACE: Final = None

ENABLE_IPV6: Final = "com.docker.network.enable_ipv6"

_LABEL: Final = {"label": string(required=True), "value": string(required=True)}
_IPAM: Final = {"auxAddress": mapping(), "gateway": string(), "ipRange": string(), "subnet": string()}
TABLE: Final = {
    "attachable": boolean(replaces=True),
    "driver": string(replaces=True, computed=True),
    "ingress": boolean(replaces=True),
    "internal": boolean(replaces=True, computed=True),
    "ipamConfigs": set_of(_IPAM, replaces=True, computed=True, terraform="ipam_config"),
    "ipamDriver": string(replaces=True, default="default"),
    "ipamOptions": mapping(replaces=True),
    "ipv6": boolean(replaces=True),
    "labels": set_of(_LABEL, replaces=True),
    "name": string(replaces=True, autonamed=True),
    "options": mapping(replaces=True, computed=True),
    "scope": string(computed=True, output_only=True),
}


def create(call: Call, inputs: Properties) -> State:
    """Create the network, or take up one of that name that this stack made and lost track of.

    Taken up, because a lost state leaves the containers on it: they are replaced after it, and Docker removes no
    network that is in use. One that is not as asked for is replaced nevertheless.
    """
    name = inputs["name"]
    found = _by_name(call.docker, name)
    if found is not None:
        if not is_lost(call, inputs, found, found["Labels"]):
            raise ProviderError(
                f"a network named {name} exists already ({found['Id'][:12]}) and "
                f"{ownership(call, found['Id'], found['Labels'])}. Choose another name, or remove it with "
                "`docker network rm`."
            )
        if _is_as_asked(found, inputs):
            call.log(f"taking up network {name} again, which this stack made and lost track of")
            return State(id=found["Id"], inputs=inputs, outputs=_recorded(_observed(found), settled=False))
        call.log(f"replacing network {name}, which this stack made and lost track of")
        _remove(call.docker, found["Id"], name)
    with docker_errors(f"create the network {name}"):
        network_id = call.docker.api.create_network(
            name,
            driver=inputs.get("driver"),
            options=inputs.get("options"),
            ipam=_ipam(inputs),  # type: ignore[arg-type]  # a dict is what IPAMConfig is
            check_duplicate=True,
            internal=inputs.get("internal", False),
            labels=labels_of(inputs),
            enable_ipv6=inputs.get("ipv6", False),
            attachable=inputs.get("attachable"),
            ingress=inputs.get("ingress"),
        )["Id"]
    with once_made(), docker_errors(f"inspect the network {name}"):
        outputs = _observed(call.docker.api.inspect_network(network_id))
    asked = {key: inputs.get(key) for key in ("ipamConfigs", "ipamOptions") if inputs.get(key)}
    return State(id=network_id, inputs=inputs, outputs=_recorded({**outputs, **asked}, settled=False))


def read(call: Call, network_id: str, inputs: Properties, outputs: Properties) -> State | None:
    """The network as it is."""
    del outputs  # everything can be read
    found = _inspect(call.docker, network_id)
    if found is None:
        return None
    # One that is only looked up may be known by its name.
    now = _recorded({**_observed(found), "id": network_id}, settled=True)
    return State(id=network_id, inputs=refreshed_inputs(TABLE, inputs, now), outputs=now)


def update(call: Call, network_id: str, old_outputs: Properties, new_inputs: Properties) -> Properties:
    """Nothing about a network changes in place."""
    state = read(call, network_id, new_inputs, old_outputs)
    if state is None:
        raise ProviderError(f"the network {new_inputs['name']} is gone. Run refresh, then up, to create it again.")
    return state.outputs


def delete(call: Call, network_id: str, inputs: Properties, outputs: Properties) -> None:
    """Remove the network once the last container has left it."""
    del inputs
    _remove(call.docker, network_id, outputs.get("name", network_id[:12]))


def find(call: Call, inputs: Properties) -> str | None:
    """Id of the network of that name, if it is ours and as asked for."""
    found = _by_name(call.docker, inputs["name"])
    if found is None or not is_lost(call, inputs, found, found["Labels"]):
        return None
    return str(found["Id"]) if _is_as_asked(found, inputs) else None


def _is_as_asked(found: dict[str, Any], inputs: Properties) -> bool:
    """Whether a network is what the inputs ask for; what a daemon's ``default-network-opts`` added does not count."""
    added = {"options"} if _options_are_as_asked(found, inputs) else set()
    added |= {"ipv6"} - inputs.keys()
    return not diff(TABLE, _recorded(_observed(found), settled=True), inputs, ignore_changes=added).changed


def _options_are_as_asked(found: dict[str, Any], inputs: Properties) -> bool:
    asked = dict(inputs.get("options") or {})
    # Known by its effect too: one that was made without the option may have been made without IPv6 nevertheless.
    if asked.get(ENABLE_IPV6) == str(found["EnableIPv6"]).lower():
        del asked[ENABLE_IPV6]
    return asked.items() <= (found["Options"] or {}).items()


def get_network(docker: Docker, arguments: Properties) -> Properties:
    """The data source ``docker:index/getNetwork:getNetwork``.

    Raises:
        ProviderError: There is no network of that name.
    """
    name = arguments.get("name")
    found = _inspect(docker, str(name))
    if found is None:
        raise ProviderError(
            f"there is no network named {name}. Create it with `docker network create {name}`, or name one that exists."
        )
    observed = _observed(found)
    containers = [
        {
            "containerId": container_id,
            "name": endpoint["Name"],
            "endpointId": endpoint["EndpointID"],
            "macAddress": endpoint["MacAddress"],
            "ipv4Address": endpoint["IPv4Address"],
            "ipv6Address": endpoint["IPv6Address"],
        }
        for container_id, endpoint in sorted((found.get("Containers") or {}).items())
    ]
    kept = ("driver", "id", "internal", "ipamConfigs", "name", "options", "scope")
    return {**{key: observed[key] for key in kept}, "containers": containers}


def _ipam(inputs: Properties) -> Properties:
    configs = [
        {
            "Subnet": config.get("subnet", ""),
            "IPRange": config.get("ipRange", ""),
            "Gateway": config.get("gateway", ""),
            "AuxiliaryAddresses": config.get("auxAddress") or {},
        }
        for config in inputs.get("ipamConfigs") or []
    ]
    return {"Driver": inputs["ipamDriver"], "Config": configs, "Options": inputs.get("ipamOptions") or {}}


def _observed(found: dict[str, Any]) -> Properties:
    ipam = found["IPAM"]
    return {
        "attachable": found["Attachable"],
        "driver": found["Driver"],
        "id": found["Id"],
        "ingress": found["Ingress"],
        "internal": found["Internal"],
        "ipamConfigs": [
            {
                "auxAddress": config.get("AuxiliaryAddresses") or {},
                "gateway": config.get("Gateway", ""),
                "ipRange": config.get("IPRange", ""),
                "subnet": config.get("Subnet", ""),
            }
            for config in ipam.get("Config") or []
        ],
        "ipamDriver": ipam["Driver"],
        "ipamOptions": ipam.get("Options") or None,
        "ipv6": found["EnableIPv6"],
        "labels": [{"label": key, "value": value} for key, value in (found["Labels"] or {}).items()],
        "name": found["Name"],
        "options": found["Options"] or {},
        "scope": found["Scope"],
    }


def _recorded(outputs: Properties, *, settled: bool) -> Properties:
    return recorded(TABLE, outputs, settled=settled, meta='{"schema_version":"1"}')


def _by_name(docker: Docker, name: str) -> dict[str, Any] | None:
    # Docker's filter matches parts of names.
    with docker_errors(f"list the networks named {name}"):
        networks = docker.api.networks(names=[name])
    return next((_inspect(docker, network["Id"]) for network in networks if network["Name"] == name), None)


def _inspect(docker: Docker, name_or_id: str) -> dict[str, Any] | None:
    return look(f"inspect the network {name_or_id}", lambda: docker.api.inspect_network(name_or_id))


def _remove(docker: Docker, network_id: str, name: str) -> None:
    if not is_removed(f"network {name}", lambda: docker.api.remove_network(network_id), "has active endpoints"):
        raise _in_use_error(docker, network_id, name)


def _in_use_error(docker: Docker, network_id: str, name: str) -> ProviderError:
    endpoints = (_inspect(docker, network_id) or {}).get("Containers") or {}
    users = sorted(endpoint["Name"] for endpoint in endpoints.values())
    return ProviderError(
        f"the network {name} cannot be removed while containers use it: {', '.join(users)}. "
        f"Stop them, or take them off it with `docker network disconnect {name} CONTAINER`."
    )
