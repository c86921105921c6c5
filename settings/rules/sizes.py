"""What must be large enough for something else: numbers, limits, networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from components import limits
from settings.rules.problem import Problem
from settings.stack import StackSettings


def problems(settings: StackSettings) -> Iterator[Problem]:
    """Numbers that are too small for the replicas, in topology ``replicated``."""
    if settings.replicas > settings.replicas_max:
        yield Problem(
            key="replicasMax",
            rule=f"replicas is {settings.replicas}; the pools of database connections are sized for replicasMax",
            example=str(settings.replicas),
            about=("replicas",),
        )
    try:
        limits.database_pools(settings.replicas_max, settings.postgres_max_connections)
    except limits.LimitsError as error:
        yield Problem(
            key="postgresMaxConnections",
            rule=f"{error}; see replicasMax",
            example=str(error.least),
            about=("replicasMax",),
        )
    addresses = ipaddress.IPv4Network(settings.edge_subnet).num_addresses // 2 - 1
    if settings.replicas_max > addresses:
        yield Problem(
            key="edgeSubnet",
            rule=f"its upper half has {addresses} addresses for replicas, and replicasMax is {settings.replicas_max}",
            example=str(ipaddress.IPv4Network(settings.edge_subnet).supernet(new_prefix=24)),
            about=("replicasMax",),
        )


def limit_problems(settings: StackSettings) -> Iterator[Problem]:
    """Limits of containers that the stack does not have, or that do not carry what runs in them."""
    for role in sorted(settings.given_limits.by_role.keys() - settings.limits.keys()):
        there_are = ", ".join(settings.limits)
        elsewhere = role == "valkey" and "; valkeyUrl names a Valkey elsewhere, which this stack does not set up"
        yield Problem(
            key="limits",
            path=(role,),
            rule=f"this is not a container of this topology{elsewhere or f'; there are {there_are}'}",
            example=None,
            about=("topology", "valkeyUrl"),
        )
    for role, of_role in settings.limits.items():
        for one in settings.contradictions(role, of_role):
            is_given = one.field in settings.given_limits.by_role.get(role, {})
            default = "" if is_given else f"its default, {getattr(of_role, one.field):g}, does not do: "
            yield Problem(
                key="limits",
                path=(role, one.field),
                rule=f"{default}{one.rule}",
                example=one.least,
                about=("valkeyMaxClients", "postgresMaxConnections", "replicasMax"),
            )
