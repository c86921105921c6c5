"""Tries to reach the private containers from the gateway's container, which stands on the edge network alone."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Final

from verification.ask.docker_view import Executed
from verification.ask.view import View
from verification.evidence import Connectivity
from verification.evidence.container import Container
from verification.evidence.inside import VALKEY_PORT
from verification.subject import Subject

TRY_SECONDS: Final = 8.0
TRIES: Final = 3
"""A replica that does not answer may only have been slow. A private container that answers once may have done so while
Docker made a network, of anybody's: then it takes away for a moment the rule that parts all of them.

Source: https://github.com/moby/moby/blob/v20.10.24/libnetwork/iptables/iptables.go (EnsureJumpRule)
"""
POSTGRES_PORT: Final = 5432
APP_PORT: Final = 8080

# All side by side. nc's own limit does not cover looking up a name, hence the second one.
TRY: Final = """\
command -v nc >/dev/null || exit 127
try() { timeout 2 nc -z -w 1 "$1" "$2" >/dev/null 2>&1 && echo "$1 $2"; }
while [ $# -gt 1 ]; do try "$1" "$2" & shift 2; done
wait
"""


def ask_connectivity(view: View, subject: Subject) -> Connectivity | None:
    """What of the private containers answers from the edge network; None when nothing is to be isolated."""
    if subject.isolation is None:
        return None
    started = time.monotonic()
    edge = subject.isolation.edge
    if not subject.gateway:
        return Connectivity(edge=edge, error="no gateway was named, from inside which it is tried")
    private = [view.container(name) for name in subject.isolation.private]
    apps = [view.container(name) for name in subject.apps]
    targets = {target: item.name for item in private for target in _targets(item, _private_port(item.name, subject))}
    control = {(address, APP_PORT): item.name for item in apps for address in item.addresses_on([edge])}
    words = [str(word) for target in (*targets, *control) for word in target]
    reached: set[tuple[str, int]] = set()
    exposed = set(targets)
    for _ in range(TRIES):
        executed = view.execute(subject.gateway, ["sh", "-c", TRY, "sh", *words], seconds=TRY_SECONDS)
        answered = {(address, int(port)) for address, port in map(str.split, executed.output.splitlines())}
        reached |= answered
        exposed &= answered
        missed = {item.name for item in apps} - {name for target, name in control.items() if target in reached}
        if executed.exit_code or executed.problem or not (missed or exposed):
            break
    networks = sorted({network for item in private for network in item.networks})
    return Connectivity(
        edge=edge,
        private=tuple(private),
        answered=_descriptions(targets, exposed),
        tried=len(targets),
        control=_descriptions(control, reached),
        missed=tuple(sorted(missed)),
        internal={network: view.internal(network) for network in networks},
        error=_untried(executed, subject.gateway),
        seconds=time.monotonic() - started,
    )


def _private_port(name: str, subject: Subject) -> int:
    return POSTGRES_PORT if name == subject.postgres else VALKEY_PORT


def _targets(container: Container, port: int) -> list[tuple[str, int]]:
    """Its addresses, on whichever network, and its name.

    Not its aliases: what nobody knows here is asked of the host's name servers, who may know another ``redis``.
    """
    return [(place, port) for place in (*sorted(container.addresses), container.name)]


def _descriptions(targets: Mapping[tuple[str, int], str], answered: set[tuple[str, int]]) -> tuple[str, ...]:
    found = (f"{name} ({place}:{port})" for (place, port), name in targets.items() if (place, port) in answered)
    return tuple(found)


def _untried(executed: Executed, gateway: str) -> str:
    if executed.problem:
        return f"{gateway}: {executed.error}"
    return {126: f"{gateway} has no sh", 127: f"{gateway} has no nc"}.get(executed.exit_code, "")
