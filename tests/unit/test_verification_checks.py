"""The checks on recorded evidence: every cause has a test that produces it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import Any

import pytest

from verification import checks
from verification.checks import CHECKS, CheckResult, judge
from verification.checks.verdict import verdict_of
from verification.evidence import App, Connectivity, Evidence
from verification.evidence.container import Container
from verification.evidence.inside import Account, Connection, Live, PanelSettings, Probe
from verification.evidence.url import HttpAnswer, IdleSocket, UrlEvent
from verification.evidence.valkey import Denial, Valkey

SALT = "0a1b"
APP_ADDRESS = "172.20.0.3"
VALKEY_ADDRESS = "172.20.0.2"


def digest(value: str) -> str:
    return hmac.new(SALT.encode(), value.encode(), hashlib.sha256).hexdigest()


def container(name: str, address: str, **state: Any) -> Container:
    return Container(
        name=name,
        inspect={
            "Id": f"id-of-{name}",
            "RestartCount": state.pop("RestartCount", 0),
            "State": {"Status": "running", "ExitCode": 0, "Health": {"Status": "healthy"}} | state,
            "Config": {"Env": ["WEBSOCKET_MANAGER=redis", "WEBUI_SECRET_KEY=s3cr3t-key"], "Image": "image:1"},
            "HostConfig": {"CapDrop": ["ALL"], "CapAdd": ["SETUID", "SETGID"], "Memory": 0, "PortBindings": {}},
            "NetworkSettings": {"Networks": {"net": {"IPAddress": address, "GlobalIPv6Address": ""}}},
        },
    )


def connection(database: int = 1, **changes: Any) -> Connection:
    return replace(
        Connection(
            url=f"redis://redis-valkey:6379/{database}",
            host="redis-valkey",
            addresses=(VALKEY_ADDRESS,),
            write_problem="",
        ),
        **changes,
    )


def probe(**changes: Any) -> Probe:
    variables = {"WEBSOCKET_MANAGER": "redis", "ENABLE_WEBSOCKET_SUPPORT": "true", "GLOBAL_LOG_LEVEL": "DEBUG"}
    sound = Probe(
        process="process 1 (uvicorn)",
        environment=variables,
        digests={"WEBSOCKET_MANAGER": digest("redis"), "WEBUI_SECRET_KEY": digest("s3cr3t-key")},
        connections={"WEBSOCKET_REDIS_URL": connection(1), "REDIS_URL": connection(0)},
        http={
            "/health": HttpAnswer(status=200, body='{"status":true}'),
            "/ready": HttpAnswer(status=200, body='{"status":true}'),
            "/api/version": HttpAnswer(status=200, body='{"version":"0.12.4"}'),
        },
        live=Live(connected=True, room_milliseconds=0.7, shared_milliseconds=0.6, attempts=1),
        subscribers=1,
    )
    return replace(sound, **changes)


def app(name: str = "open-webui", **changes: Any) -> App:
    return replace(App(container=container(name, APP_ADDRESS), probe=probe(), log_line=True), **changes)


def valkey(**changes: Any) -> Valkey:
    sound = Valkey(
        container=container("redis-valkey", VALKEY_ADDRESS),
        client="redis-cli",
        answer="PONG",
        version="8.0.1",
        subscribers=1,
        subscriber_addresses=(APP_ADDRESS,),
    )
    return replace(sound, **changes)


def evidence(**changes: Any) -> Evidence:
    return replace(Evidence(apps=(app(),), valkey=valkey(), salt=SALT), **changes)


def probed(**changes: Any) -> Evidence:
    """Evidence in which one app's probe answered otherwise."""
    return evidence(apps=(app(probe=probe(**changes)),))


def variables(**changes: str) -> dict[str, str]:
    return probe().environment | changes


def connected(variable: str, **changes: Any) -> dict[str, Connection]:
    return probe().connections | {variable: connection(**changes)}


NOT_RECEIVED = Live(
    connected=True, room_milliseconds=None, shared_milliseconds=None, attempts=30, seconds=75, room_receivers=0
)


def result(found: Evidence, check: str) -> CheckResult:
    return next(item for item in judge(found) if item.id == check)


def test_a_sound_deployment_is_proved() -> None:
    results = judge(evidence())

    assert verdict_of(results) == "proved"
    assert [item.id for item in results if item.status == "failed"] == []


def test_every_check_has_a_name_and_a_question_of_its_own() -> None:
    assert len({check.id for check in CHECKS}) == len(CHECKS)
    assert all(check.question.endswith("?") for check in CHECKS)
    assert all(check.judge.__doc__ for check in CHECKS)


def locked(**changes: Any) -> Valkey:
    """Valkey asked with an account of its own."""
    return replace(valkey(login="verify", denials=(), nobody="NOAUTH Authentication required."), **changes)


def elsewhere(**changes: Any) -> Evidence:
    """A Valkey that is no container here, reached by a URL of the app's."""
    connections = {name: connection(**changes) for name in ("WEBSOCKET_REDIS_URL", "REDIS_URL")}
    return evidence(valkey=None, apps=(app(probe=probe(connections=connections)),))


def by_url(*, left: str = "open-webui:verification:0", **changes: Any) -> Evidence:
    """A Valkey that is no container here, asked by a URL; the apps have left a key in theirs."""
    asked = Valkey(
        url="redis://:***@elsewhere:6379/0",
        client="this host",
        answer="PONG",
        version="8.0.1",
        subscribers=1,
        subscriber_addresses=("192.0.2.1",),
        found=frozenset({"open-webui:verification:0"}),
    )
    connections = {name: connection(left=left) for name in ("WEBSOCKET_REDIS_URL", "REDIS_URL")}
    return evidence(valkey=replace(asked, **changes), apps=(app(probe=probe(connections=connections)),))


def unsaving() -> Evidence:
    """A Valkey whose disk is full: it refuses PING too."""
    refused: dict[str, Any] = {
        "problem": "persistence",
        "error": "MISCONF",
        "write_problem": "persistence",
        "write_error": "SET x: MISCONF",
    }
    connections = {name: connection(**refused) for name in ("WEBSOCKET_REDIS_URL", "REDIS_URL")}
    return evidence(
        apps=(app(probe=probe(connections=connections)),),
        valkey=valkey(answer="MISCONF Valkey is configured to save", info={"rdb_last_bgsave_status": "err"}),
    )


def behind_gateway(cors: str = "https://chat.test", **changes: Any) -> Evidence:
    """A deployment behind a gateway in which everything is well but what is changed."""
    replica = app(probe=probe(environment=variables(CORS_ALLOW_ORIGIN=cors)))
    version = HttpAnswer(status=200, body='{"version":"0.12.4"}')
    answers = {"/health": HttpAnswer(status=200), "/ready": HttpAnswer(status=200), "/api/version": version}
    sound = evidence(
        apps=(replica,),
        gateway=container("gateway", "172.20.0.8"),
        url="https://chat.test",
        url_answers=answers | changes.pop("url_answers", {}),
        upgrade=HttpAnswer(status=101, body='0{"sid":"x"}', seconds=0.02),
        foreign_upgrade=HttpAnswer(status=403),
        url_event=UrlEvent(joined=True, receivers=1, arrived=True),
    )
    return replace(sound, **changes)


def upgrading(cors: str, status: int, **changes: str) -> tuple[App, ...]:
    """A replica that was asked for a websocket inside its container, as a page of the URL."""
    environment = variables(CORS_ALLOW_ORIGIN=cors, **changes)
    return (app(probe=probe(environment=environment, upgrade=HttpAnswer(status=status))),)


REFUSED = {"/health": HttpAnswer(error="Connection refused")}
CLOSED = IdleSocket(ping_interval=25.0, silence=10.0, error="the connection ended", seconds=10.1)
SILENT = IdleSocket(ping_interval=25.0, ping_after=25.02, open=True, seconds=25.1)
DENIAL = Denial(user="openwebui", reason="command", what="keys", count=3, age_seconds=12.4)
CONNECTIVITY = Connectivity(
    edge="edge",
    private=(container("valkey", "10.0.0.2"), container("postgres", "10.0.0.3")),
    tried=4,
    control=("open-webui (172.20.0.3:8080)",),
    internal={"data": True},
    seconds=1.1,
)
PUBLISHED = replace(
    container("postgres", "10.0.0.3"),
    inspect={"NetworkSettings": {"Ports": {"5432/tcp": [{"HostIp": "10.0.0.1", "HostPort": "5432"}], "1/tcp": None}}},
)

EXITED = container("open-webui", APP_ADDRESS, Status="exited", ExitCode=3)

