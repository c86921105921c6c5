"""Refuses, before anything changes, a deployment that Docker would stop half-way.

Runs in every preview and update, under either engine: names taken by objects that are not this stack's, ports and
addresses that somebody holds, networks and volumes that should exist and do not, data that would be left behind, limits
this host has not got, a Docker that does not answer.
"""

from __future__ import annotations

import errno
import ipaddress
import json
import os
import signal
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import docker
import requests.exceptions
from docker.errors import DockerException

from components.embedding import embedding, variables_of
from components.limits import contradictions
from docker_access import daemon, elsewhere, labels
from docker_access.client import api_client, failure_text
from docker_access.logins import LoginError
from docker_access.versions import TooNewError, refused, untried
from preflight.host import (
    ANYWHERE,
    first_port,
    pool_problems,
    rights_are_seen,
    routes,
    seccomp_advice,
    seccomp_problems,
    shares_network,
)
from preflight.moved import moved_advice
from preflight.versions import downgrade_problems, postgres_problems, software_problems
from preflight.versions import found as _found
from settings import OPEN_WEBUI_TRIED, Names, too_old
from settings.references import is_slim
from settings.values import DEFAULT_PORTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from components.limits import Limits
    from settings import Settings

LAST_PORT: Final = 65535
ABOVE: Final = 8000
"""What is added to a port that may not be published: 80 is 8080, as many a program has it."""
MIB: Final = 1024 * 1024
TIMEOUT_SECONDS: Final = 10
"""How long Docker may take for one answer."""

DATA_PATHS: Final = {
    "valkey": "/data",
    "open-webui": "/app/backend/data",
    "postgres": "/var/lib/postgresql/data",
}
"""Where a container of each role has its data."""

REPLICATED_ROLES: Final = frozenset({"postgres", "postgres-setup", "gateway", "files"})
"""Roles that containers have in the replicated topology only."""


LIMITED_BY: Final = {"memory": "MemoryLimit", "cpus": "CpuCfsQuota", "pids": "PidsLimit"}
"""What of ``docker info`` says whether the host can limit it.

Source: https://docs.docker.com/reference/api/engine/version/v1.47/#tag/System/operation/SystemInfo
"""


class PreflightError(Exception):
    """The deployment cannot work on this Docker host as it is now; nothing was changed."""


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A subnet or an address that somebody uses.

    Attributes:
        network: The IPv4 network; an address is one of its own.
        by: Who uses it.
    """

    network: ipaddress.IPv4Network
    by: str


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A port of the host this stack wants: its config key, address and number."""

    key: str
    address: str
    port: int


