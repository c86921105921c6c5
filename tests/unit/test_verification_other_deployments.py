"""The checks on what others deploy: Sentinel, a login before the URL, Valkey by a port of the host, an old schema."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.unit.test_verification_checks import (
    NOT_RECEIVED,
    VALKEY_ADDRESS,
    app,
    behind_gateway,
    connected,
    connection,
    container,
    evidence,
    probe,
    result,
    valkey,
)
from verification.checks import judge
from verification.checks.verdict import verdict_of
from verification.evidence import App, Evidence
from verification.evidence.container import Container
from verification.evidence.inside import Schema
from verification.evidence.url import HttpAnswer, IdleSocket

GATEWAY = "172.20.0.1"
RESTART = "docker restart"


def websocket(**changes: Any) -> App:
    """An app whose live events go another way."""
    return app(probe=probe(connections=connected("WEBSOCKET_REDIS_URL", **changes)))


# --- Sentinel ---------------------------------------------------------------------------------------------------------


def by_sentinel(**changes: Any) -> App:
    by = {"url": "redis://mymaster:6379/1", "host": VALKEY_ADDRESS, "primary": f"{VALKEY_ADDRESS}:6379"}
    return websocket(**by | changes)


def test_a_primary_that_sentinel_names_is_proved_and_told() -> None:
    for found in (evidence(apps=(by_sentinel(),)), evidence(apps=(by_sentinel(),), valkey=None)):
        assert verdict_of(judge(found)) == "proved"
        assert f"by Sentinel {VALKEY_ADDRESS}:6379" in result(found, "connect").evidence


@pytest.mark.parametrize("server", ["", "another"])
def test_a_valkey_that_is_not_sentinels_primary_any_more_is_not_asked_who_listens(server: str) -> None:
    elsewhere = by_sentinel(host="172.20.0.9", primary="172.20.0.9:6379", addresses=("172.20.0.9",), server=server)
    named = valkey(subscribers=0, subscriber_addresses=(), info={"run_id": "this"})

    found = evidence(apps=(elsewhere,), valkey=named)

    assert verdict_of(judge(found)) == "proved"
    assert result(found, "name-resolution").cause == "addresses-unknown"
    assert result(found, "pubsub-subscribers").evidence == "PUBSUB NUMSUB socketio is 1, 1 app process"


@pytest.mark.parametrize(
    ("problem", "cause", "words"),
    [
        ("sentinel", "sentinel-unreachable", "WEBSOCKET_SENTINEL_HOSTS"),
        ("no-primary", "sentinel-knows-no-primary", "the host in WEBSOCKET_REDIS_URL a name that Sentinel monitors"),
    ],
)
@pytest.mark.parametrize("named", [None, valkey(subscribers=0, subscriber_addresses=())])
def test_a_sentinel_that_names_no_primary_is_the_cause_and_no_restart_mends_it(
    problem: str, cause: str, words: str, named: Any
) -> None:
    lost = websocket(problem=problem, error="words", host="mymaster", addresses=())
    found = evidence(apps=(replace(lost, probe=replace(lost.probe, live=NOT_RECEIVED, subscribers=0)),), valkey=named)
    results = [item for item in judge(found) if item.status == "failed"]

    assert {item.cause for item in results} == {cause}
    assert all(words in item.fix for item in results)


@pytest.mark.parametrize("named", [None, valkey()])
def test_a_loopback_that_sentinel_names_is_mended_at_sentinel(named: Any) -> None:
    trapped = by_sentinel(host="127.0.0.1", primary="127.0.0.1:6379", addresses=("127.0.0.1",), problem="refused")

    item = result(evidence(apps=(trapped,), valkey=named), "name-resolution")

    assert item.cause == "name-is-loopback"
    assert item.evidence.startswith("Sentinel names 127.0.0.1 to open-webui")
    assert "announce" in item.fix


def test_a_password_that_the_primary_wants_goes_into_the_url_beside_its_name() -> None:
    item = result(evidence(apps=(by_sentinel(problem="auth", error="NOAUTH"),)), "connect")

    assert "WEBSOCKET_REDIS_URL=redis://:PASSWORD@mymaster:6379/1 " in item.fix


def test_a_valkey_that_cannot_be_asked_as_the_app_does_leaves_the_verdict_open() -> None:
    cluster = websocket(problem="unsupported", error="Cluster is configured", addresses=())
    silent = replace(NOT_RECEIVED, error="nothing can be published")
    asked = replace(cluster, probe=replace(cluster.probe, live=silent, subscribers=None))

    found = evidence(apps=(asked,), valkey=valkey(subscribers=0, subscriber_addresses=()))

    assert verdict_of(judge(found)) == "unknown"
    assert result(found, "live-event").cause == "url-unsupported"
    assert RESTART not in " ".join(item.fix for item in judge(found))


# --- a login before the URL -------------------------------------------------------------------------------------------

LOGINS = [
    HttpAnswer(status=401, body="Unauthorized"),
    HttpAnswer(status=407),
    HttpAnswer(status=302, location="https://auth.example.test/?rd=https%3A%2F%2Fchat.test%2Fhealth&rm=GET"),
    HttpAnswer(status=302, location="https://accounts.example.test/o/oauth2/auth?client_id=x"),
    HttpAnswer(status=302, location="https://team.access.example.test/cdn-cgi/access/login/chat.test?kid=1"),
    HttpAnswer(status=302, location="/oauth2/start?rd=%2Fhealth"),
    HttpAnswer(status=302, location="/login"),
]


@pytest.mark.parametrize("answer", LOGINS, ids=[item.location or str(item.status) for item in LOGINS])
def test_somebody_who_asks_for_a_login_first_is_no_fault_and_leaves_the_verdict_open(answer: HttpAnswer) -> None:
    answers = dict.fromkeys(("/health", "/ready", "/api/version"), answer)
    idle = IdleSocket(error=f"no websocket: {answer.status}")
    found = behind_gateway(
        gateway=None, url_answers=answers, upgrade=answer, foreign_upgrade=answer, url_event=None, idle=idle
    )

    assert verdict_of(judge(found)) == "unknown"
    for check in ("health", "ready", "front-door"):
        item = result(found, check)
        assert (item.status, item.cause, item.weight) == ("unknown", "login-in-front", "must")
        assert "--url" in item.fix
    assert "kid" not in result(found, "health").evidence, "a query may hold a token"


@pytest.mark.parametrize("upgrade", LOGINS[:3])
def test_a_login_that_only_websockets_meet_is_none_of_the_headers_fault(upgrade: HttpAnswer) -> None:
    found = behind_gateway(upgrade=upgrade, url_event=None)

    assert result(found, "front-door").cause == "login-in-front"
    assert verdict_of(judge(found)) == "unknown"


@pytest.mark.parametrize(
    "location",
    [
        "https://chat.test/health",
        "https://www.chat.test/health",
        "https://chat.test/chat/health",
        "https://chat.test/health?from=http",
        "https://chat.test/",
    ],
)
def test_a_redirection_to_the_same_place_elsewhere_is_no_login(location: str) -> None:
    found = behind_gateway(url_answers={"/health": HttpAnswer(status=301, location=location)})

    assert result(found, "health").cause == "url-redirects"


def test_a_login_that_the_app_itself_asks_for_is_not_put_down_to_a_proxy() -> None:
    own = app(probe=probe(http=probe().http | {"/health": HttpAnswer(status=401)}))
    found = replace(behind_gateway(url_answers={"/health": HttpAnswer(status=401)}), apps=(own,))

    assert result(found, "health").cause == "health-not-200"


# --- Valkey by a port of the host, or by a proxy ----------------------------------------------------------------------


def by_port(server: str, *, run_id: str = "this", **changes: Any) -> Evidence:
    """A Valkey that the app reaches by an address that is not Valkey's, and which sees the app come from there."""
    reached = websocket(host="host.docker.internal", addresses=(GATEWAY,), server=server)
    asked = valkey(info={"run_id": run_id} if run_id else {}, subscriber_addresses=(GATEWAY,), **changes)
    return evidence(apps=(reached,), valkey=asked)


