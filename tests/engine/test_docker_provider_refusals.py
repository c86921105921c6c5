"""What the Docker provider says of names and ports that are taken, of pulls, and of a Docker that does not answer."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Final

import pytest

from components.network import CHOSEN_BY_DOCKER
from tests.engine.docker_examples import (
    CONTAINER,
    LABELS,
    NETWORK,
    PREFIX,
    RICH_CONTAINER,
    VOLUME,
)
from tests.engine.fake_docker import (
    SMALL,
    FakeApi,
    checked,
    healthy,
    provider,
    recording,
    refusal,
)
from tooling.engine.docker_provider import DockerProvider, remote_image
from tooling.engine.docker_provider.client import Call, Docker, not_answering
from tooling.engine.docker_provider.remote_image import follow_pull, pull_failure
from tooling.engine.provider import ProviderError
from tooling.pulumi_files.values import Properties


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
        inspect_container=healthy(found["inspect"]),
    )
    provider(api, told).create(CONTAINER, checked(CONTAINER, RICH_CONTAINER), None)
    assert api.calls.index("remove_container") < api.calls.index("start")
    assert "lost track of" in told[0]


@pytest.mark.parametrize(
    ("found_labels", "whose"),
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
def test_a_network_of_another_stack_or_state_is_left_alone(found_labels: dict[str, str], whose: str) -> None:
    found = recording("network")["inspect"]
    found["Labels"] = found_labels
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
    labels = {entry["label"]: entry["value"] for entry in LABELS}
    changes = {"Name": "n", "EnableIPv6": ipv6, "Options": options, "Labels": labels}
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


def test_a_lost_network_that_has_ipv6_and_should_not_is_created_again() -> None:
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


def test_importing_the_provider_does_not_import_the_docker_sdk() -> None:
    code = "import sys, tooling.engine.docker_provider; sys.exit('docker' in sys.modules or 'requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_image_known_by_its_id_only_cannot_be_pulled() -> None:
    call = Call(holder=lambda _: None, docker=Docker(), log=lambda _: None)
    call.docker._client = FakeApi(inspect_image=refusal(404, "no such image"))  # type: ignore[assignment]
    with pytest.raises(ProviderError, match="no image sha256:00 on this machine"):
        remote_image.ensure(call, "sha256:00")