FAULTS: list[tuple[str, str, Evidence]] = [
    # containers-running
    ("containers-running", "app-missing", evidence(apps=(app(container=Container(name="open-webui")),))),
    ("containers-running", "app-exited", evidence(apps=(app(container=EXITED),))),
    (
        "containers-running",
        "app-paused",
        evidence(apps=(app(container=container("open-webui", APP_ADDRESS, Status="paused")),)),
    ),
    (
        "containers-running",
        "app-restarting",
        evidence(apps=(app(container=container("open-webui", APP_ADDRESS, Status="restarting")),)),
    ),
    (
        "containers-running",
        "app-unhealthy",
        evidence(apps=(app(container=container("open-webui", APP_ADDRESS, Health={"Status": "unhealthy"})),)),
    ),
    (  # one that lacks its URLs never gets to the end of booting
        "containers-running",
        "websocket-redis-url-missing",
        evidence(
            apps=(
                app(
                    container=container("open-webui", APP_ADDRESS, Health={"Status": "unhealthy"}),
                    probe=probe(connections={"WEBSOCKET_REDIS_URL": Connection(problem="unset")}),
                ),
            )
        ),
    ),
    (
        "containers-running",
        "app-not-ready",
        evidence(
            apps=(
                app(
                    container=container("open-webui", APP_ADDRESS, Health={"Status": "starting"}),
                    probe=probe(http={"/health": HttpAnswer(error="refused")}),
                ),
            )
        ),
    ),
    (
        "containers-running",
        "app-restarting",
        evidence(
            apps=(
                app(
                    container=container("open-webui", APP_ADDRESS, RestartCount=2),
                    probe=probe(http={"/health": HttpAnswer(error="refused")}),
                ),
            )
        ),
    ),
    (
        "containers-running",
        "valkey-exited",
        evidence(valkey=valkey(container=container("redis-valkey", "", Status="exited"))),
    ),
    (
        "containers-running",
        "valkey-paused",
        evidence(valkey=valkey(container=container("redis-valkey", "", Status="paused"))),
    ),
    (
        "containers-running",
        "valkey-unhealthy",
        evidence(valkey=valkey(container=container("redis-valkey", "", Health={"Status": "unhealthy"}))),
    ),
    *(
        ("containers-running", f"{role}-{cause}", evidence(**{role: container(role, "", **state)}))
        for role in ("postgres", "gateway")
        for cause, state in (
            ("exited", {"Status": "exited", "ExitCode": 137}),
            ("restarting", {"Status": "restarting"}),
            ("paused", {"Status": "paused"}),
            ("unhealthy", {"Health": {"Status": "unhealthy"}}),
        )
    ),
    ("containers-running", "postgres-missing", evidence(postgres=Container(name="postgres"))),
    ("containers-running", "gateway-missing", evidence(gateway=Container(name="gateway"))),
    (
        "containers-running",
        "gateway-restarting",
        behind_gateway(
            gateway=container("gateway", "", RestartCount=3), url_answers={"/health": HttpAnswer(error="refused")}
        ),
    ),
    (
        "containers-running",
        "postgres-restarting",
        evidence(postgres=replace(container("postgres", "", RestartCount=3), unsteady=True)),
    ),
    ("containers-running", "postgres-missing", evidence(postgres=container("postgres", "", Status="removing"))),
    # migration
    ("migration", "migration-missing", evidence(migration=Container(name="migration"))),
    ("migration", "migration-missing", evidence(migration=container("migration", "", Status="removing"))),
    ("migration", "migration-not-finished", evidence(migration=container("migration", ""))),
    ("migration", "migration-failed", evidence(migration=container("migration", "", Status="exited", ExitCode=1))),
    # valkey-pong
    ("valkey-pong", "valkey-hung", evidence(valkey=valkey(answer="", problem="timeout"))),
    ("valkey-pong", "valkey-paused", evidence(valkey=valkey(answer="", problem="paused"))),
    ("valkey-pong", "valkey-exited", evidence(valkey=valkey(answer="", problem="not-running"))),
    (
        "valkey-pong",
        "valkey-unreachable",
        evidence(
            apps=(app(probe=probe(connections={})),),
            valkey=valkey(answer="Could not connect to Valkey at 127.0.0.1:6379: Connection refused"),
        ),
    ),
    (
        "valkey-pong",
        "valkey-loading",
        evidence(
            apps=(app(probe=probe(connections={})),), valkey=valkey(answer="LOADING Valkey is loading the dataset")
        ),
    ),
    (  # the other URL leads to another Valkey
        "valkey-pong",
        "valkey-loading",
        evidence(
            apps=(app(probe=probe(connections=connected("WEBSOCKET_REDIS_URL", problem="loading"))),),
            valkey=valkey(answer="LOADING Valkey is loading the dataset"),
        ),
    ),
    (
        "valkey-pong",
        "valkey-clients-exhausted",
        evidence(
            apps=(app(probe=probe(connections={})),),
            valkey=valkey(answer="AUTH failed: ERR max number of clients reached"),
        ),
    ),
    (
        "valkey-pong",
        "valkey-login-refused",
        evidence(valkey=locked(answer="AUTH failed: WRONGPASS invalid username-password pair")),
    ),
    (
        "valkey-pong",
        "valkey-login-refused",
        evidence(valkey=locked(client="", answer="cat: can't open '/run/secrets/verify': No such file or directory")),
    ),
    ("valkey-pong", "valkey-unreachable", evidence(valkey=locked(answer="Could not connect to Valkey: refused"))),
    ("valkey-pong", "valkey-unreachable", elsewhere(problem="refused", error="Connection refused")),
    ("valkey-pong", "valkey-persistence-failing", unsaving()),
    ("valkey-pong", "valkey-persistence-failing", elsewhere(problem="persistence", error="MISCONF Valkey is ...")),
    # health, ready, version
    ("health", "health-not-200", probed(http=probe().http | {"/health": HttpAnswer(status=500)})),
    ("health", "app-no-answer", probed(http=probe().http | {"/health": HttpAnswer(error="TimeoutError")})),
    (
        "health",
        "url-no-answer",
        evidence(url="http://127.0.0.1:3000", url_answers={"/health": HttpAnswer(error="refused")}),
    ),
    ("ready", "ready-not-200", probed(http=probe().http | {"/ready": HttpAnswer(status=503, body="Redis not ready")})),
    *(
        (check, cause, behind_gateway(url_answers={path: answer}))
        for check, path in (("health", "/health"), ("ready", "/ready"))
        for cause, answer in (
            ("gateway-no-answer", HttpAnswer(error="Connection refused")),
            ("gateway-no-replica", HttpAnswer(status=503)),
            ("gateway-tls-untrusted", HttpAnswer(error="its certificate is not trusted", untrusted=True)),
            ("url-redirects", HttpAnswer(status=308, location="https://chat.test/health")),
        )
    ),
    ("ready", "ready-not-200", behind_gateway(url_answers={"/ready": HttpAnswer(status=404)})),
    # front-door
    ("front-door", "gateway-no-answer", behind_gateway(url_answers=REFUSED, upgrade=REFUSED["/health"])),
    ("front-door", "url-no-answer", behind_gateway(gateway=None, url_answers=REFUSED, upgrade=REFUSED["/health"])),
    ("front-door", "upgrade-blocked", behind_gateway(upgrade=HttpAnswer(status=400, body="invalid transport"))),
    ("front-door", "upgrade-blocked", behind_gateway(upgrade=HttpAnswer(error="timed out"))),
    ("front-door", "upgrade-blocked", behind_gateway(upgrade=HttpAnswer(status=502))),
    ("front-door", "upgrade-blocked", behind_gateway(upgrade=HttpAnswer(status=302, location="https://other.test/"))),
    (
        "front-door",
        "upgrade-blocked",
        behind_gateway(upgrade=HttpAnswer(status=403), apps=upgrading("https://chat.test", 101)),
    ),
    (
        "front-door",
        "upgrade-blocked",
        behind_gateway(upgrade=HttpAnswer(status=403), apps=upgrading("https://chat.test", 400)),
    ),
    (
        "front-door",
        "origin-refused",
        behind_gateway(upgrade=HttpAnswer(status=403), apps=upgrading("https://old.test", 403)),
    ),
    (
        "front-door",
        "websocket-disabled",
        behind_gateway(upgrade=HttpAnswer(status=403), apps=upgrading("*", 403, ENABLE_WEBSOCKET_SUPPORT="false")),
    ),
    ("front-door", "upgrade-blocked", behind_gateway(upgrade=HttpAnswer(status=200, body="<html>"))),
    ("front-door", "upgrade-blocked", behind_gateway(upgrade=HttpAnswer(status=101, body=""))),
    ("front-door", "upgrade-blocked", behind_gateway(upgrade=HttpAnswer(status=403))),
    (
        "front-door",
        "origin-refused",
        behind_gateway("https://other.test;https://third.test", upgrade=HttpAnswer(status=403)),
    ),
    # idle-socket
    ("idle-socket", "idle-timeout-too-short", behind_gateway(idle=CLOSED)),
    ("idle-socket", "idle-timeout-too-short", behind_gateway(idle=replace(CLOSED, error="", silence=30.0))),
    ("idle-socket", "idle-timeout-too-short", behind_gateway(idle=replace(CLOSED, ping_after=25.0))),
    ("idle-socket", "upgrade-blocked", behind_gateway(idle=IdleSocket(error="no websocket: 503"))),
    ("front-door", "foreign-origin-accepted", behind_gateway(foreign_upgrade=HttpAnswer(status=101))),
    (
        "version",
        "version-unreadable",
        behind_gateway(url_answers={"/api/version": HttpAnswer(status=200, body="<html>")}),
    ),
    (
        "version",
        "version-unsupported",
        probed(http=probe().http | {"/api/version": HttpAnswer(status=200, body='{"version":"0.11.9"}')}),
    ),
    (
        "version",
        "version-unreadable",
        probed(http=probe().http | {"/api/version": HttpAnswer(status=200, body="<html>")}),
    ),
    # environment
    ("environment", "websocket-disabled", probed(environment=variables(ENABLE_WEBSOCKET_SUPPORT="False"))),
    ("environment", "manager-not-redis", probed(environment=variables(WEBSOCKET_MANAGER=""))),
    ("environment", "manager-not-redis", probed(environment={})),
    (
        "environment",
        "websocket-redis-url-missing",
        probed(connections=connected("WEBSOCKET_REDIS_URL", problem="unset", url="", host="")),
    ),
    ("environment", "redis-url-missing", probed(connections=connected("REDIS_URL", problem="unset", url="", host=""))),
    (
        "environment",
        "scheme-unsupported",
        probed(connections=connected("WEBSOCKET_REDIS_URL", problem="scheme", error="scheme 'valkey'")),
    ),
    (
        "environment",
        "url-differs-from-intended",
        evidence(expected={"open-webui": {"Config.Env[REDIS_URL]": "redis://redis-valkey:6379/7"}}),
    ),
    (
        "environment",
        "environment-differs",
        evidence(expected={"open-webui": {"Config.Env[WEBUI_SECRET_KEY]": "another"}}),
    ),
    # name-resolution
    (
        "name-resolution",
        "name-is-loopback",
        probed(connections=connected("WEBSOCKET_REDIS_URL", host="127.0.0.1", problem="refused")),
    ),
    (
        "name-resolution",
        "name-is-loopback",
        probed(connections=connected("WEBSOCKET_REDIS_URL", host="localhost", problem="refused")),
    ),
    (
        "name-resolution",
        "name-does-not-resolve",
        probed(connections=connected("WEBSOCKET_REDIS_URL", problem="resolve", addresses=())),
    ),
    (
        "name-resolution",
        "name-resolves-elsewhere",
        probed(connections=connected("WEBSOCKET_REDIS_URL", addresses=("10.0.0.9",), problem="refused")),
    ),
    (
        "name-resolution",
        "name-resolves-elsewhere",
        probed(connections=connected("WEBSOCKET_REDIS_URL", addresses=(VALKEY_ADDRESS, "10.0.0.9"))),
    ),
    ("name-resolution", "name-does-not-resolve", elsewhere(problem="resolve", addresses=())),
    ("name-resolution", "name-resolves-elsewhere", by_url(found=frozenset())),
    (
        "valkey-pong",
        "valkey-persistence-failing",
        by_url(answer="MISCONF Valkey is configured to save", problem="persistence"),
    ),
    ("valkey-writes", "valkey-persistence-failing", by_url(info={"rdb_last_bgsave_status": "err"})),
    ("pubsub-subscribers", "foreign-subscriber", by_url(subscribers=2)),
    ("pubsub-subscribers", "replica-not-subscribed", by_url(subscribers=0)),
    (
        "name-resolution",
        "name-is-loopback",
        elsewhere(host="127.0.0.1", addresses=("127.0.0.1",), problem="refused"),
    ),
    # connect
    *(
        (check, cause, probed(connections=connected(variable, problem=problem, error=error)))
        for check, variable in (("connect", "WEBSOCKET_REDIS_URL"), ("connect-redis-url", "REDIS_URL"))
        for problem, error, cause in (
            ("auth", "WRONGPASS", "valkey-auth-refused"),
            ("refused", "Connection refused", "valkey-unreachable"),
            ("timeout", "Timeout connecting to server", "valkey-unreachable"),
            ("timeout", "Timeout reading from redis-valkey:6379", "valkey-hung"),
            ("tls", "certificate verify failed", "valkey-tls-failed"),
            ("acl", "NOPERM", "valkey-acl-denied"),
            ("loading", "LOADING", "valkey-loading"),
            ("clients", "max number of clients reached", "valkey-clients-exhausted"),
            ("resolve", "Name or service not known", "name-does-not-resolve"),
            ("other", "Connection closed by server.", "valkey-connection-failed"),
        )
    ),
    *(
        ("valkey-writes", cause, probed(connections=connected(variable, write_problem=problem, write_error=error)))
        for variable in ("WEBSOCKET_REDIS_URL", "REDIS_URL")
        for problem, error, cause in (
            (
                "readonly",
                "SET open-webui:verification:0: You can't write against a read only replica.",
                "valkey-read-only",
            ),
            ("oom", "SET open-webui:verification:0: command not allowed", "valkey-out-of-memory"),
            ("persistence", "SET open-webui:verification:0: MISCONF", "valkey-persistence-failing"),
            ("acl", "SET open-webui:verification:0: No permissions to access a key", "valkey-acl-denied"),
            ("timeout", "SET open-webui:verification:0: Timeout reading from socket", "valkey-hung"),
            ("other", "SET open-webui:verification:0: Connection closed by server.", "valkey-connection-failed"),
        )
    ),
    ("valkey-writes", "valkey-persistence-failing", unsaving()),
    ("valkey-writes", "valkey-persistence-failing", evidence(valkey=valkey(info={"rdb_last_bgsave_status": "err"}))),
    (
        "valkey-writes",
        "valkey-persistence-failing",
        evidence(valkey=valkey(info={"aof_enabled": "1", "aof_last_write_status": "err"})),
    ),
    # valkey-acl
    ("valkey-acl", "valkey-acl-denied", probed(live=replace(NOT_RECEIVED, denied="SUBSCRIBE socketio#/#x: NOPERM"))),
    ("valkey-acl", "valkey-acl-log", evidence(valkey=locked(denials=(DENIAL,)), app_user="openwebui")),
    ("valkey-acl", "valkey-open", evidence(valkey=locked(nobody="PONG"), app_user="openwebui")),
    # pubsub-subscribers
    ("pubsub-subscribers", "replica-not-subscribed", evidence(valkey=valkey(subscribers=0, subscriber_addresses=()))),
    (
        "pubsub-subscribers",
        "replica-not-subscribed",
        evidence(valkey=valkey(subscribers=1, subscriber_addresses=("10.0.0.9",))),
    ),
    (
        "pubsub-subscribers",
        "foreign-subscriber",
        evidence(valkey=valkey(subscribers=2, subscriber_addresses=(APP_ADDRESS, "10.0.0.9"))),
    ),
    ("pubsub-subscribers", "foreign-subscriber", evidence(valkey=valkey(subscribers=2, subscriber_addresses=None))),
    # live-event
    ("live-event", "event-not-received", probed(live=NOT_RECEIVED)),
    ("live-event", "event-not-received", probed(live=replace(NOT_RECEIVED, shared_milliseconds=1.0))),
    ("live-event", "upgrade-blocked", probed(live=Live(connected=False, error="Unexpected status code 400"))),
    ("live-event", "decoy-received", probed(live=replace(probe().live, decoy_received=True))),
    # isolation
    (
        "isolation",
        "private-reachable",
        evidence(connectivity=replace(CONNECTIVITY, answered=("valkey (10.0.0.2:6379)",))),
    ),
    ("isolation", "private-published", evidence(connectivity=replace(CONNECTIVITY, private=(PUBLISHED,)))),
    ("isolation", "network-not-internal", evidence(connectivity=replace(CONNECTIVITY, internal={"data": False}))),
    (
        "isolation",
        "network-not-internal",
        evidence(connectivity=replace(CONNECTIVITY, internal={"data": False}, error="no nc")),
    ),
    (
        "gateway-replicas",
        "gateway-misses-replica",
        evidence(connectivity=replace(CONNECTIVITY, missed=("open-webui-2",))),
    ),
    # front-door-event
    ("front-door-event", "url-leads-elsewhere", behind_gateway(url_event=UrlEvent(joined=True, receivers=0))),
    ("front-door-event", "event-not-received", behind_gateway(url_event=UrlEvent(joined=True, receivers=1))),
    (
        "front-door-event",
        "idle-timeout-too-short",
        behind_gateway(url_event=UrlEvent(joined=True, receivers=0, error="ended")),
    ),
    (
        "front-door-event",
        "event-not-received",
        behind_gateway(url_event=UrlEvent(joined=True, receivers=0, rooms=False)),
    ),
    ("front-door-event", "upgrade-blocked", behind_gateway(url_event=UrlEvent(error="closed 1001"))),
    # replicas-agree
    (
        "replicas-agree",
        "secret-key-differs",
        evidence(apps=(app(), app("second", probe=probe(digests={"WEBUI_SECRET_KEY": digest("another")})))),
    ),
    (
        "replicas-agree",
        "room-channels-differ",
        evidence(
            apps=(
                app(),
                app(
                    "second", probe=probe(digests=probe().digests | {"WEBSOCKET_REDIS_ROOM_CHANNELS": digest("false")})
                ),
            )
        ),
    ),
    (
        "replicas-agree",
        "key-prefix-differs",
        evidence(apps=(app(), app("second", probe=probe(digests=probe().digests | {"REDIS_KEY_PREFIX": digest("x")})))),
    ),
    # as-asked
    ("as-asked", "hardening-drift", evidence(expected={"open-webui": {"HostConfig.CapDrop": []}})),
    (
        "as-asked",
        "hardening-drift",
        evidence(expected={"open-webui": {"HostConfig.SecurityOpt": ["no-new-privileges"]}}),
    ),
    (
        "as-asked",
        "port-exposed",
        evidence(expected={"redis-valkey": {"HostConfig.PortBindings": {"6379/tcp": [{"HostPort": "6379"}]}}}),
    ),
    ("as-asked", "differs-from-asked", evidence(expected={"open-webui": {"Config.Image": "image:2"}})),
    ("as-asked", "differs-from-asked", evidence(expected={"no-such": {"Config.Image": "image:2"}})),
]