def test_a_valkey_reached_by_a_port_of_the_host_is_proved_by_what_it_says_it_is() -> None:
    found = by_port("this")

    assert verdict_of(judge(found)) == "proved"
    assert result(found, "name-resolution").evidence.startswith(
        f"host.docker.internal -> {GATEWAY}, where the same server answers"
    )
    assert result(found, "pubsub-subscribers").status == "passed"


@pytest.mark.parametrize(("server", "run_id"), [("", "this"), ("this", "")])
def test_where_nobody_tells_which_server_it_is_the_name_is_unknown_and_nothing_fails(server: str, run_id: str) -> None:
    found = by_port(server, run_id=run_id)

    assert (result(found, "name-resolution").status, result(found, "name-resolution").cause) == (
        "unknown",
        "addresses-unknown",
    )
    assert verdict_of(judge(found)) == "proved"


def test_another_server_at_another_address_is_another_one_and_explains_that_nobody_listens() -> None:
    found = by_port("another", subscribers=0)

    assert result(found, "name-resolution").cause == "name-resolves-elsewhere"
    silent = result(found, "pubsub-subscribers")
    assert silent.cause == "name-resolves-elsewhere"
    assert RESTART not in silent.fix


def test_sessions_may_be_kept_in_another_valkey_than_events_travel_through() -> None:
    apart = probe(connections=connected("REDIS_URL", host="state", addresses=("172.20.0.9",), server="another"))
    found = evidence(apps=(app(probe=apart),), valkey=valkey(info={"run_id": "this"}))

    assert result(found, "name-resolution").cause == "addresses-unknown"
    assert verdict_of(judge(found)) == "proved"


