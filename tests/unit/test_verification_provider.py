"""The provider as a plain class, and the resource over it."""

from __future__ import annotations

import copy
import io
import sys
import traceback
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from pulumi.dynamic import dynamic

from verification import provider as provider_module
from verification.ask.docker_view import CouldNotAsk
from verification.evidence.container import Container
from verification.provider import UNKNOWN, VerificationError, VerificationProvider, fingerprint
from verification.report.terminal import report_unasked
from verification.subject import Subject

if TYPE_CHECKING:
    from verification.report.terminal import Report

INPUTS = {
    "__provider": "pickled",
    "apps": ["open-webui"],
    "valkey": "redis-valkey",
    "url": "http://127.0.0.1:3000",
    "expected": {"open-webui": {"HostConfig.Memory": 1024.0}},
    "wait_timeout_seconds": 300.0,
    "always": False,
    "triggers": {"open_webui": "id-1"},
    "checks_version": 1.0,
}


def report(verdict: Any = "proved") -> Report:
    reason = CouldNotAsk("docker-unreachable", "what was seen", "the way out")
    made = report_unasked(Subject(apps=("open-webui",), valkey="redis-valkey"), reason, 1)
    made["verdict"] = verdict
    made["checks"][0]["status"] = verdict if verdict != "proved" else "passed"
    made["open_webui_version"] = "0.12.4"
    return made


class Containers:
    """A daemon of which only containers are asked."""

    def __init__(self) -> None:
        self.started = "2026-11-23T04:00:00Z"
        self.status = "running"
        self.health = "healthy"

    def close(self) -> None:
        pass

    def container(self, name: str) -> Container:
        state = {"Status": self.status, "StartedAt": self.started, "Health": {"Status": self.health}}
        return Container(name=name, inspect={"Id": f"id-{name}", "State": state})


@pytest.fixture
def containers(monkeypatch: pytest.MonkeyPatch) -> Containers:
    made = Containers()
    monkeypatch.setattr(provider_module, "DockerView", lambda: made)
    monkeypatch.setattr("verification.run.verify", lambda _subject, _progress: report())
    return made


@pytest.fixture
def created(containers: Containers) -> dict[str, Any]:
    outs = VerificationProvider().create(copy.deepcopy(INPUTS)).outs
    assert outs is not None
    return outs


def test_creating_proves_and_records_what_was_proved(created: dict[str, Any]) -> None:
    assert created["report"]["verdict"] == "proved"
    assert created["open_webui_version"] == "0.12.4"
    assert created["proved"] == created["observed"]
    assert {name: created[name] for name in INPUTS if name != "__provider"} == {
        name: value for name, value in INPUTS.items() if name != "__provider"
    }


def test_its_words_reach_the_engine_in_any_locale(containers: Containers, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="iso8859-1"))
    VerificationProvider().create(INPUTS)
    assert "✓" in raw.getvalue().decode("utf-8")


def test_an_unchanged_deployment_has_no_diff(created: dict[str, Any]) -> None:
    assert VerificationProvider().diff("verification", created, INPUTS).changes is False


def test_inputs_that_an_older_program_did_not_know_are_no_change_while_they_are_none(created: dict[str, Any]) -> None:
    unset = dict.fromkeys(
        ("postgres", "gateway", "migration", "door", "ca", "valkey_login", "isolation", "app_user"), None
    )

    assert VerificationProvider().diff("verification", created, INPUTS | unset).changes is False


def test_every_container_a_subject_names_has_a_fingerprint(containers: Containers) -> None:
    inputs = {"apps": ["app-1", "app-2"], "valkey": "valkey", "postgres": "postgres", "gateway": "gateway"}

    assert list(VerificationProvider().create(inputs).outs["proved"]) == [  # type: ignore[index]  # always there
        "app-1", "app-2", "valkey", "postgres", "gateway",
    ]  # fmt: skip


def test_a_valkey_elsewhere_has_no_fingerprint(containers: Containers) -> None:
    assert set(fingerprint(Subject(apps=("open-webui",)))) == {"open-webui"}


def test_a_provider_that_pickles_otherwise_is_no_change(created: dict[str, Any]) -> None:
    assert VerificationProvider().diff("verification", created, INPUTS | {"__provider": "other"}).changes is False


