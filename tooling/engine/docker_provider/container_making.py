"""The steps in which a container comes up: create, join networks, put files in, start.

Source: https://github.com/kreuzwerker/terraform-provider-docker/blob/master/internal/provider/resource_docker_container_funcs.go
"""

from __future__ import annotations

import base64
import io
import re
import tarfile
import time

from tooling.engine.docker_provider import remote_image
from tooling.engine.docker_provider.client import (
    CONFLICT,
    NOT_FOUND,
    Call,
    Docker,
    DockerRefused,
    docker_errors,
    is_lost,
    ownership,
)
from tooling.engine.docker_provider.container_removing import remove
from tooling.engine.docker_provider.container_request import endpoint, request
from tooling.engine.docker_provider.container_waiting import await_made, once_ended
from tooling.engine.durations import nanoseconds
from tooling.engine.provider import ProviderError
from tooling.pulumi_files.values import Properties


def create_only(call: Call, inputs: Properties) -> str:
    """Create the container; its id. A missing image is pulled, a name that this stack lost track of is freed."""
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
    if not is_lost(call, inputs, found, found["Config"]["Labels"]):
        raise ProviderError(
            f"a container named {name} exists already ({found['Id'][:12]}, image {found['Config']['Image']}, "
            f"{found['State']['Status']}) and {ownership(call, found['Id'], found['Config']['Labels'])}. "
            f"Choose another name, or remove it with `docker stop {name}; docker rm {name}`."
        )
    once_ended(call, found["Id"], inputs)
    call.log(f"replacing container {name}, which this stack made and lost track of")
    remove(call.docker, found["Id"], inputs)


def join_networks(docker: Docker, container_id: str, inputs: Properties) -> None:
    """Take a container off the default network, and have it join those asked for."""
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


def put_files(docker: Docker, container_id: str, inputs: Properties) -> None:
    """Put the files asked for (``uploads``) into a container."""
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


def start(docker: Docker, container_id: str, inputs: Properties) -> None:
    """Start a container; a network that is missing and a port that is taken are named."""
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