def test_through_a_port_of_the_host_too_few_and_too_many_listeners_are_still_seen() -> None:
    assert result(by_port("this", subscribers=0), "pubsub-subscribers").cause == "replica-not-subscribed"
    assert result(by_port("this", subscribers=2), "pubsub-subscribers").cause == "foreign-subscriber"


# --- what Valkey's own configuration causes ---------------------------------------------------------------------------


def refused(**changes: Any) -> Evidence:
    both = {
        name: connection(problem="refused", error="Connection refused") for name in ("WEBSOCKET_REDIS_URL", "REDIS_URL")
    }
    return evidence(apps=(app(probe=probe(connections=both, live=NOT_RECEIVED)),), valkey=valkey(**changes))


@pytest.mark.parametrize("listening", [("127.0.0.1:6379",), ("127.0.0.1:6379", "[::1]:6379", "127.0.0.11:41000")])
def test_a_valkey_that_listens_on_its_loopback_only_is_told_so(listening: tuple[str, ...]) -> None:
    found = refused(listening=listening, subscribers=0, subscriber_addresses=())
    failures = [item for item in judge(found) if item.status == "failed"]

    assert {item.cause for item in failures} == {"valkey-binds-loopback"}
    assert all("config set bind '* -::*'" in item.fix for item in failures)


@pytest.mark.parametrize("listening", [("0.0.0.0:6380", "127.0.0.11:41000"), None])
def test_a_valkey_that_runs_is_not_to_be_started(listening: tuple[str, ...] | None) -> None:
    item = result(refused(listening=listening), "connect")

    assert item.cause == "valkey-unreachable"
    assert "docker start" not in item.fix
    assert not listening or item.fix.endswith("listens on 6380")


def test_protected_mode_is_a_cause_of_its_own() -> None:
    for named in (valkey(), None):
        protected = websocket(problem="protected", error="DENIED Valkey is running in protected mode")
        item = result(evidence(apps=(protected,), valkey=named), "connect")
        assert item.cause == "valkey-protected-mode"
        assert "set WEBSOCKET_REDIS_URL=redis://:PASSWORD@redis-valkey:6379/1" in item.fix