@pytest.mark.parametrize(
    "changes",
    [
        {"apps": ["open-webui", "second"]},
        {"valkey": "other"},
        {"url": "http://127.0.0.1:3001"},
        {"expected": {"open-webui": {"HostConfig.Memory": 2048.0}}},
        {"triggers": {"open_webui": UNKNOWN}},
        {"checks_version": 2.0},
        {"migration": "open-webui-migration"},
        {"always": True},
        {"postgres": "open-webui-postgres"},
        {"gateway": "open-webui-gateway"},
        {"door": {"address": "127.0.0.1", "port": 8443.0}},
        {"ca": "/data/ca.pem"},
        {"valkey_login": {"user": "verify", "password_file": "/run/secrets/verify", "ca_file": ""}},
        {"isolation": {"edge": "edge", "private": ["redis-valkey"]}},
        {"app_user": "openwebui"},
    ],
)
def test_a_changed_input_runs_the_checks_again(created: dict[str, Any], changes: dict[str, Any]) -> None:
    diff = VerificationProvider().diff("verification", created, INPUTS | changes)

    assert diff.changes is True
    assert not diff.replaces


def test_a_refresh_of_an_untouched_deployment_changes_nothing(containers: Containers, created: dict[str, Any]) -> None:
    read = VerificationProvider().read("verification", created)

    assert (read.id, read.outs) == ("verification", created)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("started", "2026-11-23T05:00:00Z"), ("status", "exited"), ("health", "unhealthy")],
)
def test_what_happened_to_a_container_since_is_noticed_by_a_refresh(
    containers: Containers, created: dict[str, Any], attribute: str, value: str
) -> None:
    setattr(containers, attribute, value)

    read = VerificationProvider().read("verification", created)

    assert read.outs is not None
    assert VerificationProvider().diff("verification", read.outs, INPUTS).changes is True


def test_a_difference_once_seen_stays_until_it_is_proved_again(containers: Containers, created: dict[str, Any]) -> None:
    containers.status = "paused"
    while_paused = VerificationProvider().read("verification", created).outs or {}
    containers.status = "running"

    outs = VerificationProvider().read("verification", while_paused).outs or {}

    assert VerificationProvider().diff("verification", outs, INPUTS).changes is True


def test_health_that_is_starting_is_no_drift(containers: Containers, created: dict[str, Any]) -> None:
    containers.health = "starting"

    assert VerificationProvider().read("verification", created).outs == created


def test_a_refresh_without_docker_keeps_what_is_known(monkeypatch: pytest.MonkeyPatch, created: dict[str, Any]) -> None:
    def no_docker() -> None:
        raise CouldNotAsk("docker-unreachable", "no answer", "start it")

    monkeypatch.setattr(provider_module, "DockerView", no_docker)

    assert VerificationProvider().read("verification", created).outs == created


def test_a_proof_after_a_restart_settles_the_difference(containers: Containers, created: dict[str, Any]) -> None:
    containers.started = "2026-11-23T05:00:00Z"

    outs = VerificationProvider().update("verification", created, copy.deepcopy(INPUTS)).outs

    assert outs is not None
    assert VerificationProvider().diff("verification", outs, INPUTS).changes is False


def test_a_proof_knows_when_the_last_one_was(
    monkeypatch: pytest.MonkeyPatch, containers: Containers, created: dict[str, Any]
) -> None:
    asked: list[Subject] = []

    def verified(subject: Subject, _progress: object) -> Report:
        asked.append(subject)
        return report()

    monkeypatch.setattr("verification.run.verify", verified)
    VerificationProvider().update("verification", created, copy.deepcopy(INPUTS))
    VerificationProvider().update("verification", {}, copy.deepcopy(INPUTS))

    last = datetime.fromisoformat(created["report"]["asked_at"]).timestamp() - created["report"]["seconds"]
    assert [subject.proved_at for subject in asked] == [last, None]


@pytest.mark.parametrize("verdict", ["failed", "unknown"])
def test_what_is_not_proved_fails_with_the_whole_report(
    monkeypatch: pytest.MonkeyPatch, containers: Containers, verdict: str
) -> None:
    monkeypatch.setattr("verification.run.verify", lambda _subject, _progress: report(verdict))

    with pytest.raises(VerificationError, match=r"(?s)docker-unreachable.*what was seen.*the way out"):
        VerificationProvider().create(copy.deepcopy(INPUTS))
    with pytest.raises(VerificationError):
        VerificationProvider().update("verification", {}, copy.deepcopy(INPUTS))


