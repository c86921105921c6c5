"""Every property of the Docker SDK that is installed reaches Docker, or is refused: none is silently ignored."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from functools import reduce
from typing import Any, Final

import pulumi_docker
import pytest
from pulumi import _types

from docker_access.commands import run_inside
from tests.engine import test_docker_provider_on_docker, test_docker_provider_refusals, test_docker_provider_waiting
from tests.engine.docker_cases import CASES, NAME, NOT_EVERYWHERE, Case
from tests.engine.docker_examples import CONTAINER, IMAGE, IMAGE_URN, LABELS, NETWORK, PREFIX, VOLUME, tiny_docker
from tooling.engine.docker_provider import _RESOURCES, DockerProvider
from tooling.engine.docker_provider.container_request import request
from tooling.engine.docker_provider.properties import Table
from tooling.engine.provider import ProviderError
from tooling.pulumi_files.values import Properties

URNS: Final = {
    "docker:index/container:Container": CONTAINER,
    "docker:index/network:Network": NETWORK,
    "docker:index/remoteImage:RemoteImage": IMAGE_URN,
    "docker:index/volume:Volume": VOLUME,
}

SDK_ONLY: Final = {"deviceCgroupRules", "uploads.owner", "uploads.group"}
"""What the SDK offers and the plugin's state has no place for."""

REFUSED: Final[dict[str, Any]] = {
    "deviceCgroupRules": ["c 1:* rwm"],
    "containerReadRefreshTimeoutMilliseconds": 30000,
    "deviceReadBps": [{"path": "/dev/null", "rate": 1}],
    "deviceReadIops": [{"path": "/dev/null", "rate": 1}],
    "deviceRequests": [{"count": 1}],
    "deviceWriteBps": [{"path": "/dev/null", "rate": 1}],
    "deviceWriteIops": [{"path": "/dev/null", "rate": 1}],
    "gpus": "all",
    "mounts.volumeOptions.labels": [{"label": "a", "value": "b"}],
    "networksAdvanced.gwPriority": 1,
    "rm": True,
    "uploads.group": "g",
    "uploads.owner": "o",
    "uploads.source": "/etc/hosts",
    "uploads.sourceHash": "abc",
}
"""Properties of a container that are refused, with a value."""

ELSEWHERE: Final = {
    "attach": test_docker_provider_on_docker.test_an_attached_container_is_waited_for,
    "logs": test_docker_provider_waiting.test_an_attached_container_is_recorded_with_its_exit_code_and_logs,
    "destroyGraceSeconds": test_docker_provider_on_docker.test_a_container_may_finish_its_work_before_it_is_removed,
    "mustRun": test_docker_provider_on_docker.test_a_stopped_container_is_started_again,
    "wait": test_docker_provider_on_docker.test_a_wait_that_cannot_succeed_fails_at_once,
    "waitTimeout": test_docker_provider_waiting.test_a_wait_ends_after_its_timeout,
    "healthcheck.startInterval": test_docker_provider_refusals.test_what_this_docker_is_too_old_for_is_refused,
    "mounts.volumeOptions.subpath": test_docker_provider_refusals.test_what_this_docker_is_too_old_for_is_refused,
}
"""What the provider itself does, or what depends on Docker's age, with the test that shows it."""

ON_DOCKER: Final = {"start", "removeVolumes", "networksAdvanced", "uploads"}
"""What is shown by the tests at the end of this file, fields included."""
ARGUMENTS: Final = {"name", "platform"}
"""What is not in the body of the request but beside it."""


def sdk(cls: type, prefix: str = "") -> set[str]:
    """Paths of all input properties of a resource of the SDK."""
    found: set[str] = set()
    types = _types.input_type_types(cls)
    for python, name in _types.input_type_py_to_pulumi_names(cls).items():
        found.add(prefix + name)
        nested = _nested(types.get(name, types.get(python)))
        found |= sdk(nested, f"{prefix}{name}.") if nested else set()
    return found


