"""How the apps are configured, and whether each container is the one that was asked for."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from verification.checks.causes import Cause
from verification.checks.expected import UPDATED, looked_up, same
from verification.checks.finding import (
    DRIFT,
    UPDATE,
    Finding,
    combined,
    failed,
    first_failure,
    listed,
    passed,
    re_create_commands,
    unanswered,
    unknown,
)
from verification.evidence import App, Evidence
from verification.evidence.container import Container
from verification.evidence.inside import STATE_URL, WEBSOCKET_URL


def environment(evidence: Evidence) -> Finding:
    """The app's own process runs with the manager set, both URLs, and what was asked for."""
    return combined(_app_environment(app, evidence) for app in evidence.apps)


def _app_environment(app: App, evidence: Evidence) -> Finding:  # noqa: PLR0911 - one a variable
    name, variables = app.container.name, app.probe.environment
    if app.probe.problem:
        return unanswered(app)
    where = f"in {app.probe.process} of {name}"

    def wrong(cause: Cause, seen: str, line: str) -> Finding:
        return failed(cause, f"{seen} {where}", f"set {line} in the environment of {name}")

    if variables.get("ENABLE_WEBSOCKET_SUPPORT", "true").lower() != "true":
        seen = f"ENABLE_WEBSOCKET_SUPPORT is {variables['ENABLE_WEBSOCKET_SUPPORT']!r}"
        return wrong("websocket-disabled", seen, "ENABLE_WEBSOCKET_SUPPORT=true")
    manager = variables.get("WEBSOCKET_MANAGER")
    if manager != "redis":
        seen = "WEBSOCKET_MANAGER is not set" if manager is None else f"WEBSOCKET_MANAGER is {manager!r}"
        return wrong("manager-not-redis", seen, "WEBSOCKET_MANAGER=redis    # the word stays redis for Valkey")
    for variable, missing in MISSING.items():
        connection = app.probe.connection(variable)
        host = evidence.valkey.container.name if evidence.valkey and evidence.valkey.container else "HOST"
        line = f"{variable}=redis://{host}:6379/{1 if variable == WEBSOCKET_URL else 0}"
        if connection.problem == "unset":
            return wrong(missing, f"{variable} is not set", line)
        if connection.problem == "scheme":
            return wrong(
                "scheme-unsupported", f"{variable} has {connection.error}", line + "    # redis:// or rediss://"
            )
    for variable, value in _expected_variables(evidence.expected.get(name, {})).items():
        if app.probe.digests.get(variable) != _digest(evidence.salt, str(value)):
            cause: Cause = "url-differs-from-intended" if variable in MISSING else "environment-differs"
            seen = variables.get(variable, "another value" if variable in app.probe.digests else "not set")
            return failed(
                cause, f"{variable} is not what was asked for ({seen}) {where}", f"{UPDATE}    # replaces the container"
            )
    return passed(f"{name}: redis over {app.probe.connection(WEBSOCKET_URL).url}")


MISSING: Final[Mapping[str, Cause]] = {WEBSOCKET_URL: "websocket-redis-url-missing", STATE_URL: "redis-url-missing"}
"""The URLs the app must have, and the cause when one is not set."""


def _expected_variables(expected: dict[str, Any]) -> dict[str, Any]:
    found = ((re.fullmatch(r"Config\.Env\[(.+)\]", path), value) for path, value in expected.items())
    return {match[1]: value for match, value in found if match}


def _digest(salt: str, value: str) -> str:
    return hmac.new(salt.encode(), value.encode(), hashlib.sha256).hexdigest()


def replicas_agree(evidence: Evidence) -> Finding:
    """All replicas share what they must share."""
    if len(evidence.apps) == 1:
        return unknown("one-replica", "one replica")
    if any(app.probe.problem for app in evidence.apps):
        return unknown("not-asked", "not every replica was asked")
    for variable, cause, why in SHARED:
        values = {app.container.name: app.probe.digests.get(variable, "") for app in evidence.apps}
        if len(set(values.values())) > 1:
            return failed(
                cause,
                f"{variable} differs between {listed(values)}: {why}",
                f"set the same {variable} on every replica and restart all",
            )
    return passed(f"{listed(variable for variable, _, _ in SHARED)} are the same on {len(evidence.apps)} replicas")


SHARED: Final[tuple[tuple[str, Cause, str], ...]] = (
    ("WEBUI_SECRET_KEY", "secret-key-differs", "whoever signs in at one is not signed in at the other"),
    ("WEBSOCKET_REDIS_ROOM_CHANNELS", "room-channels-differ", "one publishes where the other does not listen"),
    ("REDIS_KEY_PREFIX", "key-prefix-differs", "they do not see each other's sessions"),
)
"""Variables that must be the same on all replicas, the cause when they are not, and what then breaks."""


