"""The Docker provider on a real daemon: resources come, change, fail, are found again and go.

Longer than others: all of it is on one daemon, by the same two fixtures, and in one group of tests.
"""

from __future__ import annotations

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any, Final

import pytest

from components.network import CHOSEN_BY_DOCKER, IPV4_ONLY
from docker_access.commands import run_inside
from tests.engine.docker_examples import (
    CONTAINER,
    IMAGE,
    IMAGE_URN,
    LABELS,
    NETWORK,
    NETWORK_NAME,
    PREFIX,
    RICH_CONTAINER,
    VOLUME,
    tiny_docker,
)
from tests.lease import free_subnet
from tooling.engine.docker_provider import DockerProvider, client
from tooling.engine.provider import PartialFailure, ProviderError, State
from tooling.pulumi_files.values import Properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.docker

NAME: Final = f"{PREFIX}-one"
SMALL: Final[Properties] = {
    "name": NAME,
    "image": IMAGE,
    "command": ["sleep", "1000"],
    "networkMode": "none",
    "labels": LABELS,
}
HEALTHY: Final = {"tests": ["CMD", "true"], "interval": "1s"}


@pytest.fixture(scope="module")
def api() -> Iterator[Any]:
    with tiny_docker() as client:
        yield client


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def provider(api: Any, told: list[str]) -> Iterator[DockerProvider]:
    made = DockerProvider(log=lambda _urn, line: told.append(line))
    yield made
    for container in api.containers(all=True, filters={"name": f"^/{PREFIX}-"}):
        api.remove_container(container["Id"], force=True, v=True)
    made.close()


def create(provider: DockerProvider, urn: str, inputs: Properties) -> State:
    return provider.create(urn, provider.check(urn, None, inputs), None)


