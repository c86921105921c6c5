"""What the gateway's network must not reach, and what it must."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from verification.checks.finding import UPDATE, Finding, failed, listed, passed, re_create_commands, unknown
from verification.evidence import Connectivity, Evidence

TOOLS: Final = "name an image of the gateway that has sh and nc (gatewayImage of the stack)"


def isolation(evidence: Evidence) -> Finding:  # noqa: PLR0911 - one a fault
    """The private containers do not answer from the gateway's network, publish no port, and have no way out.

    The host itself reaches every container's address whatever the networks are, so nothing is claimed of it:
    https://docs.docker.com/engine/network/drivers/bridge/
    """
    reach = evidence.connectivity
    if reach is None:
        return unknown("isolation-not-asked", "nothing to isolate was named, or a container does not run")
    names = listed(container.name for container in reach.private)
    if reach.answered:
        seen = f"from network {reach.edge} these answer: {listed(reach.answered)}"
        joined = [item.name for item in reach.private if reach.edge in item.networks]
        fix = _disconnect_commands(reach.edge, joined)
        return failed("private-reachable", seen, fix, reach.seconds)
    published = [item for item in reach.private if item.published]
    if published:
        seen = listed(f"{item.name} at {address}" for item in published for address in item.published)
        return failed(
            "private-published", f"published on this host: {seen}", re_create_commands(published), reach.seconds
        )
    open_networks = [network for network, internal in reach.internal.items() if not internal]
    if open_networks:
        seen = f"network {listed(open_networks)} of {names} is not internal: it leads out of this host"
        fix = " && ".join(_close_commands(network, reach, evidence) for network in open_networks)
        return failed("network-not-internal", seen, fix, reach.seconds)
    if reach.error:
        return unknown(
            "isolation-not-asked", f"not tried from network {reach.edge}: {reach.error}", TOOLS, applies=True
        )
    if not reach.control:
        seen = f"from network {reach.edge} no replica answers either, so trying the others tells nothing"
        return unknown("isolation-not-asked", seen, applies=True)
    seen = f"none of {reach.tried} addresses and names of {names} answers from {reach.edge}"
    return passed(f"{seen}, where {listed(reach.control)} can be reached; none is published", reach.seconds)


def _disconnect_commands(network: str, names: Iterable[str]) -> str:
    """The commands that take containers off a network; the one that shows more of it where none is seen on it."""
    leave = (f"docker network disconnect {network} {name}" for name in names)
    return " && ".join(leave) or f"docker network inspect {network}    # what leads through it"


def _close_commands(network: str, reach: Connectivity, evidence: Evidence) -> str:
    """The commands that leave private containers on no network with a way out."""
    known = {item.name: item for item in (*evidence.containers, *reach.private)}
    leave = _disconnect_commands(network, (name for name, item in known.items() if network in item.networks))
    # A network that no replica is on is somebody else's. The stack's own is re-created: Docker closes no open one.
    own = any(network in app.container.networks for app in evidence.apps)
    return f"{leave} && docker network rm {network} && {UPDATE}" if own else leave


def gateway_replicas(evidence: Evidence) -> Finding:
    """Every replica answers from the gateway's network: a gateway that misses one just goes on without it."""
    reach = evidence.connectivity
    if reach is None:
        return unknown("not-asked", "no gateway's network was named, or a container does not run")
    if reach.error:
        return unknown("not-asked", reach.error, TOOLS, applies=True)
    if not reach.control:
        return unknown("not-asked", f"from network {reach.edge} no replica answers: health tells more", applies=True)
    if reach.missed:
        seen = f"from network {reach.edge} {listed(reach.missed)} cannot be reached, {listed(reach.control)} can"
        away = {app.container.name for app in evidence.apps if reach.edge not in app.container.networks}
        fixes = (f"docker {f'network connect {reach.edge}' if it in away else 'restart'} {it}" for it in reach.missed)
        return failed("gateway-misses-replica", seen, " && ".join(fixes), reach.seconds)
    return passed(f"{listed(reach.control)} can be reached from {reach.edge}", reach.seconds)
