"""What the gateway's network must not reach, and what it must."""

from __future__ import annotations

from verification.checks.finding import Finding, failed, listed, passed, unknown
from verification.evidence import Evidence


def isolation(evidence: Evidence) -> Finding:  # noqa: PLR0911 - one a fault
    """The private containers do not answer from the gateway's network, publish no port, and have no way out.

    The host itself reaches every container's address whatever the networks are, so nothing is claimed of it:
    https://docs.docker.com/engine/network/drivers/bridge/
    """
    reach = evidence.reach
    if reach is None:
        return unknown("isolation-not-asked", "nothing to isolate was named, or a container does not run")
    names = listed(container.name for container in reach.private)
    fix = f"docker rm -f {names.replace(',', '')} && make up    # made anew; data volumes stay"
    if reach.answered:
        seen = f"from network {reach.edge} these answer: {listed(reach.answered)}"
        return failed("private-reachable", seen, fix, reach.seconds)
    published = [f"{item.name} at {address}" for item in reach.private for address in item.published]
    if published:
        return failed("private-published", f"published on this host: {listed(published)}", fix, reach.seconds)
    open_networks = [network for network, internal in reach.internal.items() if not internal]
    if open_networks:
        seen = f"network {listed(open_networks)} of {names} is not internal: it leads out of this host"
        again = "; ".join(
            f"docker rm -f $(docker ps -aqf network={it}); docker network rm {it}" for it in open_networks
        )
        return failed("network-not-internal", seen, f"{again}; make up    # data volumes stay", reach.seconds)
    if reach.error:
        return unknown("isolation-not-asked", f"not tried from network {reach.edge}: {reach.error}")
    if not reach.control:
        seen = f"from network {reach.edge} no replica answers either, so trying the others tells nothing"
        return unknown("isolation-not-asked", seen)
    seen = f"none of {reach.tried} addresses and names of {names} answers from {reach.edge}"
    return passed(f"{seen}, where {listed(reach.control)} can be reached; none is published", reach.seconds)


def gateway_replicas(evidence: Evidence) -> Finding:
    """Every replica answers from the gateway's network: a gateway that misses one just goes on without it."""
    reach = evidence.reach
    if reach is None:
        return unknown("not-asked", "no gateway's network was named, or a container does not run")
    if reach.error or not reach.control:
        return unknown("not-asked", reach.error or f"from network {reach.edge} no replica answers: health tells more")
    if reach.missed:
        seen = f"from network {reach.edge} {listed(reach.missed)} cannot be reached, {listed(reach.control)} can"
        fix = f"docker rm -f {' '.join(reach.missed)} && make up    # made anew; data volumes stay"
        return failed("gateway-misses-replica", seen, fix, reach.seconds)
    return passed(f"{listed(reach.control)} can be reached from {reach.edge}", reach.seconds)