def _nested(annotation: Any) -> type | None:
    if inspect.isclass(annotation) and _types.is_input_type(annotation):
        return annotation
    return next((nested for part in typing.get_args(annotation) if (nested := _nested(part))), None)


def engine(table: Table, prefix: str = "") -> tuple[set[str], set[str]]:
    """Paths of the input properties that the engine knows, and of those it refuses."""
    known: set[str] = set()
    refused: set[str] = set()
    for key, prop in table.items():
        if prop.output_only:
            continue
        (known if prop.known else refused).add(prefix + key)
        if prop.known:
            more = engine(prop.fields, f"{prefix}{key}.")
            known, refused = known | more[0], refused | more[1]
    return known, refused


@pytest.mark.parametrize("token", _RESOURCES)
def test_every_property_of_the_sdk_is_known_or_refused(token: str) -> None:
    known, refused = engine(_RESOURCES[token].TABLE)
    offered = sdk(getattr(pulumi_docker, token.rpartition(":")[2] + "Args"))
    within = {path for path in offered for out in refused if path.startswith(f"{out}.")}
    extra = SDK_ONLY if token.endswith("Container") else set()
    assert offered - within == known | refused | extra


def test_each_resource_of_the_sdk_is_known_or_refused() -> None:
    resources = {
        value.pulumi_type
        for value in vars(pulumi_docker).values()
        if inspect.isclass(value) and hasattr(value, "pulumi_type") and not value.pulumi_type.startswith("pulumi:")
    }
    assert URNS.keys() == _RESOURCES.keys()
    assert len(resources) > len(URNS)
    for token in resources - URNS.keys():
        with pytest.raises(ProviderError, match=f"does not know the resource type {token}.*the Pulumi CLI does"):
            DockerProvider().check(f"urn:pulumi:dev::web::{token}::x", None, {})


def test_every_property_of_a_container_is_shown_to_reach_docker_or_to_be_refused() -> None:
    known, refused = engine(_RESOURCES["docker:index/container:Container"].TABLE)
    assert REFUSED.keys() == refused | SDK_ONLY
    tried = set().union(*(paths for paths, _, _ in CASES + NOT_EVERYWHERE))
    shown = {path for path in known if path.split(".")[0] in ON_DOCKER} | tried | set(ELSEWHERE) | ARGUMENTS
    assert shown == known


def given(path: str, value: Any) -> Properties:
    """Inputs of a container with a value at a path, each list of objects holding one."""
    key, _, rest = path.partition(".")
    table = _RESOURCES["docker:index/container:Container"].TABLE
    required = {
        "uploads": {"file": "/f"},
        "networksAdvanced": {"name": "n"},
        "mounts": {"target": "/m", "type": "volume"},
    }
    if not rest:
        return {key: value}
    inner: Properties = {rest.split(".")[0]: {rest.split(".")[1]: value}} if "." in rest else {rest: value}
    element = {**required[key], **inner}
    return {key: [element] if table[key].kind != "block" else element}


@pytest.mark.parametrize("path", REFUSED)
def test_a_property_that_is_not_honoured_is_refused_by_name(path: str) -> None:
    inputs = {"name": NAME, "image": IMAGE, **given(path, REFUSED[path])}
    with pytest.raises(ProviderError) as error:
        DockerProvider().check(CONTAINER, None, inputs)
    said = str(error.value)
    assert path.rpartition(".")[2] in said
    assert "docker:index/container:Container" in said
    assert f"(={REFUSED[path] if not isinstance(REFUSED[path], list) else 'list'})" in said
    assert "the Pulumi CLI does." in said


@pytest.mark.parametrize(
    ("urn", "inputs", "words"),
    [
        (IMAGE_URN, {"name": "i", "build": {"context": "."}}, "does not know build of docker:index/remoteImage"),
        (VOLUME, {"cluster": {"scope": "single"}}, "does not know cluster of docker:index/volume"),
    ],
)
def test_a_property_of_another_resource_is_refused_likewise(urn: str, inputs: Properties, words: str) -> None:
    with pytest.raises(ProviderError, match=words):
        DockerProvider().check(urn, None, inputs)