# --- the schema -------------------------------------------------------------------------------------------------------

AT_HEAD = Schema(revisions=("b",), heads=("b",))
BEHIND = Schema(revisions=("a",), heads=("b",))
NEWER = Schema(revisions=("c",), heads=("b",), known=False)
UNREAD = Schema(error="the database could not be asked (OperationalError)")


def image_of(item: Container, image: str) -> Container:
    """A container of a stack of this project, made from an image."""
    made = {"Image": image, "Config": {"Labels": {"pulumi.stack": "prod"}}}
    return replace(item, inspect=item.inspect | made)


def migrated(schema: Schema, *, ours: bool = False, images: tuple[str, str] = ("sha256:1", "sha256:1")) -> Evidence:
    done = container("migration", "", Status="exited")
    one = app(probe=probe(schema=schema))
    if not ours:
        return evidence(apps=(one,))
    one = replace(one, container=image_of(one.container, images[0]))
    return evidence(apps=(one,), migration=image_of(done, images[1]))


@pytest.mark.parametrize(("schema", "cause"), [(BEHIND, "migrations-pending"), (NEWER, "schema-too-new")])
@pytest.mark.parametrize("ours", [False, True])
def test_a_database_at_another_revision_than_the_images_is_a_fault(schema: Schema, cause: str, *, ours: bool) -> None:
    found = migrated(schema, ours=ours)

    item = result(found, "migration")
    assert (item.status, item.cause, item.weight) == ("failed", cause, "must")
    assert f"is at {schema.revisions[0]}" in item.evidence
    assert "lead to b" in item.evidence
    assert verdict_of(judge(found)) == "failed"


def test_in_a_stack_an_update_migrates_and_elsewhere_open_webui_itself_does_after_a_backup() -> None:
    assert result(migrated(BEHIND, ours=True), "migration").fix == "make up STACK=prod"
    fix = result(migrated(BEHIND), "migration").fix
    assert fix.startswith("back up the database")
    assert "ENABLE_DB_MIGRATIONS=true" in fix


def test_one_replica_of_a_newer_image_is_found() -> None:
    newer = app("second", probe=probe(schema=BEHIND))

    found = evidence(apps=(app(probe=probe(schema=Schema(revisions=("a",), heads=("a",)))), newer))

    assert "the database of second is at a" in result(found, "migration").evidence


def test_a_database_at_its_images_head_passes_without_a_migration_container_too() -> None:
    for ours in (False, True):
        item = result(migrated(AT_HEAD, ours=ours, images=("sha256:1", "sha256:2")), "migration")
        assert (item.status, item.weight) == ("passed", "must")
        assert item.evidence.endswith("the database is at b")


@pytest.mark.parametrize("schema", [UNREAD, Schema(revisions=("a",))])
def test_a_schema_that_cannot_be_asked_counts_neither_way(schema: Schema) -> None:
    item = result(migrated(schema), "migration")

    assert (item.status, item.cause, item.weight) == ("unknown", "not-expected", "unknown")
    assert verdict_of(judge(migrated(schema))) == "proved"
    assert result(migrated(schema, ours=True), "migration").status == "passed"


def test_where_the_schema_cannot_be_asked_a_stacks_replica_of_another_image_is_found() -> None:
    item = result(migrated(UNREAD, ours=True, images=("sha256:1", "sha256:2")), "migration")

    assert (item.status, item.cause, item.fix) == ("failed", "migrated-by-another-image", "make up STACK=prod")


def test_who_migrates_with_an_image_of_his_own_outside_a_stack_is_let_be() -> None:
    found = migrated(UNREAD, ours=True, images=("sha256:1", "sha256:2"))
    (one,), done = found.apps, found.migration
    assert done
    by_hand = replace(one, container=replace(one.container, inspect=one.container.inspect | {"Config": {}}))

    assert result(replace(found, apps=(by_hand,)), "migration").status == "passed"