def end_quietly_when_interrupted() -> None:
    """Let Ctrl-C end the program without a traceback: the Pulumi CLI passes it on once it has cancelled the update.

    An engine that runs the program in its own process has a handler of its own, which stays.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def preflight(settings: Settings) -> None:
    """Look at Docker and the host, for the running program, unless :data:`daemon.WITHOUT_DOCKER` is set.

    Raises:
        pulumi.RunError: what :func:`look` found, or a migration that is at work; Pulumi shows it without a traceback.
    """
    import pulumi  # noqa: PLC0415 - half a second that the launcher saves

    from preflight.one_shots import refuse_at_work, tell_of_one_shots  # noqa: PLC0415 - imports pulumi too

    if os.environ.get(daemon.WITHOUT_DOCKER):
        return
    try:
        for advice in look(settings):
            pulumi.log.warn(advice)
    except PreflightError as error:
        raise pulumi.RunError(str(error)) from None
    refuse_at_work(settings.labels)
    tell_of_one_shots(settings.labels)


def look(settings: Settings) -> list[str]:
    """Look at Docker and the host.

    Returns:
        Advice: what works, and may not work well.

    Raises:
        PreflightError: naming everything that is in the way, who holds it, and the ways out.
    """
    client: docker.APIClient | None = None
    try:
        client = api_client(TIMEOUT_SECONDS)
        host = client.info()
        low_ports = list(_low_ports(settings, client, host))
        known = rights_are_seen(host)
        problems = [
            *_problems(settings, client, host),
            *_host_problems(settings, client, host),
            *(low_ports if known else ()),
        ]
        advice = [
            *(() if known else low_ports),
            *_advice(settings, host),
            *_docker_advice(client),
            *seccomp_advice(host),
            *_other_makings(settings, client),
            *moved_advice(settings, client),
        ]
        if not settings.production:
            advice += _embedding_changes(settings, client)
    except (DockerException, requests.exceptions.RequestException) as error:
        raise PreflightError(docker_does_not_answer(error)) from None
    finally:
        if client:
            client.close()
    if problems:
        raise PreflightError(
            f"stack {settings.stack} cannot be deployed on this host; nothing was changed:\n"
            + "\n".join(f"  {problem}" for problem in problems),
        )
    return advice


def docker_does_not_answer(error: Exception) -> str:
    """The message for a Docker that cannot be reached, or that cannot be talked to for another reason."""
    if isinstance(error, (TooNewError, LoginError)):
        return str(error)
    host = daemon.address()
    where = f"DOCKER_HOST={host}" if host else "the default socket (DOCKER_HOST is not set)"
    way_out = "correct or unset DOCKER_HOST" if host else elsewhere.way_out()
    way_out = way_out or "start it, as with `sudo systemctl start docker`"
    return f"Docker does not answer at {where}: {failure_text(error)}. Way out: {way_out}."


def _problems(settings: Settings, client: docker.APIClient, host: Mapping[str, Any]) -> Iterator[str]:
    yield from _image_problems(settings, client)
    marks = [f"{key}={value}" for key, value in settings.labels.items()]
    containers = client.containers(all=True, filters={"label": marks})
    yield from downgrade_problems(settings, client, containers)
    yield from postgres_problems(settings, client, containers, host)
    for name in settings.containers:
        yield from _container_problems(settings, name, _found(client.inspect_container, name))
    for name in settings.networks:
        yield from _network_problems(settings, name, _found(client.inspect_network, name))
    for name in settings.volumes:
        yield from _volume_problems(settings, name, _found(client.inspect_volume, name))
        if settings.is_external(name):
            yield from _used_by_others(settings, name, client)
    for name in _volumes_without_data(settings):
        yield from _foreign_volume(settings, name, _found(client.inspect_volume, name))
    yield from _data_left_behind(settings, containers)
    if settings.production and "embedding-change" not in settings.acknowledged:
        yield from _embedding_changes(settings, client)
    yield from _port_problems(settings, client, host)
    if settings.edge_subnet:
        yield from _subnet_problems(settings, list(_taken(settings, client, host)))


def _host_problems(settings: Settings, client: docker.APIClient, host: Mapping[str, Any]) -> Iterator[str]:
    """What this host or its Docker has not, whatever the stack's objects are."""
    if said := refused(client.version()):
        yield said
    yield from _limit_problems(settings, host)
    yield from seccomp_problems(host)
    networks = client.networks()
    yield from pool_problems(settings, host, [one["Name"] for one in networks], [net for net, _ in _subnets(networks)])


def _image_problems(settings: Settings, client: docker.APIClient) -> Iterator[str]:
    """A tag such as ``main`` hides the version; the image on this host tells it."""
    if refused := refuse_local_build(settings):
        made_from = {one: (_marks(client, one) or {}).get(labels.LOCAL_BUILD) for one in settings.images.values()}
        if built := ", ".join(f"{reference} (from {origin})" for reference, origin in made_from.items() if origin):
            yield f"built on this machine: {built}. {refused}"
    yield from software_problems(settings, client)
    version = (_marks(client, settings.open_webui_image) or {}).get(labels.IMAGE_VERSION, "")
    if too_old(version):
        yield (
            f"image {settings.open_webui_image} is Open WebUI {version}, whose events cannot be proved; 0.12.0 or "
            f"later is needed. Have it pulled or built anew (docker rmi {settings.open_webui_image}), or name another "
            f"({settings.project}:openWebuiImage: {OPEN_WEBUI_TRIED})."
        )


def refuse_local_build(settings: Settings) -> str:
    """Why a stack takes no image that was built on this machine, with the ways out; empty where it takes one."""
    if not settings.production or "local-build" in settings.acknowledged:
        return ""
    return (
        "Production takes the official images: what is built here is other software under their name (docs/images.md). "
        "Have them pulled where their registry can be reached (docker pull), or bring them (docker load); or, if that "
        f"is meant, add local-build to {settings.project}:acknowledged."
    )


