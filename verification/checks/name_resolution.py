"""Where the names in the apps' URLs of Valkey lead."""

from __future__ import annotations

import ipaddress
from typing import Final

from verification.checks.finding import Finding, failed, first_failure, listed, passed, unknown
from verification.evidence import App, Evidence
from verification.evidence.container import Container
from verification.evidence.inside import WEBSOCKET_URL, Connection
from verification.evidence.valkey import Valkey

ANNOUNCE: Final = "have Sentinel name an address that the apps reach: replica-announce-ip of each Valkey, or host names"
"""Sentinel works with host names where its configuration has `resolve-hostnames yes` and `announce-hostnames yes`."""


def name_resolution(evidence: Evidence) -> Finding:
    """The host in the app's own URLs resolves, inside the app container, to Valkey; one elsewhere, to anything."""
    connections = [
        (app, variable, connection)
        for app in evidence.apps
        for variable, connection in app.probe.connections.items()
        if connection.host
    ]
    if not connections:
        return unknown("not-asked", "no URL with a host was found")
    words = sorted({f"{connection.host} -> {', '.join(connection.addresses)}" for _, _, connection in connections})
    valkey = evidence.valkey
    if valkey and valkey.container:
        container = valkey.container
        found = [_resolves_to_container(*item, container, valkey.info.get("run_id", "")) for item in connections]
        return first_failure(found, passed(listed(sorted({finding.evidence for finding in found}))))
    found = [_resolves_elsewhere(*item, valkey) for item in connections]
    there = (valkey and valkey.found) or frozenset()
    same = all(item.left in there for _, _, item in connections)
    return first_failure(found, passed(listed(words) + (": the Valkey that was asked by URL" if same else "")))


def _resolves_elsewhere(app: App, variable: str, connection: Connection, valkey: Valkey | None) -> Finding:
    host, name = connection.host, app.container.name
    if connection.problem == "resolve":
        seen = f"{host} ({variable}) does not resolve inside {name}: {connection.error}"
        return failed("name-does-not-resolve", seen, f"correct the host in {variable} (valkeyUrl of the stack)")
    if is_loopback(host) and connection.problem and app.container.addresses:
        line = ANNOUNCE if connection.primary else f"correct the host in {variable} (valkeyUrl of the stack)"
        return _names_loopback(app, variable, connection, line)
    if valkey and valkey.found is not None and connection.left and connection.left not in valkey.found:
        seen = f"what {name} writes over {variable} ({connection.url}) is not in the Valkey asked by {valkey.url}"
        fix = f"point {variable} at that Valkey, or ask by the URL of the one that {name} uses"
        return failed("name-resolves-elsewhere", seen, fix)
    return passed(host)


def _resolves_to_container(app: App, variable: str, connection: Connection, valkey: Container, server: str) -> Finding:
    host, name = connection.host, app.container.name
    shared = valkey.networks.keys() & app.container.networks.keys()
    # One that the app shares no network with has addresses too, and no name resolves to them.
    own = valkey.addresses_on(shared) or valkey.addresses
    line = f"set {variable}=redis://{valkey.name}:6379/{connection.database} in the environment of {name}"
    line = ANNOUNCE if connection.primary else line
    # Containers on the host's network, or on one another's, have no address of their own and do share the loopback.
    if is_loopback(host) and valkey.addresses and app.container.addresses:
        return _names_loopback(app, variable, connection, line)
    if connection.problem == "resolve":
        network = min(valkey.networks, default="NETWORK")
        fix = line if shared else f"docker network connect {network} {name}    # they share no network"
        return failed(
            "name-does-not-resolve", f"{host} ({variable}) does not resolve inside {name}: {connection.error}", fix
        )
    if is_loopback(host) or not connection.addresses or not own:
        return unknown(
            "addresses-unknown",
            f"{host} -> {', '.join(connection.addresses) or '?'}; Valkey's own addresses are not known",
        )
    strangers = set(connection.addresses) - own
    if strangers:
        sometimes = ", only sometimes to Valkey," if set(connection.addresses) & own else ""
        seen = f"{host} ({variable}) resolves to {listed(sorted(strangers))}{sometimes} inside {name}"
        seen += f"; {valkey.name} has {listed(sorted(own))}"
        if sometimes or connection.problem:
            return failed("name-resolves-elsewhere", seen, line)
        return _at_another_address(variable, connection, seen, server, line)
    return passed(f"{host} -> {listed(connection.addresses)}", connection.seconds)


def _at_another_address(variable: str, connection: Connection, seen: str, server: str, line: str) -> Finding:
    """A port of this host's, a proxy or a service's address may lead to Valkey as well: the server's own id decides."""
    known = connection.server and server
    if known and connection.server == server:
        words = f"{connection.host} -> {listed(connection.addresses)}, where the same server answers"
        return passed(words, connection.seconds)
    if known and not connection.primary and variable == WEBSOCKET_URL:
        return failed("name-resolves-elsewhere", f"{seen}, and another server answers there", line)
    why = "whether it answers there is not known"
    if known:
        why = "Sentinel names another server" if connection.primary else "sessions are kept in another Valkey"
    return unknown("addresses-unknown", f"{seen}: {why}")


def _names_loopback(app: App, variable: str, connection: Connection, fix: str) -> Finding:
    name, host = app.container.name, connection.host
    who = f"Sentinel names {host} to {name}" if connection.primary else f"{variable} of {name} names {host}"
    seen = f"{who}: inside a container that is the container itself"
    return failed("name-is-loopback", f"{seen}, not Valkey", fix)


def is_direct(app: App, valkey: Container) -> bool:
    """Whether an app's live events go to an address of Valkey's own, which then sees them come from the app's."""
    connection = app.probe.connection(WEBSOCKET_URL)
    return not set(connection.addresses) - valkey.addresses


def is_replica_of_sentinels(app: App, valkey: Valkey) -> bool:
    """Whether Sentinel sends the app to another server than the one that was named, as it may after a failover."""
    connection = app.probe.connection(WEBSOCKET_URL)
    if not (connection.primary and valkey.container) or is_direct(app, valkey.container):
        return False
    return not connection.server or connection.server != valkey.info.get("run_id")


def is_loopback(host: str) -> bool:
    """Whether a host means the container itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
