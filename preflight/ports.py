"""Ports and addresses of the host on which the stack publishes, and who holds them."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

import docker

from docker_access import daemon
from preflight.host import first_port
from preflight.objects import owner_of_another
from settings import Settings
from settings.values import DEFAULT_PORTS

LAST_PORT: Final = 65535
ABOVE: Final = 8000
"""What is added to a port that may not be published: 80 becomes 8080, which many programs use."""


@dataclass(frozen=True, kw_only=True)
class Listener:
    """A port of the host on which the stack publishes.

    Attributes:
        key: The config key that names it.
        address: IP address of the host.
        port: TCP port.
    """

    key: str
    address: str
    port: int


def _listeners(settings: Settings) -> list[Listener]:
    wanted = [Listener(key="uiPort", address=settings.ui_bind_address, port=settings.ui_port)]
    if settings.http_port:
        wanted.append(Listener(key="httpPort", address=settings.ui_bind_address, port=settings.http_port))
    if settings.valkey_debug_port:
        wanted.append(Listener(key="valkeyDebugPort", address="127.0.0.1", port=settings.valkey_debug_port))
    return wanted


def low_ports(settings: Settings, client: docker.APIClient, host: Mapping[str, Any]) -> Iterator[str]:
    """Low ports, which a rootless Docker publishes only if its host allows it; not those that the stack has already."""
    low = [listener for listener in _listeners(settings) if listener.port < first_port(host)]
    containers = client.containers() if low else []
    for listener in low:
        if _is_ours(publisher(containers, listener), settings):
            continue
        yield (
            f"port {listener.port} ({settings.project}:{listener.key}) is one that a rootless Docker publishes only if "
            f"its host allows it. Allow it there (sudo sysctl net.ipv4.ip_unprivileged_port_start={listener.port})"
            f"{_or_publish_elsewhere(settings, listener, listener.port + ABOVE)}."
        )


def port_problems(settings: Settings, client: docker.APIClient, host: Mapping[str, Any]) -> Iterator[str]:
    """Ports that somebody else holds, and addresses that the host does not have."""
    wanted = _listeners(settings)
    containers = client.containers()
    for listener in wanted:
        if daemon.is_this_machine(host) and not _has_address(listener.address):
            yield (
                f"address {listener.address} is none of this host's, which has {', '.join(_addresses())}. "
                f"Set {settings.project}:uiBindAddress to one of them."
            )
            break
        if _is_ours(publisher(containers, listener), settings):
            continue
        if who := _holder(containers, listener):
            taken = {one.port for one in wanted}
            near = (replace(listener, port=port) for port in _ports_near(listener.port) if port not in taken)
            free = next((one.port for one in near if not _holder(containers, one)), "PORT")
            yield (
                f"port {listener.port} on {listener.address} is in use by {who}. "
                f"Stop that{_or_publish_elsewhere(settings, listener, free)}."
            )


def _is_ours(holder: Mapping[str, Any] | None, settings: Settings) -> bool:
    return holder is not None and not owner_of_another(holder.get("Labels") or {}, settings)


def _or_publish_elsewhere(settings: Settings, listener: Listener, free: int | str) -> str:
    """The other way out: the line that has it published elsewhere, with the other settings that this needs."""
    line = f"{settings.project}:{listener.key}: {free}"
    if settings.tls == "acme" and listener.port in DEFAULT_PORTS.values():
        asked_from = not settings.acme_directory and "ports-forwarded" not in settings.acknowledged
        line += f", with {settings.project}:acknowledged: [ports-forwarded]" if asked_from else ""
    named = urlsplit(settings.public_url)
    if listener.key == "uiPort" and settings.replicated and named.port == listener.port:
        line += f", and the port in {settings.project}:publicUrl if it is set"
    return f", or publish elsewhere ({line})"


def _ports_near(port: int) -> Iterator[int]:
    """Ports above the port, then ports below it."""
    yield from range(port + 1, min(port + 100, LAST_PORT + 1))
    yield from range(port - 1, max(port - 100, 1023), -1)


def _holder(containers: list[dict[str, Any]], listener: Listener) -> str:
    """Who holds a port: a container or a process; empty if it is free."""
    container = publisher(containers, listener)
    return f"container {container['Names'][0].removeprefix('/')}" if container else process_holding(listener)


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


def process_holding(listener: Listener) -> str:
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