def _marks(client: docker.APIClient, image: str) -> Mapping[str, str] | None:
    """Labels of an image, by its reference or its id; None where it is not there."""
    found = _found(client.inspect_image, image)
    return (found.get("Config") or {}).get("Labels") or {} if found else None


def _other_makings(settings: Settings, client: docker.APIClient) -> Iterator[str]:
    """A local build and the official image under one name are different software: the change is said."""
    marks = [f"{key}={value}" for key, value in settings.labels.items()]
    listed = client.containers(all=True, filters={"label": marks})
    deployed = {_role(one): one["ImageID"] for one in listed if one.get("ImageID")}
    for role, reference in settings.images.items():
        if role not in deployed:
            continue
        before, after = _marks(client, deployed[role]), _marks(client, reference)
        if before is None or after is None or (labels.LOCAL_BUILD in before) == (labels.LOCAL_BUILD in after):
            continue
        if labels.LOCAL_BUILD in before:
            change = f"the local build from {before[labels.LOCAL_BUILD]} gives way to the official image"
        else:
            change = f"a local build from {after[labels.LOCAL_BUILD]} takes the place of the official image"
        yield (
            f"{reference}: {change}. That is an upgrade to other software (docs/images.md), and not a restart: back up "
            "first (docs/operations.md#back-up)."
        )


def _container_problems(settings: Settings, name: str, container: Mapping[str, Any]) -> Iterator[str]:
    owner = container and owner_of_another(container["Config"]["Labels"] or {}, settings)
    if owner:
        yield (
            f"container {name} exists and is not this stack's ({owner}, image {container['Config']['Image']}). "
            f"Rename it (docker rename {name} {name}-old), remove it (docker stop {name}; docker rm {name}), "
            f"or {other_names(settings)}."
        )


def _network_problems(settings: Settings, name: str, network: Mapping[str, Any]) -> Iterator[str]:
    external = settings.network_external and name == settings.names.network
    if external and not network:
        yield (
            f"network {name} does not exist, and {settings.project}:networkExternal says it does. "
            f"Create it (docker network create {name}) or set {settings.project}:networkExternal: false."
        )
    if not network:
        return
    owner = owner_of_another(network["Labels"] or {}, settings)
    if external and not owner:
        yield (
            f"network {name} is this stack's own, and {settings.project}:networkExternal would have it "
            f"removed under its containers. Set {settings.project}:networkExternal: false, or name a "
            f"network that is not the stack's ({settings.project}:networkName)."
        )
    if owner and not external:
        ways_out = (
            f"Remove it (docker network rm {name}), or {other_names(settings)}."
            if settings.replicated
            else f"Join it ({settings.project}:networkExternal: true), remove it (docker network rm {name}), "
            f"or name another ({settings.project}:networkName)."
        )
        yield f"network {name} exists and is not this stack's ({owner}). {ways_out}"


def _volume_problems(settings: Settings, name: str, volume: Mapping[str, Any]) -> Iterator[str]:
    adopted = name == settings.adopted_volume
    if not settings.is_external(name):
        yield from _foreign_volume(settings, name, volume)
    elif adopted and not volume:
        yield (
            f"volume {name} does not exist, and {settings.project}:openWebuiVolume names it. Name one that holds Open "
            "WebUI's data (docker volume ls lists those there are), or leave the line out to have one created."
        )
    elif not volume:
        yield (
            f"volume {name} does not exist, and {settings.project}:volumesExternal says it does. "
            f"Create it (docker volume create {name}) or set {settings.project}:volumesExternal: false."
        )
    elif not owner_of_another(volume["Labels"] or {}, settings):
        # Deployed with dataOnDestroy: delete, they would be removed on leaving the stack.
        way_out = "Leave out" if adopted else "Set"
        line = "openWebuiVolume" if adopted else "volumesExternal: false"
        yield f"volume {name} is this stack's own. {way_out} {settings.project}:{line}."


def _used_by_others(settings: Settings, name: str, client: docker.APIClient) -> Iterator[str]:
    """Two programs that write to one SQLite file, or one Valkey's, damage it."""
    for container in client.containers(filters={"volume": name}):
        writes = any(mount.get("Name") == name and mount.get("RW") for mount in container.get("Mounts") or ())
        if writes and owner_of_another(container["Labels"] or {}, settings):
            user = container["Names"][0].removeprefix("/")
            yield f"volume {name} is in use: container {user} runs and writes to it. Stop it (docker stop {user})."


