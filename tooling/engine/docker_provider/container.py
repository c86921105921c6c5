"""``docker:index/container:Container``: making, reading, changing and removing one.

In the plugin's order: create, join networks, put files in, start, wait. Left out, and refused when set: what the table
of its properties has as not known.

Source: https://github.com/kreuzwerker/terraform-provider-docker/blob/master/internal/provider/resource_docker_container_funcs.go
"""

from __future__ import annotations

from typing import Any, Final

from tooling.engine.docker_provider.client import Call, docker_errors, is_lost, once_made
from tooling.engine.docker_provider.container_inspect import observed
from tooling.engine.docker_provider.container_making import create_only, join_networks, put_files, start
from tooling.engine.docker_provider.container_properties import MIB, TABLE, TYPE, meta
from tooling.engine.docker_provider.container_removing import grace_seconds, inspect, remove
from tooling.engine.docker_provider.container_request import request
from tooling.engine.docker_provider.container_waiting import (
    await_end,
    await_exit,
    await_healthy,
    await_made,
    is_healthy,
    once_ended,
)
from tooling.engine.docker_provider.diffing import diff
from tooling.engine.docker_provider.properties import META
from tooling.engine.docker_provider.recording import recorded, updated
from tooling.engine.docker_provider.refreshing import refreshed_inputs
from tooling.engine.provider import PartialFailure, ProviderError, State
from tooling.pulumi_files.values import Properties

__all__ = ["DELETE_BEFORE_REPLACE", "TABLE", "TYPE", "create", "delete", "find", "read", "update"]

DELETE_BEFORE_REPLACE: Final = True
_IN_PLACE: Final = (
    "cpuSet", "cpuShares", "maxRetryCount", "memory", "memoryReservation", "memorySwap", "restart"
)  # fmt: skip
"""What Docker changes on a container that exists."""
_BEHAVIOUR: Final = frozenset(
    {"attach", "containerReadRefreshTimeoutMilliseconds", "destroyGraceSeconds", "logs", "mustRun"}
    | {"removeVolumes", "start", "wait", "waitTimeout"}
)
"""What concerns this provider only."""


def create(call: Call, inputs: Properties) -> State:
    """Create the container, join its networks, put its files, start it, wait for it as asked.

    A container of that name that this stack made and lost track of is replaced.

    Raises:
        ProviderError: It could not be started; nothing of it is left.
        PartialFailure: It was started, and did not become healthy or did not exit in time.
    """
    container_id = create_only(call, inputs)
    try:
        join_networks(call.docker, container_id, inputs)
        put_files(call.docker, container_id, inputs)
        if inputs["start"]:
            start(call.docker, container_id, inputs)
    except BaseException:
        with once_made():
            remove(call.docker, container_id, {**inputs, "destroyGraceSeconds": 0})
        raise
    asked = {**inputs, "id": container_id}
    try:
        if inputs["start"] and inputs.get("wait"):
            await_healthy(call, container_id, inputs)
        if inputs.get("attach"):
            asked |= await_exit(call, container_id, inputs)
    except ProviderError as error:
        # Without what Docker chose, as the plugin records it: the next update replaces the container.
        outputs = recorded(TABLE, asked, settled=False, meta=meta(call.timeout_seconds))
        raise PartialFailure(str(error), State(id=container_id, inputs=inputs, outputs=outputs)) from error
    with once_made(), docker_errors(f"inspect the container {inputs['name']}"):
        found = observed(call.docker.api.inspect_container(container_id), asked)
    as_written = {key: inputs.get(key) for key in ("mounts", "tmpfs") if inputs.get(key)}
    outputs = recorded(TABLE, {**found, **as_written}, settled=False, meta=meta(call.timeout_seconds))
    return State(id=container_id, inputs=inputs, outputs=outputs)


def read(call: Call, container_id: str, inputs: Properties, outputs: Properties) -> State | None:
    """The container as it is; stopped although it should run, it reads as ``mustRun`` false."""
    found = inspect(call.docker, container_id)
    # Docker takes a name or the beginning of an id as well; the plugin does not.
    if found is None or found["Id"] != container_id:
        return None
    now = recorded(TABLE, observed(found, outputs or inputs), settled=True, meta=outputs.get(META) or meta(None))
    at_work = found["State"]["Running"] and (inputs.get("attach") or (inputs.get("wait") and not is_healthy(found)))
    return State(id=found["Id"], inputs=refreshed_inputs(TABLE, inputs, now), outputs=now, is_well=not at_work)


