"""``docker:index/volume:Volume``.

Source: https://github.com/kreuzwerker/terraform-provider-docker/blob/master/internal/provider/resource_docker_volume.go
"""

from __future__ import annotations

from typing import Any, Final

from docker_access import labels
from tooling.engine.docker_provider.client import (
    Call,
    Docker,
    docker_errors,
    is_removed,
    is_the_stacks,
    labels_of,
    look,
    ownership,
)
from tooling.engine.docker_provider.diffing import diff
from tooling.engine.docker_provider.properties import block, mapping, set_of, string
from tooling.engine.docker_provider.recording import recorded
from tooling.engine.docker_provider.refreshing import refreshed_inputs
from tooling.engine.provider import ProviderError, State
from tooling.pulumi_files.values import Properties

TYPE: Final = "docker:index/volume:Volume"
DELETE_BEFORE_REPLACE: Final = None
OF_ITS_STATE: Final = (labels.STATE, labels.ORIGIN)

_LABEL: Final = {"label": string(required=True), "value": string(required=True)}
TABLE: Final = {
    "cluster": block({}, known=False),
    "driver": string(replaces=True, computed=True),
    "driverOpts": mapping(replaces=True),
    "labels": set_of(_LABEL, replaces=True),
    "mountpoint": string(computed=True, output_only=True),
    "name": string(replaces=True, computed=True, autonamed=True),
}


def create(call: Call, inputs: Properties) -> State:
    """Create the volume, or take up one of that name with the same labels, driver and options: its data stay.

    The state it was made from does not count: data outlive it. Whose they are was asked before.

    Raises:
        ProviderError: A volume of that name exists and differs; Docker would silently hand it out.
    """
    name = inputs["name"]
    found = _inspect(call.docker, name)
    if found is not None:
        _refuse_strange(call, inputs, found)
        call.log(f"taking up the volume {name} again, with the data in it")
    else:
        with docker_errors(f"create the volume {name}"):
            found = call.docker.api.create_volume(
                name, driver=inputs.get("driver"), driver_opts=inputs.get("driverOpts"), labels=labels_of(inputs)
            )
    return State(id=name, inputs=inputs, outputs=_recorded(_observed(found), settled=False))


def _refuse_strange(call: Call, inputs: Properties, found: dict[str, Any]) -> None:
    name = inputs["name"]
    holder = call.holder(name)
    if holder is not None and not holder.pending_replacement:
        raise ProviderError(
            f"a volume named {name} exists already, and {ownership(call, name, found['Labels'])}. Else it would go "
            "with that, and its data."
        )
    differing = _differing(inputs, found)
    if not differing:
        return
    raise ProviderError(
        f"a volume named {name} exists already, {ownership(call, name, found['Labels'])}, and differs from what is "
        f"asked for in {', '.join(differing)}. Choose another name; or, if its data may go, "
        f"`docker volume rm {name}`."
    )


def read(call: Call, volume_id: str, inputs: Properties, outputs: Properties) -> State | None:
    """The volume as it is."""
    del outputs  # everything can be read
    found = _inspect(call.docker, volume_id)
    if found is None:
        return None
    now = _recorded(_observed(found), settled=True)
    return State(id=volume_id, inputs=refreshed_inputs(TABLE, inputs, now), outputs=now)


def update(call: Call, volume_id: str, old_outputs: Properties, new_inputs: Properties) -> Properties:
    """Nothing about a volume changes in place."""
    state = read(call, volume_id, new_inputs, old_outputs)
    if state is None:
        raise ProviderError(f"the volume {volume_id} is gone. Run refresh, then up, to create it again.")
    return state.outputs


def delete(call: Call, volume_id: str, inputs: Properties, outputs: Properties) -> None:
    """Remove the volume and its data once no container uses it."""
    del inputs, outputs
    if not is_removed(
        f"volume {volume_id}", lambda: call.docker.api.remove_volume(volume_id, force=True), "volume is in use"
    ):
        raise _in_use_error(call.docker, volume_id)


def find(call: Call, inputs: Properties) -> str | None:
    """Name of the volume, if it is ours and as asked for."""
    found = _inspect(call.docker, inputs["name"])
    if found is None or not is_the_stacks(inputs, found["Labels"]):
        return None
    return None if _differing(inputs, found) else str(found["Name"])


def _differing(inputs: Properties, found: dict[str, Any]) -> list[str]:
    now, asked = (
        {**one, "labels": [label for label in one.get("labels") or [] if label["label"] not in OF_ITS_STATE]}
        for one in (_recorded(_observed(found), settled=True), inputs)
    )
    return diff(TABLE, now, asked).changed


def _observed(found: dict[str, Any]) -> Properties:
    return {
        "driver": found["Driver"],
        "driverOpts": found["Options"] or None,
        "id": found["Name"],
        "labels": [{"label": key, "value": value} for key, value in (found["Labels"] or {}).items()],
        "mountpoint": found["Mountpoint"],
        "name": found["Name"],
    }


def _recorded(outputs: Properties, *, settled: bool) -> Properties:
    return recorded(TABLE, outputs, settled=settled, meta='{"schema_version":"1"}')


def _inspect(docker: Docker, name: str) -> dict[str, Any] | None:
    return look(f"inspect the volume {name}", lambda: docker.api.inspect_volume(name))


def _in_use_error(docker: Docker, name: str) -> ProviderError:
    with docker_errors(f"list the containers that use the volume {name}"):
        users = docker.api.containers(all=True, filters={"volume": name})
    names = ", ".join(sorted(user["Names"][0].lstrip("/") for user in users)) or "a container"
    return ProviderError(f"the volume {name} cannot be removed while containers use it: {names}. Remove them first.")