def _foreign_volume(settings: Settings, name: str, volume: Mapping[str, Any]) -> Iterator[str]:
    owner = volume and owner_of_another(volume["Labels"] or {}, settings)
    if not owner:
        return
    if name in settings.volumes:
        way_out = f"Use it with the data it holds ({settings.project}:volumesExternal: true)"
    else:
        way_out = f"Remove it (docker volume rm {name})"
    yield f"volume {name} exists and is not this stack's ({owner}). {way_out}, or {other_names(settings)}."


def _volumes_without_data(settings: Settings) -> list[str]:
    """Volumes that the stack fills by itself, each beside a container of its name, and the one for Postgres' socket."""
    if not settings.replicated:
        return []
    names = settings.names
    files = (names.valkey_files, names.open_webui_files, names.gateway_files)
    return [*(name for name in files if name in settings.containers), names.postgres_socket]


def _data_left_behind(settings: Settings, containers: list[dict[str, Any]]) -> Iterator[str]:
    """Other names or another topology mean other data on a deployed stack: people would meet an empty Open WebUI."""
    deployed = _deployed_topology(containers)
    if deployed and deployed != settings.topology:
        yield _other_topology(settings, containers, deployed)
        return
    names = settings.names
    wanted = {"valkey": names.valkey_volume, "open-webui": names.open_webui_volume, "postgres": names.postgres_volume}
    for container in containers:
        volume, mounted = wanted.get(_role(container)), _data_volume(container)
        if volume and mounted and volume != mounted:
            yield (
                f"container {container['Names'][0].removeprefix('/')} has its data in volume {mounted}, and the "
                f"names asked for would leave it there and begin with {volume}. "
                f"Leave {settings.project}:tutorialNames and openWebuiVolume as they were; or, if that is meant, "
                f"take the stack down first (make destroy STACK={settings.stack})."
            )


def _embedding_changes(settings: Settings, client: docker.APIClient) -> Iterator[str]:
    """What was embedded by one model is noise to another, and Open WebUI says nothing of it.

    In ``single`` the database remembers what was chosen first, and no variable changes it.
    """
    if not settings.replicated:
        return
    marks = [*(f"{key}={value}" for key, value in settings.labels.items()), f"{labels.ROLE}=open-webui"]
    for container in client.containers(all=True, filters={"label": marks}):
        before = container["Labels"].get(labels.EMBEDDING) or _embedding_of(settings, client, container["Id"])
        if before != settings.embedding:
            line = ", ".join(f"{name}: {json.dumps(value)}" for name, value in variables_of(before).items())
            yield (
                f"documents of stack {settings.stack} were embedded by {before}, and its settings choose "
                f"{settings.embedding}: what was uploaded would not be found any more. Keep what there was "
                f"({settings.project}:extraEnvironment: {{{line}}}); or, if that is meant, add embedding-change to "
                f"{settings.project}:acknowledged, and after the update have all documents embedded anew "
                "(Admin Panel, Settings, Documents, Reindex)."
            )
            return


def _embedding_of(settings: Settings, client: docker.APIClient, container: str) -> str:
    """The same of a container that says it in no label; ``extraEnvironment`` stands in a file, which is not read."""
    variables = (_found(client.inspect_container, container).get("Config") or {}).get("Env") or []
    return embedding({**dict(line.partition("=")[::2] for line in variables), **settings.extra_environment})


def _role(container: Mapping[str, Any]) -> str:
    return str(container["Labels"].get(labels.ROLE, ""))


def _data_volume(container: Mapping[str, Any]) -> str:
    path = DATA_PATHS.get(_role(container))
    found = (mount for mount in container.get("Mounts") or () if mount.get("Type") == "volume")
    return next((str(mount["Name"]) for mount in found if mount.get("Destination") == path), "")


def _deployed_topology(containers: list[dict[str, Any]]) -> str:
    """Which topology the stack's containers are of; empty where none tells."""
    roles = {_role(container) for container in containers}
    if roles & REPLICATED_ROLES:
        return "replicated"
    return "single" if "open-webui" in roles else ""


