"""The Docker provider beside the real Docker plugin: same inputs, same objects, same records, same decisions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.engine.docker_examples import (
    CONTAINER,
    CONTAINER_CHANGES,
    IMAGE,
    IMAGE_URN,
    LABELS,
    NETWORK,
    NETWORK_NAME,
    OTHER_CHANGES,
    PREFIX,
    RICH_CONTAINER,
    VOLUME,
    changed,
    tiny_docker,
)
from tests.engine.docker_plugin import Plugin, plugin_binary
from tooling.engine.docker_provider import DockerProvider

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tooling.engine.provider import State
    from tooling.pulumi_files.values import Properties

pytestmark = [pytest.mark.docker, pytest.mark.pulumi_cli]

SMALL: Final[Properties] = {
    "name": f"{PREFIX}-small",
    "image": IMAGE,
    "command": ["sleep", "1000"],
    "networkMode": "none",
}
ONCE: Final = ["sh", "-c", "echo out; sleep 0.3; echo err >&2; exit 3"]

EXAMPLES: Final[list[tuple[str, str, Properties]]] = [
    (CONTAINER, "rich", RICH_CONTAINER),
    (CONTAINER, "small", SMALL),
    (CONTAINER, "attached", {**SMALL, "command": ONCE, "attach": True, "logs": True, "mustRun": False}),
    (CONTAINER, "not started", {**SMALL, "start": False, "ports": [{"internal": 80}]}),
    (CONTAINER, "on the host's network", {**SMALL, "networkMode": "host", "logOpts": {"max-file": "2"}}),
    (
        CONTAINER,
        "with mounts",
        {
            **SMALL,
            "volumes": [
                {"containerPath": "/a", "volumeName": f"{PREFIX}-a"},
                {"containerPath": "/b", "hostPath": "/usr", "readOnly": True},
            ],
            "mounts": [
                {"type": "volume", "target": "/v", "source": f"{PREFIX}-a"},
                {"type": "bind", "target": "/w", "source": "/usr", "bindOptions": {"propagation": "rprivate"}},
                {"type": "tmpfs", "target": "/t", "tmpfsOptions": {"sizeBytes": 4096, "mode": 511}},
            ],
        },
    ),
    (
        CONTAINER,
        "hardened",
        {
            **SMALL,
            "readOnly": True,
            "capabilities": {"drops": ["ALL"]},
            "cpus": "1.0",
            "devices": [{"hostPath": "/dev/null"}],
            "groupAdds": ["5", "4"],
            "tty": True,
            "domainname": "example",
            "dnsSearches": ["b.example", "a.example"],
            "pidMode": "host",
        },
    ),
    (NETWORK, "plain", {"name": f"{PREFIX}-n"}),
    (
        NETWORK,
        "internal",
        {
            "name": f"{PREFIX}-n",
            "internal": True,
            "attachable": True,
            "ipamConfigs": [{"subnet": "10.211.7.0/24", "gateway": "10.211.7.9"}],
            "options": {"com.docker.network.bridge.enable_icc": "true"},
            "labels": LABELS,
        },
    ),
    (VOLUME, "plain", {"name": f"{PREFIX}-v"}),
    (
        VOLUME,
        "with options",
        {"name": f"{PREFIX}-v", "driverOpts": {"type": "tmpfs", "device": "tmpfs"}, "labels": LABELS},
    ),
    (IMAGE_URN, "plain", {"name": IMAGE, "keepLocally": True}),
    (IMAGE_URN, "with triggers", {"name": IMAGE, "keepLocally": True, "pullTriggers": ["b", "a"]}),
]

ALWAYS: Final = {"Name": "always", "MaximumRetryCount": 0}
DRIFTS: Final[list[tuple[str, Properties, Any]]] = [
    ("paused", SMALL, lambda api, container_id: api.pause(container_id)),
    ("stopped", SMALL, lambda api, container_id: api.stop(container_id, timeout=0)),
    (
        "stopped with ports",
        {**SMALL, "networkMode": "bridge", "networksAdvanced": [{"name": NETWORK_NAME}], "ports": [{"internal": 80}]},
        lambda api, container_id: api.stop(container_id, timeout=0),
    ),
    ("removed", SMALL, lambda api, container_id: api.remove_container(container_id, v=True, force=True)),
    ("renamed", SMALL, lambda api, container_id: api.rename(container_id, f"{PREFIX}-other")),
    ("restart policy", SMALL, lambda api, container_id: api.update_container(container_id, restart_policy=ALWAYS)),
]

UPDATES: Final[list[tuple[str, Properties, Properties]]] = [
    ("memory", {"memory": 64, "memorySwap": 128}, {"memory": 96, "memorySwap": 200}),
    ("memory gone", {"memory": 64, "memorySwap": 128}, {}),
    ("restart", {}, {"restart": "on-failure", "maxRetryCount": 2}),
    ("grace gone", {"destroyGraceSeconds": 3}, {}),
    ("healthcheck", {}, {"healthcheck": {"tests": ["CMD", "true"]}}),
    ("healthcheck gone", {"healthcheck": {"tests": ["CMD", "true"]}}, {}),
    ("tmpfs gone", {"tmpfs": {"/x": ""}}, {}),
]


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    binary = plugin_binary()
    if binary is None:
        pytest.skip("the Docker plugin is not installed: pulumi plugin install resource docker")
    with Plugin(binary) as started:
        yield started


@pytest.fixture(scope="module")
def api() -> Iterator[Any]:
    with tiny_docker() as client:
        yield client


@pytest.fixture(autouse=True)
def _nothing_of_a_failed_test_is_left(api: Any) -> Iterator[None]:
    yield
    for container in api.containers(all=True, filters={"name": f"^/{PREFIX}-(small|other)"}):
        api.remove_container(container["Id"], force=True, v=True)


@pytest.fixture(scope="module")
def ours() -> Iterator[DockerProvider]:
    provider = DockerProvider()
    yield provider
    provider.close()


def masked(outputs: Properties) -> Properties:
    """Outputs without what differs from one object to the next."""
    masked = {key: value for key, value in outputs.items() if key not in {"id", "hostname"}}
    for entry in masked.get("networkDatas") or []:
        entry |= {"ipAddress": "", "macAddress": "", "gateway": ""}
    for entry in masked.get("ipamConfigs") or []:
        entry |= {"subnet": "", "gateway": ""}
    return masked


def record(state: State | None) -> tuple[Properties, Properties] | None:
    return None if state is None else (state.inputs, masked(state.outputs))


@pytest.mark.parametrize(
    ("urn", "inputs"), [pytest.param(urn, inputs, id=f"{urn.split(':')[-1]} {name}") for urn, name, inputs in EXAMPLES]
)
def test_both_make_the_same_and_read_each_others(
    plugin: Plugin, ours: DockerProvider, api: Any, urn: str, inputs: Properties
) -> None:
    checked = plugin.check(urn, None, inputs)
    assert ours.check(urn, None, inputs) == checked

    theirs = plugin.create(urn, checked)
    after = record(plugin.read(urn, theirs.id, theirs.inputs, theirs.outputs))
    assert record(ours.read(urn, theirs.id, theirs.inputs, theirs.outputs)) == after
    assert ours.diff(urn, theirs.id, checked, theirs.outputs, checked, []) == plugin.diff(
        urn, theirs.id, checked, theirs.outputs, checked
    )
    ours.delete(urn, theirs.id, theirs.inputs, theirs.outputs)

    made = ours.create(urn, checked, None)
    assert made.inputs == checked
    assert masked(made.outputs) == masked(theirs.outputs)
    found = plugin.read(urn, made.id, made.inputs, made.outputs)
    assert found is not None
    assert record(ours.read(urn, made.id, made.inputs, made.outputs)) == record(found) == after
    before = plugin.diff(urn, made.id, checked, theirs.outputs, checked)
    assert plugin.diff(urn, made.id, made.inputs, made.outputs, checked) == before
    assert plugin.diff(urn, made.id, found.inputs, found.outputs, checked) == before
    plugin.delete(urn, made.id, made.inputs, made.outputs)
    if urn != IMAGE_URN:
        assert ours.read(urn, made.id, made.inputs, made.outputs) is None


@pytest.fixture(scope="module")
def rich(plugin: Plugin, api: Any) -> Iterator[State]:
    state = plugin.create(CONTAINER, plugin.check(CONTAINER, None, RICH_CONTAINER))
    yield state
    plugin.delete(CONTAINER, state.id, state.inputs, state.outputs)


@pytest.mark.parametrize(
    ("change", "differs", "replaces"), [pytest.param(*row[1:], id=row[0]) for row in CONTAINER_CHANGES]
)
def test_both_decide_alike_what_a_change_to_a_container_means(
    plugin: Plugin,
    ours: DockerProvider,
    rich: State,
    change: Properties,
    differs: list[str],
    replaces: list[str],
) -> None:
    program = changed(RICH_CONTAINER, change)
    new = plugin.check(CONTAINER, rich.inputs, program)
    assert ours.check(CONTAINER, rich.inputs, program) == new
    theirs = plugin.diff(CONTAINER, rich.id, rich.inputs, rich.outputs, new)
    assert (theirs.changed, theirs.replaces) == (differs, replaces)
    assert ours.diff(CONTAINER, rich.id, rich.inputs, rich.outputs, new, []) == theirs


@pytest.mark.parametrize(
    ("urn", "inputs", "change"),
    [pytest.param(row[0], row[2], row[3], id=f"{row[0].split(':')[-1]} {row[1]}") for row in OTHER_CHANGES],
)
def test_both_decide_alike_what_another_change_means(
    plugin: Plugin, ours: DockerProvider, api: Any, urn: str, inputs: Properties, change: Properties
) -> None:
    state = plugin.create(urn, plugin.check(urn, None, inputs))
    new = plugin.check(urn, state.inputs, changed(inputs, change))
    assert ours.check(urn, state.inputs, changed(inputs, change)) == new
    theirs = plugin.diff(urn, state.id, state.inputs, state.outputs, new)
    assert ours.diff(urn, state.id, state.inputs, state.outputs, new, []) == theirs
    ours.delete(urn, state.id, state.inputs, state.outputs)


@pytest.mark.parametrize(("inputs", "happen"), [pytest.param(*row[1:], id=row[0]) for row in DRIFTS])
def test_both_see_alike_what_happened_to_a_container(
    plugin: Plugin, ours: DockerProvider, api: Any, inputs: Properties, happen: Any
) -> None:
    made = ours.create(CONTAINER, ours.check(CONTAINER, None, inputs), None)
    happen(api, made.id)
    theirs = plugin.read(CONTAINER, made.id, made.inputs, made.outputs)
    assert record(ours.read(CONTAINER, made.id, made.inputs, made.outputs)) == record(theirs)
    if theirs is not None:
        decision = plugin.diff(CONTAINER, made.id, theirs.inputs, theirs.outputs, made.inputs)
        assert ours.diff(CONTAINER, made.id, theirs.inputs, theirs.outputs, made.inputs, []) == decision
    ours.delete(CONTAINER, made.id, made.inputs, made.outputs)


@pytest.mark.parametrize(("before", "after"), [pytest.param(*row[1:], id=row[0]) for row in UPDATES])
def test_both_record_an_update_alike(
    plugin: Plugin, ours: DockerProvider, api: Any, before: Properties, after: Properties
) -> None:
    records = []
    for provider in (plugin, ours):
        old = plugin.create(CONTAINER, plugin.check(CONTAINER, None, {**SMALL, **before}))
        new = plugin.check(CONTAINER, old.inputs, {**SMALL, **after})
        arguments = (CONTAINER, old.id, old.inputs, old.outputs, new)
        outputs = plugin.update(*arguments) if provider is plugin else ours.update(*arguments, None)
        records.append((masked(outputs), record(plugin.read(CONTAINER, old.id, new, outputs))))
        plugin.delete(CONTAINER, old.id, new, outputs)
    assert records[0] == records[1]


def test_both_see_that_a_network_and_a_volume_are_gone(plugin: Plugin, ours: DockerProvider, api: Any) -> None:
    for urn, name in ((NETWORK, f"{PREFIX}-n"), (VOLUME, f"{PREFIX}-v")):
        made = ours.create(urn, ours.check(urn, None, {"name": name}), None)
        ours.delete(urn, made.id, made.inputs, made.outputs)
        assert plugin.read(urn, made.id, made.inputs, made.outputs) is None
        assert ours.read(urn, made.id, made.inputs, made.outputs) is None


def test_both_see_that_an_image_was_tagged_again(plugin: Plugin, ours: DockerProvider, api: Any) -> None:
    inputs = {"name": f"{PREFIX}-tag:1"}
    api.tag(IMAGE, f"{PREFIX}-tag", "1")
    made = ours.create(IMAGE_URN, ours.check(IMAGE_URN, None, inputs), None)
    container = api.create_container(IMAGE, ["true"], name=f"{PREFIX}-tagged")
    api.commit(container["Id"], f"{PREFIX}-tag", "1")
    theirs = plugin.read(IMAGE_URN, made.id, made.inputs, made.outputs)
    assert theirs is not None
    assert theirs.id != made.id
    assert ours.read(IMAGE_URN, made.id, made.inputs, made.outputs) == theirs
    ours.delete(IMAGE_URN, theirs.id, theirs.inputs, theirs.outputs)
    assert plugin.read(IMAGE_URN, made.id, made.inputs, made.outputs) is None
    assert ours.read(IMAGE_URN, made.id, made.inputs, made.outputs) is None


def test_both_replace_a_container_that_did_not_become_healthy(plugin: Plugin, ours: DockerProvider, api: Any) -> None:
    # Without a healthcheck it is refused for that, if it is looked at before it has ended.
    healthcheck = {"tests": ["CMD", "true"], "interval": "30s"}
    small = {**SMALL, "command": ["sh", "-c", "exit 3"], "wait": True, "healthcheck": healthcheck}
    inputs = ours.check(CONTAINER, None, small)
    with pytest.raises(Exception, match="exited with code 3") as caught:
        ours.create(CONTAINER, inputs, None)
    state: State = caught.value.state  # type: ignore[attr-defined]
    theirs = plugin.diff(CONTAINER, state.id, state.inputs, state.outputs, inputs)
    decision = ours.diff(CONTAINER, state.id, state.inputs, state.outputs, inputs, [])
    assert decision == theirs
    assert decision.replaces == ["entrypoints"]
    plugin.delete(CONTAINER, state.id, state.inputs, state.outputs)


def test_both_tell_the_same_of_a_network(plugin: Plugin, ours: DockerProvider, api: Any) -> None:
    token, arguments = "docker:index/getNetwork:getNetwork", {"name": NETWORK_NAME}
    assert ours.invoke(token, arguments) == plugin.invoke(token, arguments)
