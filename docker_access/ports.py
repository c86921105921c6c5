"""Ports that the Docker host publishes, connected to as that host itself sees them."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from docker_access.client import SSH_SECONDS
from docker_access.daemon import OutOfReach, address, is_loopback, is_name, kind, name


@contextmanager
def connected(host: str, port: int, seconds: float) -> Iterator[socket.socket]:
    """A TCP connection to where a port of the Docker host is published, as that host itself sees it.

    Over ssh it is made from there, so that 127.0.0.1 is the Docker host's own and never this machine's. A name is
    connected to from here, as people do.

    Connecting, and each answer, may take so many seconds.

    Raises:
        OutOfReach: The Docker host publishes it at an address that cannot be reached from here.
        OSError: It cannot be connected to.
    """
    if kind() == "ssh" and not is_name(host):
        from docker_access.ssh import through  # noqa: PLC0415 - for this kind of daemon only

        with through(address(), host, port) as connection:
            connection.settimeout(seconds + SSH_SECONDS)
            yield connection
        return
    place = (_seen_from_here(host), port)
    try:
        connection = socket.create_connection(place, timeout=seconds)
    except OSError as error:
        if kind() == "tcp" and not is_name(host):
            raise OutOfReach(f"{place[0]}:{port} from here: {error.strerror or error}; {_over_ssh()}") from error
        raise
    with connection:
        yield connection


def _over_ssh() -> str:
    return f"{address()} may lead elsewhere: with DOCKER_HOST=ssh://{name()} it is asked from there"


def _seen_from_here(host: str) -> str:
    """The address to connect to from here, for an address of the Docker host."""
    if kind() != "tcp" or is_name(host) or not name():
        return host
    own = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    if own.is_loopback and not is_loopback(name()):
        raise OutOfReach(f"{host} is the Docker host's own address, out of reach from here; {_over_ssh()}")
    return name() if own.is_unspecified or own.is_loopback else host