def until(holds: Callable[[], bool]) -> None:
    """Wait for what comes about in a moment."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def exit_code(api: Any, container: str, *command: str) -> Any:
    """What a command in a container ends with."""
    run = api.exec_create(container, list(command))["Id"]
    api.exec_start(run)
    return api.exec_inspect(run)["ExitCode"]


def names(api: Any) -> list[str]:
    containers = api.containers(all=True, filters={"name": f"^/{PREFIX}-"})
    return sorted(container["Names"][0].lstrip("/") for container in containers)


def test_a_container_gets_all_it_asks_for(provider: DockerProvider, api: Any) -> None:
    state = create(provider, CONTAINER, RICH_CONTAINER)
    found = api.inspect_container(state.id)
    assert found["State"]["Health"]["Status"] == "healthy"
    assert list(found["NetworkSettings"]["Networks"]) == [NETWORK_NAME]
    assert {"y", "z"} <= set(found["NetworkSettings"]["Networks"][NETWORK_NAME]["Aliases"])
    assert run_inside(api, state.id, ["sh", "-c", "cat /etc/greeting; echo $A"]).output == "hello1\n"
    assert state.outputs["networkDatas"][0]["ipAddress"]
    provider.delete(CONTAINER, state.id, state.inputs, state.outputs)
    assert provider.read(CONTAINER, state.id, state.inputs, state.outputs) is None


def test_waiting_ends_with_the_first_healthcheck_that_passes(provider: DockerProvider) -> None:
    started = time.monotonic()
    create(provider, CONTAINER, {**SMALL, "healthcheck": HEALTHY, "wait": True, "waitTimeout": 300})
    # Of a healthcheck every second; no figure of speed, which `make bench` takes.
    assert time.monotonic() - started < 60


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"command": ["sh", "-c", "echo no key >&2; exit 3"]}, ["exited with code 3", "no key"]),
        (
            {"healthcheck": {"tests": ["CMD-SHELL", "echo no PONG; exit 1"], "interval": "1s", "retries": 1}},
            ["is unhealthy", "no PONG"],
        ),
        ({"command": ["false"], "restart": "always"}, ["has restarted", "exit code 1"]),
        ({"healthcheck": {"tests": ["NONE"]}}, ["has no healthcheck"]),
    ],
)
def test_a_wait_that_cannot_succeed_fails_at_once(
    provider: DockerProvider, api: Any, change: Properties, words: list[str]
) -> None:
    started = time.monotonic()
    with pytest.raises(PartialFailure) as caught:
        create(provider, CONTAINER, {**SMALL, "healthcheck": HEALTHY, "wait": True, **change})
    assert time.monotonic() - started < 120
    for word in words:
        assert word in str(caught.value)
    assert api.inspect_container(caught.value.state.id)["Name"] == f"/{NAME}"


def test_an_attached_container_is_waited_for(provider: DockerProvider) -> None:
    command = ["sh", "-c", "sleep 0.5; echo migrated; echo warning >&2; exit 3"]
    once = {**SMALL, "command": command, "attach": True, "logs": True, "mustRun": False}
    state = create(provider, CONTAINER, once)
    assert state.outputs["exitCode"] == 3
    assert sorted(state.outputs["containerLogs"].split()) == ["migrated", "warning"]


def test_a_port_held_by_a_process_names_it_and_leaves_nothing(provider: DockerProvider, api: Any) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(ProviderError) as caught:
            create(provider, CONTAINER, _publishing(NAME, port))
    assert f"port {port}" in str(caught.value)
    assert f"pid {os.getpid()}" in str(caught.value)
    assert names(api) == []


def test_a_port_held_by_a_container_names_it(provider: DockerProvider, api: Any) -> None:
    held = create(provider, CONTAINER, _publishing(f"{PREFIX}-holder", 0))
    port = held.outputs["ports"][0]["external"]
    with pytest.raises(ProviderError, match=f"container {PREFIX}-holder"):
        create(provider, CONTAINER, _publishing(NAME, port))
    assert names(api) == [f"{PREFIX}-holder"]


def _publishing(name: str, port: int) -> Properties:
    return {
        **SMALL,
        "name": name,
        "networkMode": "bridge",
        "networksAdvanced": [{"name": NETWORK_NAME}],
        "ports": [{"internal": 80, "external": port, "ip": "127.0.0.1"}],
    }


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"networksAdvanced": [{"name": f"{PREFIX}-none"}]}, [f"{PREFIX}-none, which does not exist"]),
        ({"image": "127.0.0.1:1/none:1"}, ["127.0.0.1:1/none:1", "does not answer", "make setup"]),
        ({"command": ["no-such-program"]}, ["could not start the container", "no-such-program"]),
        ({"memory": 1}, ["could not create the container", "memory"]),
    ],
)
def test_a_create_that_fails_says_why_and_leaves_nothing(
    provider: DockerProvider, api: Any, change: Properties, words: list[str]
) -> None:
    with pytest.raises(ProviderError) as caught:
        create(provider, CONTAINER, {**SMALL, **change})
    assert not isinstance(caught.value, PartialFailure)
    for word in words:
        assert word in str(caught.value)
    assert names(api) == []


def test_a_container_may_finish_its_work_before_it_is_removed(provider: DockerProvider, api: Any) -> None:
    volume = create(provider, VOLUME, {"name": f"{PREFIX}-saved", "labels": LABELS})
    trap = "trap 'sleep 0.5; echo saved > /data/dump; exit 0' TERM; touch /data/set; while true; do sleep 0.1; done"
    inputs = {
        **SMALL,
        "command": ["sh", "-c", trap],
        "destroyGraceSeconds": 5,
        "volumes": [{"volumeName": volume.id, "containerPath": "/data"}],
    }
    state = create(provider, CONTAINER, inputs)
    # Before its trap is set, the first process of a container ignores the signal.
    until(lambda: exit_code(api, state.id, "test", "-e", "/data/set") == 0)
    provider.delete(CONTAINER, state.id, state.inputs, state.outputs)
    reader = create(
        provider,
        CONTAINER,
        {**inputs, "command": ["cat", "/data/dump"], "attach": True, "logs": True, "mustRun": False},
    )
    assert reader.outputs["containerLogs"] == "saved\n"
    provider.delete(CONTAINER, reader.id, reader.inputs, reader.outputs)
    again = create(provider, VOLUME, {"name": volume.id, "labels": LABELS})
    assert again.id == volume.id
    provider.delete(VOLUME, volume.id, volume.inputs, volume.outputs)


def test_a_container_that_is_stopped_has_ended_and_one_that_has_or_is_gone_is_fine(
    provider: DockerProvider, api: Any
) -> None:
    command = ["sh", "-c", "trap 'sleep 1; exit 7' TERM; echo ready; sleep 1000 & wait"]
    made = create(provider, CONTAINER, {**SMALL, "command": command, "destroyGraceSeconds": 60})
    # Followed, its connection would stay open until the garbage collector warns of it, in whichever test.
    until(lambda: api.logs(made.id) == b"ready\n")
    for state in ("runs", "has ended", "is gone"):
        began = time.monotonic()
        provider.stop(CONTAINER, made.id, made.inputs, made.outputs)
        assert time.monotonic() - began < 50, state
        if state == "runs":
            assert api.wait(made.id, timeout=30)["StatusCode"] == 7
        if state == "has ended":
            provider.delete(CONTAINER, made.id, made.inputs, made.outputs)
            assert NAME not in names(api)


def test_a_volume_of_someone_else_is_refused(provider: DockerProvider, api: Any) -> None:
    api.create_volume(f"{PREFIX}-theirs")
    with pytest.raises(ProviderError, match="carries no label of ours"):
        create(provider, VOLUME, {"name": f"{PREFIX}-theirs", "labels": LABELS})
    assert api.inspect_volume(f"{PREFIX}-theirs")["Labels"] in ({}, None)


def test_a_container_of_someone_else_is_refused_and_untouched(provider: DockerProvider, api: Any) -> None:
    theirs = api.create_container(IMAGE, ["true"], name=NAME)["Id"]
    with pytest.raises(ProviderError, match="exists already"):
        create(provider, CONTAINER, SMALL)
    assert api.inspect_container(NAME)["Id"] == theirs


def test_a_container_that_this_stack_lost_is_replaced(provider: DockerProvider, api: Any, told: list[str]) -> None:
    lost = create(provider, CONTAINER, SMALL)
    state = create(provider, CONTAINER, SMALL)
    assert state.id != lost.id
    assert names(api) == [NAME]
    assert "lost track of" in told[0]


def test_a_network_that_this_stack_lost_is_taken_up_and_one_in_use_stays(
    provider: DockerProvider, api: Any, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = {"name": f"{PREFIX}-lost", "labels": LABELS}
    lost = create(provider, NETWORK, inputs)
    state = create(provider, NETWORK, inputs)
    assert (state.id, state.outputs) == (lost.id, lost.outputs)
    assert "taking up" in told[0]
    other = create(provider, NETWORK, {**inputs, "internal": True})
    assert other.id != lost.id
    state = create(provider, NETWORK, inputs)
    joined = {"networkMode": "bridge", "networksAdvanced": [{"name": state.id}]}
    container = create(provider, CONTAINER, {**SMALL, **joined})
    monkeypatch.setattr(client, "REMOVAL_SECONDS", 0.3)
    with pytest.raises(ProviderError, match=f"while containers use it: {NAME}"):
        provider.delete(NETWORK, state.id, state.inputs, state.outputs)
    provider.delete(CONTAINER, container.id, container.inputs, container.outputs)
    provider.delete(NETWORK, state.id, state.inputs, state.outputs)


@pytest.mark.parametrize("stated", [False, True], ids=["Docker's addresses", "stated addresses"])
def test_a_network_stays_as_it_is_whatever_the_daemons_defaults_add_to_it(
    provider: DockerProvider, api: Any, told: list[str], *, stated: bool
) -> None:
    """They are IPv6, or an MTU, for every network: ``default-network-opts``."""
    asked: Properties = {"name": f"{PREFIX}-defaults", "labels": LABELS}
    if stated:
        asked |= {"ipamConfigs": [a_subnet()], "options": IPV4_ONLY}
    inputs, ignored = provider.check(NETWORK, None, asked), list(CHOSEN_BY_DOCKER)
    made = provider.create(NETWORK, inputs, None)
    read = provider.read(NETWORK, made.id, made.inputs, made.outputs)
    assert read is not None
    try:
        for state in (made, read):
            assert provider.diff(NETWORK, state.id, state.inputs, state.outputs, inputs, ignored).changed == []
        if stated:
            assert api.inspect_network(made.id)["EnableIPv6"] is False
            moved = {**inputs, "ipamConfigs": [a_subnet()]}
            decision = provider.diff(NETWORK, read.id, read.inputs, read.outputs, moved, ignored)
            assert decision.replaces == ["ipamConfigs"]
        assert provider.create(NETWORK, inputs, None).id == made.id
        assert "taking up" in told[-1]
    finally:
        provider.delete(NETWORK, made.id, made.inputs, made.outputs)


def a_subnet() -> dict[str, str]:
    subnet = IPv4Network(free_subnet())
    return {"subnet": str(subnet), "gateway": str(subnet[1])}


def test_what_an_interrupted_create_left_behind_is_found(provider: DockerProvider, api: Any) -> None:
    inputs = provider.check(CONTAINER, None, {**RICH_CONTAINER, "name": NAME})
    assert provider.find(CONTAINER, inputs) is None
    made = provider.create(CONTAINER, inputs, None)
    assert provider.find(CONTAINER, inputs) == made.id
    adopted = provider.read(CONTAINER, made.id, inputs, {})
    assert adopted is not None
    assert provider.diff(CONTAINER, made.id, adopted.inputs, adopted.outputs, inputs, []).changed == []


@pytest.mark.parametrize("progress", ["created", "connected", "other environment", "stopped"])
def test_what_is_half_made_is_removed(provider: DockerProvider, api: Any, progress: str) -> None:
    inputs = provider.check(CONTAINER, None, {**SMALL, "envs": ["A=1"]})
    env = ["A=2"] if progress == "other environment" else ["A=1"]
    labels = {entry["label"]: entry["value"] for entry in LABELS}
    made = api.create_container(IMAGE, ["sleep", "1000"], name=NAME, labels=labels, environment=env)
    if progress == "connected":
        api.connect_container_to_network(made["Id"], NETWORK_NAME)
    elif progress != "created":
        api.disconnect_container_from_network(made["Id"], "bridge")
        api.start(made["Id"])
    if progress == "stopped":
        api.stop(made["Id"], timeout=0)
    assert provider.find(CONTAINER, inputs) is None
    assert names(api) == []


def test_a_stopped_container_is_started_again(provider: DockerProvider, api: Any) -> None:
    state = create(provider, CONTAINER, {**SMALL, "healthcheck": HEALTHY, "wait": True})
    api.stop(state.id, timeout=0)
    found = provider.read(CONTAINER, state.id, state.inputs, state.outputs)
    assert found is not None
    diff = provider.diff(CONTAINER, state.id, found.inputs, found.outputs, state.inputs, [])
    assert (diff.changed, diff.replaces) == (["mustRun"], [])
    outputs = provider.update(CONTAINER, state.id, found.inputs, found.outputs, state.inputs, None)
    assert outputs["mustRun"] is True
    assert api.inspect_container(state.id)["State"]["Health"]["Status"] == "healthy"


def test_limits_change_in_place(provider: DockerProvider, api: Any) -> None:
    state = create(provider, CONTAINER, {**SMALL, "memory": 64, "memorySwap": 128})
    new = {**state.inputs, "memory": 96, "memorySwap": 192, "restart": "always"}
    provider.update(CONTAINER, state.id, state.inputs, state.outputs, new, None)
    found = api.inspect_container(state.id)
    assert found["HostConfig"]["Memory"] == 96 * 1024**2
    assert found["HostConfig"]["RestartPolicy"]["Name"] == "always"
    assert found["Id"] == state.id


def test_calls_may_come_from_many_threads(provider: DockerProvider, api: Any) -> None:
    with ThreadPoolExecutor(8) as pool:
        inputs = [{**SMALL, "name": f"{PREFIX}-{i}"} for i in range(8)]
        states = list(pool.map(lambda one: create(provider, CONTAINER, one), inputs))
        assert len(names(api)) == 8
        for _ in pool.map(lambda s: provider.delete(CONTAINER, s.id, s.inputs, s.outputs), states):
            pass
    assert names(api) == []


def test_an_image_of_that_name_on_this_machine_is_not_pulled(provider: DockerProvider, told: list[str]) -> None:
    state = create(provider, IMAGE_URN, {"name": IMAGE, "keepLocally": True})
    assert state.id == state.outputs["imageId"] + IMAGE
    assert told == []


def test_an_image_in_use_is_not_removed_and_the_error_says_how_to_keep_it(provider: DockerProvider, api: Any) -> None:
    api.tag(IMAGE, f"{PREFIX}-used", "1")
    image = create(provider, IMAGE_URN, {"name": f"{PREFIX}-used:1"})
    assert provider.find(IMAGE_URN, image.inputs) == image.id
    provider.delete(IMAGE_URN, image.id, image.inputs, image.outputs)
    assert provider.find(IMAGE_URN, image.inputs) is None
    create(provider, CONTAINER, SMALL)
    image = create(provider, IMAGE_URN, {"name": IMAGE})
    with pytest.raises(ProviderError, match="keepLocally"):
        provider.delete(IMAGE_URN, image.id, image.inputs, image.outputs)