def test_a_long_value_is_not_repeated_when_it_is_refused() -> None:
    for value in ("x" * 81, "two\nlines"):
        with pytest.raises(ProviderError, match=r"gpus of .*\(=str\)"):
            DockerProvider().check(CONTAINER, None, {"name": NAME, "image": IMAGE, "gpus": value})


def checked(name: str, inputs: Properties) -> Properties:
    plain = {"name": name, "image": IMAGE, "command": ["true"], "labels": LABELS, "start": False, **inputs}
    return DockerProvider().check(CONTAINER, None, plain)


def at(found: Any, path: str) -> Any:
    return reduce(lambda part, key: part.get(key), path.split("."), found)


@pytest.mark.parametrize("case", CASES + NOT_EVERYWHERE, ids=lambda case: min(case[0]))
def test_a_property_is_in_the_request(case: Case) -> None:
    _, inputs, places = case
    body = request(checked(NAME, inputs))
    for path, value in places.items():
        found = at({"Config": body, "HostConfig": body["HostConfig"]}, path)
        if isinstance(value, list) and isinstance(value[0], dict):
            found = [
                {key: part.get(key) for key in wanted} for part, wanted in zip(found, value, strict=True)
            ]  # Docker leaves out what is empty, and the request may not.
        assert found == value


@pytest.fixture(scope="module")
def api() -> Iterator[Any]:
    with tiny_docker() as client:
        yield client


@pytest.mark.docker
def test_docker_has_every_property(api: Any) -> None:
    provider = DockerProvider()
    made = []
    try:
        for number, (_, inputs, places) in enumerate(CASES):
            state = provider.create(CONTAINER, checked(f"{NAME}-{number}", inputs), None)
            made.append(state)
            found = api.inspect_container(state.id)
            for path, value in places.items():
                shown = at(found, path)
                if path == "Config.Env":
                    assert set(value) <= set(shown)
                elif path == "Config.Labels":
                    assert value.items() <= shown.items()
                else:
                    assert shown == value, path
            assert found["Name"] == f"/{NAME}-{number}"
            assert not found["State"]["Running"]
    finally:
        for state in made:
            provider.delete(CONTAINER, state.id, state.inputs, state.outputs)
        for volume in ("v", "w"):
            provider.delete(VOLUME, f"{NAME}-{volume}", {}, {})
        provider.close()


