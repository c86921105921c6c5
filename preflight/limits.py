"""Limits of the containers, and what this host has."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from preflight.host import is_rootless
from settings import Settings

MIB: Final = 1024 * 1024

LIMITED_BY: Final = {"memory": "MemoryLimit", "cpus": "CpuCfsQuota", "pids": "PidsLimit"}
"""By limit: the key of ``docker info`` that tells whether the host can keep it.

Source: https://docs.docker.com/reference/api/engine/version/v1.47/#tag/System/operation/SystemInfo
"""


def limit_problems(settings: Settings, host: Mapping[str, Any]) -> Iterator[str]:
    """Limits that the kernel cannot keep, and such as exceed what the host has.

    Docker drops the former, refuses more CPUs than there are, and accepts any memory. In ``single``, exceeding the
    host's memory is no problem but advice, since the limit is there only to spare the host.
    """
    asked = {key for limits in settings.limits.values() for key, value in vars(limits).items() if value}
    unlimited = [key for key, said in LIMITED_BY.items() if key in asked and not host.get(said, True)]
    if unlimited:
        yield (
            f"Docker's host cannot limit {' and '.join(unlimited)} (`docker info` says so below WARNING), and stack "
            f"{settings.stack} has such limits. {_how_to_limit(host)} {_how_to_go_without(settings)}"
        )
    if not settings.replicated:
        return
    for name, limits in settings.limits.items():
        for key, value, there_is in (
            ("memory", limits.memory, host["MemTotal"] // MIB),
            ("cpus", limits.cpus, host["NCPU"]),
        ):
            if value is not None and value > there_is:
                unit = " MiB" if key == "memory" else ""
                line = f'Set {settings.project}:limits: {{"{name}": {{"{key}": {there_is}}}}}, or deploy'
                lower: dict[str, Any] = {key: there_is}
                way_out = "Deploy" if any(settings.contradictions(name, replace(limits, **lower))) else line
                yield (
                    f"limit {key} of {name} is {value}{unit}, and Docker's host has {there_is}{unit}. "
                    f"{way_out} on a larger host."
                )


def _how_to_limit(host: Mapping[str, Any]) -> str:
    """The way to limits on a host that has none, by what is the usual reason there."""
    if not is_rootless(host):
        return (
            "On a Raspberry Pi add `cgroup_enable=memory cgroup_memory=1` to the line in /boot/firmware/cmdline.txt "
            "and boot again; kernels of some NAS are built without them."
        )
    page = "https://docs.docker.com/engine/security/rootless/tips/#limiting-resources"
    if host.get("CgroupVersion") == "1":
        return f"A rootless Docker limits nothing under cgroup v1: boot with cgroup v2 ({page})."
    return f"A rootless Docker needs the controllers delegated ({page})."


def _how_to_go_without(settings: Settings) -> str:
    if settings.replicated:
        return "Without them use topology single."
    none = json.dumps({role: {"memory": 0} for role in settings.limits})
    return f"To do without them, set {settings.project}:limits: {none}"


def memory_advice(settings: Settings, host: Mapping[str, Any]) -> Iterator[str]:
    """Advice where the memory limits add up to more than the host has."""
    limits = settings.limits
    total = sum(one.memory * (settings.replicas if role == "open-webui" else 1) for role, one in limits.items())
    there_is = host["MemTotal"] // MIB
    if total > there_is:
        yield (
            f"the memory limits of stack {settings.stack} add up to {total} MiB, and Docker's host has {there_is} MiB: "
            f"under load the kernel may kill before a limit does. Lower ones avoid that ({settings.project}:limits)."
        )
