"""An administrator's account on two real replicas: what it does at one reaches the other, and nothing stays behind."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from docker_access.client import docker_client
from tests.integration.deployment import pause
from tests.integration.hand_made import ADMIN, ADMIN_PASSWORD, PASSWORD, Accounts, silent
from verification.ask.account import ask_account
from verification.ask.docker_view import DockerView
from verification.report.terminal import Report, as_text
from verification.run import verify
from verification.subject import AccountFile, Subject

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def lab() -> Iterator[Accounts]:
    client = docker_client()
    made = Accounts(client)
    try:
        yield made
    finally:
        made.remove()
        client.close()


@pytest.fixture(scope="module")
def subject(lab: Accounts) -> Iterator[Subject]:
    with lab.beside() as other:
        yield lab.subject(lab.app, other)


def row(report: Report) -> dict[str, object]:
    return next(row for row in report["checks"] if row["id"] == "account")


def test_events_and_sign_out_reach_the_other_replica_and_no_chat_stays(lab: Accounts, subject: Subject) -> None:
    lab.in_database(
        "INSERT INTO chat (id, user_id, title, chat, created_at, updated_at, archived, meta) "
        "SELECT 'mine', id, 'my own', '{}', 1, 1, 0, '{}' FROM user"
    )

    report = verify(subject, silent)

    assert report["verdict"] == "proved", as_text(report)
    assert row(report)["status"] == "passed"
    assert "an event arrived on each of 2 ways" in str(row(report)["evidence"])
    assert lab.chats == ["my own"]


def test_neither_password_nor_token_gets_out(lab: Accounts, subject: Subject) -> None:
    commands: list[str] = []
    # Of its own containers: other tests give passwords of their own to commands meanwhile.
    events = lab.client.events(decode=True, filters={"event": "exec_create", "container": [*subject.services]})
    reading = threading.Thread(target=lambda: commands.extend(event["Action"] for event in events), daemon=True)
    reading.start()

    report = verify(subject, silent)
    events.close()
    reading.join(timeout=10)

    assert commands
    told = json.dumps(report) + as_text(report)
    for secret in (ADMIN_PASSWORD, PASSWORD, "eyJ"):
        assert secret not in told
        assert not [command for command in commands if secret in command]


def test_an_account_of_a_file_of_a_stopped_container_is_used(lab: Accounts, subject: Subject) -> None:
    words = f"printf 'WEBUI_ADMIN_EMAIL=%s\\nWEBUI_ADMIN_PASSWORD=%s\\n' {ADMIN} \"$SECRET\" > /account.env"
    secret = {"SECRET": ADMIN_PASSWORD}
    name = lab.run("migration", "docker.io/valkey/valkey:8.0.1-alpine", secret, ["sh", "-c", words])
    lab.container(name).wait(timeout=30)

    seen = verify(replace(subject, account=AccountFile(container=name, path="/account.env")), silent)
    unread = verify(replace(subject, account=AccountFile(container=name, path="/no/such.env")), silent)

    assert row(seen)["status"] == "passed", as_text(seen)
    assert (row(unread)["cause"], unread["verdict"]) == ("no-account", "proved")


def test_a_chat_that_the_database_would_not_delete_is_told_and_deleted_by_a_later_run(
    lab: Accounts, subject: Subject
) -> None:
    with lab.refusing("DELETE"):
        failed = verify(subject, silent)
    titles = [title for title in lab.chats if title != "my own"]

    assert row(failed)["cause"] == "request-failed", as_text(failed)
    assert titles
    assert any(title in str(row(failed)["evidence"]) for title in titles)
    lab.in_database("UPDATE chat SET created_at = created_at - 61 WHERE title <> 'my own'")
    assert verify(subject, silent)["verdict"] == "proved"
    assert lab.chats == ["my own"]


def test_nothing_stays_behind_where_a_replica_hangs_in_the_middle(lab: Accounts, subject: Subject) -> None:
    other = lab.container(subject.apps[1])
    view = DockerView()
    pause(other)
    try:
        seen = ask_account(view, subject)
    finally:
        other.unpause()
        view.close()

    assert seen.problem == "api", seen
    assert subject.apps[1] in seen.error
    assert seen.left == ""
    assert lab.chats == ["my own"]
