"""Rules of Pulumi's step generator and executor of which a fault says nothing until it costs something."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from threading import Event, Lock, Thread
from typing import Any

import pytest

from tests.engine.fakes import STACK, FakeProvider, Stack, thing, urn
from tooling.engine import step_executor
from tooling.engine.goal import Alias, Goal
from tooling.engine.property_paths import replaced_by
from tooling.engine.provider import Diff, ProviderError
from tooling.errors import ToolError
from tooling.pulumi_files.checkpoint import compact
from tooling.pulumi_files.values import Properties, Secret

HUSH = "hush hush"


def refuses() -> None:
    raise ProviderError("no such image")


def is_in_clear(stack: Stack) -> bool:
    return HUSH.encode() in stack.backend.file.read_bytes()


def changed_state(stack: Stack, name: str, **fields: Any) -> None:
    """What somebody else has made of a record of the state."""
    document = json.loads(stack.backend.file.read_bytes())
    (record,) = [one for one in document["checkpoint"]["latest"]["resources"] if one["urn"] == urn(name)]
    record.update(fields)
    stack.backend.write(compact(document))


def test_an_input_that_becomes_secret_is_sealed_in_the_outputs_too(stack: Stack) -> None:
    stack.run(thing("a", inputs={"password": HUSH}))
    assert is_in_clear(stack)
    deployment, _ = stack.run(thing("a", inputs={"password": Secret(HUSH)}))
    assert deployment.counts["same"] == 2
    assert not is_in_clear(stack)


def test_an_output_that_becomes_secret_is_sealed_and_given_to_the_program_as_that(stack: Stack) -> None:
    stack.run(thing("a"))
    deployment, _ = stack.begun()
    answer = deployment.register(thing("a", additional_secret_outputs=["address"]))
    deployment.snapshot.save()
    assert answer.outputs["address"] == Secret("at a-1")
    assert b'"at a-1"' not in stack.backend.file.read_bytes()


def test_a_deletion_goes_on_where_an_older_generation_needs_the_newer(stack: Stack, provider: FakeProvider) -> None:
    """``b`` needed ``a``, whose deletion failed; since then ``a`` needs ``b``."""
    stack.run(thing("a"), thing("b", "a"))
    provider.on["delete a-1"] = refuses
    provider.on["delete b-2"] = refuses
    stack.run(thing("b", inputs={"name": "other"}), thing("a", "b", inputs={"name": "other"}))
    provider.on.clear()
    stack.run()
    assert not provider.world
    assert stack.resources().keys() <= {"web-dev"}


def test_a_run_does_not_succeed_while_something_is_left(
    stack: Stack, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.run(thing("a"))
    deployment, _ = stack.deployment()
    (resource,) = [one for one in deployment.snapshot.base if one.urn == urn("a")]
    monkeypatch.setattr(type(resource), "needs", lambda self: {self.urn})  # as if it waited for itself
    batch = "tooling.engine.deletions._Batch.needed_at_work"
    monkeypatch.setattr(batch, lambda self, _: {*self.left})
    provider.world["a-1"]["size"] = "process"
    with pytest.raises(ToolError, match="left over, although nothing failed"):
        deployment.delete_unregistered()


@pytest.mark.parametrize("failing", ["create", "update"])
def test_what_is_replaced_with_something_that_failed_is_not_begun(
    stack: Stack, provider: FakeProvider, failing: str
) -> None:
    bound = thing("b", replace_with=[urn("a")])
    if failing == "update":
        stack.run(thing("a"), bound)
    provider.on[{"create": "create a", "update": "update a-1"}[failing]] = refuses
    deployment, recorder = stack.run(thing("a", inputs={"size": 2}), replace(bound, inputs={"name": "b", "size": 2}))
    assert deployment.errored
    assert recorder.failures == {"a": "no such image"}
    assert not {"create b", "update b-2"} & {*provider.calls[-2:]}


def test_a_resource_is_not_read_under_the_urn_of_another(stack: Stack, provider: FakeProvider) -> None:
    deployment, _ = stack.begun()
    deployment.register(thing("a"))
    with pytest.raises(ToolError, match="Two resources of the program have the URN"):
        deployment.read_resource(thing("a"), "a-1")
    deployment.read_resource(thing("b"), "a-1")
    with pytest.raises(ToolError, match="Two resources of the program have the URN"):
        deployment.read_resource(thing("b"), "a-1")


def test_a_name_that_an_alias_has_taken_over_is_not_used_again(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a"), thing("x", "a"))
    deployment, recorder = stack.run(thing("b", aliases=[Alias(name="a")]), thing("a"), thing("x", "a"))
    assert deployment.errored
    assert "has taken over" in recorder.failures["a"]
    ids = [one["id"] for one in stack.resources().values() if one.get("id")]
    assert len(ids) == len(set(ids))


def test_a_component_that_takes_a_resources_name_leaves_it_to_be_deleted(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a"))
    group = Goal(type="web:index:Group", name="g", custom=False, parent=STACK, aliases=[Alias(urn=urn("a"))])
    stack.run(group)
    assert not provider.world
    assert "a" not in stack.resources()
    stack.run(thing("a", aliases=[Alias(urn=urn("g").replace("fake:index:Thing", "web:index:Group"))]))
    assert [*provider.world] == ["a-2"]


def test_after_a_failure_nothing_is_deleted_that_might_not_be_made_again(stack: Stack, provider: FakeProvider) -> None:
    app = thing("app", "image", "database", replace_on_changes=["*"])
    stack.run(thing("image"), thing("database"), app)
    provider.on["update image-1"] = refuses
    provider.calls.clear()
    changed = thing("database", inputs={"name": "other"}, delete_before_replace=True)
    deployment, recorder = stack.run(thing("image", inputs={"size": 2}), changed, app)
    assert deployment.errored
    assert "app-3" in provider.world
    assert "database-2" in provider.world
    assert "app (fake:index:Thing) with it, which is deleted first. That was not begun" in recorder.failures["database"]
    provider.on.clear()
    deployment, _ = stack.run(thing("image", inputs={"size": 2}), changed, app)
    assert not deployment.errored


def test_what_is_deleted_already_is_no_longer_protected(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a", protect=True))
    provider.on["create a"] = refuses
    stack.run(thing("a", inputs={"name": "other"}, delete_before_replace=True))
    changed_state(stack, "a", protect=True)
    stack.run()
    assert "a" not in stack.resources()


def test_a_refused_replacement_leaves_no_trace_in_the_plan(stack: Stack, provider: FakeProvider) -> None:
    """Else the dependent, which no longer needs what was refused, would be replaced for nothing."""
    kept = thing("kept", "root", protect=True, replace_on_changes=["*"])
    free = thing("free", "root", replace_on_changes=["*"])
    stack.run(thing("root"), free, kept)
    deployment, recorder = stack.run(
        thing("root", inputs={"name": "other"}, delete_before_replace=True),
        thing("free", inputs={"needs_root": "at root-1"}, replace_on_changes=["*"]),
    )
    assert "which is protected" in recorder.failures["root"]
    assert deployment.counts["replace"] == 0
    assert "free-2" in provider.world


def test_dependents_of_what_is_deleted_first_are_deleted_side_by_side(stack: Stack, provider: FakeProvider) -> None:
    dependents = [thing(f"d{number}", "root", replace_on_changes=["*"]) for number in range(3)]
    stack.run(thing("root"), *dependents)
    began, met = {f"d{number}-{number + 2}": Event() for number in range(3)}, []

    def meet(own: str) -> None:
        began[own].set()
        met.append(all(event.wait(30) for event in began.values()))

    for resource_id in began:
        provider.on[f"delete {resource_id}"] = lambda own=resource_id: meet(own)  # type: ignore[misc]
    provider.calls.clear()
    stack.run(thing("root", inputs={"name": "other"}, delete_before_replace=True), *dependents)
    assert met == [True, True, True]
    deleted = [call for call in provider.calls if call.startswith(("deleted", "delete root", "create"))]
    assert deleted[3:5] == ["delete root-1", "deleted root-1"]


def test_a_dependent_of_two_that_are_deleted_first_goes_before_both(stack: Stack, provider: FakeProvider) -> None:
    shared = thing("shared", "a", "b", replace_on_changes=["*"])
    stack.run(thing("a"), thing("b"), shared)
    deployment, _ = stack.begun()
    provider.calls.clear()
    slow = Event()

    def take_a_while() -> None:
        slow.set()
        time.sleep(0.2)

    provider.on["delete shared-3"] = take_a_while
    roots = [thing(name, inputs={"name": "other"}, delete_before_replace=True) for name in ("a", "b")]
    first = Thread(target=deployment.register, args=[roots[0]])
    first.start()
    assert slow.wait(30)
    deployment.register(roots[1])
    first.join()
    calls = [call for call in provider.calls if call.startswith("delete")]
    assert calls[:2] == ["delete shared-3", "deleted shared-3"]
    assert calls.count("delete shared-3") == 1
    assert not deployment.errored


def test_no_more_provider_calls_run_at_a_time_than_the_bound(stack: Stack, provider: FakeProvider) -> None:
    deployment, _ = stack.begun()
    lock, now, most = Lock(), [0], [0]

    def at_work() -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1

    names = [f"t{number}" for number in range(2 * step_executor.PARALLEL)]
    provider.on = {f"create {name}": at_work for name in names}
    threads = [Thread(target=deployment.register, args=[thing(name)]) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 < most[0] <= step_executor.PARALLEL


@pytest.mark.parametrize(
    ("path", "old", "new", "named", "found"),
    [
        ("hc", {"hc": {"interval": 1}}, {"hc": {"interval": 2}}, None, {"hc"}),
        ("hc.interval", {"hc": {"interval": 1}}, {"hc": {"interval": 2}}, None, {"hc"}),
        ("hc.interval", {"hc": {"interval": 1}}, {"hc": {"interval": 2}}, ["hc"], set()),
        ("hc.interval", {"hc": {"interval": 1}}, {"hc": {"interval": 2}}, ["hc.interval"], {"hc.interval"}),
        ("hc.interval", {"hc": {"interval": 1, "timeout": 1}}, {"hc": {"interval": 1, "timeout": 2}}, None, set()),
        ("hc.*", {"hc": {"timeout": 1}}, {"hc": {"timeout": 2}}, None, {"hc"}),
        ("ports[0].external", {"ports": [{"external": 1}]}, {"ports": [{"external": 2}]}, None, {"ports"}),
        ("ports[1]", {"ports": [1]}, {"ports": [2]}, None, set()),
        ("*", {"hc": 1}, {"hc": 2}, None, {"hc"}),
        ("envs[0]", {"envs": Secret(["a"])}, {"envs": Secret(["b"])}, None, {"envs"}),
    ],
)
def test_replace_on_changes_may_name_a_path(
    path: str, old: Properties, new: Properties, named: list[str] | None, found: set[str]
) -> None:
    changed = [key for key in old if old[key] != new[key]]
    assert replaced_by([path], Diff(changed=changed, named=named), old, new) == found
