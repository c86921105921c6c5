"""What the preflight looks at beside Docker's objects: this host's routes, the kernel's rights, Docker's own limits."""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shutil
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import docker_access

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from settings import Settings

ROUTES: Final = Path("/proc/net/route")
UNPRIVILEGED_PORTS: Final = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
FIRST_UNPRIVILEGED_PORT: Final = 1024
"""Unless the file says otherwise: https://docs.kernel.org/networking/ip-sysctl.html."""

ANYWHERE: Final = 8
"""Destinations of fewer bits lead to anybody: the default route, or the halves that a VPN lays over it."""

POOLS: Final = (
    {"Base": "172.16.0.0/12", "Size": 16},
    {"Base": "192.168.0.0/16", "Size": 20},
)
"""Where Docker takes subnets from if nobody told it others. The first has no 172.16.

Source: https://github.com/moby/moby/blob/v29.0.0/daemon/libnetwork/ipamutils/utils.go
"""
NOT_A_POOL: Final = ipaddress.IPv4Network("172.16.0.0/16")
LOOKS_AT_LINKS_ONLY: Final = 25
"""From this major version on Docker avoids the subnets of links only; before, whatever a route leads to."""

SECCOMP_SINCE: Final = (20, 10, 10)
"""First Docker whose own profile answers clone3 as a kernel without it does: https://github.com/moby/moby/pull/42681."""
ENOSYS: Final = 38


@dataclass(frozen=True)
class Route:
    """A destination in this host's main routing table.

    Attributes:
        network: The destination.
        interface: Where it leads.
        direct: It is the interface's own subnet, without a gateway.
    """

    network: ipaddress.IPv4Network
    interface: str
    direct: bool


def routes() -> Iterator[Route]:
    """This host's IPv4 routes; none where it has no such table, or Docker is on another host.

    Source: https://man7.org/linux/man-pages/man5/proc_pid_net.5.html
    """
    lines: list[str] = []
    if docker_access.kind() == "local":
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
    """Docker has no subnet left for a network that the stack is to get.

    Args:
        settings: The settings.
        host: What ``docker info`` tells.
        networks: Names of the networks there are.
        subnets: Theirs, in IPv4.
    """
    chosen = {settings.names.network} if settings.edge_subnet or settings.network_external else set()
    wanted = [name for name in settings.networks if name not in {*networks, *chosen}]
    if not wanted:
        return
    version = str(host.get("ServerVersion") or "")
    links_only = int((re.match(r"\d+", version) or ["0"])[0]) >= LOOKS_AT_LINKS_ONLY
    taken = [route for route in routes() if route.network.prefixlen and (route.direct or not links_only)]
    used = [*subnets, *(route.network for route in taken)]
    pools = host.get("DefaultAddressPools") or POOLS
    if sum(1 for _, _ in zip(wanted, _free(pools, used), strict=False)) == len(wanted):
        return
    own = ", ".join(str(pool["Base"]) for pool in pools)
    others = sorted({route.interface for route in taken if not any(route.network.subnet_of(one) for one in subnets)})
    beside = f" and the routes of {', '.join(others)}" if others else ""
    yield (
        f"network {wanted[-1]} gets no subnet: Docker's address pools ({own}) are taken by {len(subnets)} networks"
        f"{beside}. Remove the networks that nobody uses (docker network prune), or give Docker more "
        "(`default-address-pools` in /etc/docker/daemon.json)."
    )


def _free(pools: Iterable[Mapping[str, Any]], used: list[ipaddress.IPv4Network]) -> Iterator[ipaddress.IPv4Network]:
    for pool in pools:
        base = ipaddress.ip_network(pool["Base"], strict=False)
        if isinstance(base, ipaddress.IPv4Network):
            for one in base.subnets(new_prefix=max(int(pool["Size"]), base.prefixlen)):
                if one != NOT_A_POOL and not any(one.overlaps(other) for other in used):
                    yield one


