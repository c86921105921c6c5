"""Rights in Valkey: the apps' account has what they need, and a client without an account has none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from verification.checks.finding import UPDATE, Finding, failed, first_failure, listed, passed, unknown
from verification.evidence import App, Evidence
from verification.evidence.inside import WEBSOCKET_URL
from verification.evidence.valkey import Denial, Valkey

DENIALS_SHOWN: Final = 5
OWN_QUESTIONS: Final = frozenset({"pubsub|numsub", "client|list", "info", "acl|log"})
"""What is asked with the app's account where no other is known, or by a URL with it; Open WebUI never does."""
SIGNS: Final = {"command": "+", "key": "~", "channel": "&"}
"""How a right is written, by what was denied."""
DONE_WITHOUT: Final = frozenset({"hexpire"})
"""What Open WebUI tries and goes on without: 0.12.0, where Valkey is 9.0 or later."""


def valkey_acl(evidence: Evidence) -> Finding:
    """The app's account has the rights it needs, was denied nothing else, and Valkey answers no client without one."""
    findings = [_account_rights(app, evidence) for app in evidence.apps]
    words = "the app's account was refused no channel and no command"
    if evidence.valkey and (evidence.valkey.login or not evidence.valkey.container):
        findings += list(_access_findings(evidence.valkey, evidence))
        words += "; nobody gets in without an account" if evidence.valkey.nobody else ""
        _, aside = _counted_denials(evidence.valkey, evidence)
        words += f"; before the last proof or not for the app: {_denials_text(aside)}" if aside else ""
    return first_failure(findings, passed(words))


def _account_rights(app: App, evidence: Evidence) -> Finding:
    connection = app.probe.connection(WEBSOCKET_URL)
    if app.probe.problem or connection.problem:
        return unknown("not-connected", f"{app.container.name}: not asked")
    if app.probe.live.denied:
        seen = f"{app.container.name}: Valkey refuses {app.probe.live.denied}"
        return failed("valkey-acl-denied", seen, live_events_fix(evidence, connection.user))
    return passed(app.container.name)


def _access_findings(valkey: Valkey, evidence: Evidence) -> Iterator[Finding]:
    """What the ACL LOG says of the apps, and whether Valkey answers a client without an account."""
    name, user = valkey.name, evidence.app_user
    denials, _ = _counted_denials(valkey, evidence)
    if denials:
        fix = f"grant it in the ACL file of {name}, and restart {name}: that empties its ACL LOG too"
        if evidence.stack and valkey.container:
            rights = " ".join(dict.fromkeys(SIGNS.get(item.reason, "") + item.what for item in denials))
            fix = f"add {rights!r} to valkeyRights of the stack, then {UPDATE}"
        yield failed("valkey-acl-log", f"{name} denied {user}: {_denials_text(denials)}", fix)
    if valkey.nobody == "PONG":
        seen = f"{name} answers PONG to a client without an account"
        yield failed("valkey-open", seen, f"docker restart {name}    # its ACL file says `user default off`")
    if user and valkey.denials is None and not valkey.problem:
        seen = f"{name}: {valkey.login or 'its account'} may not read the ACL LOG"
        yield unknown("valkey-not-asked", seen, "grant it: +acl|log", applies=True)


def _counted_denials(valkey: Valkey, evidence: Evidence) -> tuple[list[Denial], list[Denial]]:
    """What the apps' account was denied: first what counts, the apps' own need since the last proof; then the rest.

    A client at another address that uses the account is no fault of the apps'.
    """
    # A wrong password is found by connecting; here it may be an app's from before a rotation.
    found = [
        item
        for item in valkey.denials or ()
        if item.user == evidence.app_user and item.reason != "auth" and item.what not in OWN_QUESTIONS
    ]
    addresses = [app.container.addresses for app in evidence.apps]
    # Through a router, or on the host's network, an app's own address is not known here.
    places = frozenset[str]().union(*addresses) if valkey.container and all(addresses) else None
    count = [
        item
        for item in found
        if item.what not in DONE_WITHOUT
        and (evidence.proved_ago is None or item.age_seconds < evidence.proved_ago)
        and (places is None or not item.address or item.address in places)
    ]
    return count, [item for item in found if item not in count]


def _denials_text(denials: list[Denial]) -> str:
    """The latest of them in words."""
    more = f" and {len(denials) - DENIALS_SHOWN} more" if len(denials) > DENIALS_SHOWN else ""
    return listed(map(_denial_text, denials[:DENIALS_SHOWN])) + more


def _denial_text(denial: Denial) -> str:
    times = f"{denial.count} times, last " if denial.count > 1 else ""
    return f"{denial.reason} {denial.what!r} ({times}{denial.age_seconds:.0f} s ago)"


def live_events_fix(evidence: Evidence, user: str) -> str:
    """How to give an account the rights that live events need."""
    return rights_fix(evidence, f"ACL SETUSER {user} '&socketio' '&socketio#*' +publish +subscribe +unsubscribe +ping")


def rights_fix(evidence: Evidence, rights: str) -> str:
    """How to give an account some rights, written as for ``ACL SETUSER``."""
    if evidence.valkey is None or not evidence.valkey.container:
        return f"at Valkey, as its administrator: {rights}"
    if evidence.valkey.login:
        user, _, granted = rights.removeprefix("ACL SETUSER ").partition(" ")
        return f"grant {user} in the ACL file of {evidence.valkey.name}: {granted}"
    return f"docker exec {evidence.valkey.name} valkey-cli {rights}"
