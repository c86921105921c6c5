"""The causes a verification can name: the vocabulary of :attr:`verification.checks.finding.Finding.cause`.

Each has a section of that name in docs/troubleshooting.md, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, cast, get_args

Cause = Literal[
    # Nothing could be asked at all.
    "docker-unreachable",
    "container-missing",
    # containers-running
    "app-missing",
    "app-exited",
    "app-restarting",
    "app-paused",
    "app-unhealthy",
    "app-not-ready",
    "valkey-missing",
    "valkey-exited",
    "valkey-restarting",
    "valkey-paused",
    "valkey-unhealthy",
    "postgres-missing",
    "postgres-exited",
    "postgres-restarting",
    "postgres-paused",
    "postgres-unhealthy",
    "gateway-missing",
    "gateway-exited",
    "gateway-restarting",
    "gateway-paused",
    "gateway-unhealthy",
    # migration
    "migration-missing",
    "migration-not-finished",
    "migration-failed",
    "migrations-pending",
    "schema-too-new",
    "migrated-by-another-image",
    "not-expected",
    # valkey-pong
    "valkey-hung",
    "valkey-loading",
    "valkey-unreachable",
    "valkey-needs-a-password",
    "valkey-not-asked",
    "valkey-login-refused",
    # health, ready, front-door
    "app-no-answer",
    "url-no-answer",
    "health-not-200",
    "ready-not-200",
    "gateway-no-answer",
    "gateway-no-replica",
    "gateway-tls-untrusted",
    "url-redirects",
    "login-in-front",
    "origin-refused",
    "foreign-origin-accepted",
    "no-url",
    # front-door-event
    "url-leads-elsewhere",
    # idle-socket
    "idle-timeout-too-short",
    # version
    "version-unreadable",
    "version-unsupported",
    # environment
    "websocket-disabled",
    "manager-not-redis",
    "websocket-redis-url-missing",
    "redis-url-missing",
    "scheme-unsupported",
    "url-differs-from-intended",
    "environment-differs",
    # name-resolution
    "name-is-loopback",
    "name-does-not-resolve",
    "name-resolves-elsewhere",
    "addresses-unknown",
    # connect, connect-redis-url, valkey-acl
    "valkey-auth-refused",
    "valkey-acl-denied",
    "valkey-acl-log",
    "valkey-open",
    "valkey-tls-failed",
    "valkey-clients-exhausted",
    "valkey-connection-failed",
    "valkey-binds-loopback",
    "valkey-protected-mode",
    "sentinel-unreachable",
    "sentinel-knows-no-primary",
    "url-unset",
    "url-scheme",
    "url-unsupported",
    "not-connected",
    # valkey-writes
    "valkey-read-only",
    "valkey-out-of-memory",
    "valkey-persistence-failing",
    # pubsub-subscribers, live-event
    "replica-not-subscribed",
    "foreign-subscriber",
    "subscribers-refused",
    "upgrade-blocked",
    "event-not-received",
    "decoy-received",
    # sending
    "sending-not-seen",
    # isolation
    "private-reachable",
    "private-published",
    "network-not-internal",
    "isolation-not-asked",
    # gateway-replicas
    "gateway-misses-replica",
    # replicas-agree
    "secret-key-differs",
    "room-channels-differ",
    "key-prefix-differs",
    "one-replica",
    # settings-agree
    "settings-not-shared",
    "settings-otherwise",
    "panel-keeps-nothing",
    # models
    "models-no-answer",
    "no-models",
    # account
    "no-account",
    "account-refused",
    "account-rate-limited",
    "replica-out-of-reach",
    "database-differs",
    "request-failed",
    "token-not-revoked",
    "socket-not-dropped",
    # as-asked
    "hardening-drift",
    "port-exposed",
    "differs-from-asked",
    "nothing-expected",
    # log-line
    "log-level",
    "migrations-in-app-process",
    "not-in-log",
    "log-unreadable",
    # A question that waits for another.
    "not-asked",
    "probe-paused",
    "probe-not-running",
    "probe-timeout",
    "probe-failed",
]
"""Why a check failed, or why its question could not be asked."""

CAUSES: Final[tuple[Cause, ...]] = get_args(Cause)

Role = Literal["app", "valkey", "postgres", "gateway"]
Trouble = Literal["missing", "paused", "restarting", "exited", "unhealthy"]


def cause_of(role: Role, trouble: Trouble) -> Cause:
    """The cause that names the trouble of a container by its role, such as ``valkey-paused``."""
    return cast("Cause", f"{role}-{trouble}")


OF_PROBE: Final[Mapping[str, Cause]] = {
    "not-asked": "not-asked",
    "paused": "probe-paused",
    "not-running": "probe-not-running",
    "timeout": "probe-timeout",
}
"""By :attr:`verification.evidence.inside.Probe.problem`; any other is ``probe-failed``."""
OF_URL: Final[Mapping[str, Cause]] = {"unset": "url-unset", "scheme": "url-scheme", "unsupported": "url-unsupported"}
"""By the :attr:`verification.evidence.inside.Connection.problem` that leaves nothing to connect to."""
OF_ACCOUNT: Final[Mapping[str, Cause]] = {
    "none": "no-account",
    "refused": "account-refused",
    "rate-limited": "account-rate-limited",
    "out-of-reach": "replica-out-of-reach",
}
"""By the :attr:`verification.evidence.inside.Account.problem` that leaves nothing to ask."""
