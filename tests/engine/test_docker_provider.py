"""The Docker provider without Docker: against what the plugin recorded of the same objects, and its errors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import pytest
from docker.errors import APIError, NotFound
from requests import Response

from components.network import CHOSEN_BY_DOCKER
from tests.engine.docker_examples import (
    CONTAINER,
    CONTAINER_CHANGES,
    IMAGE_URN,
    LABELS,
    NETWORK,
    OTHER_CHANGES,
    PREFIX,
    RICH_CONTAINER,
    VOLUME,
    changed,
)
from tooling.engine.docker_provider import DockerProvider, container, container_waiting, network, remote_image, volume
from tooling.engine.docker_provider.client import Call, Docker, not_answering
from tooling.engine.docker_provider.container_request import request
from tooling.engine.docker_provider.container_waiting import hopeless
from tooling.engine.docker_provider.remote_image import follow_pull, pull_failure
from tooling.engine.durations import duration_text, nanoseconds
from tooling.engine.provider import PartialFailure, ProviderError
from tooling.pulumi_files.values import UNKNOWN, Properties

MODULES: Final = {"container": container, "network": network, "volume": volume, "image": remote_image}
URNS: Final = {"container": CONTAINER, "network": NETWORK, "volume": VOLUME, "image": IMAGE_URN}
SMALL: Final[Properties] = {"name": "c", "image": "i:1"}


def recording(name: str) -> Any:
    return json.loads((Path(__file__).parent / "data" / f"docker_{name}.json").read_text())


def refusal(status: int, said: str) -> APIError:
    response = Response()
    response.status_code = status
    kind = NotFound if status == 404 else APIError
    return kind("refused", response, said)


class FakeApi:
    """Answers the client's calls from a table of values, functions and errors; remembers them."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.calls: list[str] = []
        self.api_version = "1.44"

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            answer = self.answers.get(name)
            if isinstance(answer, list):
                answer = answer.pop(0) if len(answer) > 1 else answer[0]
            if isinstance(answer, Exception):
                raise answer
            return answer(*args, **kwargs) if callable(answer) else answer

        return call


def provider(api: FakeApi | None = None, told: list[str] | None = None) -> DockerProvider:
    made = DockerProvider(log=lambda _urn, line: (told if told is not None else []).append(line))
    made._docker._client = api or FakeApi()  # type: ignore[assignment]
    return made


def checked(urn: str, inputs: Properties) -> Properties:
    return provider().check(urn, None, inputs)


# --- The plugin's form


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
            "inspect_container": lambda _id: _healthy(found["inspect"]),
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


def _healthy(inspect: Any) -> Any:
    return {**inspect, "State": {**inspect["State"], "Health": {"Status": "healthy", "FailingStreak": 0}}}


@pytest.mark.parametrize("name", URNS)
def test_an_object_that_is_gone_reads_as_none(name: str) -> None:
    found = recording(name)
    api = FakeApi(**{f"inspect_{name}": refusal(404, "no such object")})
    assert provider(api).read(URNS[name], found["id"], found["inputs"], found["created"]) is None


@pytest.mark.parametrize("name", URNS)
def test_every_recorded_output_is_in_the_table(name: str) -> None:
    outputs = set(recording(name)["read"]["outputs"]) - {"id", "__meta", "__pulumi_raw_state_delta"}
    assert outputs == set(MODULES[name].TABLE)


# --- Check


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


# --- Diff


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
    diff = provider().diff(CONTAINER, "id", found["inputs"], found["created"], new, ["envs[0]", "restart"])
    assert diff.changed == []


def test_a_stopped_container_without_ports_is_started_again() -> None:
    found = recording("container")
    stopped = {**found["stopped"]["outputs"], "ports": []}
    inputs = checked(CONTAINER, changed(RICH_CONTAINER, {"ports": []}))
    diff = provider().diff(CONTAINER, "id", found["inputs"], stopped, inputs, [])
    assert (diff.changed, diff.replaces) == (["mustRun"], [])
    api = FakeApi(inspect_container=_healthy(found["inspect"]))
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


# --- The request


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


# --- Names that are taken, ports, pulls


def test_a_container_of_that_name_that_is_not_ours_is_left_alone() -> None:
    stranger = recording("container")["inspect"]
    stranger["Config"]["Labels"] = {}
    api = FakeApi(
        create_container_from_config=refusal(409, "Conflict. The container name is already in use"),
        inspect_container=stranger,
    )
    with pytest.raises(ProviderError) as caught:
        provider(api).create(CONTAINER, checked(CONTAINER, RICH_CONTAINER), None)
    assert "carries no label of ours" in str(caught.value)
    assert f"docker stop {PREFIX}-rich; docker rm {PREFIX}-rich" in str(caught.value)
    assert "remove_container" not in api.calls