@pytest.mark.parametrize(("check", "cause", "found"), FAULTS, ids=[f"{check}: {cause}" for check, cause, _ in FAULTS])
def test_a_fault_fails_its_check_by_name_with_evidence_and_a_way_out(check: str, cause: str, found: Evidence) -> None:
    item = result(found, check)

    assert (item.status, item.cause) == ("failed", cause)
    assert item.evidence
    assert item.fix
    assert verdict_of(judge(found)) == "failed"


def test_an_exited_container_shows_its_exit_code_and_its_last_words() -> None:
    item = result(
        evidence(apps=(app(container=replace(EXITED, log_tail=("first", "Killed by a test"))),)), "containers-running"
    )

    assert "exit code 3" in item.evidence
    assert item.evidence.endswith("  first\n  Killed by a test")


@pytest.mark.parametrize(("last_exit", "words"), [(3, "2 times so far, last exit code 3"), (None, "2 times so far")])
def test_a_container_that_runs_again_shows_the_exit_code_of_its_last_run(last_exit: int | None, words: str) -> None:
    again = replace(container("redis-valkey", "", RestartCount=2, ExitCode=0), unsteady=True, last_exit=last_exit)

    seen = result(evidence(valkey=valkey(container=again)), "containers-running").evidence
    assert seen.splitlines()[0].endswith(words)