def _other_topology(settings: Settings, containers: list[dict[str, Any]], deployed: str) -> str:
    database, other = ("SQLite", "Postgres") if deployed == "single" else ("Postgres", "SQLite")
    role = "open-webui" if deployed == "single" else "postgres"
    volume = next((_data_volume(container) for container in containers if _role(container) == role), "")
    kept_in = f"{database}, volume {volume}" if volume else database
    return (
        f"stack {settings.stack} is deployed with topology {deployed}: its accounts and chats are in {kept_in}; "
        f"topology {settings.topology} would begin with an empty {other}. Set {settings.project}:topology: {deployed}; "
        "deploy the other topology as a stack of another name, beside this one; or, if that is meant, take this one "
        f"down first (make destroy STACK={settings.stack}; the volume stays unless dataOnDestroy: delete was deployed)."
    )


def owner_of_another(found: Mapping[str, str], settings: Settings) -> str:
    """Whose a found object is, from its labels; empty if it is this stack's."""
    if all(found.get(key) == value for key, value in settings.labels.items()):
        return ""
    if labels.STACK in found:
        return f"it belongs to stack {found[labels.STACK]} of project {found.get(labels.PROJECT)}"
    if "com.docker.compose.project" in found:
        return f"it belongs to the compose project {found['com.docker.compose.project']}"
    return "it carries no label of a Pulumi stack"


def other_names(settings: Settings) -> str:
    """How to get names that are free."""
    if settings.names.open_webui == Names.of_tutorial().open_webui:
        return f"use names of the stack's own ({settings.project}:tutorialNames: false)"
    return "deploy a stack of another name (STACK=NAME): Docker's names come from it"


def _listeners(settings: Settings) -> list[Listener]:
    wanted = [Listener(key="uiPort", address=settings.ui_bind_address, port=settings.ui_port)]
    if settings.http_port:
        wanted.append(Listener(key="httpPort", address=settings.ui_bind_address, port=settings.http_port))
    if settings.valkey_debug_port:
        wanted.append(Listener(key="valkeyDebugPort", address="127.0.0.1", port=settings.valkey_debug_port))
    return wanted


def _low_ports(settings: Settings, client: docker.APIClient, host: Mapping[str, Any]) -> Iterator[str]:
    """Ports that Docker publishes only if somebody allowed it to, and that the stack has not already."""
    low = [listener for listener in _listeners(settings) if listener.port < first_port(host)]
    containers = client.containers() if low else []
    for listener in low:
        holder = publisher(containers, listener)
        if holder and not owner_of_another(holder.get("Labels") or {}, settings):
            continue
        yield (
            f"port {listener.port} ({settings.project}:{listener.key}) is one that a rootless Docker publishes only if "
            f"its host allows it. Allow it there (sudo sysctl net.ipv4.ip_unprivileged_port_start={listener.port})"
            f"{_or_publish_elsewhere(settings, listener, listener.port + ABOVE)}."
        )


def _port_problems(settings: Settings, client: docker.APIClient, host: Mapping[str, Any]) -> Iterator[str]:
    wanted = _listeners(settings)
    containers = client.containers()
    for listener in wanted:
        if daemon.is_this_machine(host) and not _has_address(listener.address):
            yield (
                f"address {listener.address} is none of this host's, which has {', '.join(_addresses())}. "
                f"Set {settings.project}:uiBindAddress to one of them."
            )
            break
        holder = publisher(containers, listener)
        if holder and not owner_of_another(holder.get("Labels") or {}, settings):
            continue
        who = _holder(containers, listener)
        if who:
            taken = {one.port for one in wanted}
            near = (replace(listener, port=port) for port in _ports_near(listener.port) if port not in taken)
            free = next((one.port for one in near if not _holder(containers, one)), "PORT")
            yield (
                f"port {listener.port} on {listener.address} is in use by {who}. "
                f"Stop that{_or_publish_elsewhere(settings, listener, free)}."
            )


