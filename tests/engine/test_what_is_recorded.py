"""What the state records is never lost, and what the end of a call leaves open is not called a failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from requests.exceptions import ConnectionError as NoConnection
from requests.exceptions import ReadTimeout

from docker_access.client import failure_text
from tests.engine.docker_examples import CONTAINER, VOLUME
from tests.engine.fake_docker import SMALL, URNS, FakeApi, checked, finding, provider, recording, refusal
from tests.engine.fakes import STACK, FakeProvider, Killed, Stack, thing, urn
from tooling.engine.docker_provider import client
from tooling.engine.goal import Goal
from tooling.engine.provider import OutcomeUnknownError, PartialFailure, ProviderError, State
from tooling.engine.refresh import _forget
from tooling.engine.snapshot import Snapshot
from tooling.pulumi_files.checkpoint import Checkpoint, Resource
from tooling.pulumi_files.values import Properties


def recorded(resource_id: str = "r-1", name: str = "r", **facts: Any) -> Resource:
    return Resource(urn=name, type="t", custom=True, id=resource_id, **facts)


def recording_all(api: FakeApi) -> Any:
    """A provider of a stack whose state records whatever there is."""
    made = provider(api)
    made._holder = lambda _: recorded()
    return made


def test_a_container_that_another_resource_has_keeps_its_name() -> None:
    api, inputs = finding()
    api.answers["create_container_from_config"] = refusal(409, "name is in use")
    with pytest.raises(ProviderError, match=r"is another resource of this stack.*`aliases`"):
        recording_all(api).create(CONTAINER, inputs, None)
    assert recording_all(api).find(CONTAINER, inputs) is None
    assert "remove_container" not in api.calls


@pytest.mark.parametrize("name", ["network", "volume"])
def test_a_network_or_volume_that_another_resource_has_is_not_taken_up(name: str) -> None:
    found = recording(name)
    api = FakeApi(**{f"inspect_{name}": found["inspect"]}, networks=[[found["inspect"]]])
    with pytest.raises(ProviderError, match=r"is another resource of this stack.*`aliases`"):
        recording_all(api).create(URNS[name], found["inputs"], None)


def test_a_network_that_another_resource_has_is_not_what_an_interrupted_create_left() -> None:
    found = recording("network")
    api = FakeApi(inspect_network=found["inspect"], networks=[[found["inspect"]]])
    assert recording_all(api).find(URNS["network"], found["inputs"]) is None


@pytest.mark.parametrize(
    ("facts", "is_held"),
    [
        ({}, True),
        ({"delete": True}, True),
        ({"pending_replacement": True}, False),
        ({"pending_replacement": True, "retain_on_delete": True}, True),
    ],
    ids=str,
)
def test_a_record_holds_what_is_there(facts: Any, is_held: bool) -> None:  # noqa: FBT001
    snapshot = Snapshot(Checkpoint(resources=[recorded("r-1", **facts)]))
    assert bool(snapshot.holder("r-1")) is is_held
    assert snapshot.holder("r-2") is None


def test_what_is_kept_when_it_is_replaced_stays_so_for_the_run_after_a_death(
    stack: Stack, provider: FakeProvider
) -> None:
    stack.run(thing("a", retain_on_delete=True))

    def killed() -> None:
        raise Killed

    new = thing("a", inputs={"name": "z"}, retain_on_delete=True, delete_before_replace=True)
    provider.on["create a"] = killed
    with pytest.raises(Killed):
        stack.run(new)
    deployment, _ = stack.deployment()
    assert deployment.snapshot.holder("a-1") is not None


def test_a_kept_volume_is_taken_up_by_what_replaces_its_record() -> None:
    found = recording("volume")
    made = provider(FakeApi(inspect_volume=found["inspect"]))
    snapshot = Snapshot(Checkpoint(resources=[recorded(found["id"], pending_replacement=True, retain_on_delete=True)]))
    made._holder = snapshot.holder
    assert made.create(VOLUME, found["inputs"], None).id == found["id"]


def test_what_is_replaced_and_kept_is_not_in_the_way_as_something_lost(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a", retain_on_delete=True))
    deployment, _ = stack.begun()
    held: list[bool] = []
    provider.on["create a"] = lambda: held.append(deployment.snapshot.holder("a-1") is not None)
    deployment.register(thing("a", inputs={"name": "z"}, retain_on_delete=True, delete_before_replace=True))
    assert held == [True]


@pytest.mark.parametrize("parent", [STACK, "web"])
def test_a_rename_that_is_cut_short_takes_nothing_from_the_former_name(
    stack: Stack, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch, parent: str
) -> None:
    """Docker's name is the same under the new one, or under the new parent, and so an id is found by it."""
    stack.run(thing("a"))
    group = Goal(type="web:index:Group", name="web", custom=False, parent=STACK)
    under = STACK if parent == STACK else urn("web").replace("fake:index:Thing", group.type)
    new = thing("a" if parent == "web" else "b", inputs={"name": "a"})
    new = Goal(**{**new.__dict__, "parent": under})

    def killed() -> None:
        raise Killed

    provider.on["create b" if parent == STACK else "create a"] = killed
    with pytest.raises(Killed):
        stack.run(group, new)
    provider.on.clear()
    monkeypatch.setattr(provider, "find", lambda *_: "a-1")
    stack.run(group, new)
    (made,) = provider.world
    assert made != "a-1"
    assert [one["id"] for one in stack.resources().values() if one.get("id")] == [made]


