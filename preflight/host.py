"""How Docker runs on its host: rootless or not, with which ports and which seccomp profile."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from docker_access import daemon

UNPRIVILEGED_PORTS: Final = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")
FIRST_UNPRIVILEGED_PORT: Final = 1024
"""Unless the file says otherwise: https://docs.kernel.org/networking/ip-sysctl.html."""

ROOTLESSKIT: Final = "rootlesskit"
"""The program that publishes a rootless Docker's ports. A capability of its file allows it the low ones."""


SECCOMP_SINCE: Final = (20, 10, 10)
"""First Docker whose own profile answers clone3 as a kernel without it does: https://github.com/moby/moby/pull/42681."""
ENOSYS: Final = 38


def shares_network(host: Mapping[str, Any]) -> bool:
    """Whether Docker's networks are this machine's too. Those of a rootless Docker are apart from it."""
    return daemon.is_this_machine(host) and not is_rootless(host)


def is_rootless(host: Mapping[str, Any]) -> bool:
    """Whether the daemon runs as an ordinary user, by ``docker info``."""
    return any("rootless" in option for option in host.get("SecurityOptions") or ())


def first_port(host: Mapping[str, Any]) -> int:
    """The first port that this Docker publishes: 1, or for a rootless one the first that its host allows.

    Source: https://docs.docker.com/engine/security/rootless/tips/#exposing-privileged-ports
    """
    if not is_rootless(host) or (daemon.is_this_machine(host) and _may_bind_low_ports()):
        return 1
    if daemon.is_this_machine(host):
        with suppress(OSError, ValueError):
            return int(UNPRIVILEGED_PORTS.read_text(encoding="ascii"))
    return FIRST_UNPRIVILEGED_PORT


def rights_are_seen(host: Mapping[str, Any]) -> bool:
    """Whether everything was looked at that can allow low ports to a rootless Docker."""
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
    """A seccomp profile that answers clone3 with EPERM: then no thread starts.

    The C library of the images (glibc 2.34 and later) tries another system call only after ENOSYS.
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
    """Whether a seccomp profile answers clone3 with another error than ENOSYS.

    Rules for processes with a capability concern no container here. Rules for a processor or a kernel may.

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
    """Docker's own profile refused clone3 before 20.10.10. Some distributions fixed that under an older number."""
    numbers = tuple(int(part) for part in re.findall(r"\d+", str(host.get("ServerVersion") or ""))[:3])
    if () < numbers < SECCOMP_SINCE and seccomp_profile(host) in {"default", "builtin"}:
        yield (
            f"Docker {host['ServerVersion']} may refuse the system call clone3, as its releases before 20.10.10 do: if "
            "a log says `can't start new thread`, update Docker."
        )
