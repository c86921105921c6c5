"""The checks: each is a question, the evidence it reads and the verdict it gives; pure, to test on recorded text.

To add one: write a function from :class:`~verification.evidence.Evidence` to :class:`Finding` into the module of
its theme, put it into :data:`CHECKS` (in causal order: what breaks other things stands first), raise
:data:`CHECKS_VERSION`, add its tests.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from verification.checks.account import account
from verification.checks.answers import (
    health,
    idle_socket,
    open_webui_version,
    public_endpoint,
    public_endpoint_event,
    ready,
    version,
)
from verification.checks.configuration import as_asked, environment, log_line, replicas_agree
from verification.checks.connections import connect, connect_redis_url
from verification.checks.containers import containers_running, migration
from verification.checks.events import live_event, pubsub_subscribers, sending
from verification.checks.finding import Check, CheckResult, for_stack
from verification.checks.isolation import gateway_replicas, isolation
from verification.checks.name_resolution import name_resolution
from verification.checks.rights import valkey_acl
from verification.checks.valkey import valkey_pong, valkey_writes
from verification.evidence import Evidence

__all__ = ["CHECKS", "CHECKS_VERSION", "CheckResult", "judge", "open_webui_version"]

CHECKS_VERSION: Final = 7
"""Raised with every change of what is checked: deployments proved by an older version are proved again."""

CHECKS: Final = (
    Check(
        id="containers-running",
        weight="must",
        question="Do all containers run, healthy?",
        judge=containers_running,
    ),
    Check(
        id="migration",
        weight="must",
        question="Is the database migrated, as far as the apps' images go?",
        judge=migration,
    ),
    Check(id="valkey-pong", weight="must", question="Does Valkey answer PONG?", judge=valkey_pong),
    Check(
        id="gateway-replicas",
        weight="must",
        question="Does the gateway reach every replica?",
        judge=gateway_replicas,
    ),
    Check(id="health", weight="must", question="Is GET /health 200?", judge=health),
    Check(id="version", weight="must", question="Is Open WebUI 0.12.0 or later?", judge=version),
    Check(
        id="environment",
        weight="must",
        question="Does the app's process have the intended environment?",
        judge=environment,
    ),
    Check(
        id="name-resolution",
        weight="must",
        question="Does Valkey's name lead to Valkey inside the app?",
        judge=name_resolution,
    ),
    Check(id="connect", weight="must", question="Does the app's WEBSOCKET_REDIS_URL connect?", judge=connect),
    Check(
        id="connect-redis-url",
        weight="must",
        question="Does the app's REDIS_URL connect?",
        judge=connect_redis_url,
    ),
    Check(
        id="valkey-writes",
        weight="must",
        question="Does Valkey take what the app writes?",
        judge=valkey_writes,
    ),
    Check(
        id="valkey-acl",
        weight="must",
        question="May the app do what live events need, and nobody else?",
        judge=valkey_acl,
    ),
    Check(
        id="pubsub-subscribers",
        weight="must",
        question="Does every app process listen, and nobody else?",
        judge=pubsub_subscribers,
    ),
    Check(
        id="live-event",
        weight="must",
        question="Does an event through Valkey reach a client of each replica?",
        judge=live_event,
    ),
    Check(
        id="sending",
        weight="must",
        question="Does each replica publish through Valkey by itself?",
        judge=sending,
    ),
    Check(
        id="front-door",
        weight="must",
        question="Does a websocket open through the URL, for its own pages only?",
        judge=public_endpoint,
    ),
    Check(
        id="front-door-event",
        weight="must",
        question="Does an event through Valkey reach a page at the URL?",
        judge=public_endpoint_event,
    ),
    Check(
        id="idle-socket",
        weight="must",
        question="Does a silent websocket through the URL outlive one ping interval?",
        judge=idle_socket,
    ),
    Check(id="ready", weight="must", question="Is GET /ready 200?", judge=ready),
    Check(
        id="isolation",
        weight="must",
        question="Are Valkey and Postgres out of the gateway's reach?",
        judge=isolation,
    ),
    Check(
        id="replicas-agree",
        weight="must",
        question="Do the replicas share key, prefix and channels?",
        judge=replicas_agree,
    ),
    Check(
        id="account",
        weight="must",
        question="Do an account's events and sign-out reach every replica?",
        judge=account,
    ),
    Check(id="as-asked", weight="must", question="Is each container the one asked for?", judge=as_asked),
    Check(
        id="log-line",
        weight="should",
        question="Does the log say that Redis manages websockets?",
        judge=log_line,
    ),
)
"""All checks in causal order: the first failure is the likeliest root of those after it."""


def judge(evidence: Evidence, only: Collection[str] = ()) -> list[CheckResult]:
    """Run the checks on the evidence.

    Args:
        evidence: What was seen.
        only: Ids of the checks to run; a check asked for by name must hold. Empty for all.
    """
    return [
        CheckResult(
            id=check.id,
            question=check.question,
            weight="must" if only else check.weight if finding.applies else "unknown",
            status=finding.status,
            cause=finding.cause,
            evidence=finding.evidence,
            fix=for_stack(finding.fix, evidence.stack),
            seconds=finding.seconds,
        )
        for check in CHECKS
        if not only or check.id in only
        for finding in [check.judge(evidence)]
    ]