def lost(error: Exception) -> Any:
    def call(*_: Any, **__: Any) -> None:
        raise error

    return call


GONE = (NoConnection("Connection aborted."), ReadTimeout("read timed out"))


@pytest.mark.parametrize("error", GONE, ids=["connection", "time"])
@pytest.mark.parametrize("call", ["create", "update", "stop", "delete"])
def test_what_becomes_of_a_change_is_open_where_docker_is_lost_on_the_way(call: str, error: Exception) -> None:
    inputs = checked(CONTAINER, SMALL)
    names = ("create_container_from_config", "update_container", "stop", "remove_container", "inspect_container")
    api = FakeApi(**{name: lost(error) for name in names})
    made = provider(api)
    outputs = {**inputs, "networkDatas": [], "memory": 7}
    if call == "delete":
        api.answers["stop"] = None
    asked: dict[str, Callable[[], object]] = {
        "create": lambda: made.create(CONTAINER, inputs, None),
        "update": lambda: made.update(CONTAINER, "c", inputs, outputs, inputs, None),
    }
    with pytest.raises(OutcomeUnknownError, match="looked at by the next update"):
        asked.get(call, lambda: made.delete(CONTAINER, "c", inputs, outputs))()


def test_what_follows_a_create_may_be_lost_too() -> None:
    """The container is there by then, and its removal is as much in vain."""
    inputs = checked(CONTAINER, SMALL)
    api = FakeApi(create_container_from_config={"Id": "c"}, start=lost(GONE[0]), stop=lost(GONE[0]))
    with pytest.raises(OutcomeUnknownError):
        provider(api).create(CONTAINER, inputs, None)


@pytest.mark.parametrize(
    "after",
    [
        {"start": refusal(500, "no such runtime"), "stop": refusal(500, "device or resource busy")},
        {"inspect_container": refusal(500, "the daemon is out of memory")},
    ],
    ids=["neither started nor removed", "not read"],
)
def test_a_container_that_is_made_is_no_plain_failure_whatever_docker_refuses_then(after: Any) -> None:
    api = FakeApi(create_container_from_config={"Id": "c"}, **after)
    with pytest.raises(OutcomeUnknownError, match="looked at by the next update"):
        provider(api).create(CONTAINER, checked(CONTAINER, SMALL), None)


def test_nor_is_a_network() -> None:
    api = FakeApi(networks=[[]], create_network={"Id": "n"}, inspect_network=refusal(500, "out of memory"))
    with pytest.raises(OutcomeUnknownError, match="looked at by the next update"):
        provider(api).create(URNS["network"], recording("network")["inputs"], None)


def test_a_removal_that_another_has_begun_is_waited_for() -> None:
    begun = refusal(409, "removal of container c is already in progress")
    api = FakeApi(remove_container=[begun, begun, refusal(404, "no such container")])
    provider(api).delete(CONTAINER, "c", {}, {"name": "c"})
    assert api.calls.count("remove_container") == 3


def test_a_docker_that_was_never_reached_has_done_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: int) -> None:
        from docker.errors import DockerException  # noqa: PLC0415

        raise DockerException("refused")

    monkeypatch.setattr(client, "api_client", refused)
    made = provider()
    made._docker._client = None
    with pytest.raises(ProviderError) as caught:
        made.create(CONTAINER, checked(CONTAINER, SMALL), None)
    assert not isinstance(caught.value, OutcomeUnknownError)


def test_a_destroy_removes_what_a_create_left_whose_answer_was_lost(stack: Stack, provider: FakeProvider) -> None:
    def vanish() -> None:
        raise OutcomeUnknownError("Docker does not answer.")

    provider.on["created a"] = vanish
    stack.run(thing("a"))
    provider.on.clear()
    stack.run()
    assert not provider.world