def test_a_container_out_of_memory_is_said_to_be() -> None:
    dead = container("open-webui", APP_ADDRESS, Status="exited", ExitCode=137, OOMKilled=True)

    assert "out of memory" in result(evidence(apps=(app(container=dead),)), "containers-running").evidence


def test_what_the_log_says_of_the_host_is_added_to_it() -> None:
    dead = replace(
        container("open-webui", APP_ADDRESS, Status="exited", ExitCode=1),
        log_tail=("Traceback", "RuntimeError: can't start new thread"),
    )

    seen = result(evidence(apps=(app(container=dead),)), "containers-running").evidence
    assert "can't start new thread\n  (no thread starts: a Docker before 20.10.10" in seen


def test_an_app_that_answers_before_dockers_first_healthcheck_is_running() -> None:
    early = app(container=container("open-webui", APP_ADDRESS, Health={"Status": "starting"}))

    assert result(evidence(apps=(early,)), "containers-running").status == "passed"


@pytest.mark.parametrize(
    ("stack", "fix"), [("prod", "make up STACK=prod"), ("", "deploy it again, the way it was deployed")]
)
def test_the_line_that_mends_it_is_for_the_stack_that_the_containers_are_of(stack: str, fix: str) -> None:
    known = container("open-webui", APP_ADDRESS)
    known.inspect["Config"]["Labels"] = {"pulumi.stack": stack} if stack else None
    found = evidence(apps=(app(container=known),), migration=Container(name="migration"))
    assert result(found, "migration").fix == fix


@pytest.mark.parametrize(("restarts", "answer"), [(3, HttpAnswer(status=200)), (0, HttpAnswer(error="refused"))])
def test_a_gateway_is_restarting_only_where_docker_restarted_it_and_it_is_silent(
    restarts: int, answer: HttpAnswer
) -> None:
    found = behind_gateway(gateway=container("gateway", "", RestartCount=restarts), url_answers={"/health": answer})

    assert result(found, "containers-running").status == "passed"


@pytest.mark.parametrize(
    ("labelled", "status"), [((True, True), "passed"), ((True, False), "failed"), ((False,), "failed")]
)
def test_a_migration_that_is_gone_had_ended_well_where_its_label_is_on_whatever_serves(
    labelled: tuple[bool, ...], status: str
) -> None:
    """The label is on no container but one that is started after a migration that succeeded."""
    apps = []
    for number, follows in enumerate(labelled):
        known = container(f"open-webui-{number}", APP_ADDRESS)
        known.inspect["Config"]["Labels"] = {"pulumi.schema-id": "s1"} if follows else {}
        apps.append(app(container=known))
    found = result(evidence(apps=tuple(apps), migration=Container(name="migration")), "migration")
    assert found.status == status
    assert "migration" in found.evidence


def test_a_migration_that_exited_with_0_passes() -> None:
    done = container("migration", "", Status="exited")

    assert result(evidence(migration=done), "migration").status == "passed"


@pytest.mark.parametrize(
    "answer", ["NOAUTH Authentication required.", "Could not connect to Valkey at 127.0.0.1:6379: Connection refused"]
)
def test_valkey_answers_when_it_answers_the_apps_own_account(answer: str) -> None:
    item = result(evidence(valkey=valkey(answer=answer)), "valkey-pong")

    assert item.status == "passed"
    assert "app's own account" in item.evidence


def test_a_valkey_that_wants_a_password_from_the_client_beside_it_is_not_called_broken() -> None:
    refused = connection(problem="auth", error="WRONGPASS")
    found = evidence(
        apps=(app(probe=probe(connections={"WEBSOCKET_REDIS_URL": refused, "REDIS_URL": refused})),),
        valkey=valkey(answer="NOAUTH Authentication required."),
    )

    assert result(found, "valkey-pong").status == "unknown"
    assert result(found, "connect").cause == "valkey-auth-refused"


def test_a_valkey_without_a_client_is_judged_by_the_app() -> None:
    assert result(evidence(valkey=valkey(client="", answer="", problem="no-client")), "valkey-pong").status == "passed"


@pytest.mark.parametrize(
    ("version", "why"), [("0.6.40", "CVE-2025-61765"), ("0.10.1", "#26425"), ("0.11.9", "rooms have no channel")]
)
def test_an_unsupported_version_says_what_is_wrong_with_it(version: str, why: str) -> None:
    found = probed(http=probe().http | {"/api/version": HttpAnswer(status=200, body=f'{{"version":"{version}"}}')})

    assert why in result(found, "version").evidence


@pytest.mark.parametrize("version", ["0.12.0", "0.12.4", "0.13.0", "1.0.0"])
def test_a_supported_version_passes(version: str) -> None:
    found = probed(http=probe().http | {"/api/version": HttpAnswer(status=200, body=f'{{"version":"{version}"}}')})

    assert result(found, "version").status == "passed"


def test_websocket_support_is_on_unless_switched_off() -> None:
    assert result(probed(environment={"WEBSOCKET_MANAGER": "redis"}), "environment").status == "passed"


def test_the_processs_environment_is_compared_without_knowing_its_values() -> None:
    found = evidence(expected={"open-webui": {"Config.Env[WEBUI_SECRET_KEY]": "s3cr3t-key"}})

    assert result(found, "environment").status == "passed"


def test_an_environment_that_differs_shows_no_value() -> None:
    found = evidence(expected={"open-webui": {"Config.Env[WEBUI_SECRET_KEY]": "wanted-key"}})

    for check in ("environment", "as-asked"):
        item = result(found, check)
        assert "wanted-key" not in item.evidence
        assert "s3cr3t-key" not in item.evidence


def test_the_loopback_trap_is_explained() -> None:
    found = probed(connections=connected("WEBSOCKET_REDIS_URL", host="127.0.0.1", problem="refused"))

    item = result(found, "name-resolution")
    assert "the container itself" in item.evidence
    assert item.fix == "set WEBSOCKET_REDIS_URL=redis://redis-valkey:6379/1 in the environment of open-webui"


@pytest.mark.parametrize("alone", ["open-webui", "redis-valkey"])
def test_loopback_is_no_trap_for_containers_without_an_address_of_their_own(alone: str) -> None:
    reached = probe(connections=connected("WEBSOCKET_REDIS_URL", host="127.0.0.1", addresses=("127.0.0.1",)))
    found = evidence(
        apps=(app(container=container("open-webui", "" if alone == "open-webui" else APP_ADDRESS), probe=reached),),
        valkey=valkey(container=container("redis-valkey", "" if alone == "redis-valkey" else VALKEY_ADDRESS)),
    )

    assert result(found, "name-resolution").status == "unknown"
    assert verdict_of(judge(found)) == "proved"


