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

from docker_access import daemon

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from settings import Settings

ROUTES: Final = Path("/proc/net/route")
UNPRIVILEGED_PORTS: Final = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
FIRST_UNPRIVILEGED_PORT: Final = 1024
"""Unless the file says otherwise: https://docs.kernel.org/networking/ip-sysctl.html."""

ROOTLESSKIT: Final = "rootlesskit"
"""The program that publishes a rootless Docker's ports; a capability of its file allows the lower ones."""

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


def shares_network(host: Mapping[str, Any]) -> bool:
    """Whether Docker's networks are this machine's too; a rootless Docker has its own, apart from it."""
    return daemon.is_this_machine(host) and not is_rootless(host)


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
    """Docker has no subnet left for a network that the stack is to get.

    It avoids those of links. A route by a gateway it takes for none since 20.10.15:
    https://github.com/moby/moby/pull/43360

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
    for pool in pools:
        base = ipaddress.ip_network(pool["Base"], strict=False)
        if isinstance(base, ipaddress.IPv4Network):
            for one in base.subnets(new_prefix=max(int(pool["Size"]), base.prefixlen)):
                if not any(one.overlaps(other) for other in used):
                    yield one


def is_rootless(host: Mapping[str, Any]) -> bool:
    """Whether the daemon runs as an ordinary user, by ``docker info``."""
    return any("rootless" in option for option in host.get("SecurityOptions") or ())


def first_port(host: Mapping[str, Any]) -> int:
    """The first port that a Docker publishes whatever was allowed to it: a rootless one none below 1024.

    Source: https://docs.docker.com/engine/security/rootless/tips/#exposing-privileged-ports
    """
    if not is_rootless(host) or (daemon.is_this_machine(host) and _may_bind_low_ports()):
        return 1
    if daemon.is_this_machine(host):
        with suppress(OSError, ValueError):
            return int(UNPRIVILEGED_PORTS.read_text(encoding="ascii"))
    return FIRST_UNPRIVILEGED_PORT


def rights_are_seen(host: Mapping[str, Any]) -> bool:
    """Whether all that can allow a rootless Docker lower ports was looked at."""
    return daemon.is_this_machine(host) and shutil.which(ROOTLESSKIT) is not None


def _may_bind_low_ports() -> bool:
    program = shutil.which(ROOTLESSKIT)
    with suppress(OSError):
        return bool(program and os.getxattr(program, "security.capability"))
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
    if not profile.startswith("/") or not daemon.is_this_machine(host):
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

    Rules for who has a capability are of no container here; those for a processor or a kernel may be.

    Source: https://docs.docker.com/engine/security/seccomp/
    """
    of_clone3 = [
        rule
        for rule in profile.get("syscalls") or ()
        if "clone3" in (rule.get("names") or [rule.get("name")]) and not (rule.get("includes") or {}).get("caps")
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