def is_rootless(host: Mapping[str, Any]) -> bool:
    """Whether the daemon runs as an ordinary user, by ``docker info``."""
    return any("rootless" in option for option in host.get("SecurityOptions") or ())


def low_port_problems(settings: Settings, host: Mapping[str, Any]) -> Iterator[str]:
    """A rootless Docker may not publish the ports below 1024, unless somebody allowed it.

    Source: https://docs.docker.com/engine/security/rootless/tips/#exposing-privileged-ports
    """
    if not is_rootless(host):
        return
    first = FIRST_UNPRIVILEGED_PORT
    if docker_access.kind() == "local":
        with suppress(OSError, ValueError):
            first = int(UNPRIVILEGED_PORTS.read_text(encoding="ascii"))
        if _may_bind_low_ports():
            return
    for key, port in (("uiPort", settings.ui_port), ("httpPort", settings.http_port)):
        if port and port < first:
            yield (
                f"port {port} ({settings.project}:{key}) is below {first}, and this Docker is rootless: it may not "
                f"publish it. Allow it (sudo sysctl net.ipv4.ip_unprivileged_port_start={port}), or publish elsewhere "
                f"({settings.project}:{key}: {port + 8000}) and forward the port to there."
            )


def _may_bind_low_ports() -> bool:
    rootlesskit = shutil.which("rootlesskit")
    with suppress(OSError):
        return bool(rootlesskit and os.getxattr(rootlesskit, "security.capability"))
    return False


def seccomp_profile(host: Mapping[str, Any]) -> str:
    """The seccomp profile that containers get, by ``docker info``: ``default``, ``builtin``, a path; empty for none."""
    found = (re.match(r"name=seccomp,profile=(.+)", option) for option in host.get("SecurityOptions") or ())
    return next((match[1] for match in found if match), "")


def seccomp_problems(host: Mapping[str, Any]) -> Iterator[str]:
    """A profile of somebody's own may refuse clone3 with the word for no right, after which no thread starts.

    The C library of the images (glibc 2.34 and later) tries another call only if it is told there is no such one.
    """
    profile = seccomp_profile(host)
    if not profile.startswith("/") or docker_access.kind() != "local":
        return
    try:
        rules = json.loads(Path(profile).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if refuses_clone3(rules):
        yield (
            f"Docker's seccomp profile {profile} refuses the system call clone3, so no thread starts in a container "
            "(`can't start new thread`). Take Docker's own, of 20.10.10 or later (leave `seccomp-profile` out of "
            "/etc/docker/daemon.json), or have this one answer clone3 with ENOSYS (`errnoRet: 38`)."
        )


def refuses_clone3(profile: Mapping[str, Any]) -> bool:
    """Whether a seccomp profile answers clone3 with another error than that there is no such call.

    Source: https://docs.docker.com/engine/security/seccomp/
    """
    of_clone3 = [
        rule
        for rule in profile.get("syscalls") or ()
        if "clone3" in (rule.get("names") or [rule.get("name")]) and not (rule.get("includes") or {})
    ]
    deciding = of_clone3 or [{"action": profile.get("defaultAction"), "errnoRet": profile.get("defaultErrnoRet")}]
    return all(rule.get("action") == "SCMP_ACT_ERRNO" and rule.get("errnoRet") != ENOSYS for rule in deciding)


def seccomp_advice(host: Mapping[str, Any]) -> Iterator[str]:
    """Docker's own profile refused clone3 before 20.10.10; some distributions mended that under the old number."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", str(host.get("ServerVersion") or ""))[:3])
    if () < numbers < SECCOMP_SINCE and seccomp_profile(host) in {"default", "builtin"}:
        yield (
            f"Docker {host['ServerVersion']} may refuse the system call clone3, as its releases before 20.10.10 do: if "
            "a log says `can't start new thread`, update Docker."
        )
