"""What is to be verified, from a stack's inputs and from the command line."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from verification.__main__ import main, parser, subject
from verification.subject import AccountFile, Isolation, Login, PublishedPort, Subject, subject_of

EVERYTHING = Subject(
    apps=("app-1", "app-2"),
    valkey="valkey",
    postgres="postgres",
    gateway="gateway",
    migration="migration",
    url="https://chat.example.org",
    door=PublishedPort(address="127.0.0.1", port=8443),
    ca="/data/root.crt",
    valkey_login=Login(user="verify", password_file="/run/secrets/verify", ca_file="/run/secrets/ca.pem"),
    isolation=Isolation(edge="edge", private=("valkey", "postgres")),
    app_user="openwebui",
    account=AccountFile(container="migration", path="/migration/account.env"),
    wait_seconds=300,
)


def test_the_inputs_of_an_older_program_are_enough() -> None:
    assert subject_of({"apps": ["app"], "valkey": "valkey"}) == Subject(apps=("app",), valkey="valkey")


INPUTS = {
    "apps": ["app-1", "app-2"],
    "valkey": "valkey",
    "postgres": "postgres",
    "gateway": "gateway",
    "migration": "migration",
    "url": "https://chat.example.org",
    "door": {"address": "127.0.0.1", "port": 8443.0},
    "ca": "/data/root.crt",
    "valkey_login": {
        "user": "verify",
        "password_file": "/run/secrets/verify",
        "ca_file": "/run/secrets/ca.pem",
    },
    "isolation": {"edge": "edge", "private": ["valkey", "postgres"]},
    "app_user": "openwebui",
    "account": {"container": "migration", "path": "/migration/account.env"},
    "wait_timeout_seconds": 300.0,
}


def test_every_input_is_read_as_pulumi_sends_it() -> None:
    assert subject_of(INPUTS) == EVERYTHING


def test_the_last_proof_is_taken_for_as_old_as_its_beginning() -> None:
    report = {"verdict": "proved", "asked_at": "1970-01-01T00:02:00Z", "seconds": 20.0}
    assert subject_of({**INPUTS, "report": report}) == replace(EVERYTHING, proved_at=100.0)


@pytest.mark.parametrize("report", [None, "off", {"summary": "proved"}, {"verdict": "failed"}])
def test_what_is_no_proof_is_not_taken_for_one(report: object) -> None:
    assert subject_of({**INPUTS, "report": report}) == EVERYTHING


def read(line: str) -> Subject:
    return subject(parser().parse_args(line.split()))


def test_every_option_is_read() -> None:
    line = (
        "--app app-1 --app app-2 --valkey valkey --postgres postgres --gateway gateway --migration migration "
        "--url https://chat.example.org --timeout 300 --idle"
    )

    assert read(line) == Subject(
        apps=("app-1", "app-2"), valkey="valkey", postgres="postgres", gateway="gateway", migration="migration",
        url="https://chat.example.org", wait_seconds=300, idle=True,
    )  # fmt: skip


def test_the_whole_subject_is_read_from_a_file_or_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "subject.json"
    file.write_text(json.dumps(INPUTS))
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(INPUTS)))

    assert read(f"--subject {file} --timeout 300 --no-idle") == EVERYTHING
    assert read("--subject - --timeout 300 --no-idle") == EVERYTHING


def test_an_option_says_otherwise_than_the_file(tmp_path: Path) -> None:
    file = tmp_path / "subject.json"
    file.write_text(json.dumps(INPUTS))

    assert read(f"--subject {file} --app app-3").apps == ("app-3",)
    assert read(f"--subject {file} --valkey-elsewhere").valkey == ""


@pytest.mark.parametrize("text", ["not JSON", "[]", '{"door": {"port": 1}}', '{"account": "file"}'])
def test_a_subject_of_another_shape_exits_with_2_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    file = tmp_path / "subject.json"
    file.write_text(text)

    assert main(["--subject", str(file)]) == 2
    assert str(file) in capsys.readouterr().err


def test_an_idle_socket_asked_for_by_name_is_asked_for() -> None:
    assert read("--app app --only idle-socket").idle
    assert read("--app app --only live-event").idle is False


def test_an_idle_socket_is_asked_for_where_it_may_be_closed_unless_told_otherwise() -> None:
    assert read("--app app").idle is None
    assert read("--app app --no-idle").idle is False


def test_valkeys_url_may_stand_where_nobody_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERIFICATION_VALKEY_URL", "redis://:hunter2@v")

    assert read("--app app").valkey_url == "redis://:hunter2@v"
    assert read("--app app --valkey-url redis://w").valkey_url == "redis://w"
    assert read("--app app --valkey valkey").valkey_url == ""