@pytest.mark.parametrize(
    ("health", "running", "asked", "is_well"),
    [
        ("healthy", True, {"wait": True}, True),
        ("unhealthy", True, {"wait": True}, False),
        ("starting", True, {"wait": True}, False),
        ("unhealthy", True, {"wait": False}, True),
        ("none", True, {"wait": False, "attach": True}, False),
        ("none", False, {"wait": False, "attach": True}, True),
    ],
)
def test_a_container_that_is_waited_for_is_well_when_its_healthcheck_says_so_or_it_has_ended(
    health: str,
    running: bool,  # noqa: FBT001
    asked: Properties,
    is_well: bool,  # noqa: FBT001
) -> None:
    api, inputs = finding()
    found = api.answers["inspect_container"]
    found = {**found, "State": {**found["State"], "Running": running, "Health": {"Status": health, "Log": []}}}
    api.answers["inspect_container"] = found
    state = provider(api).read(CONTAINER, found["Id"], {**inputs, **asked}, {})
    assert state is not None
    assert state.is_well is is_well


@pytest.mark.parametrize("is_well", [False, True])
def test_what_did_not_come_up_is_taken_for_well_only_once_it_is(
    stack: Stack,
    provider: FakeProvider,
    monkeypatch: pytest.MonkeyPatch,
    is_well: bool,  # noqa: FBT001
) -> None:
    made = State(id="a-9", inputs={}, outputs={"name": "a"})

    def half() -> None:
        raise PartialFailure("container a is unhealthy.\nLast lines of its log:\nPASSWORD=hunter2", made)

    provider.on["create a"] = half
    stack.run(thing("a"))
    assert stack.resources()["a"]["initErrors"] == ["container a is unhealthy."]
    provider.on.clear()
    provider.world["a-9"] = {"name": "a", "size": 1}
    read = provider.read

    def looked(asked: str, resource_id: str, inputs: Properties, outputs: Properties) -> State | None:
        state = read(asked, resource_id, inputs, outputs)
        return state and State(id=state.id, inputs=state.inputs, outputs=state.outputs, is_well=is_well)

    monkeypatch.setattr(provider, "read", looked)
    _, recorder = stack.run(thing("a"), thing("b", "a"), dry_run=True, refresh=True)
    assert (("same" if is_well else "update"), "a") in recorder.plans


def test_what_is_gone_leaves_its_children_to_its_parent_and_no_other_name_of_it(
    stack: Stack, provider: FakeProvider
) -> None:
    inner = Goal(**{**thing("inner").__dict__, "parent": urn("outer")})
    bound = thing("bound", replace_with=[urn("outer")], deleted_with=urn("outer"))
    stack.run(thing("outer"), inner, bound)
    del provider.world["outer-1"]
    deployment, _ = stack.deployment()
    deployment.refresh_all()
    resources = stack.resources()
    assert resources["inner"]["parent"] == STACK
    assert "replaceWith" not in resources["bound"]
    assert "deletedWith" not in resources["bound"]


def test_of_two_of_one_name_the_one_that_is_gone_leaves_the_other_what_needs_it() -> None:
    """Two generations, of which the old waits for its deletion: what is on the old network goes before that."""
    records = [
        recorded("net-2", name="net"),
        recorded("app-2", name="app", dependencies=["net"], property_dependencies={"networks": ["net"]}),
        recorded("net-1", name="net", delete=True),
        recorded("app-1", name="app", delete=True, dependencies=["net"], property_dependencies={"networks": ["net"]}),
    ]
    snapshot = Snapshot(Checkpoint(resources=records))
    _forget(snapshot, {records[0]})
    assert [(one.id, one.dependencies, one.property_dependencies) for one in snapshot.resources()] == [
        ("app-2", [], {"networks": []}),
        ("net-1", [], {}),
        ("app-1", ["net"], {"networks": ["net"]}),
    ]


def test_a_failure_is_told_by_its_own_causes_and_not_by_what_was_handled_meanwhile() -> None:
    def fail() -> None:
        try:
            raise FileNotFoundError(2, "No such file")
        except OSError:
            raise RuntimeError("the daemon is too old") from None

    with pytest.raises(RuntimeError) as caught:
        fail()
    assert failure_text(caught.value) == "the daemon is too old"


def test_a_create_may_take_longer_than_the_sdk_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(client, "api_client", asked.append)
    client._connect()
    assert asked >= [300]
