"""The URL from inside a container, where no way leads from here to what the Docker host publishes for itself alone.

Docker's own part, from the host's port to the container, is then not asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from docker_access import daemon
from verification.ask.front_door import DEFAULT_PORTS
from verification.checks.evidence import Container
from verification.subject import Subject


class View(Protocol):
    """What is asked of Docker here."""

    def container(self, name: str) -> Container:
        """One container."""


@dataclass(frozen=True, kw_only=True)
class Inside:
    """A way to the URL from inside a container: what a port of the Docker host leads to, whoever gets to that port.

    Attributes:
        container: From inside which it is asked.
        host: Address there of the container that the port leads to.
        port: That one's own TCP port.
    """

    container: str
    host: str
    port: int

    def __str__(self) -> str:
        """In words."""
        return f"from inside {self.container}, at {self.host}:{self.port}"


def way_inside(view: View, subject: Subject) -> Inside | None:
    """The way from the first app to whichever of the gateway and the apps the URL's port of the host leads to.

    None where that port is for others too: that they get there is to be seen, and cannot be from inside.
    """
    parts = urlsplit(subject.url)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme]
    if subject.door:
        host, port = subject.door.address, subject.door.port
    if not daemon.is_loopback(host):
        return None
    first = view.container(subject.apps[0])
    for name in filter(None, (subject.gateway, *subject.apps)):
        item = view.container(name)
        own, addresses = item.port_behind(port), sorted(item.addresses_on(first.networks))
        if own and addresses:
            return Inside(container=first.name, host=addresses[0], port=own)
    return None