def settings_agree(evidence: Evidence) -> Finding:
    """What is saved in the admin panel holds on every replica, and what the stack file says holds there."""
    asked = [app for app in evidence.apps if not app.probe.problem]
    if not asked:
        return unanswered(evidence.apps[0])
    forgetful = [app.container.name for app in asked if app.probe.environment.get(KEPT, "true").lower() != "true"]
    intended = all(evidence.expected.get(name, {}).get(f"Config.Env[{KEPT}]") == "false" for name in forgetful)
    if forgetful and (intended or len(evidence.apps) == 1):
        return unknown(
            "panel-keeps-nothing", f"{listed(forgetful)}: {KEPT} is false: nothing that is saved there is kept"
        )
    if forgetful:
        seen = (
            f"{listed(forgetful)}: {KEPT} is false: what is saved in the admin panel holds in the replica that answers"
        )
        return failed("settings-not-shared", seen, f"set {KEPT}=true on every replica and restart all")
    if errors := [f"{app.container.name}: {app.probe.panel.error}" for app in asked if app.probe.panel.error]:
        return unknown("not-asked", listed(errors))
    if otherwise := sorted({key for app in asked for key in app.probe.panel.otherwise}):
        return failed(
            "settings-otherwise", f"the admin panel has {listed(otherwise)} otherwise than the stack file", UPDATE
        )
    said = max(app.probe.panel.said for app in asked)
    words = f"; {said} of them are the stack file's" if said else ""
    return passed(f"the admin panel's settings are read from the database{words}")


KEPT: Final = "ENABLE_PERSISTENT_CONFIG"
"""Whether settings of the admin panel are kept in the database; the default is true.

Source: https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/models/config.py
"""


HARDENING: Final = ("CapAdd", "CapDrop", "SecurityOpt", "Privileged", "ReadonlyRootfs", "PidsLimit", "User")


def as_asked(evidence: Evidence) -> Finding:
    """Each container is the one that was asked for."""
    if not evidence.expected:
        return unknown("nothing-expected", "no expectation given")
    known = {item.name: item for item in evidence.containers}
    found = [
        (item, path, wanted, actual)
        for name, paths in evidence.expected.items()
        for item in [known.get(name, Container(name=name))]
        for path, wanted in paths.items()
        for actual in [looked_up(item.inspect, path)]
        if not same(path, wanted, actual)
    ]
    count = sum(len(paths) for paths in evidence.expected.values())
    if not found:
        return passed(f"{count} properties of {len(evidence.expected)} containers are as asked")
    paths = " ".join(path for _, path, _, _ in found)
    cause: Cause = "differs-from-asked"
    if any(word in paths for word in HARDENING):
        cause = "hardening-drift"
    elif "PortBindings" in paths:
        cause = "port-exposed"
    words = (_difference(path, item.name, wanted, actual) for item, path, wanted, actual in found)
    return failed(cause, "; ".join(words), _least_fix(found))


NETWORKS: Final = "NetworkSettings.Networks"


def _least_fix(found: list[tuple[Container, str, Any, Any]]) -> str:
    """The least that fixes it: Docker's plugin does not read everything back, an update alone fixes only some."""
    there = [one for one in found if one[0].inspect]
    re_created = [item for item, path, _, _ in there if not path.startswith((*UPDATED, NETWORKS))]
    if re_created:
        return re_create_commands(re_created)
    joins = [(item.name, {*wanted}, {*(joined or ())}) for item, path, wanted, joined in there if path == NETWORKS]
    if any(wanted - joined for _, wanted, joined in joins):
        return f"{DRIFT}    # prints the line that joins the network again, by the names it had there"
    guests = [(guest, name) for name, wanted, joined in joins for guest in sorted(joined - wanted)]
    leave = [f"docker network disconnect {guest} {name}" for guest, name in guests]
    return " && ".join([*leave, *([UPDATE] if len(joins) < len(found) else [])])


def _difference(path: str, name: str, wanted: Any, actual: Any) -> str:
    """A difference in words; values of variables may be secret and are not shown."""
    if path.startswith("Config.Env"):
        return f"{name}: {path} is {'another' if actual is not None else 'not set'}"
    return f"{name}: {path} is {json.dumps(actual)}, asked for {json.dumps(wanted)}"


def log_line(evidence: Evidence) -> Finding:
    """The log says "Using Redis to manage websockets."; it tells what was configured, not that events flow."""
    return first_failure(
        (_log_line(app) for app in evidence.apps),
        passed("DEBUG:open_webui.socket.main:Using Redis to manage websockets."),
    )


def _log_line(app: App) -> Finding:
    name, variables = app.container.name, app.probe.environment
    if app.log_line:
        return passed(name)
    if app.log_line is None:
        return unknown("log-unreadable", f"{name}: its log cannot be read (log driver?)")
    if app.probe.problem:
        return unanswered(app)
    if variables.get("GLOBAL_LOG_LEVEL", "INFO").upper() != "DEBUG":
        return unknown(
            "log-level",
            f"{name}: printed at GLOBAL_LOG_LEVEL=DEBUG only, it is {variables.get('GLOBAL_LOG_LEVEL', 'INFO')}",
        )
    if variables.get("ENABLE_DB_MIGRATIONS", "True").lower() == "true":
        return unknown(
            "migrations-in-app-process",
            f"{name}: never printed by a process that runs migrations (ENABLE_DB_MIGRATIONS)",
        )
    return unknown("not-in-log", f"{name}: not in the log since its start; rotated away?")
