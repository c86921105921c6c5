"""Do the containers run, and did the one-shot before them end well?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

from docker_access.last_words import host_fault
from verification.checks.causes import Role, cause_of
from verification.checks.configuration import environment
from verification.checks.connections import connect, connect_redis_url
from verification.checks.finding import UPDATE, Finding, Judge, combined, failed, listed, passed, unknown
from verification.checks.name_resolution import name_resolution
from verification.checks.valkey import valkey_pong
from verification.evidence import App, Evidence
from verification.evidence.container import Container
from verification.evidence.url import HttpAnswer

GONE: Final[Mapping[str, str]] = {"missing": "no such container", "removing": "is being removed"}
"""In words, the statuses of a container that cannot be started any more."""


def containers_running(evidence: Evidence) -> Finding:
    """Every container runs, is not restarting, and is healthy where it has a healthcheck."""
    # In the order in which one brings the next one down.
    findings = []
    if evidence.postgres:
        findings.append(_running(evidence.postgres, "postgres"))
    if evidence.valkey and evidence.valkey.container:
        found = _running(evidence.valkey.container, "valkey")
        findings.append(_with_root_cause(found, {"valkey-pong": valkey_pong}, evidence))
    findings += [_with_root_cause(_app_running(app), ROOTS_OF_APP, evidence) for app in evidence.apps]
    if evidence.gateway:
        findings.append(_gateway_running(evidence.gateway, evidence))
    return combined(findings)


ROOTS_OF_APP: Final[Mapping[str, Judge]] = {
    # Without a URL at all, for one, Open WebUI never gets to its end of booting and says nothing.
    "environment": environment,
    "valkey-pong": valkey_pong,
    "name-resolution": name_resolution,
    "connect": connect,
    "connect-redis-url": connect_redis_url,
}
"""Checks by name of what a booting Open WebUI, and a healthcheck on its /ready, depend on; in causal order."""


def _with_root_cause(finding: Finding, judges: Mapping[str, Judge], evidence: Evidence) -> Finding:
    """A container that runs and is not well, with the cause of that where one of these checks has found it."""
    if not finding.cause.endswith(("-unhealthy", "-not-ready")):
        return finding
    for check, judge in judges.items():
        root = judge(evidence)
        if root.status == "failed" and root.cause:
            seen, *log = finding.evidence.split("\n", 1)
            words = "\n".join([f"{seen}; because of what `{check}` found: {root.evidence}", *log])
            return failed(root.cause, words, root.fix, root.seconds)
    return finding


def _app_running(app: App) -> Finding:
    container, probe = app.container, app.probe
    finding = _running(container, "app")
    if finding.status == "failed" or probe.http.get("/health", HttpAnswer()).status == HTTPStatus.OK:
        return finding
    if container.restarts:
        return _restarting(container, "app")
    if container.health == "starting" and not probe.problem:
        seen = f"{container.name} does not answer yet, its health is still starting{_log_lines(container)}"
        return failed("app-not-ready", seen, "give it longer: --timeout, or verificationTimeoutSeconds of the stack")
    return finding


def _gateway_running(container: Container, evidence: Evidence) -> Finding:
    finding = _running(container, "gateway")
    # One that exits over its configuration is up for a moment each time, and looks as if it ran.
    silent = any(not answer.status for answer in evidence.url_answers.values())
    return _restarting(container, "gateway") if silent and container.restarts else finding


def _restarting(container: Container, role: Role) -> Finding:
    code = container.last_exit if container.status == "running" else container.exit_code
    last = "" if code is None else f", last exit code {code}"
    times = f"{container.restarts} times so far{last}"
    seen = f"{container.name} does not stay up, Docker has restarted it {times}{_log_lines(container)}"
    return failed(cause_of(role, "restarting"), seen, f"docker logs {container.name}")


def _running(container: Container, role: Role) -> Finding:
    name, status = container.name, container.status
    log = _log_lines(container)
    if status in GONE:
        return failed(cause_of(role, "missing"), f"{name}: {GONE[status]}", UPDATE)
    if status == "paused":
        return failed(cause_of(role, "paused"), f"{name} is paused", f"docker unpause {name}")
    if status == "restarting" or (status == "running" and container.unsteady):
        return _restarting(container, role)
    if status != "running":
        killed = " (killed: out of memory)" if container.state.get("OOMKilled") else ""
        error = f", {container.state['Error']}" if container.state.get("Error") else ""
        return failed(
            cause_of(role, "exited"),
            f"{name} is {status}, exit code {container.exit_code}{killed}{error}{log}",
            f"docker start {name}    # after fixing what the log says",
        )
    if container.health == "unhealthy":
        probe = ((container.state.get("Health") or {}).get("Log") or [{}])[-1]
        said = " ".join(str(probe.get("Output", "")).split())[:200]
        return failed(
            cause_of(role, "unhealthy"),
            f"{name} is unhealthy; its healthcheck exits {probe.get('ExitCode')}: {said}{log}",
            f"docker logs {name}",
        )
    return passed(f"{name} {'running' if container.health == 'none' else container.health}")


def _log_lines(container: Container) -> str:
    why = host_fault("\n".join(container.log_tail or ()))
    lines = [*(container.log_tail or ["(no log lines)"]), *([f"({why})"] if why else [])]
    return "".join(f"\n  {line}" for line in lines)


def migration(evidence: Evidence) -> Finding:
    """The database is at the revision that each app's image leads to; a one-shot migration container ended well."""
    container = evidence.migration
    ended = _migration_ended(container, evidence.apps) if container else None
    revisions = [_revision(app, container) for app in evidence.apps]
    words = listed(sorted({finding.evidence for finding in revisions}))
    if ended:
        otherwise = passed(f"{ended.evidence}; {words}")
    elif all(finding.status == "passed" for finding in revisions):
        otherwise = passed(words)
    else:
        otherwise = unknown("not-expected", f"no migration container named; {words}")
    failures = (finding for finding in (ended, *revisions) if finding and finding.status == "failed")
    return next(failures, otherwise)