def test_a_container_of_that_name_that_this_stack_lost_is_replaced() -> None:
    found = recording("container")
    told: list[str] = []
    api = FakeApi(
        create_container_from_config=[refusal(409, "Conflict"), {"Id": found["id"]}],
        inspect_container=_healthy(found["inspect"]),
    )
    provider(api, told).create(CONTAINER, checked(CONTAINER, RICH_CONTAINER), None)
    assert api.calls.index("remove_container") < api.calls.index("start")
    assert "lost track of" in told[0]


@pytest.mark.parametrize(
    ("marks", "whose"),
    [
        ({"pulumi.project": "other", "pulumi.stack": "prod"}, r"belongs to project other, stack prod\."),
        (
            {
                **{entry["label"]: entry["value"] for entry in LABELS},
                "pulumi.state": "7heirs",
                "pulumi.state-origin": "bob@laptop:/home/bob/web",
            },
            r"belongs to project \S+, stack \S+, of the state in bob@laptop:/home/bob/web\.",
        ),
    ],
)
def test_a_network_of_another_stack_or_state_is_left_alone(marks: dict[str, str], whose: str) -> None:
    found = recording("network")["inspect"]
    found["Labels"] = marks
    api = FakeApi(networks=[[found]], inspect_network=found)
    asked = [*LABELS, {"label": "pulumi.state", "value": "0urs"}]
    with pytest.raises(ProviderError, match=whose):
        provider(api).create(NETWORK, checked(NETWORK, {"name": found["Name"], "labels": asked}), None)
    assert "remove_network" not in api.calls


MTU: Final = {"com.docker.network.driver.mtu": "1400"}
IPV4_ONLY: Final = {"com.docker.network.enable_ipv6": "false"}
SUBNET: Final = {"subnet": "10.99.5.0/24", "gateway": "10.99.5.1", "ipRange": "10.99.5.128/25"}
IPV6: Final = {"Subnet": "fd00:1::/64", "Gateway": "fd00:1::1"}


def defaulted(inputs: Properties, *, ipv6: bool, options: dict[str, str]) -> tuple[Properties, Any]:
    """Checked inputs of a network, and what Docker tells of it under its own ``default-network-opts``."""
    asked = checked(NETWORK, {"name": "n", "labels": LABELS, **inputs})
    ipam = [{"Subnet": "10.99.5.0/24", "Gateway": "10.99.5.1", "IPRange": "10.99.5.128/25"}, *([IPV6] if ipv6 else [])]
    marks = {entry["label"]: entry["value"] for entry in LABELS}
    changes = {"Name": "n", "EnableIPv6": ipv6, "Options": options, "Labels": marks}
    found = recording("network")["inspect"]
    return asked, {**found, **changes, "IPAM": {**found["IPAM"], "Config": ipam}}


@pytest.mark.parametrize(
    ("asked", "ipv6", "options"),
    [
        ({}, True, {"com.docker.network.enable_ipv6": "true"}),
        ({}, False, MTU),
        ({"ipamConfigs": [SUBNET], "options": IPV4_ONLY}, False, IPV4_ONLY),
        (
            {"ipamConfigs": [SUBNET], "options": IPV4_ONLY},
            False,
            {**IPV4_ONLY, **MTU},
        ),
        ({"ipamConfigs": [SUBNET], "options": IPV4_ONLY}, False, {}),
    ],
    ids=["IPv6", "MTU", "without IPv6", "without IPv6, with an MTU", "made before there was the option"],
)
def test_what_a_daemons_defaults_add_to_a_network_neither_replaces_it_nor_makes_it_another(
    asked: Properties,
    ipv6: bool,  # noqa: FBT001
    options: dict[str, str],
) -> None:
    inputs, found = defaulted(asked, ipv6=ipv6, options=options)
    ours = provider(FakeApi(networks=[[found]], inspect_network=found))
    state = ours.read(NETWORK, "n", inputs, {})
    assert state is not None
    ignored = list(CHOSEN_BY_DOCKER)
    assert ours.diff(NETWORK, "n", state.inputs, state.outputs, inputs, ignored).changed == []
    moved = {**inputs, "ipamConfigs": [{**SUBNET, "subnet": "10.99.6.0/24"}]}
    assert ours.diff(NETWORK, "n", state.inputs, state.outputs, moved, ignored).replaces == ["ipamConfigs"]
    assert ours.find(NETWORK, inputs) == found["Id"]
    assert ours.create(NETWORK, inputs, None).id == found["Id"]