def test_containers_that_share_no_network_are_told_to() -> None:
    alone = replace(container("open-webui", "10.9.9.9"), inspect={"NetworkSettings": {"Networks": {"other": {}}}})
    unresolved = probe(connections=connected("WEBSOCKET_REDIS_URL", problem="resolve", addresses=()))

    item = result(evidence(apps=(app(container=alone, probe=unresolved),)), "name-resolution")

    assert item.fix.startswith("docker network connect net open-webui")


def test_an_acl_refusal_names_the_account_and_the_command_that_grants_it() -> None:
    denied = probe(
        live=replace(NOT_RECEIVED, denied="SUBSCRIBE socketio: NOPERM"),
        connections=connected("WEBSOCKET_REDIS_URL", url="redis://openwebui:***@redis-valkey:6379/1"),
    )

    item = result(evidence(apps=(app(probe=denied),)), "valkey-acl")

    assert "SUBSCRIBE socketio" in item.evidence
    assert "ACL SETUSER openwebui '&socketio' '&socketio#*'" in item.fix


def test_a_valkey_asked_by_url_is_proved_to_be_the_apps_own() -> None:
    found = by_url()

    assert verdict_of(judge(found)) == "proved"
    assert result(found, "valkey-pong").evidence == "redis://:***@elsewhere:6379/0 from this host: PONG"
    assert result(found, "name-resolution").evidence.endswith(": the Valkey that was asked by URL")


@pytest.mark.parametrize("changes", [{"left": ""}, {"found": None}])
def test_a_valkey_asked_by_url_that_cannot_be_compared_is_not_called_another(changes: dict[str, Any]) -> None:
    item = result(by_url(**changes), "name-resolution")

    assert item.status == "passed"
    assert "asked by URL" not in item.evidence


def test_a_url_that_does_not_work_is_not_held_against_apps_whose_own_does_and_leaves_the_question_open() -> None:
    found = by_url(answer="WRONGPASS", problem="auth", found=None, subscribers=None, subscriber_addresses=None)

    assert result(found, "valkey-pong").cause == "valkey-not-asked"
    assert verdict_of(judge(found)) == "unknown"


def test_a_valkey_that_neither_the_url_nor_the_apps_reach_is_named() -> None:
    refused = connected("WEBSOCKET_REDIS_URL", problem="refused", error="Connection refused")
    found = by_url(answer="Connection refused", problem="refused")

    item = result(replace(found, apps=(app(probe=probe(connections=refused)),)), "valkey-pong")

    assert item.cause == "valkey-unreachable"


def test_what_is_denied_is_asked_of_a_valkey_by_url_too() -> None:
    found = by_url(denials=(DENIAL,))

    assert result(replace(found, app_user="openwebui"), "valkey-acl").cause == "valkey-acl-log"
    assert result(found, "valkey-acl").status == "passed"


def test_an_update_behind_a_valkey_elsewhere_is_not_taken_for_a_stranger() -> None:
    found = replace(by_url(subscribers=2), draining=(container("open-webui-old", "172.20.0.9"),))

    assert result(found, "pubsub-subscribers").status == "passed"
    stranger = result(replace(found, draining=()), "pubsub-subscribers")
    assert stranger.cause == "foreign-subscriber"
    assert "listening from 192.0.2.1" in stranger.evidence


def test_a_write_that_is_refused_says_what_valkey_says_of_itself() -> None:
    info = {"role": "slave", "master_host": "10.0.0.9", "master_port": "6380", "master_link_status": "down"}
    info |= {
        "maxmemory": "1000",
        "maxmemory_human": "1.00K",
        "used_memory_human": "2M",
        "maxmemory_policy": "noeviction",
    }
    told = {
        "readonly": ("role slave, primary 10.0.0.9 down", "point the URLs at its primary 10.0.0.9:6380"),
        "oom": ("2M used, maxmemory 1.00K, policy noeviction", "config set maxmemory 2000"),
    }

    for problem, (seen, fix) in told.items():
        replica = app(probe=probe(connections=connected("REDIS_URL", write_problem=problem, write_error="SET x: no")))
        item = result(evidence(apps=(replica,), valkey=valkey(info=info)), "valkey-writes")
        assert item.evidence.endswith(seen)
        assert fix in item.fix


def test_a_key_that_may_not_be_written_is_named_with_the_right_to() -> None:
    refused = connected("REDIS_URL", write_problem="acl", write_error="SET team:verification:0: No permissions")
    replica = app(probe=probe(connections=refused, environment=variables(REDIS_KEY_PREFIX="team")))

    item = result(evidence(apps=(replica,), valkey=locked()), "valkey-writes")

    assert "SET team:verification:0" in item.evidence
    assert item.fix == "grant default in the ACL file of redis-valkey: '~team:*' +get +set +del +hget +hset +hdel +eval"


def test_a_connection_that_does_not_stand_is_not_written_over() -> None:
    found = probed(connections=connected("REDIS_URL", problem="auth", error="x", write_problem="not-asked"))

    assert (result(found, "valkey-writes").status, result(found, "valkey-writes").weight) == ("unknown", "unknown")


def test_an_unhealthy_valkey_that_says_why_is_called_by_that() -> None:
    sick = container("redis-valkey", VALKEY_ADDRESS, Health={"Status": "unhealthy"})
    unsaved = unsaving()
    assert unsaved.valkey is not None

    item = result(replace(unsaved, valkey=replace(unsaved.valkey, container=sick)), "containers-running")

    assert item.cause == "valkey-persistence-failing"
    assert "is unhealthy" in item.evidence


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"answer": "ERR max number of clients reached"}, "valkey-clients-exhausted"),
        ({"answer": "", "problem": "timeout"}, "valkey-hung"),
    ],
)
def test_an_unhealthy_valkey_is_called_by_what_its_silence_is(changes: dict[str, Any], cause: str) -> None:
    sick = container("redis-valkey", VALKEY_ADDRESS, Health={"Status": "unhealthy"})
    problem = {"valkey-hung": "timeout", "valkey-clients-exhausted": "clients"}[cause]
    both = {name: connection(problem=problem) for name in ("WEBSOCKET_REDIS_URL", "REDIS_URL")}
    apps = (app(probe=probe(connections=both)),)

    item = result(evidence(apps=apps, valkey=valkey(container=sick, **changes)), "containers-running")

    assert item.cause == cause
    assert "because of what `valkey-pong` found" in item.evidence


def test_an_app_that_is_unhealthy_because_it_does_not_find_valkey_is_called_by_that() -> None:
    sick = container("open-webui", APP_ADDRESS, Health={"Status": "unhealthy"})
    lost = connected("REDIS_URL", problem="resolve", error="Name or service not known", addresses=())

    item = result(evidence(apps=(app(container=sick, probe=probe(connections=lost)),)), "containers-running")

    assert item.cause == "name-does-not-resolve"
    assert "is unhealthy" in item.evidence.splitlines()[0]
    assert "because of what `name-resolution` found" in item.evidence.splitlines()[0]


def test_the_replica_that_does_not_listen_is_named() -> None:
    found = evidence(apps=(app(), app("second", container=container("second", "172.20.0.4"))))

    item = result(found, "pubsub-subscribers")

    assert "not listening: second" in item.evidence
    assert item.fix.startswith("docker restart second ")

    both = replace(found, apps=(*found.apps, app("third", container=container("third", "172.20.0.5"))))

    assert result(both, "pubsub-subscribers").fix.startswith("docker restart second third ")


def test_where_each_container_listens_but_too_few_do_one_of_them_is_to_be_restarted() -> None:
    workers = probe(environment=variables(UVICORN_WORKERS="2"))

    item = result(evidence(apps=(app(probe=workers),)), "pubsub-subscribers")

    assert "not listening: one process of open-webui" in item.evidence
    assert item.fix.startswith("docker restart open-webui ")


def test_a_socket_client_that_cannot_connect_or_get_its_event_out_is_told_with_why() -> None:
    item = result(probed(live=Live(error="refused", seconds=7.6)), "live-event")

    assert item.evidence == "open-webui: no socket.io client could connect (refused) in 8 s"

    item = result(probed(live=Live(connected=True, error="publishing: NOPERM")), "live-event")

    assert item.evidence == "open-webui: publishing: NOPERM"


def test_several_processes_of_one_container_are_expected_to_listen() -> None:
    workers = probe(environment=variables(UVICORN_WORKERS="4"))

    assert result(evidence(apps=(app(probe=workers),), valkey=valkey(subscribers=4)), "pubsub-subscribers").status == (
        "passed"
    )


def test_more_listeners_from_the_apps_own_address_are_its_own_workers() -> None:
    item = result(evidence(valkey=valkey(subscribers=4)), "pubsub-subscribers")

    assert (item.status, item.evidence) == ("passed", "PUBSUB NUMSUB socketio is 4, 1 app process")