def update(call: Call, container_id: str, old_outputs: Properties, new_inputs: Properties) -> Properties:
    """Start a stopped container, change limits and restart policy; only record the rest, as the plugin does.

    Raises:
        PartialFailure: It did not become healthy.
    """
    name = new_inputs["name"]
    if old_outputs.get("networkDatas") is None:
        # Left by a create that failed: it recorded nothing of what Docker chose.
        found = inspect(call.docker, container_id)
        if found is None:
            raise ProviderError(f"the container {name} is gone. Run refresh, then up, to create it again.")
        old_outputs = recorded(
            TABLE, observed(found, old_outputs), settled=True, meta=old_outputs.get(META) or meta(None)
        )
    changed = diff(TABLE, old_outputs, new_inputs).changed
    if any(key in _IN_PLACE for key in changed):
        with docker_errors(f"change the limits of the container {name}"):
            call.docker.api.update_container(container_id, **_limits(new_inputs))
    kept = sorted(set(changed) - set(_IN_PLACE) - _BEHAVIOUR)
    if kept:
        call.log(
            f"{', '.join(kept)} of container {name} cannot change while it exists: it keeps the old value "
            "until it is replaced (the resource option replace_on_changes does that)"
        )
    outputs = updated(TABLE, old_outputs, new_inputs, changed)
    if not (new_inputs["start"] and new_inputs["mustRun"]):
        return outputs
    if not old_outputs.get("mustRun", True):
        start(call.docker, container_id, new_inputs)
        with docker_errors(f"inspect the container {name}"):
            found = observed(call.docker.api.inspect_container(container_id), outputs)
        # The addresses are new, and the plugin would go on telling the old ones.
        outputs |= {"networkDatas": found["networkDatas"]}
    if new_inputs.get("wait"):
        try:
            await_healthy(call, container_id, new_inputs)
        except ProviderError as error:
            state = State(id=container_id, inputs=new_inputs, outputs=outputs)
            raise PartialFailure(str(error), state) from error
    return outputs


def stop(call: Call, container_id: str, inputs: Properties, outputs: Properties) -> None:
    """Stop the container, giving it ``destroyGraceSeconds``; returns as soon as its process has ended.

    That is a tenth of a second before Docker, which takes it off its networks first, calls it stopped. What fails here
    fails again in :func:`delete`, which says so.
    """
    facts = outputs if "name" in outputs else inputs
    if not facts.get("attach"):
        await_end(call.docker.api, container_id, grace_seconds(facts))


def delete(call: Call, container_id: str, inputs: Properties, outputs: Properties) -> None:
    """Stop the container, giving it ``destroyGraceSeconds``, and remove it with its anonymous volumes.

    Raises:
        ProviderError: It is one to wait for, and still at work.
    """
    facts = outputs if "name" in outputs else inputs
    if facts.get("attach"):
        once_ended(call, container_id, facts)
    remove(call.docker, container_id, facts)


def find(call: Call, inputs: Properties) -> str | None:
    """Id of the container of that name, if it is ours, as asked for, and up; or, if it is one to wait for, ended well.

    One of ours that differs, was left half made or failed is removed, so that it can be created again.

    Raises:
        ProviderError: It is one to wait for, and still at work.
    """
    name = inputs["name"]
    found = await_made(call.docker.api, name, call.log)
    if found is None or not is_lost(call, inputs, found, found["Config"]["Labels"]):
        return None
    if (found := once_ended(call, found["Id"], inputs)) is None:
        return None
    if _is_complete(found, inputs):
        try:
            if inputs["start"] and inputs.get("wait"):
                await_healthy(call, found["Id"], inputs)
        except ProviderError:
            call.log(f"container {name} was left behind and does not become healthy: removing it")
        else:
            return str(found["Id"])
    else:
        call.log(f"container {name} was left behind unfinished: removing it")
    remove(call.docker, found["Id"], inputs)
    return None


def _is_complete(found: dict[str, Any], inputs: Properties) -> bool:
    """Whether a create with these inputs made exactly this and got to its end."""
    # Files are put before the start: a container that was started has them.
    started = not found["State"]["StartedAt"].startswith("0001-")
    body = request(inputs)
    config, host = found["Config"], found["HostConfig"]
    now = recorded(TABLE, observed(found, inputs), settled=True, meta="")
    same = not set(diff(TABLE, now, inputs).changed) - {"mustRun", "ports", "memorySwap"}
    networks = {network["name"] for network in inputs.get("networksAdvanced") or []}
    joined = (found["NetworkSettings"]["Networks"] or {}).items()
    attached = {name for key, network in joined for name in (key, network["NetworkID"])}
    return (
        started == inputs["start"]
        and not (inputs.get("attach") and found["State"]["ExitCode"])
        and (found["State"]["Running"] or not (inputs["start"] and inputs["mustRun"]))
        and same
        and networks <= attached
        and set(body.get("Env") or []) <= set(config.get("Env") or [])
        and (body.get("Labels") or {}).items() <= (config.get("Labels") or {}).items()
        and sorted(body["HostConfig"].get("Binds") or []) == sorted(host.get("Binds") or [])
        and set(body["HostConfig"].get("PortBindings") or {}) == set(host.get("PortBindings") or {})
    )


def _limits(inputs: Properties) -> dict[str, Any]:
    swap = inputs.get("memorySwap") or 0
    return {
        "cpu_shares": inputs.get("cpuShares"),
        "cpuset_cpus": inputs.get("cpuSet"),
        "mem_limit": (inputs.get("memory") or 0) * MIB,
        "mem_reservation": (inputs.get("memoryReservation") or 0) * MIB,
        "memswap_limit": swap * MIB if swap > 0 else swap,
        "restart_policy": {"Name": inputs["restart"], "MaximumRetryCount": inputs.get("maxRetryCount") or 0},
    }
