"""The Docker provider waits for a container until it is healthy, has ended or has stopped."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import pytest
from docker.errors import APIError

from tests.engine.docker_examples import (
    CONTAINER,
    IMAGE_URN,
    NETWORK,
    RICH_CONTAINER,
)
from tests.engine.fake_docker import (
    SMALL,
    URNS,
    FakeApi,
    checked,
    healthy,
    inspected,
    provider,
    recording,
    refusal,
)
from tooling.engine.docker_provider import client
from tooling.engine.docker_provider.container_waiting import hopeless
from tooling.engine.provider import PartialFailure, ProviderError


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (inspected(), None),
        (inspected(Restarting=True, Running=False, ExitCode=1), None),
        (inspected(Running=False, ExitCode=3), "has exited with code 3"),
        (inspected(Running=False, ExitCode=137, OOMKilled=True), "(out of memory)"),
        (inspected(restarts=3, ExitCode=1), "has restarted 3 times, last with exit code 1"),
        (inspected("unhealthy"), "failed 3 times in a row"),
        (inspected(None), "has no healthcheck"),
    ],
)
def test_a_container_is_given_up_as_soon_as_nothing_can_come_of_it(found: Any, reason: str | None) -> None:
    assert (hopeless(found) is None) if reason is None else (reason in str(hopeless(found)))


def test_a_failed_wait_keeps_the_container_and_shows_the_evidence() -> None:
    api = FakeApi(
        create_container_from_config={"Id": "new"},
        inspect_container=inspected("unhealthy"),
        logs=b"one\ntwo\n",
    )
    inputs = checked(CONTAINER, RICH_CONTAINER)
    with pytest.raises(PartialFailure) as caught:
        provider(api).create(CONTAINER, inputs, None)
    text = str(caught.value)
    for word in ["unhealthy", "exit code 7", "no PONG", "one\ntwo", "docker logs c"]:
        assert word in text
    assert "remove_container" not in api.calls
    assert caught.value.state.id == "new"
    again = provider().diff(CONTAINER, "new", inputs, caught.value.state.outputs, inputs, [])
    assert again.replaces == ["entrypoints"]


def test_an_update_after_a_failed_wait_waits_again() -> None:
    found = recording("container")
    inputs = checked(CONTAINER, {**RICH_CONTAINER, "entrypoints": ["sh"]})
    failing = FakeApi(
        create_container_from_config={"Id": found["id"]}, inspect_container=inspected("unhealthy"), logs=b""
    )
    with pytest.raises(PartialFailure) as caught:
        provider(failing).create(CONTAINER, inputs, None)
    partial = caught.value.state.outputs
    assert provider().diff(CONTAINER, found["id"], inputs, partial, inputs, []).replaces == []
    api = FakeApi(inspect_container=lambda _id: healthy(found["inspect"]))
    outputs = provider(api).update(CONTAINER, found["id"], inputs, partial, inputs, None)
    assert outputs["networkDatas"] == found["read"]["outputs"]["networkDatas"]
    sick = {**found["inspect"], "State": {**found["inspect"]["State"], **inspected("unhealthy")["State"]}}
    with pytest.raises(PartialFailure, match="unhealthy"):
        provider(FakeApi(inspect_container=sick, logs=b"")).update(
            CONTAINER, found["id"], inputs, partial, inputs, None
        )


def test_a_wait_ends_after_its_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    api = FakeApi(create_container_from_config={"Id": "new"}, inspect_container=inspected(), logs=b"")
    with pytest.raises(PartialFailure, match=r"after 0 s \(waitTimeout\)"):
        provider(api).create(CONTAINER, checked(CONTAINER, {**RICH_CONTAINER, "waitTimeout": 0}), None)


def test_an_attached_container_is_recorded_with_its_exit_code_and_logs() -> None:
    found = recording("container")["inspect_stopped"]
    api = FakeApi(create_container_from_config={"Id": "new"}, inspect_container=found, logs=b"migrated\n")
    inputs = checked(CONTAINER, {**SMALL, "attach": True, "logs": True, "mustRun": False})
    state = provider(api).create(CONTAINER, inputs, None)
    assert state.outputs["containerLogs"] == "migrated\n"
    assert state.outputs["exitCode"] == found["State"]["ExitCode"]


def test_a_container_is_stopped_with_its_grace_before_it_is_removed() -> None:
    stopped: list[int] = []
    api = FakeApi(stop=lambda _id, timeout: stopped.append(timeout))
    found = recording("container")
    provider(api).delete(CONTAINER, found["id"], found["inputs"], found["created"])
    assert stopped == [1]
    assert api.calls == ["stop", "remove_container"]


@pytest.mark.parametrize("name", URNS)
def test_deleting_what_is_gone_is_fine(name: str) -> None:
    gone = refusal(404, "no such object")
    api = FakeApi(**{f"remove_{name}": gone, "stop": gone})
    found = recording(name)
    provider(api).delete(URNS[name], found["id"], found["inputs"], {**found["created"], "keepLocally": False})


def test_an_image_kept_locally_is_not_touched() -> None:
    api = FakeApi()
    found = recording("image")
    provider(api).delete(IMAGE_URN, found["id"], found["inputs"], found["created"])
    assert api.calls == []


def test_a_network_in_use_names_its_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "REMOVAL_SECONDS", -1)
    found = recording("network")
    found["inspect"]["Containers"] = {"x": {"Name": "web"}}
    api = FakeApi(remove_network=refusal(403, "network has active endpoints"), inspect_network=found["inspect"])
    with pytest.raises(ProviderError, match="while containers use it: web"):
        provider(api).delete(NETWORK, found["id"], found["inputs"], found["created"])


def end_of_a_process() -> Iterator[dict[str, str]]:
    yield {"Action": "die"}


def nothing_for_a_while() -> Iterator[dict[str, str]]:
    yield from ()


def stopping(api: FakeApi) -> Thread:
    """A thread that stops the container, begun."""
    made = Thread(target=provider(api).stop, args=(CONTAINER, "c1", {}, {"name": "c", "destroyGraceSeconds": 7}))
    made.start()
    return made


def test_a_container_has_ended_when_its_process_has_though_docker_is_still_stopping_it() -> None:
    taken_down = Event()
    api = FakeApi(events=lambda **_: end_of_a_process(), stop=lambda *_, **__: taken_down.wait(30))
    waiting = stopping(api)
    waiting.join(20)
    ended_before = not waiting.is_alive()
    taken_down.set()
    waiting.join(20)
    assert ended_before


@pytest.mark.parametrize("events", [nothing_for_a_while, APIError("events are not for everybody")])
def test_a_container_whose_end_is_not_told_has_ended_when_docker_has_stopped_it(events: Any) -> None:
    taken_down = Event()
    told = events if isinstance(events, Exception) else lambda **_: events()
    waiting = stopping(FakeApi(events=told, stop=lambda *_, **__: taken_down.wait(30)))
    waiting.join(0.2)
    still_waiting = waiting.is_alive()
    taken_down.set()
    waiting.join(20)
    assert still_waiting
    assert not waiting.is_alive()


def test_a_container_is_given_its_time_to_stop() -> None:
    seconds = []
    stopping(FakeApi(events=APIError("no"), stop=lambda _, timeout: seconds.append(timeout))).join(20)
    assert seconds == [7]


def test_what_keeps_a_container_from_stopping_is_said_by_its_deletion() -> None:
    refused = refusal(500, "cannot stop container: permission denied")
    api = FakeApi(events=refused, stop=refused)
    provider(api).stop(CONTAINER, "c1", {}, {"name": "c"})
    with pytest.raises(ProviderError, match="could not remove the container c: cannot stop container"):
        provider(api).delete(CONTAINER, "c1", {}, {"name": "c"})


def test_a_container_that_is_attached_to_is_not_waited_for() -> None:
    api = FakeApi()
    provider(api).stop(CONTAINER, "c1", {}, {"name": "c", "attach": True})
    assert api.calls == []