def test_progress_reaches_the_user(
    monkeypatch: pytest.MonkeyPatch, containers: Containers, capsys: pytest.CaptureFixture[str]
) -> None:
    def progressing(_subject: Subject, progress: Any) -> Report:
        progress("open-webui: starting, 6 s (health: starting)")
        return report()

    monkeypatch.setattr("verification.run.verify", progressing)

    VerificationProvider().create(copy.deepcopy(INPUTS))

    assert "open-webui: starting, 6 s" in capsys.readouterr().out


def test_sound_inputs_pass_the_check() -> None:
    checked = VerificationProvider().check({}, INPUTS)

    assert checked.failures == []
    assert checked.inputs == INPUTS


def test_sound_inputs_of_a_deployment_behind_a_gateway_pass_the_check() -> None:
    inputs = INPUTS | {
        "valkey": None,
        "gateway": "gateway",
        "door": {"address": "127.0.0.1", "port": 8443.0},
        "ca": "/data/root.crt",
        "valkey_login": {"user": "verify", "password_file": "/run/secrets/verify", "ca_file": ""},
        "isolation": {"edge": "edge", "private": ["valkey", "postgres"]},
    }

    assert VerificationProvider().check({}, inputs).failures == []


def test_inputs_unknown_in_a_preview_pass_the_check() -> None:
    unknown = INPUTS | {"apps": [UNKNOWN], "valkey": UNKNOWN, "url": UNKNOWN, "expected": {"x": {"y": UNKNOWN}}}

    assert VerificationProvider().check({}, unknown).failures == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("apps", []),
        ("apps", None),
        ("apps", [""]),
        ("valkey", ""),
        ("migration", ""),
        ("url", "127.0.0.1:3000"),
        ("wait_timeout_seconds", 0.0),
        ("wait_timeout_seconds", "long"),
        ("expected", []),
        ("gateway", ""),
        ("door", "127.0.0.1:8443"),
        ("door", {"address": "127.0.0.1"}),
        ("door", {"address": "127.0.0.1", "port": 70000}),
        ("ca", "root.crt"),
        ("valkey_login", {"user": "verify"}),
        ("isolation", {"edge": "edge", "private": []}),
    ],
)
def test_a_wrong_input_is_named_with_its_value(name: str, value: Any) -> None:
    failures = VerificationProvider().check({}, INPUTS | {name: value}).failures

    assert [failure.property for failure in failures] == [name]
    assert repr(value) in failures[0].reason


def test_deleting_it_asks_no_docker_and_says_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def asked(*_: Any, **__: Any) -> Any:
        raise AssertionError("something was asked of Docker")

    for name in ("verification.provider.DockerView", "verification.run.verify", "docker.DockerClient"):
        monkeypatch.setattr(name, asked)

    VerificationProvider().delete("verification", INPUTS)

    assert capfd.readouterr() == ("", "")


def test_a_missing_container_has_a_fingerprint_too(monkeypatch: pytest.MonkeyPatch, containers: Containers) -> None:
    monkeypatch.setattr(containers, "container", lambda name: Container(name=name))

    found = fingerprint(Subject(apps=("open-webui",), valkey="redis-valkey"))

    assert found == {"open-webui": "missing - missing", "redis-valkey": "missing - missing"}


@pytest.mark.usefixtures("containers")
def test_a_failure_reaches_the_user_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verification.run.verify", lambda _subject, _progress: report("failed"))

    try:
        VerificationProvider().create(copy.deepcopy(INPUTS))
    except VerificationError:
        told = traceback.format_exc()  # as Pulumi's host of dynamic resources does

    assert told.startswith("verification.provider.VerificationError: unknown: docker-unreachable")


@pytest.mark.usefixtures("containers")
def test_other_resources_keep_their_tracebacks_while_nothing_of_ours_fails() -> None:
    VerificationProvider().create(INPUTS)

    assert sys.tracebacklimit == 1000


def test_the_provider_is_stored_by_reference() -> None:
    pickled = dynamic.serialize_provider(VerificationProvider())

    assert len(pickled) < 200, "dill stored code instead of an import path"
