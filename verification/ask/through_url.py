"""The questions that are asked through the URL, from here or from inside a container.

From inside where nothing leads from here to what the Docker host publishes for itself. Docker's own part, from the
host's port to the container, is then not asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from docker_access import daemon
from docker_access.background import in_background
from docker_access.polling import Clock, poll
from verification.ask.public_endpoint import FOREIGN_ORIGIN, PublicEndpoint
from verification.ask.view import View
from verification.evidence.container import Container
from verification.evidence.url import DEFAULT_PORTS, HttpAnswer, IdleSocket, UrlEvent, origin_of
from verification.inside import runner
from verification.subject import Subject

GATEWAY_SECONDS: Final = 14.0
"""How long a gateway may take to find its replicas healthy after they answer: ours avoids one that failed for 10 s."""
CERTIFICATE_SECONDS: Final = 30.0
"""How long a gateway may take to have its certificate from a public authority."""
PUBLISH_SECONDS: Final = 8.0
PATHS: Final = ("/health", "/ready", "/api/version")
PASSING: Final = frozenset({0, 502, 503, 504})
"""What a gateway answers that has no replica to hand a request to, yet."""


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


@dataclass(frozen=True, kw_only=True)
class UrlAnswers:
    """What was answered through the URL.

    Attributes:
        route: From where it was asked, where no way leads there from here.
        asked: The same in words, and why; empty where it was asked from here.
        answers: To GET, by path.
        upgrade: To a websocket upgrade from the URL's own origin; None when not asked.
        foreign_upgrade: To one from another origin.
    """

    route: InsideRoute | None = None
    asked: str = ""
    answers: dict[str, HttpAnswer] = field(default_factory=dict)
    upgrade: HttpAnswer | None = None
    foreign_upgrade: HttpAnswer | None = None

    @property
    def opens(self) -> bool:
        """A websocket opens."""
        return self.upgrade is not None and self.upgrade.status == HTTPStatus.SWITCHING_PROTOCOLS


def ask_url(view: View, subject: Subject, clock: Clock) -> UrlAnswers:
    """Everything that is asked through the URL at once; a gateway is given time to find its replicas."""
    public = subject.url.startswith("https:") and not subject.ca
    patience = (CERTIFICATE_SECONDS if public else GATEWAY_SECONDS) if subject.gateway else 0
    route, asked = None, ""

    def health_of_endpoint() -> tuple[PublicEndpoint, HttpAnswer, bool]:
        """The endpoint, its answer, and whether another question may be answered otherwise."""
        nonlocal route, asked
        ca = _ca(view, subject)
        found = endpoint(view, subject, ca, route)
        health = found.get("/health")
        if health.out_of_reach and route is None and (route := route_inside(view, subject)):
            asked = f"{route}: {health.error}"
            found = endpoint(view, subject, ca, route)
            health = found.get("/health")
        if health.untrusted and ca is None:
            return found, replace(health, error=f"{health.error}; there is no {subject.ca} in {subject.gateway}"), True
        return found, health, health.status in PASSING and not (health.out_of_reach or health.untrusted)

    for _ in poll(patience, clock=clock):
        found, health, again = health_of_endpoint()
        if not again:
            break
    if not health.status:  # nobody answers the rest either, and each would be waited for
        answers = dict.fromkeys(PATHS, health)
        return UrlAnswers(answers=answers, upgrade=health, foreign_upgrade=health, route=route, asked=asked)
    others = {path: in_background(partial(found.get, path)) for path in PATHS if path != "/health"}
    upgrade = in_background(lambda: found.upgrade(origin_of(subject.url)))
    foreign = in_background(lambda: found.upgrade(FOREIGN_ORIGIN))
    return UrlAnswers(
        answers={"/health": health, **{path: answer.result() for path, answer in others.items()}},
        upgrade=upgrade.result(),
        foreign_upgrade=foreign.result(),
        route=route,
        asked=asked,
    )


def endpoint(view: View, subject: Subject, ca: str | None, route: InsideRoute | None) -> PublicEndpoint:
    """The address people open, asked from here or by that route."""
    through = partial(view.through, route.container, route.host, route.port) if route else None
    return PublicEndpoint(url=subject.url, published=subject.door, ca=ca or "", inside=through)


def _ca(view: View, subject: Subject) -> str | None:
    """The CA of the gateway's certificate; empty for this host's own, None where there is no such file."""
    return view.read_file(subject.gateway, subject.ca) if subject.ca else ""


def ask_idle_socket(view: View, subject: Subject, seen: UrlAnswers) -> IdleSocket | None:
    """Keep a websocket through the URL silent; None where that is out of reach."""
    if seen.answers["/health"].out_of_reach:
        return None
    return endpoint(view, subject, _ca(view, subject), seen.route).keep_silent(origin_of(subject.url))


def ask_url_event(view: View, subject: Subject, route: InsideRoute | None) -> UrlEvent:
    """Have events published for pages at the URL, from inside the first app; one more than there are replicas."""

    def publish(nonces: Mapping[str, str]) -> UrlEvent:
        executed = runner.run(view, subject.apps[0], "publish", {"nonces": dict(nonces)}, seconds=PUBLISH_SECONDS)
        try:
            answer = executed.answer()
        except ValueError:
            return UrlEvent(error=f"nothing could be published: {executed.error.strip()[-300:]}")
        return UrlEvent(receivers=answer.get("receivers"), rooms=answer["rooms"], error=answer["error"])

    found = endpoint(view, subject, _ca(view, subject), route)
    return found.receive_events(origin_of(subject.url), len(subject.apps) + 1, publish)


def has_proxy(subject: Subject, apps: Iterable[Container]) -> bool:
    """Whether the URL leads to something else before it leads to an app: a gateway, or any proxy."""
    parts = urlsplit(subject.url)
    host, port = parts.hostname or "", parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    # Open WebUI itself speaks no TLS.
    return bool(subject.gateway) or parts.scheme == "https" or not any(app.listens_at(host, port) for app in apps)
