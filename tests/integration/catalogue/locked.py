"""Faults of what is to be locked: Valkey's accounts and TLS, and the networks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from components.valkey.acl import APP_ACCOUNT
from tests.integration.catalogue.fault import Fault, Inject
from tests.integration.catalogue.pair import app_with
from tests.integration.catalogue.stand_ins import stand_in, stand_in_app
from tests.integration.hand_made import ADMIN, Labs
from tests.lease import free_port
from verification.subject import Isolation, Subject

FOREVER = "sleep infinity"


def url_of(scheme: str) -> Inject:
    """An app that comes to a Valkey with TLS like this, and has no CA to check its certificate with."""

    @contextmanager
    def inject(labs: Labs) -> Iterator[Subject]:
        lab = labs.replicas
        account = f"{APP_ACCOUNT}:{lab.passwords[APP_ACCOUNT]}"
        url = f"{scheme}://{account}@{lab.valkey}:6379"
        urls = {"WEBSOCKET_REDIS_URL": f"{url}/1", "REDIS_URL": f"{url}/0"}
        with stand_in_app(labs.variants, urls, network=f"{lab.prefix}-data") as name:
            yield Subject(apps=(name,), valkey=lab.valkey, valkey_login=lab.subject.valkey_login, wait_seconds=20)

    return inject


@contextmanager
def wrong_password_of_verify(labs: Labs) -> Iterator[Subject]:
    """The file with the password to ask Valkey with holds another one."""
    lab = labs.replicas
    file = lab.directory / "valkey/verify"
    file.chmod(0o644)
    file.write_text("wrong-password", encoding="utf-8")
    try:
        yield lab.subject
    finally:
        file.write_text(lab.passwords["verify"], encoding="utf-8")


@contextmanager
def denied(labs: Labs) -> Iterator[Subject]:
    """The apps' account has asked for what it may not do."""
    lab = labs.replicas
    ask = "import os, redis; redis.Redis.from_url(os.environ['REDIS_URL']).keys()"
    asked = lab.get(lab.apps[0]).exec_run(["sh", "-c", f'set -a; . /run/secrets/env; exec python3 -c "{ask}"'])
    assert b"NoPermissionError" in asked.output
    try:
        yield lab.subject
    finally:
        lab.valkey_cli("verify", "acl", "log", "reset")


@contextmanager
def open_to_everybody(labs: Labs) -> Iterator[Subject]:
    """Valkey takes clients without an account."""
    lab = labs.replicas
    assert lab.valkey_cli(ADMIN, "acl", "setuser", "default", "on", "nopass", "+ping") == "OK\n"
    try:
        yield lab.subject
    finally:
        lab.valkey_cli(ADMIN, "acl", "setuser", "default", "off", "resetpass", "-@all")


@contextmanager
def valkey_on_the_edge(labs: Labs) -> Iterator[Subject]:
    """Valkey has joined the gateway's network."""
    lab = labs.replicas
    lab.edge.connect(lab.valkey)
    try:
        yield lab.subject
    finally:
        lab.edge.disconnect(lab.valkey)
        # Its name has led there too: what an app had opened that way is silent from now on.
        lab.wait_until_ready()


@contextmanager
def postgres_with_a_way_out(labs: Labs) -> Iterator[Subject]:
    """Postgres has joined a network that leads out of the host."""
    lab = labs.replicas
    bridge = labs.client.networks.get("bridge")
    bridge.connect(lab.postgres)
    try:
        yield lab.subject
    finally:
        bridge.disconnect(lab.postgres)


@contextmanager
def published(labs: Labs) -> Iterator[Subject]:
    """A private container with a port on the host."""
    subject = labs.replicas.subject
    ports = {"5432/tcp": ("127.0.0.1", free_port())}
    with stand_in(labs.variants, "published", FOREVER, network="bridge", ports=ports) as name:
        isolation = Isolation(edge=f"{labs.replicas.prefix}-edge", private=(subject.valkey, name))
        yield replace(subject, isolation=isolation)


@contextmanager
def gateway_without_tools(labs: Labs) -> Iterator[Subject]:
    """A gateway whose image has nothing to try a connection with."""
    lab = labs.replicas
    with stand_in(labs.variants, "bare-gateway", FOREVER, network=lab.edge.name) as name:
        yield replace(lab.subject, gateway=name, url="", door=None, ca="", expected={})


@contextmanager
def nothing_to_isolate(labs: Labs) -> Iterator[Subject]:
    """A sound pair on one network."""
    yield labs.pair.subject()


FAULTS = (
    Fault(
        name="`WEBSOCKET_REDIS_URL` says `rediss://`, and Valkey speaks no TLS",
        inject=app_with(WEBSOCKET_REDIS_URL="rediss://:{password}@{valkey}:6379/1"),
        check="connect",
        cause="valkey-tls-failed",
        also={"live-event": "valkey-tls-failed"},
    ),
    Fault(
        name="`WEBSOCKET_REDIS_URL` says `redis://`, and Valkey speaks TLS",
        inject=url_of("redis"),
        check="connect",
        cause="valkey-tls-failed",
        own="-/-",
    ),
    Fault(
        name="the app knows no CA that vouches for Valkey's certificate",
        inject=url_of("rediss"),
        check="connect",
        cause="valkey-tls-failed",
        own="-/-",
    ),
    Fault(
        name="the account to ask Valkey with has another password",
        inject=wrong_password_of_verify,
        check="valkey-pong",
        cause="valkey-login-refused",
    ),
    Fault(
        name="Valkey has denied the apps' account a command",
        inject=denied,
        check="valkey-acl",
        cause="valkey-acl-log",
    ),
    Fault(
        name="Valkey takes clients without an account",
        inject=open_to_everybody,
        check="valkey-acl",
        cause="valkey-open",
    ),
    Fault(
        name="Valkey has joined the gateway's network",
        inject=valkey_on_the_edge,
        check="isolation",
        cause="private-reachable",
    ),
    Fault(
        name="Postgres has joined a network with a way out",
        inject=postgres_with_a_way_out,
        check="isolation",
        cause="network-not-internal",
    ),
    Fault(
        name="Postgres' port is published on the host",
        inject=published,
        check="isolation",
        cause="private-published",
    ),
    Fault(
        name="the gateway's image has no `nc`",
        inject=gateway_without_tools,
        check="isolation",
        cause="isolation-not-asked",
        status="unknown",
        verdict="unknown",
        first="not-asked",
    ),
    Fault(
        name="Valkey shares the apps' network, and there is no other",
        inject=nothing_to_isolate,
        check="isolation",
        cause="isolation-not-asked",
        status="unknown",
        verdict="proved",
    ),
)
