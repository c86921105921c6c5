"""``docker:index/container:Container``: making, reading, changing and removing one.

In the plugin's order: create, join networks, put files in, start, wait. Left out, and refused when set: what the table
of its properties marks as not known.

Source: https://github.com/kreuzwerker/terraform-provider-docker/blob/master/internal/provider/resource_docker_container_funcs.go
"""

from __future__ import annotations

import base64
import io
import re
import tarfile
import time
from typing import Any, Final

from tooling.engine.docker_provider import remote_image
from tooling.engine.docker_provider.client import (
    CONFLICT,
    NOT_FOUND,
    Call,
    Docker,
    DockerRefused,
    docker_errors,
    is_ours,
    look,
    ownership,
)
from tooling.engine.docker_provider.container_inspect import observed
from tooling.engine.docker_provider.container_properties import MIB, TABLE, TYPE, meta
from tooling.engine.docker_provider.container_request import endpoint, request
from tooling.engine.docker_provider.container_waiting import (
    await_end,
    await_exit,
    await_healthy,
    await_made,
    once_ended,
)
from tooling.engine.docker_provider.diffing import diff
from tooling.engine.docker_provider.properties import META
from tooling.engine.docker_provider.recording import recorded, updated
from tooling.engine.docker_provider.refreshing import refreshed_inputs
from tooling.engine.durations import nanoseconds
from tooling.engine.provider import PartialFailure, ProviderError, State
from tooling.pulumi_files.values import Properties

__all__ = ["DELETE_BEFORE_REPLACE", "TABLE", "TYPE", "create", "delete", "find", "read", "update"]

DELETE_BEFORE_REPLACE: Final = True
REMOVAL_SECONDS: Final = 30
"""How long another removal of the same container may take."""

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
    container_id = _create(call, inputs)
    try:
        _join_networks(call.docker, container_id, inputs)
        _put_files(call.docker, container_id, inputs)
        if inputs["start"]:
            _start(call.docker, container_id, inputs)
    except BaseException:
        _remove(call.docker, container_id, {**inputs, "destroyGraceSeconds": 0})
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
    with docker_errors(f"inspect the container {inputs['name']}"):
        found = observed(call.docker.api.inspect_container(container_id), asked)
    as_written = {key: inputs.get(key) for key in ("mounts", "tmpfs") if inputs.get(key)}
    outputs = recorded(TABLE, {**found, **as_written}, settled=False, meta=meta(call.timeout_seconds))
    return State(id=container_id, inputs=inputs, outputs=outputs)


def read(call: Call, container_id: str, inputs: Properties, outputs: Properties) -> State | None:
    """The container as it is; stopped although it should run, it reads as ``mustRun`` false."""
    found = _inspect(call.docker, container_id)
    # Docker takes a name or the beginning of an id as well; the plugin does not.
    if found is None or found["Id"] != container_id:
        return None
    now = recorded(TABLE, observed(found, outputs or inputs), settled=True, meta=outputs.get(META) or meta(None))
    return State(id=found["Id"], inputs=refreshed_inputs(TABLE, inputs, now), outputs=now)


def update(call: Call, container_id: str, old_outputs: Properties, new_inputs: Properties) -> Properties:
    """Start a stopped container, change limits and restart policy; only record the rest, as the plugin does.

    Raises:
        PartialFailure: It did not become healthy.
    """
    name = new_inputs["name"]
    if old_outputs.get("networkDatas") is None:
        # Left by a create that failed: it recorded nothing of what Docker chose.
        found = _inspect(call.docker, container_id)
        if found is None:
            raise ProviderError(f"the container {name} is gone. Run refresh, then up, to make it anew.")
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
        _start(call.docker, container_id, new_inputs)
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
        await_end(call.docker.api, container_id, _grace(facts))


def delete(call: Call, container_id: str, inputs: Properties, outputs: Properties) -> None:
    """Stop the container, giving it ``destroyGraceSeconds``, and remove it with its anonymous volumes.

    Raises:
        ProviderError: It is one to wait for, and still at work.
    """
    facts = outputs if "name" in outputs else inputs
    if facts.get("attach"):
        once_ended(call, container_id, facts)
    _remove(call.docker, container_id, facts)


def find(call: Call, inputs: Properties) -> str | None:
    """Id of the container of that name, if it is ours, as asked for, and up; or, if it is one to wait for, ended well.

    One of ours that differs, was left half made or failed is removed, so that it can be made anew.

    Raises:
        ProviderError: It is one to wait for, and still at work.
    """
    name = inputs["name"]
    found = await_made(call.docker.api, name, call.log)
    if found is None or not is_ours(inputs, found["Config"]["Labels"]):
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
    _remove(call.docker, found["Id"], inputs)
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