@pytest.mark.docker
def test_a_container_gets_its_files_its_place_on_a_network_and_its_volumes_removed(api: Any) -> None:
    provider = DockerProvider()
    network_inputs = provider.check(
        NETWORK,
        None,
        {
            "name": f"{NAME}-net", "labels": LABELS, "driver": "bridge", "attachable": True, "internal": True,
            "ipv6": True, "ipamDriver": "default", "ipamOptions": {"some": "option"},
            "options": {"com.docker.network.bridge.name": "dp-props0"},
            "ipamConfigs": [
                {
                    "subnet": "10.211.77.0/24", "gateway": "10.211.77.9", "ipRange": "10.211.77.128/25",
                    "auxAddress": {"host": "10.211.77.8"},
                },
                {"subnet": "fd00:d211:77::/64"},
            ],
        },
    )  # fmt: skip
    place: Properties = {
        "name": f"{NAME}-net", "aliases": ["b", "a"], "ipv4Address": "10.211.77.7", "ipv6Address": "fd00:d211:77::7",
        "linkLocalIps": ["169.254.7.7"], "driverOpts": ["some=option"],
    }  # fmt: skip
    chosen = tuple(map(int, api.api_version.split("."))) >= (1, 44)
    if chosen:
        place["macAddress"] = "02:42:0a:d3:4d:63"
    files = [
        {"file": "/etc/one", "content": "1", "permissions": "0640"},
        {"file": "/etc/two", "contentBase64": "Mg==", "executable": True},
    ]
    inputs = {
        "start": True, "command": ["sleep", "1000"], "networksAdvanced": [place], "uploads": files,
        "volumes": [{"containerPath": "/anonymous"}], "removeVolumes": True,
    }  # fmt: skip
    network = provider.create(NETWORK, network_inputs, None)
    try:
        found = api.inspect_network(network.id)
        assert found["Driver"] == "bridge"
        looked_up = provider.read(NETWORK, f"{NAME}-net", {}, {})
        assert looked_up is not None
        assert looked_up.id == looked_up.outputs["id"] == f"{NAME}-net"  # as the plugin has it
        assert (found["Attachable"], found["Internal"], found["EnableIPv6"]) == (True, True, True)
        assert found["Options"] == {"com.docker.network.bridge.name": "dp-props0"}
        assert found["Labels"] == {label["label"]: label["value"] for label in LABELS}
        assert found["IPAM"]["Driver"] == "default"
        assert found["IPAM"]["Options"] == {"some": "option"}
        assert found["IPAM"]["Config"][0] == {
            "Subnet": "10.211.77.0/24", "Gateway": "10.211.77.9", "IPRange": "10.211.77.128/25",
            "AuxiliaryAddresses": {"host": "10.211.77.8"},
        }  # fmt: skip
        state = provider.create(CONTAINER, checked(NAME, inputs), None)
        try:
            found = api.inspect_container(state.id)
            assert found["State"]["Running"]
            assert provider.read(CONTAINER, NAME, {}, {}) is None  # the plugin does not know it by that either
            joined = found["NetworkSettings"]["Networks"][f"{NAME}-net"]
            assert joined["IPAddress"] == "10.211.77.7"
            assert joined["GlobalIPv6Address"] == "fd00:d211:77::7"
            assert joined["IPAMConfig"]["LinkLocalIPs"] == ["169.254.7.7"]
            assert joined["DriverOpts"] == {"some": "option"}
            assert {"a", "b"} <= set(joined["Aliases"])
            assert not chosen or joined["MacAddress"] == place["macAddress"]
            said = run_inside(api, state.id, ["sh", "-c", "ls -l /etc/one /etc/two; cat /etc/one /etc/two"]).output
            assert "-rw-r-----" in said
            assert "-rwxr--r--" in said
            assert said.endswith("12")
            (anonymous,) = [mount["Name"] for mount in found["Mounts"]]
        finally:
            provider.delete(CONTAINER, state.id, state.inputs, state.outputs)
        assert anonymous not in {volume["Name"] for volume in api.volumes()["Volumes"]}
    finally:
        provider.delete(NETWORK, network.id, network.inputs, network.outputs)
        provider.close()


@pytest.mark.docker
def test_a_volume_and_an_image_get_what_they_ask_for(api: Any) -> None:
    provider = DockerProvider()
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}
    asked = {"name": f"{NAME}-x", "driver": "local", "driverOpts": options, "labels": LABELS}
    volume = provider.create(VOLUME, provider.check(VOLUME, None, asked), None)
    found = api.inspect_volume(volume.id)
    provider.delete(VOLUME, volume.id, volume.inputs, volume.outputs)
    assert (found["Name"], found["Driver"], found["Options"]) == (f"{NAME}-x", "local", options)
    assert found["Labels"] == {label["label"]: label["value"] for label in LABELS}
    api.tag(IMAGE, f"{PREFIX}-forced", "1")
    wanted = {"name": f"{PREFIX}-forced:1", "forceRemove": True, "platform": "linux/amd64"}
    image = provider.create(IMAGE_URN, provider.check(IMAGE_URN, None, wanted), None)
    kept = {**image.outputs, "keepLocally": True}
    provider.delete(IMAGE_URN, image.id, image.inputs, kept)
    assert provider.read(IMAGE_URN, image.id, image.inputs, kept) is not None
    provider.delete(IMAGE_URN, image.id, image.inputs, image.outputs)
    assert provider.read(IMAGE_URN, image.id, image.inputs, image.outputs) is None
    provider.close()
