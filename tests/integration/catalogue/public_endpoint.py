"""Faults of the public endpoint, and of the gateway there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from tests.integration.catalogue.fault import Fault, Inject
from tests.integration.catalogue.stand_ins import healthcheck, stand_in
from tests.integration.hand_made import CADDY_IMAGE, URL, Labs
from tests.lease import free_port
from verification.ask import through_url
from verification.subject import PublishedPort, Subject

REDIRECT = """\
printf ':8080 {\\n redir https://chat.test{uri}\\n}\\n' > /tmp/Caddyfile
exec caddy run --config /tmp/Caddyfile --adapter caddyfile
"""


def asked_with(**changes: Any) -> Inject:
    """Sound replicas behind a sound gateway, of which something else is said."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        with mock.patch.object(through_url, "GATEWAY_SECONDS", 1):
            yield replace(labs.replicas.subject, **changes)

    return inject


def gateway_with(directives: str, *, settle: float = through_url.GATEWAY_SECONDS) -> Inject:
    """A gateway that has further directives for its reverse proxy.

    Args:
        directives: Lines of the Caddyfile.
        settle: Seconds it is given to find its replicas.
    """

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        with (
            mock.patch.object(through_url, "GATEWAY_SECONDS", settle),
            labs.replicas.gateway_with(directives),
        ):
            yield labs.replicas.subject

    return inject


@contextmanager
def replica_off_the_edge(labs: Labs) -> Iterator[Subject]:
    """A replica has left the gateway's network."""
    lab = labs.replicas
    lab.edge.disconnect(lab.apps[1])
    try:
        yield lab.subject
    finally:
        lab.edge.connect(lab.apps[1])


@contextmanager
def hung(labs: Labs) -> Iterator[Subject]:
    """The gateway runs, takes connections and says nothing."""
    lab = labs.replicas
    lab.get(lab.gateway).kill("STOP")
    try:
        with mock.patch.object(through_url, "GATEWAY_SECONDS", 3):
            yield lab.subject
    finally:
        lab.get(lab.gateway).kill("CONT")


@contextmanager
def nobody_at_the_url(labs: Labs) -> Iterator[Subject]:
    """A sound pair whose URL leads to a port where nobody listens."""
    yield labs.pair.subject(url=f"http://127.0.0.1:{free_port()}")


@contextmanager
def redirected(labs: Labs) -> Iterator[Subject]:
    """A sound pair behind something that sends everybody to another address."""
    subject, port = labs.pair.subject(), free_port()
    listening = healthcheck("nc -z 127.0.0.1 8080", start_period=20)
    with stand_in(
        labs.pair,
        "redirect",
        REDIRECT,
        image=CADDY_IMAGE,
        healthcheck=listening,
        ports={"8080/tcp": ("127.0.0.1", port)},
    ) as name:
        yield replace(subject, gateway=name, url=f"http://127.0.0.1:{port}")


@contextmanager
def no_url(labs: Labs) -> Iterator[Subject]:
    """A sound pair; nobody says where people open it."""
    yield labs.pair.subject()


FAULTS = (
    Fault(
        name="nobody listens at the URL",
        inject=nobody_at_the_url,
        check="health",
        cause="url-no-answer",
    ),
    Fault(
        name="the URL leads somewhere that redirects to another address",
        inject=redirected,
        check="health",
        cause="url-redirects",
    ),
    Fault(
        name="nobody listens at the gateway's port",
        inject=asked_with(door=PublishedPort(address="127.0.0.1", port=1)),
        check="health",
        cause="gateway-no-answer",
    ),
    Fault(
        name="the gateway hangs",
        inject=hung,
        check="health",
        cause="gateway-no-answer",
    ),
    Fault(
        name="the gateway finds no healthy replica",
        inject=gateway_with("health_port 9", settle=3),
        check="health",
        cause="gateway-no-replica",
    ),
    Fault(
        name="a replica has left the gateway's network",
        inject=replica_off_the_edge,
        check="gateway-replicas",
        cause="gateway-misses-replica",
    ),
    Fault(
        name="nobody vouches for the gateway's certificate",
        inject=asked_with(ca=""),
        check="health",
        cause="gateway-tls-untrusted",
    ),
    Fault(
        name="the gateway puts its own origin into every request",
        inject=gateway_with(f"header_up Origin {URL}"),
        check="front-door",
        cause="foreign-origin-accepted",
    ),
    Fault(
        name="the gateway drops the header `Upgrade`",
        inject=gateway_with("header_up -Upgrade"),
        check="front-door",
        cause="upgrade-blocked",
    ),
    Fault(
        name="no URL is given",
        inject=no_url,
        check="front-door",
        cause="no-url",
        status="unknown",
        verdict="proved",
        also={"replicas-agree": "one-replica", "as-asked": "nothing-expected"},
    ),
)