def _or_publish_elsewhere(settings: Settings, listener: Listener, free: int | str) -> str:
    """The other way out, where the settings take it: what else they need for it is in it."""
    line = f"{settings.project}:{listener.key}: {free}"
    if settings.tls == "acme" and listener.port in DEFAULT_PORTS.values():
        asked_from = not settings.acme_directory and "ports-forwarded" not in settings.acknowledged
        line += f", with {settings.project}:acknowledged: [ports-forwarded]" if asked_from else ""
    named = urlsplit(settings.public_url)
    if listener.key == "uiPort" and settings.replicated and named.port == listener.port:
        line += f", and the port in {settings.project}:publicUrl if it is set"
    return f", or publish elsewhere ({line})"


def _ports_near(port: int) -> Iterator[int]:
    """Ports above one, then below it."""
    yield from range(port + 1, min(port + 100, LAST_PORT + 1))
    yield from range(port - 1, max(port - 100, 1023), -1)


def _holder(containers: list[dict[str, Any]], listener: Listener) -> str:
    """Who holds a port: a container or a process; empty if it is free."""
    container = publisher(containers, listener)
    return f"container {container['Names'][0].removeprefix('/')}" if container else _process_holding(listener)


def _has_address(address: str) -> bool:
    """Whether a socket of this host can have an address."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM) as attempt:
            attempt.bind((address, 0))
    except OSError as error:
        return error.errno not in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
    return True


def _addresses() -> list[str]:
    """IPv4 addresses of this host."""
    import psutil  # noqa: PLC0415 - 30 ms that only few deployments need

    interfaces = psutil.net_if_addrs().values()
    return [one.address for addresses in interfaces for one in addresses if one.family == socket.AF_INET]


def publisher(containers: list[dict[str, Any]], listener: Listener) -> dict[str, Any] | None:
    """The container that publishes a port on an overlapping address, as ``docker ps`` lists it."""
    for container in containers:
        for published in container.get("Ports") or ():
            if published.get("PublicPort") == listener.port and overlap(published.get("IP", ""), listener.address):
                return container
    return None


def overlap(one: str, other: str) -> bool:
    """Whether two listening addresses collide: the same, or either of them is any address."""
    return one == other or bool({one, other} & {"", "0.0.0.0", "::"})  # noqa: S104 - compared, not bound


def _process_holding(listener: Listener) -> str:
    """Which process of this host listens on a port; empty if it is free, or Docker runs on another host."""
    if daemon.kind() != "local":
        return ""
    family = socket.AF_INET6 if ":" in listener.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((listener.address, listener.port))
            return ""
        except PermissionError:
            return ""
        except OSError as error:
            reason = error.strerror or str(error)
    import psutil  # noqa: PLC0415 - 30 ms that only few deployments need

    for connection in psutil.net_connections(kind="tcp"):
        if (
            connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == listener.port
            and overlap(connection.laddr.ip, listener.address)
            and connection.pid
        ):
            return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    return f"a process of another user ({reason})"


def _subnet_problems(settings: Settings, taken: list[Taken]) -> Iterator[str]:
    wanted = ipaddress.IPv4Network(settings.edge_subnet)
    by = next((one.by for one in taken if one.network.overlaps(wanted)), "")
    if by:
        free = f"{settings.project}:edgeSubnet: {_free_subnet(taken)}"
        yield f"subnet {wanted} of network {settings.names.network} overlaps {by}. Choose another ({free})."


def _free_subnet(taken: list[Taken]) -> str:
    ranges = ("10.213.0.0/16", "172.28.0.0/16", "192.168.0.0/16")
    candidates = (one for network in ranges for one in ipaddress.IPv4Network(network).subnets(new_prefix=24))
    free = (one for one in candidates if not any(one.overlaps(used.network) for used in taken))
    return str(next(free, "a private /24 that nobody uses"))


def _taken(settings: Settings, client: docker.APIClient, host: Mapping[str, Any]) -> Iterator[Taken]:
    """Subnets of Docker's networks but the stack's own, and its host's addresses and routes outside of them."""
    own, docker_subnets = False, []
    for subnet, network in _subnets(client.networks()):
        docker_subnets.append(subnet)
        if network["Name"] != settings.names.network:
            owner = owner_of_another(network.get("Labels") or {}, settings) or "it is this stack's own"
            yield Taken(network=subnet, by=f"{subnet} of Docker's network {network['Name']} ({owner})")
        else:
            own = str(subnet) == settings.edge_subnet
    if not shares_network(host):
        return
    import psutil  # noqa: PLC0415 - 30 ms that only few deployments need

    for interface, addresses in psutil.net_if_addrs().items():
        for address in addresses:
            if address.family == socket.AF_INET:
                itself = ipaddress.IPv4Network(address.address)
                if not any(itself.subnet_of(subnet) for subnet in docker_subnets):
                    yield Taken(network=itself, by=f"address {address.address} of this host's interface {interface}")
    # A network that is there already is not to move for a VPN that came later.
    for route in () if own else routes():
        to = route.network
        if to.prefixlen >= ANYWHERE and not any(to.subnet_of(subnet) for subnet in docker_subnets):
            yield Taken(network=to, by=f"the route to {to} by this host's interface {route.interface}")