def _create(call: Call, inputs: Properties) -> str:
    body = request(inputs)
    _refuse_what_docker_is_too_old_for(call.docker, inputs)
    # A missing image and a taken name can both be cured, once each.
    for cure in (_cure, _cure, None):
        try:
            with docker_errors(f"create the container {inputs['name']}"):
                created = call.docker.api.create_container_from_config(  # type: ignore[no-untyped-call]  # stubs
                    body, inputs["name"], inputs.get("platform")
                )
        except DockerRefused as error:
            if cure is None:
                raise
            cure(call, inputs, error)
        else:
            break
    return str(created["Id"])


def _refuse_what_docker_is_too_old_for(docker: Docker, inputs: Properties) -> None:
    """Docker silently leaves out what came into its API later.

    Source: https://docs.docker.com/reference/api/engine/version-history/
    """
    start_interval = nanoseconds((inputs.get("healthcheck") or {}).get("startInterval", "0s"))
    subpaths = [mount for mount in inputs.get("mounts") or [] if (mount.get("volumeOptions") or {}).get("subpath")]
    addresses = [network for network in inputs.get("networksAdvanced") or [] if network.get("macAddress")]
    for given, name, since in (
        (addresses, "networksAdvanced.macAddress", (1, 44)),
        (start_interval, "healthcheck.startInterval", (1, 44)),
        (subpaths, "mounts.volumeOptions.subpath", (1, 45)),
    ):
        if given and tuple(map(int, docker.api.api_version.split("."))) < since:
            raise ProviderError(
                f"{name} of container {inputs['name']} needs Docker API {since[0]}.{since[1]}, and this Docker "
                f"speaks {docker.api.api_version}. Leave it out, or update Docker."
            )


def _cure(call: Call, inputs: Properties, error: DockerRefused) -> None:
    if error.status == NOT_FOUND:
        remote_image.ensure(call, inputs["image"], platform=inputs.get("platform"))
    elif error.status == CONFLICT:
        _free_name(call, inputs)
    else:
        raise error


def _free_name(call: Call, inputs: Properties) -> None:
    name = inputs["name"]
    found = await_made(call.docker.api, name, call.log)
    if found is None:
        return
    if not is_ours(inputs, found["Config"]["Labels"]):
        raise ProviderError(
            f"a container named {name} exists already ({found['Id'][:12]}, image {found['Config']['Image']}, "
            f"{found['State']['Status']}) and {ownership(found['Config']['Labels'])}. "
            f"Choose another name, or remove it with `docker stop {name}; docker rm {name}`."
        )
    once_ended(call, found["Id"], inputs)
    call.log(f"replacing container {name}, which this stack made and lost track of")
    _remove(call.docker, found["Id"], inputs)


def _join_networks(docker: Docker, container_id: str, inputs: Properties) -> None:
    name, networks = inputs["name"], inputs.get("networksAdvanced") or []
    if not networks:
        return
    try:
        with docker_errors(f"take the container {name} off the network bridge"):
            docker.api.disconnect_container_from_network(container_id, "bridge")
    except DockerRefused as error:
        if "is not connected to" not in error.said:
            raise
    for network in sorted(networks, key=lambda network: str(network["name"])):
        wanted = network["name"]
        try:
            with docker_errors(f"connect the container {name} to the network {wanted}"):
                _connect(docker, container_id, network)
        except DockerRefused as error:
            if error.status != NOT_FOUND:
                raise
            raise _missing_network(name, wanted) from error


def _missing_network(name: str, wanted: str) -> ProviderError:
    return ProviderError(
        f"the container {name} is to join the network {wanted}, which does not exist. "
        f"Create it with `docker network create {wanted}`, or declare it in the program."
    )


def _connect(docker: Docker, container_id: str, network: Properties) -> None:
    config = endpoint(network)
    ipam = config.get("IPAMConfig", {})
    docker.api.connect_container_to_network(
        container_id,
        network["name"],
        aliases=config.get("Aliases"),
        ipv4_address=ipam.get("IPv4Address"),
        ipv6_address=ipam.get("IPv6Address"),
        link_local_ips=ipam.get("LinkLocalIPs"),
        driver_opt=config.get("DriverOpts"),
        mac_address=config.get("MacAddress"),
    )


def _put_files(docker: Docker, container_id: str, inputs: Properties) -> None:
    for upload in inputs.get("uploads") or []:
        with docker_errors(f"put the file {upload['file']} into the container {inputs['name']}"):
            docker.api.put_archive(container_id, "/", _archive(upload))