def test_subscribers_are_asked_with_the_apps_account_where_the_client_is_refused() -> None:
    refused = valkey(subscribers=None, subscriber_addresses=None)

    assert result(evidence(valkey=refused), "pubsub-subscribers").status == "passed"


def test_subscribers_that_nobody_may_ask_for_do_not_hinder_the_proof() -> None:
    found = evidence(
        apps=(app(probe=probe(subscribers=None)),), valkey=valkey(subscribers=None, subscriber_addresses=None)
    )

    item = result(found, "pubsub-subscribers")
    assert (item.status, item.cause) == ("unknown", "subscribers-refused")
    lost = replace(found, apps=(app(probe=probe(subscribers=None, live=NOT_RECEIVED)),))
    assert result(lost, "live-event").cause == "event-not-received", "not knowing is no cause"
    assert verdict_of(judge(found)) == "proved"


def test_where_rooms_have_no_channel_the_shared_one_is_enough() -> None:
    found = probed(live=Live(connected=True, room_expected=False, shared_milliseconds=0.5))

    assert result(found, "live-event").status == "passed"


def test_each_path_is_needed() -> None:
    assert result(evidence(), "live-event").evidence == "open-webui: room channel 0.7 ms, shared channel 0.6 ms"
    missing = {
        "room": replace(probe().live, room_milliseconds=None),
        "shared": replace(probe().live, shared_milliseconds=None),
    }
    for path, live in missing.items():
        item = result(probed(live=live), "live-event")
        assert item.status == "failed"
        assert f"no event over the {path} channel in 1 attempts" in item.evidence
    item = result(probed(live=NOT_RECEIVED), "live-event")
    assert "no event over the room and shared channel in 30 attempts, 75 s" in item.evidence


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"environment": {}}, "environment: manager-not-redis"),
        ({"connections": connected("WEBSOCKET_REDIS_URL", problem="auth", error="x")}, "connect: valkey-auth-refused"),
        (
            {"connections": connected("WEBSOCKET_REDIS_URL", problem="refused", error="x")},
            "connect: valkey-unreachable",
        ),
        (
            {"connections": connected("WEBSOCKET_REDIS_URL", addresses=(VALKEY_ADDRESS, "10.0.0.9"))},
            "name-resolution: name-resolves-elsewhere",
        ),
        ({"live": replace(NOT_RECEIVED, denied="SUBSCRIBE socketio: NOPERM")}, "valkey-acl: valkey-acl-denied"),
        ({"environment": variables(UVICORN_WORKERS="2")}, "pubsub-subscribers: replica-not-subscribed"),
        # What does not break live events is not blamed, although it fails its own check and stands above.
        ({"connections": connected("REDIS_URL", problem="unset", url="", host="")}, ": event-not-received"),
    ],
)
def test_a_lost_event_is_blamed_on_its_root(changes: dict[str, Any], cause: str) -> None:
    item = result(probed(**({"live": NOT_RECEIVED} | changes)), "live-event")
    root, _, code = cause.partition(": ")

    assert (item.status, item.cause) == ("failed", code)
    assert not root or item.evidence.endswith(f"; because of what `{root}` found")


def test_a_lost_event_is_blamed_on_what_does_not_run_or_answer() -> None:
    lost = app(probe=probe(live=NOT_RECEIVED))
    stopped = valkey(container=container("redis-valkey", "", Status="exited"))

    assert (
        "because of what `containers-running` found"
        in result(evidence(apps=(lost,), valkey=stopped), "live-event").evidence
    )
    assert (
        "because of what `valkey-pong` found"
        in result(evidence(apps=(lost,), valkey=valkey(answer="", problem="timeout")), "live-event").evidence
    )


def test_without_a_probe_nothing_is_proved() -> None:
    silent = Probe(problem="failed", error="exit code 1: No module named 'socketio'")
    results = judge(evidence(apps=(app(probe=silent),)))

    assert verdict_of(results) == "unknown"
    assert next(item for item in results if item.id == "live-event").cause == "probe-failed"


def test_questions_that_do_not_arise_count_neither_way() -> None:
    weights = {item.id: (item.weight, item.status) for item in judge(evidence())}

    assert weights["migration"] == weights["as-asked"] == weights["replicas-agree"] == ("unknown", "unknown")


@pytest.mark.parametrize(
    ("line", "environment", "cause"),
    [
        (None, {}, "log-unreadable"),
        (False, {"GLOBAL_LOG_LEVEL": "INFO"}, "log-level"),
        (False, {}, "log-level"),
        (False, {"GLOBAL_LOG_LEVEL": "DEBUG"}, "migrations-in-app-process"),
        (False, {"GLOBAL_LOG_LEVEL": "DEBUG", "ENABLE_DB_MIGRATIONS": "false"}, "not-in-log"),
    ],
)
def test_a_log_line_that_is_not_there_is_never_red(line: Any, environment: dict[str, str], cause: str) -> None:
    asked = probe(environment={"WEBSOCKET_MANAGER": "redis"} | environment)
    found = evidence(apps=(app(log_line=line, probe=asked),))

    item = result(found, "log-line")

    assert (item.status, item.weight, item.cause) == ("unknown", "unknown", cause)
    assert verdict_of(judge(found)) == "proved"


def test_the_log_line_passes_when_it_is_there() -> None:
    assert result(evidence(), "log-line").status == "passed"


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("HostConfig.CapAdd", ["CAP_SETGID", "CAP_SETUID"]),
        ("HostConfig.CapDrop", ["ALL"]),
        ("HostConfig.Memory", 0.0),
        ("HostConfig.NoSuchThing", []),
        ("HostConfig.NoSuchThing", None),
        ("Config.Env[WEBSOCKET_MANAGER]", "redis"),
        ("Config.Image", "image:1"),
        ("NetworkSettings.Networks[net].IPAddress", APP_ADDRESS),
    ],
)
def test_what_is_as_asked_passes_however_docker_writes_it(path: str, wanted: Any) -> None:
    assert result(evidence(expected={"open-webui": {path: wanted}}), "as-asked").status == "passed"


def test_the_order_of_a_command_matters() -> None:
    started = replace(container("open-webui", APP_ADDRESS), inspect={"Config": {"Cmd": ["valkey-server", "--save"]}})
    found = evidence(
        apps=(app(container=started),), expected={"open-webui": {"Config.Cmd": ["--save", "valkey-server"]}}
    )

    assert result(found, "as-asked").status == "failed"


def test_the_version_of_the_checks_is_a_number_that_pulumi_keeps_as_it_is() -> None:
    assert isinstance(checks.CHECKS_VERSION, int)


def test_a_replica_that_an_update_is_about_to_remove_is_no_stranger_and_is_named() -> None:
    listening = valkey(subscribers=2, subscriber_addresses=(APP_ADDRESS, "172.18.0.9"))
    draining = (container("open-webui-2", "172.18.0.9"),)
    (found,) = [one for one in judge(evidence(valkey=listening, draining=draining)) if one.id == "pubsub-subscribers"]
    assert (found.status, "open-webui-2 is still to be removed" in found.evidence) == ("passed", True)
    (found,) = [one for one in judge(evidence(valkey=listening)) if one.id == "pubsub-subscribers"]
    assert found.cause == "foreign-subscriber"
    assert "(listening from 172.18.0.9)" in found.evidence


def test_a_sound_deployment_behind_a_gateway_is_proved_by_more_checks() -> None:
    found = behind_gateway(
        valkey=locked(), postgres=container("postgres", "10.0.0.3"), connectivity=CONNECTIVITY, app_user="openwebui"
    )
    results = {item.id: item for item in judge(found)}

    assert verdict_of(list(results.values())) == "proved"
    assert results["front-door"].evidence == "websocket opens at https://chat.test, and not for another origin (403)"
    assert results["valkey-acl"].evidence.endswith("nobody gets in without an account")
    assert results["valkey-pong"].evidence == "redis-cli in redis-valkey as verify: PONG"
    assert "4 addresses and names of valkey, postgres" in results["isolation"].evidence


def test_what_brings_the_others_down_is_named_first() -> None:
    dead = {"Status": "exited", "ExitCode": 1}
    found = evidence(
        postgres=container("postgres", "", **dead),
        valkey=valkey(container=container("redis-valkey", "", **dead)),
        apps=(app(container=container("open-webui", "", **dead)),),
    )

    assert result(found, "containers-running").cause == "postgres-exited"


def test_a_valkey_elsewhere_is_asked_through_the_apps_and_nothing_is_unknown_for_want_of_a_container() -> None:
    found = elsewhere()
    results = {item.id: item for item in judge(found)}

    assert verdict_of(list(results.values())) == "proved"
    asked = {"valkey-pong", "name-resolution", "connect", "connect-redis-url", "valkey-acl", "pubsub-subscribers"}
    assert {results[check].status for check in asked} == {"passed"}
    assert results["valkey-pong"].evidence.startswith("to the apps' own connections: PONG from redis://")