def _subnets(networks: list[dict[str, Any]]) -> Iterator[tuple[ipaddress.IPv4Network, dict[str, Any]]]:
    """IPv4 subnets of Docker's networks, each with its network; not those that leave addresses to somebody else."""
    for network in networks:
        for config in (network.get("IPAM") or {}).get("Config") or ():
            subnet = ipaddress.ip_network(config.get("Subnet") or "0.0.0.0/0", strict=False)
            # 0.0.0.0/0 stands there for a DHCP server's.
            if isinstance(subnet, ipaddress.IPv4Network) and subnet.prefixlen:
                yield subnet, network


def _limit_problems(settings: Settings, host: Mapping[str, Any]) -> Iterator[str]:
    """Docker drops a limit that the kernel cannot keep, refuses more CPUs than there are, and takes any memory.

    In ``single`` the limit is there to spare the host, and one that is too high for that is advised against.
    """
    asked = {key for limits in settings.limits.values() for key, value in vars(limits).items() if value}
    unlimited = [key for key, said in LIMITED_BY.items() if key in asked and not host.get(said, True)]
    if unlimited:
        yield (
            f"Docker's host cannot limit {' and '.join(unlimited)} (`docker info` says so below WARNING), and stack "
            f"{settings.stack} has such limits. On a Raspberry Pi add `cgroup_enable=memory cgroup_memory=1` to the "
            "line in /boot/firmware/cmdline.txt and boot again; a rootless Docker needs the controllers delegated "
            "(https://docs.docker.com/engine/security/rootless/tips/#limiting-resources). A kernel built without them, "
            "as of some NAS, carries topology single at most, which limits memory alone."
        )
    if not settings.replicated:
        return
    for name, limits in settings.limits.items():
        for key, value, there_is in (
            ("memory", limits.memory, host["MemTotal"] // MIB),
            ("cpus", limits.cpus, host["NCPU"]),
        ):
            if value is not None and value > there_is:
                unit = " MiB" if key == "memory" else ""
                line = f'Set {settings.project}:limits: {{"{name}": {{"{key}": {there_is}}}}}, or deploy'
                lower: dict[str, Any] = {key: there_is}
                way_out = line if _is_enough(settings, name, replace(limits, **lower)) else "Deploy"
                yield (
                    f"limit {key} of {name} is {value}{unit}, and Docker's host has {there_is}{unit}. "
                    f"{way_out} on a larger host."
                )


def _is_enough(settings: Settings, role: str, limits: Limits) -> bool:
    """Whether the settings take these limits."""
    return not list(
        contradictions(
            role,
            limits,
            max_clients=settings.valkey_max_clients,
            max_connections=settings.postgres_max_connections,
            replicas_max=settings.replicas_max,
            slim=is_slim(settings.open_webui_image),
        )
    )


def _advice(settings: Settings, host: Mapping[str, Any]) -> Iterator[str]:
    limits = settings.limits
    total = sum(one.memory * (settings.replicas if role == "open-webui" else 1) for role, one in limits.items())
    there_is = host["MemTotal"] // MIB
    if total > there_is:
        yield (
            f"the memory limits of stack {settings.stack} add up to {total} MiB, and Docker's host has {there_is} MiB: "
            f"under load the kernel may kill before a limit does. Lower ones avoid that ({settings.project}:limits)."
        )


def _docker_advice(client: docker.APIClient) -> Iterator[str]:
    """That this Docker is older or newer than those that were tried, or no Docker."""
    if said := untried(client.version()):
        yield said