def test_a_lost_network_that_has_ipv6_and_should_not_is_made_anew() -> None:
    inputs, found = defaulted({"ipamConfigs": [SUBNET], "options": IPV4_ONLY}, ipv6=True, options={})
    assert provider(FakeApi(networks=[[found]], inspect_network=found)).find(NETWORK, inputs) is None


def test_a_volume_with_the_same_labels_is_taken_up_again() -> None:
    found = recording("volume")
    told: list[str] = []
    state = provider(FakeApi(inspect_volume=found["inspect"]), told).create(VOLUME, found["inputs"], None)
    assert state.outputs == found["created"]
    assert "taking up" in told[0]


def test_a_volume_that_differs_is_refused_before_its_data_are_at_risk() -> None:
    found = recording("volume")
    found["inspect"]["Labels"] = {}
    api = FakeApi(inspect_volume=found["inspect"])
    with pytest.raises(ProviderError, match="differs from what is asked for in labels"):
        provider(api).create(VOLUME, found["inputs"], None)
    assert api.calls == ["inspect_volume"]


def test_a_port_in_use_names_the_container_that_publishes_it_and_leaves_nothing() -> None:
    said = "driver failed programming external connectivity: Bind for 127.0.0.1:18473 failed: port is already allocated"
    api = FakeApi(
        create_container_from_config={"Id": "new"},
        start=refusal(500, said),
        containers=[[{"Names": ["/holder"], "Ports": [{"PublicPort": 18473}]}]],
    )
    with pytest.raises(ProviderError) as caught:
        provider(api).create(CONTAINER, checked(CONTAINER, RICH_CONTAINER), None)
    assert "port 18473" in str(caught.value)
    assert "container holder" in str(caught.value)
    assert api.calls[-1] == "remove_container"


def test_a_network_that_does_not_exist_is_named() -> None:
    api = FakeApi(
        create_container_from_config={"Id": "new"},
        connect_container_to_network=refusal(404, "network dp-test-net not found"),
    )
    with pytest.raises(ProviderError, match="dp-test-net, which does not exist"):
        provider(api).create(CONTAINER, checked(CONTAINER, RICH_CONTAINER), None)
    assert api.calls[-1] == "remove_container"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("Get https://r/v2/: dial tcp: lookup r: no such host", ["does not answer", "make setup"]),
        ("Get https://r/v2/: net/http: request canceled", ["does not answer", "make setup"]),
        ("manifest for x:9 not found: manifest unknown", ["does not exist", "docker login"]),
        ("pull access denied for x", ["does not exist", "docker login"]),
        ("no space left on device", ["no space left", "docker pull x:9"]),
    ],
)
def test_a_failed_pull_says_what_to_do(said: str, words: list[str]) -> None:
    text = str(pull_failure("x:9", said))
    for word in ["x:9", said, *words]:
        assert word in text


def test_a_pull_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote_image, "PROGRESS_SECONDS", 0.0)
    told: list[str] = []
    messages = [
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 1_000_000, "total": 4_000_000}},
        {"status": "Pull complete", "id": "b", "progressDetail": {}},
    ]
    follow_pull("x:9", messages, told.append)
    assert told[0] == "pulling x:9: 0 of 1 layers, 1 of 4 MB"
    assert told[1] == "pulling x:9: 1 of 2 layers, 1 of 4 MB"


def test_a_pull_that_breaks_off_is_an_error() -> None:
    with pytest.raises(ProviderError, match="does not answer"):
        follow_pull("x:9", [{"error": "dial tcp 192.0.2.1:443: connect: connection refused"}], lambda _: None)


def test_an_error_of_a_pull_is_read_where_docker_will_go_on_to_say_it() -> None:
    with pytest.raises(ProviderError, match="its registry does not answer: dial tcp"):
        follow_pull("x:9", [{"errorDetail": {"message": "dial tcp 192.0.2.1:443: i/o timeout"}}], lambda _: None)


