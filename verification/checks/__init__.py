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
    models,
    open_webui_version,
    public_endpoint,
    public_endpoint_event,
    ready,
    version,
)
from verification.checks.configuration import as_asked, environment, log_line, replicas_agree, settings_agree
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
"""Raised with every change of what the verdict rests on: deployments proved by an older version are proved again."""

CHECKS: Final = (
    Check("containers-running", "must", "Do all containers run, healthy?", containers_running),
    Check("migration", "must", "Is the database migrated, as far as the apps' images go?", migration),
    Check("valkey-pong", "must", "Does Valkey answer PONG?", valkey_pong),
    Check("gateway-replicas", "must", "Does the gateway reach every replica?", gateway_replicas),
    Check("health", "must", "Is GET /health 200?", health),
    Check("version", "must", "Is Open WebUI 0.12.0 or later?", version),
    Check("environment", "must", "Does the app's process have the intended environment?", environment),
    Check("name-resolution", "must", "Does Valkey's name lead to Valkey inside the app?", name_resolution),
    Check("connect", "must", "Does the app's WEBSOCKET_REDIS_URL connect?", connect),
    Check("connect-redis-url", "must", "Does the app's REDIS_URL connect?", connect_redis_url),
    Check("valkey-writes", "must", "Does Valkey take what the app writes?", valkey_writes),
    Check("valkey-acl", "must", "May the app do what live events need, and nobody else?", valkey_acl),
    Check("pubsub-subscribers", "must", "Does every app process listen, and nobody else?", pubsub_subscribers),
    Check("live-event", "must", "Does an event through Valkey reach a client of each replica?", live_event),
    Check("sending", "must", "Does each replica publish through Valkey by itself?", sending),
    Check("front-door", "must", "Does a websocket open through the URL, for its own pages only?", public_endpoint),
    Check("front-door-event", "must", "Does an event through Valkey reach a page at the URL?", public_endpoint_event),
    Check("idle-socket", "must", "Does a silent websocket through the URL outlive one ping interval?", idle_socket),
    Check("ready", "must", "Is GET /ready 200?", ready),
    Check("isolation", "must", "Are Valkey and Postgres out of the gateway's reach?", isolation),
    Check("replicas-agree", "must", "Do the replicas share key, prefix and channels?", replicas_agree),
    Check("account", "must", "Do an account's events and sign-out reach every replica?", account),
    Check("as-asked", "must", "Is each container the one asked for?", as_asked),
    Check("settings-agree", "should", "Do the admin panel's settings hold on every replica?", settings_agree),
    Check("models", "should", "Which models answer?", models),
    Check("log-line", "should", "Does the log say that Redis manages websockets?", log_line),
)
"""All checks in causal order: the first failure is the likeliest root of those after it."""


def judge(evidence: Evidence, only: Collection[str] = ()) -> list[CheckResult]:
    """Run the checks on the evidence: all of them, or only those with these ids, which must hold then."""
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
