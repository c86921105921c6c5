"""Do live events travel, and does every app process listen?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from verification.checks.configuration import environment
from verification.checks.connections import connect
from verification.checks.containers import containers_running
from verification.checks.finding import Finding, Judge, combined, failed, listed, passed, unanswered, unknown
from verification.checks.name_resolution import is_direct, is_replica_of_sentinels, name_resolution
from verification.checks.rights import valkey_acl
from verification.checks.valkey import valkey_pong
from verification.evidence import App, Evidence
from verification.evidence.inside import WEBSOCKET_URL
from verification.evidence.valkey import Valkey


def pubsub_subscribers(evidence: Evidence) -> Finding:
    """As many processes listen to the socketio channel as the app has."""
    for app in evidence.apps:
        if app.probe.problem or _unsupported(app):
            unsupported = unknown(
                "url-unsupported", f"{app.container.name}: {app.probe.connection(WEBSOCKET_URL).error}"
            )
            return unanswered(app) if app.probe.problem else unsupported
    valkey = evidence.valkey or Valkey()
    if any(is_replica_of_sentinels(app, valkey) for app in evidence.apps):
        valkey = Valkey()  # each server tells its own subscribers
    own = [app.probe.subscribers for app in evidence.apps if app.probe.subscribers is not None]
    seen = valkey.subscribers if valkey.subscribers is not None else max(own, default=None)
    if seen is None:
        seen_by = "Valkey does not tell the accounts at hand who subscribes"
        return unknown("subscribers-refused", seen_by, "grant one: +pubsub|numsub", applies=bool(valkey.login))
    expected = sum(app.probe.workers for app in evidence.apps)
    words = f"PUBSUB NUMSUB socketio is {seen}, {expected} app process{'es' if expected > 1 else ''} expected"
    listening = set(valkey.subscriber_addresses or ())
    # One that is elsewhere may see addresses of this host instead of the containers'.
    known = valkey.container is not None and valkey.subscriber_addresses is not None
    # Through a port of this host's or a proxy it sees the address of that.
    known = known and all(is_direct(app, valkey.container) for app in evidence.apps if valkey.container)
    located = [app for app in evidence.apps if app.container.addresses] if known else []
    silent = [app.container.name for app in located if not app.container.addresses & listening]
    ours = (*(app.container for app in evidence.apps), *evidence.draining)
    strangers = listening - {address for container in ours for address in container.addresses} if known else set()
    if silent or seen < expected:
        names = " ".join(silent or (app.container.name for app in evidence.apps))
        who = listed(silent) or f"one process of {names}"
        words = f"{words}; not listening: {who}"
        for check, judge in SETTINGS.items():
            root = judge(evidence)
            if root.status == "failed" and root.cause and root.cause != "redis-url-missing":
                return failed(root.cause, f"{words}; because of what `{check}` found", root.fix)
        return failed("replica-not-subscribed", words, f"docker restart {names}    # after a look at docker logs")
    if (seen > expected and strangers) or (seen > expected + len(evidence.draining) and not located):
        places = strangers or (set() if known else listening)
        who = f" (listening from {listed(sorted(places))})" if places else ""
        return failed(
            "foreign-subscriber",
            f"{words}: another Open WebUI uses this Valkey{who}, and each gets the other's events",
            "give each stack a Valkey of its own: neither key prefix nor database number separates them",
        )
    draining = (
        f"; {listed(item.name for item in evidence.draining)} is still to be removed" if evidence.draining else ""
    )
    return passed(words.replace(" expected", "") + draining)


SETTINGS: Final[Mapping[str, Judge]] = {
    "environment": environment,
    "name-resolution": name_resolution,
    "connect": connect,
}
"""Checks by name whose failure explains why an app does not listen; no restart fixes it."""


def _unsupported(app: App) -> bool:
    """Whether its Valkey cannot be asked in the way the app does it."""
    return app.probe.connection(WEBSOCKET_URL).problem == "unsupported"


def live_event(evidence: Evidence) -> Finding:
    """An event published through Valkey reaches a socket.io client connected to each replica, by both paths."""
    return combined(_app_live_event(app, evidence) for app in evidence.apps)


def _app_live_event(app: App, evidence: Evidence) -> Finding:  # noqa: PLR0911 - one a cause
    name, seen = app.container.name, app.probe.live
    if app.probe.problem:
        return unanswered(app, applies=True)
    if seen.received:
        paths = [("room", seen.room_milliseconds), ("shared", seen.shared_milliseconds)]
        times = ", ".join(f"{path} channel {value:.1f} ms" for path, value in paths if value is not None)
        return passed(f"{name}: {times}", seen.seconds)
    words = _undelivered(app)
    for check, judge in ROOTS.items():
        root = judge(evidence)
        # Without REDIS_URL sessions are not shared; live events come all the same, so it explains nothing here.
        if root.status == "failed" and root.cause and root.cause != "redis-url-missing":
            return failed(root.cause, f"{words}; because of what `{check}` found", root.fix, seen.seconds)
    if seen.decoy_received:
        return failed("decoy-received", words, "report this: the app passes on what it must not", seen.seconds)
    if not seen.connected:
        return failed("upgrade-blocked", words, f"docker logs {name}", seen.seconds)
    if _unsupported(app):
        return unknown("url-unsupported", f"{words}: {app.probe.connection(WEBSOCKET_URL).error}", applies=True)
    return failed("event-not-received", words, f"docker restart {name}    # its listener has stopped", seen.seconds)


def sending(evidence: Evidence) -> Finding:
    """Each replica publishes by itself: its process was seen to on Valkey, or an account's event came from it."""
    if live_event(evidence).status != "passed":
        return unknown("not-asked", "not asked: live-event says why nothing arrives")
    if evidence.account.sound:
        return passed("what an account posted on each replica arrived: see account", evidence.account.seconds)
    return combined((_sending(app) for app in evidence.apps), "seen on Valkey, of ")


def _sending(app: App) -> Finding:
    name, live = app.container.name, app.probe.live
    if live.sent_milliseconds is not None:
        return passed(f"{name} after {live.sent_milliseconds:.0f} ms")
    why = f" ({live.sending_error})" if live.sending_error else ""
    return unknown("sending-not-seen", f"{name}: no message of its own process was seen on Valkey{why}")


def _undelivered(app: App) -> str:
    name, seen = app.container.name, app.probe.live
    if not seen.connected:
        return f"{name}: no socket.io client could connect ({seen.error}) in {seen.seconds:.0f} s"
    if seen.error:
        return f"{name}: {seen.error}"
    if seen.decoy_received:
        return f"{name}: an event arrived that was for nobody: on a channel or to a room of no one's"
    missing = [
        path
        for path, value in (("room", seen.room_milliseconds), ("shared", seen.shared_milliseconds))
        if value is None
    ]
    receivers = (
        f"Valkey had {seen.room_receivers} listener(s) for the room, {seen.shared_receivers} for the shared channel"
    )
    tries = f"{seen.attempts} attempts, {seen.seconds:.0f} s"
    return f"{name}: no event over the {' and '.join(missing)} channel in {tries}; {receivers}"


ROOTS: Final[Mapping[str, Judge]] = {
    "containers-running": containers_running,
    "valkey-pong": valkey_pong,
    "environment": environment,
    "name-resolution": name_resolution,
    "connect": connect,
    "valkey-acl": valkey_acl,
    "pubsub-subscribers": pubsub_subscribers,
}
"""Checks by name whose failure explains why no live event arrives, in causal order."""