@pytest.mark.parametrize("problem", ["refused", "timeout", "loading", "clients", "other", "resolve"])
def test_a_valkey_elsewhere_is_fixed_where_it_is(problem: str) -> None:
    fix = result(elsewhere(problem=problem, error="words"), "connect").fix

    assert fix == "fix Valkey at redis-valkey, or correct WEBSOCKET_REDIS_URL (valkeyUrl of the stack)"


def test_rights_at_a_valkey_elsewhere_are_its_administrators_to_grant() -> None:
    assert result(elsewhere(problem="acl", error="NOPERM"), "connect").fix.startswith("at Valkey, as its administrator")


def test_more_listeners_than_processes_at_a_valkey_elsewhere_are_strangers() -> None:
    found = replace(elsewhere(), apps=(app(probe=probe(subscribers=2)),))

    assert result(found, "pubsub-subscribers").cause == "foreign-subscriber"


def test_addresses_of_valkey_on_networks_that_the_app_is_not_on_do_not_count() -> None:
    both = container("redis-valkey", VALKEY_ADDRESS)
    both.inspect["NetworkSettings"]["Networks"]["other"] = {"IPAddress": "10.9.9.9"}
    reached = probe(connections=connected("WEBSOCKET_REDIS_URL", addresses=("10.9.9.9",), problem="timeout"))

    item = result(evidence(apps=(app(probe=reached),), valkey=valkey(container=both)), "name-resolution")

    assert item.cause == "name-resolves-elsewhere"


def test_a_denial_is_named_with_how_often_and_when() -> None:
    item = result(evidence(valkey=locked(denials=(DENIAL,)), app_user="openwebui"), "valkey-acl")

    assert item.evidence == "redis-valkey denied openwebui: command 'keys' (3 times, last 12 s ago)"


@pytest.mark.parametrize(
    "harmless",
    [{"user": "verify"}, {"reason": "auth", "what": "openwebui"}, {"what": "pubsub|numsub"}, {"what": "acl|log"}],
)
def test_what_others_were_denied_and_passwords_from_before_a_rotation_do_not_count(harmless: dict[str, str]) -> None:
    denial = replace(DENIAL, **harmless)  # type: ignore[arg-type]  # only texts are changed

    found = evidence(valkey=locked(denials=(denial,)), app_user="openwebui")

    assert result(found, "valkey-acl").status == "passed"


@pytest.mark.parametrize(
    ("denial", "why"),
    [
        (replace(DENIAL, age_seconds=61.0), "it was before the last proof"),
        (replace(DENIAL, address="10.9.9.9"), "somebody else has used the app's account"),
        (replace(DENIAL, what="hexpire"), "the app goes on without"),
    ],
)
def test_a_denial_that_is_old_or_not_the_apps_own_need_is_told_and_fails_nothing(denial: Denial, why: str) -> None:
    found = evidence(valkey=locked(denials=(denial,)), app_user="openwebui", proved_ago=60.0)

    item = result(found, "valkey-acl")

    assert item.status == "passed", why
    assert f"before the last proof or not for the app: command {denial.what!r}" in item.evidence


@pytest.mark.parametrize("address", ["", APP_ADDRESS])
@pytest.mark.parametrize("proved_ago", [None, 60.0])
def test_what_the_app_was_denied_since_the_last_proof_fails(address: str, proved_ago: float | None) -> None:
    denial = replace(DENIAL, address=address)
    found = evidence(valkey=locked(denials=(denial,)), app_user="openwebui", proved_ago=proved_ago)

    assert result(found, "valkey-acl").cause == "valkey-acl-log"


def test_at_a_valkey_behind_a_router_whoever_used_the_apps_account_counts_as_the_app() -> None:
    found = replace(by_url(denials=(replace(DENIAL, address="10.9.9.9"),)), app_user="openwebui")

    assert result(found, "valkey-acl").cause == "valkey-acl-log"


def test_a_right_that_a_stack_lacks_is_added_by_its_setting() -> None:
    of_stack = container("redis-valkey", VALKEY_ADDRESS)
    of_stack.inspect["Config"]["Labels"] = {"pulumi.stack": "team"}
    denials = (replace(DENIAL, what="lpop"), replace(DENIAL, reason="key", what="other"), replace(DENIAL, what="lpop"))
    found = evidence(valkey=locked(denials=denials, container=of_stack), app_user="openwebui")

    assert result(found, "valkey-acl").fix == "add '+lpop ~other' to valkeyRights of the stack, then make up STACK=team"


def test_any_origin_may_come_where_open_webui_says_so() -> None:
    item = result(behind_gateway("*", foreign_upgrade=HttpAnswer(status=101)), "front-door")

    assert item.status == "passed"
    assert "CORS_ALLOW_ORIGIN is *" in item.evidence


def test_an_upgrade_that_only_the_way_blocks_is_said_to_be() -> None:
    opens = upgrading("https://chat.test", 101)

    item = result(behind_gateway(upgrade=HttpAnswer(status=400, body="no"), apps=opens), "front-door")

    assert item.evidence == "no websocket: https://chat.test: 400 no; inside open-webui it opens"


def test_an_origin_that_only_one_replica_refuses_is_refused_by_that_one() -> None:
    (sound,), (other,) = upgrading("https://chat.test", 101), upgrading("https://old.test", 403)
    replicas = (sound, replace(other, container=container("open-webui-2", "172.18.0.9")))

    item = result(behind_gateway(upgrade=HttpAnswer(status=403), apps=replicas), "front-door")

    assert item.cause == "origin-refused"
    assert "403 from open-webui-2, CORS_ALLOW_ORIGIN is 'https://old.test'" in item.evidence


def test_a_refusal_is_not_put_down_to_an_origin_that_nobody_could_ask_for() -> None:
    silent = (app(probe=Probe(problem="failed", error="no python3")),)

    assert result(behind_gateway(upgrade=HttpAnswer(status=403), apps=silent), "front-door").cause == "upgrade-blocked"


def test_a_silent_websocket_is_asked_for_on_request_only() -> None:
    item = result(behind_gateway(), "idle-socket")

    assert (item.status, item.weight, item.cause) == ("unknown", "unknown", "not-asked")
    assert "--idle" in item.evidence


def test_a_silent_websocket_that_gets_its_ping_and_stays_passes() -> None:
    item = result(behind_gateway(idle=SILENT), "idle-socket")

    assert (item.status, item.seconds) == ("passed", 25.1)
    assert "first ping after 25.0 s" in item.evidence


def test_a_silent_websocket_that_is_closed_says_when_and_what_to_raise() -> None:
    item = result(behind_gateway(idle=CLOSED), "idle-socket")

    assert "closed after 10 s of silence" in item.evidence
    assert "above 25 s" in item.fix


def test_no_websocket_through_the_url_leaves_a_silent_one_unproved() -> None:
    found = behind_gateway(upgrade=HttpAnswer(status=400), idle=IdleSocket(error="no websocket: 400"))

    assert (result(found, "idle-socket").status, result(found, "idle-socket").weight) == ("unknown", "must")


def test_pings_that_come_too_seldom_are_not_waited_for() -> None:
    item = result(behind_gateway(idle=IdleSocket(ping_interval=600.0)), "idle-socket")

    assert (item.status, item.weight) == ("unknown", "unknown")


def test_a_gateway_is_not_blamed_for_what_a_replica_answers_itself() -> None:
    ready = probe().http | {"/ready": HttpAnswer(status=503, body="Redis not ready")}
    found = replace(
        behind_gateway(url_answers={"/ready": HttpAnswer(status=503)}), apps=(app(probe=probe(http=ready)),)
    )

    assert result(found, "ready").cause == "ready-not-200"


UNREACHED = HttpAnswer(error="127.0.0.1 is the Docker host's own address, out of reach from here", out_of_reach=True)


@pytest.mark.parametrize(
    ("check", "cause", "words", "found"),
    [
        (
            "isolation",
            "isolation-not-asked",
            "no nc",
            evidence(connectivity=replace(CONNECTIVITY, error="gateway has no nc")),
        ),
        (
            "isolation",
            "isolation-not-asked",
            "no replica answers either",
            evidence(connectivity=replace(CONNECTIVITY, control=())),
        ),
        (
            "gateway-replicas",
            "not-asked",
            "no nc",
            evidence(connectivity=replace(CONNECTIVITY, error="gateway has no nc")),
        ),
        (
            "gateway-replicas",
            "not-asked",
            "no replica answers",
            evidence(connectivity=replace(CONNECTIVITY, control=())),
        ),
        ("front-door", "not-asked", "out of reach", behind_gateway(upgrade=UNREACHED, url_event=None)),
        ("front-door", "not-asked", "not asked", behind_gateway(upgrade=None, url_event=None)),
        ("front-door-event", "not-asked", "says why not", behind_gateway(url_event=None)),
        ("front-door-event", "not-asked", "refused", behind_gateway(url_event=UrlEvent(joined=True, error="refused"))),
        ("valkey-acl", "valkey-not-asked", "ACL LOG", evidence(valkey=locked(denials=None), app_user="openwebui")),
        (
            "pubsub-subscribers",
            "subscribers-refused",
            "does not tell",
            evidence(
                apps=(app(probe=probe(subscribers=None)),),
                valkey=locked(subscribers=None, subscriber_addresses=None),
            ),
        ),
        (
            "live-event",
            "probe-timeout",
            "no end",
            evidence(apps=(app(probe=Probe(problem="timeout", error="no end")),)),
        ),
    ],
)
def test_what_the_deployment_calls_for_and_could_not_be_asked_leaves_the_verdict_open(
    check: str, cause: str, words: str, found: Evidence
) -> None:
    item = result(found, check)

    assert (item.status, item.weight, item.cause) == ("unknown", "must", cause)
    assert words in item.evidence
    assert verdict_of(judge(found)) == "unknown"


