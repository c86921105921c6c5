"""The URL asked from inside a container, where nothing leads from here to what the Docker host publishes for itself.

Docker's own part, from the host's port to the container, is then not asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from docker_access import daemon
from verification.ask.view import View
from verification.evidence.url import DEFAULT_PORTS
from verification.subject import Subject


@dataclass(frozen=True, kw_only=True)
class InsideRoute:
    """A route to the URL from inside a container, to what a port of the Docker host leads to.

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


def route_inside(view: View, subject: Subject) -> InsideRoute | None:
    """The route from the first app to that of the gateway and the apps to which the URL's port of the host leads.

    None where that port is for others too: whether they get there cannot be seen from inside.
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
            return InsideRoute(container=first.name, host=addresses[0], port=own)
    return None
