"""Does what an account does at one replica reach the others?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from verification.checks.causes import OF_ACCOUNT, OF_PROBE, Cause
from verification.checks.configuration import environment, replicas_agree
from verification.checks.connections import connect_redis_url
from verification.checks.containers import containers_running
from verification.checks.events import live_event
from verification.checks.finding import Finding, Judge, failed, listed, passed, unknown
from verification.evidence import Evidence
from verification.evidence.inside import Account

ALONE: Final = "live-event and sending, whose sockets belong to no account, stand alone"
WHY_UNASKED: Final[Mapping[str, str]] = {
    "none": f"no administrator's account is configured: {ALONE}",
    "refused": f"Open WebUI does not let the configured account in, its password may have been changed since: {ALONE}",
    "rate-limited": f"Open WebUI allows 15 sign-ins of an account in three minutes, and there were as many: {ALONE}",
    "out-of-reach": f"the first replica does not reach the others: {ALONE}",
}


def account(evidence: Evidence) -> Finding:
    """An administrator's event posted on any replica reaches its sockets on the others, and so does its sign-out."""
    seen = evidence.account
    if seen.problem in WHY_UNASKED:
        words = f"; {seen.error}" if seen.error else ""
        return unknown(OF_ACCOUNT[seen.problem], WHY_UNASKED[seen.problem] + words)
    if seen.problem and seen.problem != "api":
        return unknown(OF_PROBE.get(seen.problem, "probe-failed"), f"not asked: {seen.error}")
    if live_event(evidence).status != "passed":
        return unknown("not-asked", "not asked: live-event says why nothing arrives")
    if seen.sound:
        return passed(_words(seen, len(evidence.apps)), seen.seconds)
    cause, words, fix = _fault(seen, evidence)
    for check, judge in ROOTS.items():
        root = judge(evidence)
        if root.status == "failed" and root.cause:
            return failed(root.cause, f"{words}; because of what `{check}` found", root.fix, seen.seconds)
    return failed(cause, words, fix, seen.seconds)


def _words(seen: Account, replicas: int) -> str:
    others = f"on all {replicas} replicas" if replicas > 1 else "there"
    return (
        f"signed in at {seen.at}; an event arrived on each of {seen.pairs} way{'s' if seen.pairs > 1 else ''} "
        f"in {seen.milliseconds:.0f} ms; after the sign-out its token is refused and its sockets are dropped {others}"
    )


def _fault(seen: Account, evidence: Evidence) -> tuple[Cause, str, str]:
    """Cause, what was seen, and the way out, of the first thing that went wrong."""
    restart = f"docker restart {' '.join(app.container.name for app in evidence.apps)}"
    if seen.strangers:
        keys = {app.probe.digests.get("WEBUI_SECRET_KEY") for app in evidence.apps}
        who = f"whoever signs in at {seen.at} is not signed in at {listed(seen.strangers)}"
        if None in keys or len(keys) > 1:
            why = "without WEBUI_SECRET_KEY every replica makes a key of its own" if None in keys else "by its key"
            fix = "set the same WEBUI_SECRET_KEY on every replica and restart all"
            return "secret-key-differs", f"{who}: {why}", fix
        words = f"{who}, with the same WEBUI_SECRET_KEY: they do not share one database"
        return "database-differs", words, "set the same DATABASE_URL on every replica and restart all"
    if seen.silent and not seen.problem:
        words = f"no event of the account's arrives from {listed(seen.silent)}, while those through Valkey do"
        return "event-not-received", words, f"{restart}    # after a look at docker logs"
    if seen.accepting:
        words = f"signed out at {seen.at}, the token is still good at {listed(seen.accepting)}"
        fix = "set the same REDIS_URL, its database included, and REDIS_KEY_PREFIX on every replica and restart all"
        return "token-not-revoked", words, fix
    if seen.connected:
        words = f"signed out at {seen.at}, its socket stays connected to {listed(seen.connected)}"
        fix = "set the same WEBSOCKET_REDIS_URL, its database included, on every replica and restart all"
        return "socket-not-dropped", words, fix
    left = f"the chat {seen.left!r} may be left behind" if seen.left else ""
    return "request-failed", "; ".join(filter(None, [seen.error, left])), f"docker logs {seen.at}"


ROOTS: Final[Mapping[str, Judge]] = {
    "containers-running": containers_running,
    "environment": environment,
    "connect-redis-url": connect_redis_url,
    "replicas-agree": replicas_agree,
}
"""Checks by name whose failure explains one here, in causal order."""