@pytest.mark.parametrize(
    "said",
    [
        # 20.10 to 27, of another container's port and of a process
        "Bind for 127.0.0.1:7148 failed: port is already allocated",
        "Bind for 0.0.0.0:7148 failed: port is already allocated",
        "Bind for :::7148 failed: port is already allocated",
        "Error starting userland proxy: listen tcp4 127.0.0.1:7148: bind: address already in use",
        "failed to listen on UDP/IPv6: listen udp6 [::1]:7148: bind: address already in use",
        "Error starting userland proxy: listen tcp6 [fe80::1%eth0]:7148: bind: address already in use",
        # 28, with the container's end after it
        "failed to bind host port for 0.0.0.0:7148:172.18.0.2:80/tcp: address already in use",
        "failed to bind host port for [::1]:7148:[fd00:1::2]:80/tcp: address already in use",
        "Bind for [::]:7148 failed: port is already allocated",
        # 29
        "failed to bind host port 127.0.0.1:7148/tcp: address already in use",
        "failed to bind host port [::1]:7148/tcp: address already in use",
        "failed to bind host port [fe80::1%eth0]:7148/sctp: address already in use",
    ],
)
def test_a_taken_port_is_told_by_its_number_in_the_words_of_every_docker(said: str) -> None:
    held = [{"Names": ["/holder"], "Ports": [{"PublicPort": 7148}]}]
    inputs = checked(CONTAINER, {**SMALL, "ports": [{"internal": 80, "external": 7148}]})
    api = FakeApi(
        inspect_container=refusal(404, "no such container"),
        create_container_from_config={"Id": "made"},
        start=refusal(500, f"driver failed programming external connectivity on endpoint c (4a77): {said}"),
        containers=[held],
    )
    with pytest.raises(ProviderError, match=r"^port 7148 of this host is in use already, by container holder, and "):
        provider(api).create(CONTAINER, inputs, None)


def test_docker_that_does_not_answer_is_named_with_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    with pytest.raises(ProviderError) as caught:
        DockerProvider().read(VOLUME, "v", {}, {})
    assert "tcp://127.0.0.1:1" in str(caught.value)
    assert "systemctl start docker" in str(caught.value)
    assert "refused" in str(caught.value)


def test_a_socket_that_is_closed_to_this_user_is_told_apart() -> None:
    error = not_answering(PermissionError(13, "Permission denied"))
    assert "group docker" in str(error)


@pytest.mark.parametrize(
    "change",
    [
        {"healthcheck": {"tests": ["CMD", "true"], "startInterval": "1s"}},
        {"mounts": [{"type": "volume", "target": "/v", "source": "v", "volumeOptions": {"subpath": "a"}}]},
        {"networksAdvanced": [{"name": "n", "macAddress": "02:42:ac:11:00:02"}]},
    ],
)
def test_what_this_docker_is_too_old_for_is_refused(change: Properties) -> None:
    api = FakeApi()
    api.api_version = "1.41"
    with pytest.raises(ProviderError, match=r"this Docker speaks 1\.41"):
        provider(api).create(CONTAINER, checked(CONTAINER, {**SMALL, **change}), None)
    assert api.calls == []


def test_another_data_source_is_refused_by_name() -> None:
    with pytest.raises(ProviderError, match="getLogs"):
        provider().invoke("docker:index/getLogs:getLogs", {})


# --- Waiting


def inspected(health: str | None = "starting", **state: Any) -> Any:
    found = {"Running": True, "Restarting": False, "ExitCode": 0, "OOMKilled": False, **state}
    if health is not None:
        log = [{"ExitCode": 7, "Output": "no PONG\n"}]
        found["Health"] = {"Status": health, "FailingStreak": 3, "Log": log}
    return {"State": found, "RestartCount": state.get("restarts", 0), "Name": "/c"}


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
    api = FakeApi(inspect_container=lambda _id: _healthy(found["inspect"]))
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


# --- What an interrupted create left behind


def finding(**changes: Any) -> tuple[FakeApi, Properties]:
    found = recording("container")
    inspect = _healthy(found["inspect"])
    inspect["State"] |= changes.pop("State", {})
    inspect["Config"] |= changes.pop("Config", {})
    return FakeApi(inspect_container={**inspect, **changes}), found["inputs"]


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
def test_a_migration_that_failed_or_never_began_is_made_anew(state: Any) -> None:
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


# --- Deleting


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
    monkeypatch.setattr(network, "REMOVAL_SECONDS", -1)
    found = recording("network")
    found["inspect"]["Containers"] = {"x": {"Name": "web"}}
    api = FakeApi(remove_network=refusal(403, "network has active endpoints"), inspect_network=found["inspect"])
    with pytest.raises(ProviderError, match="while containers use it: web"):
        provider(api).delete(NETWORK, found["id"], found["inputs"], found["created"])


def test_importing_the_provider_does_not_import_the_docker_sdk() -> None:
    code = "import sys, tooling.engine.docker_provider; sys.exit('docker' in sys.modules or 'requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_image_known_by_its_id_only_cannot_be_pulled() -> None:
    call = Call(docker=Docker(), log=lambda _: None)
    call.docker._client = FakeApi(inspect_image=refusal(404, "no such image"))  # type: ignore[assignment]
    with pytest.raises(ProviderError, match="no image sha256:00 on this machine"):
        remote_image.ensure(call, "sha256:00")


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
