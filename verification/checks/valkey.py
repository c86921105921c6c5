"""Valkey itself: does it answer, and does it take what the apps write?"""

from __future__ import annotations

import re
from dataclasses import replace

from verification.checks.causes import Cause
from verification.checks.connections import connect, connect_redis_url, connection_fault
from verification.checks.finding import UPDATE, Finding, combined, failed, first_failure, passed, unanswered, unknown
from verification.checks.refusals import info_words, own_refusal, refusal_fix
from verification.checks.rights import rights_fix
from verification.evidence import App, Evidence
from verification.evidence.inside import STATE_URL, WEBSOCKET_URL
from verification.evidence.valkey import Valkey


def valkey_pong(evidence: Evidence) -> Finding:
    """Valkey answers PONG to the client in its own container; one that is elsewhere, to the apps' own connections."""
    valkey = evidence.valkey
    if valkey is None:
        found = [connect(evidence), connect_redis_url(evidence)]
        seconds = max(finding.seconds for finding in found)
        return first_failure(found, passed(f"to the apps' own connections: {found[0].evidence}", seconds))
    if valkey.answer == "PONG":
        account = f" as {valkey.login}" if valkey.login else ""
        place = f"{valkey.client} in {valkey.name}" if valkey.container else f"{valkey.url} from {valkey.client}"
        return passed(f"{place}{account}: PONG", valkey.seconds)
    return _no_pong(valkey, evidence) if valkey.container else _no_pong_by_url(valkey, evidence)


def _no_pong_by_url(valkey: Valkey, evidence: Evidence) -> Finding:
    seen = f"{valkey.url} from {valkey.client}: {valkey.answer or valkey.problem}"
    refusal = own_refusal(valkey)
    if refusal:
        return failed(refusal[0], seen + info_words(valkey, refusal[0]), refusal[1], valkey.seconds)
    own = first_failure([connect(evidence), connect_redis_url(evidence)], passed(""))
    if own.status == "failed" and own.cause:
        return failed(own.cause, f"{seen}; {own.evidence}", own.fix, valkey.seconds)
    return unknown(
        "valkey-not-asked", seen, "correct the URL that Valkey is asked by; the apps have another", applies=True
    )


def _no_pong(valkey: Valkey, evidence: Evidence) -> Finding:  # noqa: PLR0911 - one an answer
    name = valkey.name
    causes: dict[str, Cause] = {"paused": "valkey-paused", "not-running": "valkey-exited", "timeout": "valkey-hung"}
    if valkey.problem in causes:
        fix = f"docker unpause {name}" if valkey.problem == "paused" else f"docker restart {name}"
        return failed(causes[valkey.problem], f"{name}: {valkey.problem}, no PONG", fix, valkey.seconds)
    seen = f"{valkey.client or 'neither redis-cli nor valkey-cli'} in {name}: {valkey.answer or valkey.problem}"
    refused = re.match(r"NOAUTH|WRONGPASS|NOPERM|AUTH failed", valkey.answer)
    if valkey.login and not valkey.problem and (refused or not valkey.client):
        fix = f"docker restart {name}    # it reads its users when it starts; then {UPDATE}"
        return failed("valkey-login-refused", f"{seen} (asked as {valkey.login})", fix, valkey.seconds)
    refusal = own_refusal(valkey)
    answered = [not item.problem for app in evidence.apps for item in app.probe.connections.values() if item.url]
    # One that was starting may have answered since; where it has not, one URL may lead to another Valkey.
    if not valkey.login and answered and (all(answered) if refusal else any(answered)):
        return passed(f"{seen}; PONG to the app's own account", valkey.seconds)
    if refusal:
        return failed(refusal[0], seen + info_words(valkey, refusal[0]), refusal[1], valkey.seconds)
    if refused:
        return unknown("valkey-needs-a-password", seen, "set REDISCLI_AUTH in Valkey's container")
    if valkey.problem:
        return unknown("valkey-not-asked", seen)
    return failed("valkey-unreachable", seen, f"docker logs {name}", valkey.seconds)


def valkey_writes(evidence: Evidence) -> Finding:
    """Over both URLs of each app, Valkey takes a key and deletes it, and what it takes gets to its disk."""
    written = [_writes(app, variable, evidence) for app in evidence.apps for variable in (WEBSOCKET_URL, STATE_URL)]
    return combined([*written, *([_saves_to_disk(evidence.valkey)] if evidence.valkey else [])])


def _writes(app: App, variable: str, evidence: Evidence) -> Finding:
    if app.probe.problem:
        return unanswered(app)
    name, connection = app.container.name, app.probe.connection(variable)
    problem = connection.write_problem
    if not problem:
        return passed(f"{variable} at {name}", connection.write_seconds)
    if problem == "not-asked":
        return unknown("not-connected", f"{name}: not asked over {variable}")
    as_connection = replace(connection, problem=problem, error=connection.write_error)
    cause, fix = connection_fault(app, variable, as_connection, evidence)
    if cause == "valkey-acl-denied":
        prefix = app.probe.environment.get("REDIS_KEY_PREFIX", "open-webui")
        fix = rights_fix(
            evidence, f"ACL SETUSER {connection.user} '~{prefix}:*' +get +set +del +hget +hset +hdel +eval"
        )
    seen = f"{connection.url} from {name}: {connection.write_error}{info_words(evidence.valkey, cause)}"
    return failed(cause, seen, fix, connection.write_seconds)


def _saves_to_disk(valkey: Valkey) -> Finding:
    """Whether what Valkey has taken gets to its disk; it may go on taking it where it does not."""
    info = valkey.info
    appends = info.get("aof_enabled") == "1" and info.get("aof_last_write_status") == "err"
    if not appends and info.get("rdb_last_bgsave_status") != "err":
        return passed("")
    cause: Cause = "valkey-persistence-failing"
    seen = f"{valkey.name} takes writes and cannot save them{info_words(valkey, cause)}"
    return failed(cause, seen, refusal_fix(cause, valkey))