def test_what_nobody_named_is_not_missed() -> None:
    found = evidence()

    assert (found.url, found.connectivity) == ("", None)
    assert {result(found, check).weight for check in ("isolation", "gateway-replicas", "front-door")} == {"unknown"}
    assert verdict_of(judge(found)) == "proved"


def sent(*milliseconds: float | None) -> Evidence:
    """Replicas, of which each was seen to publish after so long, or was not."""
    live = probe().live
    return evidence(
        apps=tuple(
            app(f"app-{n}", probe=probe(live=replace(live, sent_milliseconds=it)))
            for n, it in enumerate(milliseconds, 1)
        ),
        valkey=valkey(subscribers=len(milliseconds)),
    )


def test_a_replica_that_was_seen_to_publish_sends() -> None:
    item = result(sent(2.6, 9.0), "sending")

    assert (item.status, item.weight) == ("passed", "must")
    assert "app-1 after 3 ms, app-2 after 9 ms" in item.evidence


def test_a_replica_that_was_not_seen_to_publish_is_named_and_not_held_to_be_broken() -> None:
    found = sent(2.6, None)
    item = result(found, "sending")

    assert (item.status, item.weight, item.cause) == ("unknown", "unknown", "sending-not-seen")
    assert item.evidence.startswith("app-2: ")
    assert verdict_of(judge(found)) == "proved"


def test_what_an_account_posts_on_each_replica_shows_that_it_sends() -> None:
    assert result(two(), "sending").status == "passed"
    assert result(two(problem="refused"), "sending").cause == "sending-not-seen"


def test_whether_a_replica_sends_is_not_asked_where_nothing_arrives() -> None:
    assert result(probed(live=NOT_RECEIVED), "sending").cause == "not-asked"


def test_every_container_can_be_compared_with_what_was_asked() -> None:
    found = behind_gateway(postgres=container("postgres", "10.0.0.3"))
    names = [item.name for item in found.containers]

    item = result(replace(found, expected={name: {"HostConfig.CapDrop": ["ALL"]} for name in names}), "as-asked")

    assert names == ["open-webui", "redis-valkey", "postgres", "gateway"]
    assert item.evidence == "4 properties of 4 containers are as asked"


SIGNED_IN = Account(at="app-1", pairs=2, milliseconds=12.3, seconds=0.7)


def two(keys: tuple[str | None, str | None] = ("same", "same"), **changes: Any) -> Evidence:
    """Two replicas and what an account saw at them."""
    apps = tuple(
        app(
            f"app-{number}",
            container=container(f"app-{number}", f"172.20.0.{2 + number}"),
            probe=probe(digests={"WEBUI_SECRET_KEY": digest(key)} if key else {}),
        )
        for number, key in enumerate(keys, start=1)
    )
    addresses = ("172.20.0.3", "172.20.0.4")
    return evidence(
        apps=apps,
        valkey=valkey(subscribers=2, subscriber_addresses=addresses),
        account=replace(SIGNED_IN, **changes),
    )


def test_an_account_whose_events_and_sign_out_arrive_is_told() -> None:
    found = result(two(), "account")

    assert (found.status, found.weight) == ("passed", "must")
    assert "on each of 2 ways in 12 ms" in found.evidence


@pytest.mark.parametrize(
    ("changes", "cause", "seen"),
    [
        ({"strangers": ("app-2",)}, "database-differs", "not signed in at app-2"),
        ({"silent": ("app-2 to app-1",)}, "event-not-received", "from app-2 to app-1"),
        ({"accepting": ("app-2",)}, "token-not-revoked", "still good at app-2"),
        ({"connected": ("app-2",)}, "socket-not-dropped", "connected to app-2"),
        ({"problem": "api", "error": "POST x answers 500"}, "request-failed", "POST x answers 500"),
        ({"problem": "api", "error": "DELETE x answers 500", "left": "verification 0a"}, "request-failed", "0a"),
    ],
)
def test_what_an_account_misses_at_another_replica_is_named(changes: dict[str, Any], cause: str, seen: str) -> None:
    found = result(two(**changes), "account")

    assert (found.status, found.cause) == ("failed", cause)
    assert seen in found.evidence
    assert found.fix


@pytest.mark.parametrize("keys", [("one", "other"), (None, None)])
def test_a_stranger_at_a_replica_of_another_key_is_one_because_of_it(keys: tuple[str | None, str | None]) -> None:
    assert result(two(keys, strangers=("app-2",)), "account").cause == "secret-key-differs"


def test_a_token_that_stays_good_because_of_another_fault_is_named_after_that() -> None:
    connections = connected("REDIS_URL", problem="auth", error="WRONGPASS")
    found = two(accepting=("app-2",))
    found = replace(
        found, apps=tuple(replace(it, probe=replace(it.probe, connections=connections)) for it in found.apps)
    )

    assert result(found, "account").cause == "valkey-auth-refused"


@pytest.mark.parametrize(
    ("problem", "cause"),
    [
        ("none", "no-account"),
        ("refused", "account-refused"),
        ("rate-limited", "account-rate-limited"),
        ("out-of-reach", "replica-out-of-reach"),
        ("timeout", "probe-timeout"),
        ("failed", "probe-failed"),
        ("not-asked", "not-asked"),
    ],
)
def test_an_account_that_cannot_be_asked_counts_neither_way(problem: str, cause: str) -> None:
    found = result(two(problem=problem, error="why"), "account")

    assert (found.status, found.weight, found.cause) == ("unknown", "unknown", cause)
    assert verdict_of(judge(two(problem=problem))) == "proved"


def test_without_an_account_what_needs_none_is_said_to_stand_alone() -> None:
    assert (
        "live-event and sending, whose sockets belong to no account, stand alone"
        in result(two(problem="none"), "account").evidence
    )


def test_an_account_is_not_judged_where_no_live_event_arrives() -> None:
    found = result(replace(probed(live=NOT_RECEIVED), account=replace(SIGNED_IN, silent=("a to b",))), "account")

    assert (found.status, found.weight, found.cause) == ("unknown", "unknown", "not-asked")


# settings-agree


def keeping(first: str | None, second: str | None, **changes: Any) -> Evidence:
    """Two replicas, each with what ENABLE_PERSISTENT_CONFIG says there, None for nothing."""
    said = ({} if it is None else {"ENABLE_PERSISTENT_CONFIG": it} for it in (first, second))
    apps = (app(name, probe=probe(environment=variables(**it), **changes)) for name, it in zip("ab", said, strict=True))
    return evidence(apps=tuple(apps))


def test_settings_that_each_replica_keeps_to_itself_are_told_and_fail_nothing() -> None:
    found = result(forgetful := keeping(None, "False"), "settings-agree")
    assert (found.status, found.cause, found.weight) == ("failed", "settings-not-shared", "should")
    assert found.evidence.startswith("b: ENABLE_PERSISTENT_CONFIG is false")
    assert verdict_of([found]) == "proved"
    assert result(keeping("true", None), "settings-agree").status == "passed"
    asked_for = {"b": {"Config.Env[ENABLE_PERSISTENT_CONFIG]": "false"}}
    assert result(replace(forgetful, expected=asked_for), "settings-agree").cause == "panel-keeps-nothing"
    alone = evidence(apps=(app(probe=probe(environment=variables(ENABLE_PERSISTENT_CONFIG="false"))),))
    assert result(alone, "settings-agree").cause == "panel-keeps-nothing"


def test_settings_that_the_panel_has_otherwise_than_the_stack_file_are_named() -> None:
    otherwise = PanelSettings(said=3, otherwise=("ui.enable_signup", "webui.url"))
    found = result(keeping("true", "true", panel=otherwise), "settings-agree")
    assert (found.status, found.cause, found.weight) == ("failed", "settings-otherwise", "should")
    assert "ui.enable_signup, webui.url" in found.evidence
    assert "3 of them are the stack file's" in result(
        keeping(None, None, panel=PanelSettings(said=3)), "settings-agree"
    ).evidence  # fmt: skip


def test_settings_that_cannot_be_asked_are_not_known() -> None:
    unread = result(keeping(None, None, panel=PanelSettings(error="locked")), "settings-agree")
    assert (unread.status, unread.evidence) == ("unknown", "a: locked, b: locked")
    assert result(evidence(apps=(app(probe=probe(problem="timeout")),)), "settings-agree").status == "unknown"
