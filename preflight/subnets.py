"""Subnets: whether the one that the stack names is free, and whether Docker has others left for its networks."""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import docker

from preflight.host import shares_network
from preflight.objects import owner_of_another
from settings import Settings

ROUTES: Final = Path("/proc/net/route")

ANYWHERE: Final = 8
"""Destinations of fewer bits lead to anybody: the default route, or the halves that a VPN lays over it."""

POOLS: Final = (
    {"Base": "172.17.0.0/16", "Size": 16},
    {"Base": "172.18.0.0/15", "Size": 16},
    {"Base": "172.20.0.0/14", "Size": 16},
    {"Base": "172.24.0.0/13", "Size": 16},
    {"Base": "192.168.0.0/16", "Size": 20},
)
"""Where Docker takes subnets from if nobody told it others.

Source: https://github.com/moby/moby/blob/v29.0.0/daemon/libnetwork/ipamutils/utils.go
"""


@dataclass(frozen=True)
class Route:
    """A destination in this host's main routing table; a direct one is the interface's own, without a gateway."""

    network: ipaddress.IPv4Network
    interface: str
    direct: bool


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A subnet that somebody uses; an address is one of its own."""

    network: ipaddress.IPv4Network
    by: str


def subnet_problems(settings: Settings, taken: list[Taken]) -> Iterator[str]:
    """The subnet that the stack names overlaps one that somebody uses."""
    wanted = ipaddress.IPv4Network(settings.edge_subnet)
    by = next((one.by for one in taken if one.network.overlaps(wanted)), "")
    if by:
        free = f"{settings.project}:edgeSubnet: {_free_subnet(taken)}"
        yield f"subnet {wanted} of network {settings.names.network} overlaps {by}. Choose another ({free})."


def _free_subnet(taken: list[Taken]) -> str:
    """A private /24 that nobody uses, for the message."""
    ranges = ("10.213.0.0/16", "172.28.0.0/16", "192.168.0.0/16")
    candidates = (one for network in ranges for one in ipaddress.IPv4Network(network).subnets(new_prefix=24))
    free = (one for one in candidates if not any(one.overlaps(used.network) for used in taken))
    return str(next(free, "a private /24 that nobody uses"))


def taken_subnets(settings: Settings, client: docker.APIClient, host: Mapping[str, Any]) -> Iterator[Taken]:
    """Subnets of Docker's other networks, and its host's addresses and routes outside of those."""
    own, docker_subnets = False, []
    for subnet, network in subnets_of(client.networks()):
        docker_subnets.append(subnet)
        if network["Name"] != settings.names.network:
            owner = owner_of_another(network.get("Labels") or {}, settings) or "it is this stack's own"
            yield Taken(network=subnet, by=f"{subnet} of Docker's network {network['Name']} ({owner})")
        else:
            own = str(subnet) == settings.edge_subnet
    if not shares_network(host):
        return
    import psutil  # noqa: PLC0415 - 30 ms that only few deployments need

    for interface, addresses in psutil.net_if_addrs().items():
        for address in addresses:
            if address.family == socket.AF_INET:
                itself = ipaddress.IPv4Network(address.address)
                if not any(itself.subnet_of(subnet) for subnet in docker_subnets):
                    yield Taken(network=itself, by=f"address {address.address} of this host's interface {interface}")
    # A network that exists already need not move for a VPN that came later.
    for route in () if own else routes():
        to = route.network
        if to.prefixlen >= ANYWHERE and not any(to.subnet_of(subnet) for subnet in docker_subnets):
            yield Taken(network=to, by=f"the route to {to} by this host's interface {route.interface}")


def subnets_of(networks: list[dict[str, Any]]) -> Iterator[tuple[ipaddress.IPv4Network, dict[str, Any]]]:
    """IPv4 subnets of Docker's networks, each with its network; not those whose addresses a DHCP server hands out."""
    for network in networks:
        for config in (network.get("IPAM") or {}).get("Config") or ():
            subnet = ipaddress.ip_network(config.get("Subnet") or "0.0.0.0/0", strict=False)
            # 0.0.0.0/0 stands for the subnet of a DHCP server.
            if isinstance(subnet, ipaddress.IPv4Network) and subnet.prefixlen:
                yield subnet, network


def routes() -> Iterator[Route]:
    """This machine's IPv4 routes; none where it has no such table.

    Source: https://man7.org/linux/man-pages/man5/proc_pid_net.5.html
    """
    lines: list[str] = []
    with suppress(OSError):
        lines = ROUTES.read_text(encoding="ascii").splitlines()[1:]
    for line in lines:
        interface, destination, gateway, _, _, _, _, mask, *_ = line.split()
        start = int.from_bytes(int(destination, 16).to_bytes(4, sys.byteorder), "big")
        network = ipaddress.IPv4Network((start, int(mask, 16).bit_count()))
        yield Route(network, interface, direct=int(gateway, 16) == 0)


def pool_problems(
    settings: Settings, host: Mapping[str, Any], networks: Iterable[str], subnets: list[ipaddress.IPv4Network]
) -> Iterator[str]:
    """Docker has no subnet left for a network that the stack is to get, beside these networks and their subnets.

    Docker avoids the subnets of this host's links. Since 20.10.15 it does not count a route by a gateway as one:
    https://github.com/moby/moby/pull/43360
    """
    chosen = {settings.names.network} if settings.edge_subnet or settings.network_external else set()
    wanted = [name for name in settings.networks if name not in {*networks, *chosen}]
    if not wanted:
        return
    taken = [one for one in routes() if one.network.prefixlen and one.direct] if shares_network(host) else []
    used = [*subnets, *(route.network for route in taken)]
    pools = host.get("DefaultAddressPools") or POOLS
    if sum(1 for _, _ in zip(wanted, _free(pools, used), strict=False)) == len(wanted):
        return
    own = ", ".join(str(pool["Base"]) for pool in pools)
    others = sorted({route.interface for route in taken if not any(route.network.subnet_of(one) for one in subnets)})
    beside = f" and the routes of {', '.join(others)}" if others else ""
    yield (
        f"network {wanted[-1]} gets no subnet: Docker's address pools ({own}) are taken by {len(subnets)} networks"
        f"{beside}. Remove one that nobody needs (docker network ls; docker network rm NAME), or give Docker more "
        "(`default-address-pools` in /etc/docker/daemon.json)."
    )


def _free(pools: Iterable[Mapping[str, Any]], used: list[ipaddress.IPv4Network]) -> Iterator[ipaddress.IPv4Network]:
    """Subnets of the pools that overlap none that is used."""
    for pool in pools:
        base = ipaddress.ip_network(pool["Base"], strict=False)
        if isinstance(base, ipaddress.IPv4Network):
            for one in base.subnets(new_prefix=max(int(pool["Size"]), base.prefixlen)):
                if not any(one.overlaps(other) for other in used):
                    yield one