def _migration_ended(container: Container, apps: Sequence[App]) -> Finding:
    """A one-shot container has ended well."""
    name = container.name
    if container.status in GONE and all(app.container.follows_a_migration for app in apps):
        return passed(f"{name} is gone, as after `docker system prune`; what runs was started once it had ended well")
    if container.status in GONE:
        return failed("migration-missing", f"{name}: {GONE[container.status]}", UPDATE)
    if container.status != "exited":
        return failed("migration-not-finished", f"{name} is {container.status}", f"docker logs {name}")
    if container.exit_code != 0:
        return failed(
            "migration-failed",
            f"{name}: exit code {container.exit_code}{_log_lines(container)}",
            f"docker logs {name}    # then {UPDATE}",
        )
    return passed(f"{name}: exit code 0")


def _revision(app: App, migrated: Container | None) -> Finding:
    """The app's database is at the revision its image's migrations lead to; if that is unknown, by the images' ids."""
    name, seen = app.container.name, app.probe.schema
    if seen.error or not seen.heads:
        return _same_image(app.container, migrated, seen.error or f"no migrations were found in {name}")
    revisions, heads = listed(seen.revisions) or "no revision", listed(seen.heads)
    if set(seen.revisions) == set(seen.heads):
        return passed(f"the database is at {heads}")
    words = f"the database of {name} is at {revisions}; the migrations in its image lead to {heads}"
    if not seen.known:
        fix = f"give {name} an image at least as new as the one that migrated its database, or restore a backup of it"
        return failed("schema-too-new", words, fix)
    if migrated and migrated.stack:
        return failed("migrations-pending", words, UPDATE)
    fix = f"back up the database, then start {name} alone with ENABLE_DB_MIGRATIONS=true: it migrates when it starts"
    return failed("migrations-pending", words, fix)


def _same_image(app: Container, migrated: Container | None, why: str) -> Finding:
    ids = [str(item.inspect.get("Image", "")) for item in (app, migrated) if item]
    # A deployment of another kind may migrate with an image of its own.
    if migrated and migrated.stack and app.stack and all(ids) and len(set(ids)) > 1:
        words = f"{app.name} runs {ids[0][:19]}, and {migrated.name} migrated the database with {ids[1][:19]}"
        return failed("migrated-by-another-image", words, UPDATE)
    return unknown("not-expected", f"its revision is not known: {why}")