def _archive(upload: Properties) -> bytes:
    contents = [upload.get("content"), upload.get("contentBase64")]
    if sum(bool(content) for content in contents) != 1:
        raise ProviderError(
            f"the upload of {upload['file']} has {sum(map(bool, contents))} contents. "
            "Give exactly one of content and contentBase64."
        )
    data = upload["content"].encode() if upload.get("content") else base64.b64decode(upload["contentBase64"])
    entry = tarfile.TarInfo(upload["file"])
    entry.size, entry.mtime = len(data), int(time.time())
    entry.mode = int(upload.get("permissions") or ("0744" if upload.get("executable") else "0644"), 8)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _start(docker: Docker, container_id: str, inputs: Properties) -> None:
    name = inputs["name"]
    try:
        with docker_errors(f"start the container {name}"):
            docker.api.start(container_id)
    except DockerRefused as error:
        # Only now does Docker look at the networks that a container has joined.
        if missing := re.search(r"network (\S+) not found", error.said):
            raise _missing_network(name, missing[1]) from error
        if (port := _taken_port(error.said)) is not None:
            raise ProviderError(
                f"port {port} of this host is in use already, by {port_holder(docker, port)}, and container "
                f"{name} is to publish it. Free it, or publish another port."
            ) from error
        raise


def _taken_port(said: str) -> int | None:
    """The port of the host that Docker, in any wording since 20.10, says is in use; None where it says nothing so."""
    if not re.search(r"port is already allocated|address already in use", said):
        return None
    # Docker 28 names the container's end after it, "HOST:PORT:CONTAINER:PORT/tcp", and 29 no more.
    match = re.search(r"bind host port (?:for )?(?:\[[^]]*\]|[\d.]*):(\d+)[:/]", said) or re.search(
        r":(\d+)(?:/\w+)?(?: failed)?: (?:port is already|bind: address already)", said
    )
    return int(match[1]) if match else None


def port_holder(docker: Docker, port: int) -> str:
    """Who publishes or listens on a TCP or UDP port of this host, for a message."""
    with docker_errors("list the containers"):
        containers = docker.api.containers()
    for container in containers:
        if any(published.get("PublicPort") == port for published in container["Ports"]):
            return f"container {container['Names'][0].lstrip('/')}"
    import psutil  # noqa: PLC0415 - only needed here

    for connection in psutil.net_connections("inet"):
        if connection.laddr and connection.laddr.port == port and connection.pid and not connection.raddr:
            return f"process {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "a process that does not show itself"


def _limits(inputs: Properties) -> dict[str, Any]:
    swap = inputs.get("memorySwap") or 0
    return {
        "cpu_shares": inputs.get("cpuShares"),
        "cpuset_cpus": inputs.get("cpuSet"),
        "mem_limit": (inputs.get("memory") or 0) * MIB,
        "mem_reservation": (inputs.get("memoryReservation") or 0) * MIB,
        "memswap_limit": swap * MIB if swap > 0 else swap,
        "restart_policy": {
            "Name": inputs["restart"],
            "MaximumRetryCount": inputs.get("maxRetryCount") or 0,
        },
    }


def _inspect(docker: Docker, name_or_id: str) -> dict[str, Any] | None:
    return look(f"inspect the container {name_or_id}", lambda: docker.api.inspect_container(name_or_id))


def _grace(facts: Properties) -> int:
    """Seconds between the signal to stop and the one that nothing survives."""
    return max(int(facts.get("destroyGraceSeconds") or 0), 0)


def _remove(docker: Docker, container_id: str, facts: Properties) -> None:
    try:
        with docker_errors(f"remove the container {facts.get('name', container_id)}"):
            if not facts.get("attach"):
                docker.api.stop(container_id, timeout=_grace(facts))
            docker.api.remove_container(container_id, v=bool(facts.get("removeVolumes", True)), force=True)
    except DockerRefused as error:
        if "already in progress" in error.said:
            _await_removal(docker, container_id)
        elif error.status != NOT_FOUND:
            raise


def _await_removal(docker: Docker, container_id: str) -> None:
    deadline = time.monotonic() + REMOVAL_SECONDS
    while _inspect(docker, container_id) is not None:
        if time.monotonic() > deadline:
            raise ProviderError(
                f"the container {container_id[:12]} is being removed, and still there after {REMOVAL_SECONDS} s. "
                "Look into the log of the Docker daemon."
            )
        time.sleep(0.1)
