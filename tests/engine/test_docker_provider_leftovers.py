"""What an interrupted create left behind is found, waited for or removed."""

from __future__ import annotations

from typing import Any, Final

import pytest

from tests.engine.docker_examples import (
    CONTAINER,
    PREFIX,
)
from tests.engine.fake_docker import (
    SMALL,
    URNS,
    FakeApi,
    checked,
    finding,
    inspected,
    provider,
    recording,
    refusal,
)
from tooling.engine.docker_provider import container_waiting
from tooling.engine.provider import PartialFailure, ProviderError
from tooling.pulumi_files.values import Properties


def test_a_finished_container_is_found_again() -> None:
    api, inputs = finding()
    assert provider(api).find(CONTAINER, inputs) == recording("container")["id"]


def test_a_half_made_container_is_removed() -> None:
    api, inputs = finding(State={"StartedAt": "0001-01-01T00:00:00Z", "Running": False})
    assert provider(api).find(CONTAINER, inputs) is None
    assert "remove_container" in api.calls


RUNNING: Final = "2026-11-30T13:00:00.123456789Z"


def migration(**state: Any) -> tuple[FakeApi, Properties]:
    """A one-shot as the recording asks for it, in this state."""
    api, inputs = finding(State={"ExitCode": 0, **state})
    api.answers["logs"] = b"upgrading 3 of 9\n\n"
    return api, {**inputs, "attach": True, "mustRun": False}


def still_at_work(monkeypatch: pytest.MonkeyPatch) -> tuple[FakeApi, Properties]:
    monkeypatch.setattr(container_waiting, "ENDING_SECONDS", -1)
    return migration(Running=True, StartedAt=RUNNING)


def test_a_migration_that_a_killed_run_left_at_work_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    api, inputs = still_at_work(monkeypatch)
    with pytest.raises(ProviderError) as caught:
        provider(api).find(CONTAINER, inputs)
    text = str(caught.value)
    for words in (
        "has been running for",
        "since 2026-11-30 13:00:00Z",
        "upgrading 3 of 9",
        "docker wait",
        "make up STACK=",
    ):
        assert words in text
    assert not {"stop", "remove_container"} & {*api.calls}


def test_no_replacement_and_no_destruction_ends_a_migration_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    api, inputs = still_at_work(monkeypatch)
    with pytest.raises(ProviderError, match="upgrading 3 of 9"):
        provider(api).delete(CONTAINER, "new", inputs, {})
    assert "remove_container" not in api.calls


def test_nor_does_the_name_that_a_create_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    api, inputs = still_at_work(monkeypatch)
    api.answers["create_container_from_config"] = refusal(409, "name is in use")
    with pytest.raises(ProviderError, match="upgrading 3 of 9"):
        provider(api).create(CONTAINER, inputs, None)
    assert "remove_container" not in api.calls


def test_a_migration_of_the_same_image_and_settings_that_has_ended_well_is_taken_over() -> None:
    api, inputs = migration(Running=False, StartedAt=RUNNING)
    assert provider(api).find(CONTAINER, inputs) == recording("container")["id"]
    assert "remove_container" not in api.calls


def test_one_that_ends_within_seconds_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_waiting, "POLL_SECONDS", 0)
    api, inputs = migration(Running=True, StartedAt=RUNNING)
    at_work = api.answers["inspect_container"]
    ended = {**at_work, "State": {**at_work["State"], "Running": False}}
    api.answers["inspect_container"] = [at_work, at_work, at_work, ended]
    assert provider(api).find(CONTAINER, inputs) == recording("container")["id"]


@pytest.mark.parametrize("state", [{"ExitCode": 1, "StartedAt": RUNNING}, {"StartedAt": "0001-01-01T00:00:00Z"}])
def test_a_migration_that_failed_or_never_began_is_created_again(state: Any) -> None:
    api, inputs = migration(**{"Running": False, **state})
    assert provider(api).find(CONTAINER, inputs) is None
    assert "remove_container" in api.calls


def test_while_a_migration_runs_its_log_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_waiting, "POLL_SECONDS", 0)
    monkeypatch.setattr(container_waiting, "PROGRESS_SECONDS", 0)
    found = recording("container")["inspect_stopped"]
    runs = {**found, "State": {**found["State"], "Running": True, "StartedAt": RUNNING}}
    api = FakeApi(create_container_from_config={"Id": "new"}, inspect_container=[runs, found], logs=b"one\ntwo\n")
    told: list[str] = []
    inputs = checked(CONTAINER, {**SMALL, "attach": True, "mustRun": False})
    provider(api, told).create(CONTAINER, inputs, None)
    assert told[0].endswith(": two")


def test_a_migration_that_is_not_waited_for_any_longer_goes_on() -> None:
    runs = {**inspected(None), "Id": "new"}
    api = FakeApi(create_container_from_config={"Id": "new"}, inspect_container=runs, logs=b"")
    with pytest.raises(PartialFailure, match="Nothing replaces it while it runs"):
        provider(api).create(CONTAINER, checked(CONTAINER, {**SMALL, "attach": True, "mustRun": False}), 1e-9)
    assert "remove_container" not in api.calls


def test_a_container_that_docker_still_makes_for_a_killed_run_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_waiting, "POLL_SECONDS", 0)
    api, inputs = finding()
    found = api.answers["inspect_container"]
    api.answers |= {"inspect_container": [refusal(404, "No such container")] * 3 + [found], "containers": [[{}]]}
    assert provider(api).find(CONTAINER, inputs) == found["Id"]


def test_a_container_that_docker_never_finishes_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_waiting, "MADE_SECONDS", -1)
    api, inputs = finding()
    api.answers |= {"inspect_container": refusal(404, "No such container"), "containers": [[{}]]}
    with pytest.raises(ProviderError, match=f"making the container {PREFIX}-rich"):
        provider(api).find(CONTAINER, inputs)


def test_a_container_that_is_not_as_asked_for_is_removed() -> None:
    api, inputs = finding(Config={"Env": ["A=1", "B=9"]})
    assert provider(api).find(CONTAINER, inputs) is None
    assert "remove_container" in api.calls


def test_a_strangers_container_is_neither_found_nor_touched() -> None:
    api, inputs = finding(Config={"Labels": {"pulumi.project": "other", "pulumi.stack": "dp-test"}})
    assert provider(api).find(CONTAINER, inputs) is None
    assert api.calls == ["inspect_container"]


def test_without_our_labels_nothing_is_ever_ours() -> None:
    api, inputs = finding(Config={"Labels": {}})
    assert provider(api).find(CONTAINER, {**inputs, "labels": []}) is None
    assert api.calls == ["inspect_container"]


@pytest.mark.parametrize("name", ["network", "volume", "image"])
def test_an_unfinished_create_of_another_resource_is_found_again(name: str) -> None:
    found = recording(name)
    api = FakeApi(**{f"inspect_{name}": found["inspect"]}, networks=[[found["inspect"]]])
    assert provider(api).find(URNS[name], found["inputs"]) == found["id"]


@pytest.mark.parametrize("name", ["network", "volume"])
def test_one_that_differs_is_not_found(name: str) -> None:
    found = recording(name)
    found["inspect"]["Driver"] = "other"
    api = FakeApi(**{f"inspect_{name}": found["inspect"]}, networks=[[found["inspect"]]])
    inputs = {**found["inputs"], "driver": "local"}
    assert provider(api).find(URNS[name], inputs) is None
