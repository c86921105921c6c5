"""The Docker provider without Docker: what it checks, compares and records, against what the plugin did."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.docker_examples import (
    CONTAINER,
    CONTAINER_CHANGES,
    NETWORK,
    OTHER_CHANGES,
    PREFIX,
    RICH_CONTAINER,
    changed,
)
from tests.engine.fake_docker import (
    MODULES,
    SMALL,
    URNS,
    FakeApi,
    checked,
    healthy,
    provider,
    recording,
    refusal,
)
from tooling.engine.docker_provider.container_request import request
from tooling.engine.durations import duration_text, nanoseconds
from tooling.engine.provider import ProviderError
from tooling.pulumi_files.values import UNKNOWN, Properties


@pytest.mark.parametrize("name", URNS)
def test_an_object_that_the_plugin_made_reads_as_the_plugin_reads_it(name: str) -> None:
    found = recording(name)
    api = FakeApi(**{f"inspect_{name}": found["inspect"]})
    state = provider(api).read(URNS[name], found["id"], found["inputs"], found["created"])
    assert state is not None
    assert state.id == found["id"]
    assert state.outputs == found["read"]["outputs"]
    assert state.inputs == found["read"]["inputs"]


def test_a_stopped_container_reads_as_the_plugin_reads_it() -> None:
    found = recording("container")
    api = FakeApi(inspect_container=found["inspect_stopped"])
    before = found["read"]
    state = provider(api).read(CONTAINER, found["id"], before["inputs"], before["outputs"])
    assert state is not None
    assert state.outputs == found["stopped"]["outputs"]
    assert state.inputs == found["stopped"]["inputs"]


@pytest.mark.parametrize("name", URNS)
def test_a_create_records_what_the_plugin_records(name: str) -> None:
    found = recording(name)
    answers: dict[str, Any] = {
        "container": {
            "create_container_from_config": {"Id": found["id"]},
            "inspect_container": lambda _id: healthy(found["inspect"]),
        },
        "network": {
            "networks": [[]],
            "create_network": {"Id": found["id"]},
            "inspect_network": found["inspect"],
        },
        "volume": {"inspect_volume": refusal(404, "no such volume"), "create_volume": found["inspect"]},
        "image": {"inspect_image": found["inspect"]},
    }[name]
    state = provider(FakeApi(**answers)).create(URNS[name], found["inputs"], None)
    assert state.id == found["id"]
    assert state.inputs == found["inputs"]
    assert state.outputs == found["created"]


@pytest.mark.parametrize("name", URNS)
def test_an_object_that_is_gone_reads_as_none(name: str) -> None:
    found = recording(name)
    api = FakeApi(**{f"inspect_{name}": refusal(404, "no such object")})
    assert provider(api).read(URNS[name], found["id"], found["inputs"], found["created"]) is None


@pytest.mark.parametrize("name", URNS)
def test_every_recorded_output_is_in_the_table(name: str) -> None:
    outputs = set(recording(name)["read"]["outputs"]) - {"id", "__meta", "__pulumi_raw_state_delta"}
    assert outputs == set(MODULES[name].TABLE)


def test_the_checked_inputs_of_a_container_are_the_plugins() -> None:
    assert checked(CONTAINER, RICH_CONTAINER) == recording("container")["inputs"]


def test_defaults_are_listed_at_every_level() -> None:
    inputs = checked(CONTAINER, {**SMALL, "ports": [{"internal": 80}]})
    assert inputs["ports"][0]["protocol"] == "tcp"
    assert inputs["ports"][0]["__defaults"] == ["ip", "protocol"]
    assert "waitTimeout" in inputs["__defaults"]


def test_a_missing_name_is_made_from_the_logical_name_once() -> None:
    first = checked(NETWORK, {})
    assert first["name"].startswith("network-")
    assert len(first["name"]) == len("network-1234567")
    assert "name" in first["__defaults"]
    assert provider().check(NETWORK, first, {})["name"] == first["name"]


def test_unknown_values_pass_at_any_depth() -> None:
    inputs = checked(
        CONTAINER,
        {**SMALL, "image": UNKNOWN, "envs": [UNKNOWN], "logOpts": {"max-size": UNKNOWN}, "ports": UNKNOWN},
    )
    assert inputs["envs"] == [UNKNOWN]
    assert inputs["logOpts"] == {"max-size": UNKNOWN}


@pytest.mark.parametrize(
    ("urn", "inputs", "words"),
    [
        (CONTAINER, {"name": "c"}, ["needs the property image"]),
        (CONTAINER, {**SMALL, "imag": "x"}, ["no property imag"]),
        (CONTAINER, {**SMALL, "exitCode": 1}, ["no property exitCode"]),
        (CONTAINER, {**SMALL, "restart": "sometimes"}, ["restart", "'sometimes'", "on-failure"]),
        (CONTAINER, {**SMALL, "memory": "lots"}, ["memory", "an integer"]),
        (CONTAINER, {**SMALL, "memory": -1}, ["memory", "-1", "0 or more"]),
        (CONTAINER, {**SMALL, "envs": "A=1"}, ["envs", "a list", "str"]),
        (CONTAINER, {**SMALL, "envs": [None]}, ["envs[0]", "null"]),
        (CONTAINER, {**SMALL, "ports": [{"external": 1}]}, ["ports[0].internal"]),
        (CONTAINER, {**SMALL, "healthcheck": {"interval": "soon"}}, ["healthcheck.interval", "'soon'"]),
        ("urn:pulumi:dev::p::docker:index/secret:Secret::s", {}, ["docker:index/secret:Secret", "Pulumi CLI"]),
    ],
)
def test_bad_input_is_refused_by_name(urn: str, inputs: Properties, words: list[str]) -> None:
    with pytest.raises(ProviderError) as caught:
        checked(urn, inputs)
    for word in words:
        assert word in str(caught.value)


def test_a_mistyped_value_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ProviderError) as caught:
        checked(CONTAINER, {**SMALL, "envs": {"PASSWORD": "hunter2"}})
    assert "hunter2" not in str(caught.value)


def test_what_the_engine_does_not_know_may_be_given_empty() -> None:
    assert "rm" not in checked(CONTAINER, {**SMALL, "rm": False, "gpus": "", "deviceRequests": []})


@pytest.mark.parametrize(
    ("change", "differs", "replaces"),
    [pytest.param(*row[1:], id=row[0]) for row in CONTAINER_CHANGES],
)
@pytest.mark.parametrize("form", ["created", "read"])
def test_a_change_to_a_container_is_decided_as_by_the_plugin(
    form: str, change: Properties, differs: list[str], replaces: list[str]
) -> None:
    found = recording("container")
    outputs = found["created"] if form == "created" else found["read"]["outputs"]
    new = provider().check(CONTAINER, found["inputs"], changed(RICH_CONTAINER, change))
    diff = provider().diff(CONTAINER, found["id"], found["inputs"], outputs, new, [])
    assert diff.changed == differs
    assert diff.replaces == replaces
    assert diff.delete_before_replace == bool(replaces)


@pytest.mark.parametrize(
    ("urn", "inputs", "change", "differs", "replaces", "first"),
    [pytest.param(row[0], *row[2:], id=f"{row[0].split(':')[-1]} {row[1]}") for row in OTHER_CHANGES],
)
def test_a_change_to_another_resource_is_decided_as_by_the_plugin(
    urn: str,
    inputs: Properties,
    change: Properties,
    differs: list[str],
    replaces: list[str],
    first: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    old = checked(urn, inputs)
    new = provider().check(urn, old, changed(inputs, change))
    outputs = {"driver": "bridge", "scope": "local", "options": {}, "mountpoint": "/m", **old}
    diff = provider().diff(urn, "id", old, outputs, new, [])
    assert (diff.changed, diff.replaces, diff.delete_before_replace) == (differs, replaces, first)


def test_ignored_changes_do_not_count() -> None:
    found = recording("container")
    new = checked(CONTAINER, {**RICH_CONTAINER, "envs": ["A=9"], "restart": "no"})
    diff = provider().diff(CONTAINER, "id", found["inputs"], found["created"], new, ["envs", "restart"])
    assert diff.changed == []
    # Of a path into a property the engine has put the old value back: what still differs is something else.
    diff = provider().diff(CONTAINER, "id", found["inputs"], found["created"], new, ["envs[7]", "restart"])
    assert diff.changed == ["envs"]


def test_a_stopped_container_without_ports_is_started_again() -> None:
    found = recording("container")
    stopped = {**found["stopped"]["outputs"], "ports": []}
    inputs = checked(CONTAINER, changed(RICH_CONTAINER, {"ports": []}))
    diff = provider().diff(CONTAINER, "id", found["inputs"], stopped, inputs, [])
    assert (diff.changed, diff.replaces) == (["mustRun"], [])
    api = FakeApi(inspect_container=healthy(found["inspect"]))
    outputs = provider(api).update(CONTAINER, found["id"], inputs, stopped, inputs, None)
    assert "start" in api.calls
    assert outputs["mustRun"] is True
    assert outputs["networkDatas"] == found["read"]["outputs"]["networkDatas"]


def test_what_cannot_change_in_place_is_recorded_and_told() -> None:
    found = recording("container")
    told: list[str] = []
    inputs = checked(CONTAINER, changed(RICH_CONTAINER, {"wait": False, "healthcheck": {"tests": ["NONE"]}}))
    outputs = provider(told=told).update(
        CONTAINER, found["id"], found["inputs"], found["read"]["outputs"], inputs, None
    )
    assert outputs["healthcheck"]["tests"] == ["NONE"]
    assert "healthcheck of container" in told[0]
    assert "replace_on_changes" in told[0]


def test_a_container_is_asked_for_on_the_bridge_and_joins_its_networks_later() -> None:
    body = request(checked(CONTAINER, RICH_CONTAINER))
    assert body["HostConfig"]["NetworkMode"] == "bridge"
    assert "NetworkingConfig" not in body


def test_the_request_carries_what_docker_understands() -> None:
    body = request(checked(CONTAINER, RICH_CONTAINER))
    host = body["HostConfig"]
    assert body["Env"] == ["A=1", "B=2"]
    assert body["Healthcheck"]["Interval"] == 10**9
    assert host["Memory"] == 64 * 1024**2
    assert host["NanoCpus"] == 5 * 10**8
    assert host["PortBindings"]["80/tcp"][0]["HostIp"] == "127.0.0.1"
    assert host["Binds"] == [f"{PREFIX}-data:/data:rw"]
    assert host["CapDrop"] == ["ALL"]
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}


def test_a_volume_needs_a_path_or_a_container() -> None:
    with pytest.raises(ProviderError, match="exactly one"):
        request(checked(CONTAINER, {**SMALL, "volumes": [{"volumeName": "v"}]}))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0s", 0),
        ("7ns", 7),
        ("20µs", 20_000),
        ("1.5ms", 1_500_000),
        ("100ms", 10**8),
        ("1.5s", 15 * 10**8),
        ("1m0s", 60 * 10**9),
        ("1m30s", 90 * 10**9),
        ("1h0m0s", 3600 * 10**9),
    ],
)
def test_durations_are_written_as_go_writes_them(text: str, value: int) -> None:
    assert duration_text(value) == text
    assert nanoseconds(text) == value
