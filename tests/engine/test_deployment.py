"""Planning and performing: what happens to resources, in which order, and what the state says afterwards."""

from __future__ import annotations

from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from tests.engine.fakes import STACK, FakeProvider, Stack, thing, urn
from tooling.engine.deployment import Deployment
from tooling.engine.goal import Alias, Goal
from tooling.engine.opening import read_state
from tooling.engine.provider import Diff, PartialFailure, ProviderError, State
from tooling.errors import ToolError
from tooling.pulumi_files.checkpoint import STACK_TYPE
from tooling.pulumi_files.values import UNKNOWN, Properties, Secret


def fails(message: str) -> Any:
    def action() -> None:
        raise ProviderError(message)

    return action


def changes(calls: list[str]) -> list[str]:
    return [call for call in calls if call.split()[0] in ("create", "update", "delete")]


def test_a_resource_of_the_program_is_created_and_recorded(stack: Stack, provider: FakeProvider) -> None:
    deployment, _ = stack.run(thing("a"))
    assert deployment.counts == {"create": 2}
    assert stack.resources()["a"]["outputs"]["address"] == "at a-1"
    assert stack.resources()["a"]["inputs"] == {"name": "a", "size": 1}


def test_an_unchanged_resource_is_left_alone_and_the_file_too(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a"))
    before = stack.backend.file.read_bytes()
    provider.calls.clear()
    deployment, _ = stack.run(thing("a"))
    assert deployment.counts == {"same": 2}
    assert not changes(provider.calls)
    document, now = before.split(b'"magic"', 1)[1], stack.backend.file.read_bytes().split(b'"magic"', 1)[1]
    assert now == document


def test_a_changed_property_updates_in_place_and_is_shown(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a"))
    deployment, recorder = stack.run(thing("a", inputs={"size": 2}))
    assert deployment.counts == {"same": 1, "update": 1}
    assert provider.world["a-1"]["size"] == 2
    (change,) = recorder.changes["a"]
    assert (change.key, change.old, change.new, change.replaces) == ("size", 1, 2, False)


def test_a_resource_that_the_program_dropped_is_deleted_after_its_dependents(
    stack: Stack, provider: FakeProvider
) -> None:
    stack.run(thing("a"), thing("b", "a"), thing("c", "b"))
    provider.calls.clear()
    deployment, _ = stack.run()
    assert changes(provider.calls) == ["delete c-3", "delete b-2", "delete a-1"]
    assert deployment.counts["delete"] == 3
    assert stack.resources().keys() == {"web-dev"}


def test_a_replacement_creates_the_new_one_before_it_deletes_the_old_one(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a"), thing("b", "a"))
    provider.calls.clear()
    stack.run(thing("a", inputs={"name": "other"}), thing("b", "a"))
    assert changes(provider.calls) == ["create a", "update b-2", "delete a-1"]


def test_delete_before_replace_deletes_dependents_that_would_be_replaced_first_in_reverse_order(
    stack: Stack, provider: FakeProvider
) -> None:
    def program(name: str) -> list[Goal]:
        named_after_a = thing("b", "a", inputs={"name": None}, property_dependencies={"name": [urn("a")]})
        return [
            thing("a", inputs={"name": name}, delete_before_replace=True),
            replace(named_after_a, inputs={"name": f"{name}'s"}),
            replace(thing("c", "b", property_dependencies={"name": [urn("b")]}), inputs={"name": f"{name}'s b's"}),
            thing("d", "a"),
        ]

    stack.run(*program("one"))
    provider.calls.clear()
    deployment, _ = stack.run(*program("two"))
    assert changes(provider.calls) == [
        "delete c-3",
        "delete b-2",
        "delete a-1",
        "create a",
        "create b",
        "create c",
        "update d-4",
    ]
    assert deployment.counts == {"same": 1, "replace": 3, "update": 1}


def test_the_provider_may_ask_for_delete_before_replace_and_the_program_may_refuse(
    stack: Stack, provider: FakeProvider
) -> None:
    provider.delete_before_replace = True
    stack.run(thing("a"))
    stack.run(thing("a", inputs={"name": "x"}))
    assert changes(provider.calls) == ["create a", "delete a-1", "create a"]
    provider.calls.clear()
    stack.run(thing("a", inputs={"name": "y"}, delete_before_replace=False))
    assert changes(provider.calls) == ["create a", "delete a-2"]


def test_replace_on_changes_turns_an_update_into_a_replacement(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a"))
    deployment, _ = stack.run(thing("a", inputs={"size": 2}, replace_on_changes=["size"]))
    assert deployment.counts["replace"] == 1


def test_replace_on_changes_goes_by_what_the_provider_names(
    stack: Stack, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.run(thing("a"))
    asked = provider.diff

    def unnamed(*arguments: Any) -> Diff:
        return replace(asked(*arguments), named=[])

    monkeypatch.setattr(provider, "diff", unnamed)
    deployment, _ = stack.run(thing("a", inputs={"size": 2}, replace_on_changes=["size"]))
    assert deployment.counts == {"same": 1, "update": 1}


def test_a_resource_that_the_cli_has_tainted_is_replaced(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a"))
    document = stack.backend.read()
    assert document is not None
    (resource,) = [item for item in document["checkpoint"]["latest"]["resources"] if item["urn"] == urn("a")]
    resource["taint"] = True
    stack.backend.write({**document, "version": 4, "features": ["taint"]})
    deployment, _ = stack.run(thing("a"))
    assert deployment.counts["replace"] == 1
    assert "taint" not in stack.resources()["a"]
    after = stack.backend.read()
    assert after is not None
    assert (after["version"], after.get("features")) == (3, None)


def test_the_checkpoint_lists_the_features_it_needs_and_others_are_refused(stack: Stack) -> None:
    stack.run(thing("a"), thing("b", replace_with=[urn("a")]))
    document = stack.backend.read()
    assert document is not None
    assert (document["version"], document["features"]) == (4, ["replaceWith"])
    stack.backend.write({**document, "features": ["replaceWith", "hooks"]})
    with pytest.raises(ToolError, match=r"hooks \(features of this state\).*Pulumi CLI"):
        read_state(stack.backend)


def test_ignored_changes_keep_the_old_value(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a", inputs={"labels": {"x": 1, "y": 1}}))
    deployment, _ = stack.run(thing("a", inputs={"labels": {"x": 2, "y": 1}}, ignore_changes=["labels.x"]))
    assert deployment.counts == {"same": 2}


def test_a_resource_retained_on_delete_leaves_the_state_only(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a", retain_on_delete=True))
    deployment, _ = stack.run()
    assert deployment.counts["delete"] == 1
    assert "a-1" in provider.world


def test_a_resource_deleted_with_another_is_not_deleted_by_itself(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a"), thing("b", deleted_with=urn("a")))
    provider.calls.clear()
    stack.run()
    assert changes(provider.calls) == ["delete a-1"]


def test_a_protected_resource_is_neither_deleted_nor_replaced(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a", protect=True), thing("b"))
    with pytest.raises(ToolError, match=r"a \(fake:index:Thing\) would be, but is protected"):
        stack.run()
    assert provider.world.keys() == {"a-1", "b-2"}
    _, recorder = stack.run(thing("a", protect=True, inputs={"name": "x"}), thing("b"))
    assert "is protected" in recorder.failures["a"]


@pytest.mark.parametrize(
    "alias",
    [Alias(name="old"), Alias(urn=urn("old")), Alias(name="old", parent=STACK)],
    ids=["name", "urn", "parent"],
)
def test_an_alias_takes_over_the_resource_of_the_old_name(stack: Stack, provider: FakeProvider, alias: Alias) -> None:
    stack.run(thing("old"), thing("b", "old"))
    renamed = thing("new", aliases=[alias], inputs={"name": "old"})
    after = thing("b", "new", inputs={"needs_old": "at old-1"})
    deployment, _ = stack.run(renamed, replace(after, inputs={"name": "b", "needs_old": "at old-1"}))
    assert deployment.counts == {"same": 3}
    assert "aliases" not in stack.resources()["new"]
    assert stack.resources()["b"]["dependencies"] == [urn("new")]


def test_children_of_a_renamed_component_follow_it(stack: Stack, provider: FakeProvider) -> None:
    def program(name: str, *aliases: Alias) -> list[Goal]:
        component = Goal(type="web:index:Group", name=name, custom=False, parent=STACK, aliases=list(aliases))
        above = f"urn:pulumi:dev::web::web:index:Group::{name}"
        child = replace(thing(f"{name}-part", inputs={"name": "part"}), parent=above)
        return [component, child]

    stack.run(*program("one"))
    deployment, _ = stack.run(*program("two", Alias(name="one")))
    assert deployment.counts == {"same": 3}


def test_a_plan_has_the_clis_steps_in_the_clis_order(stack: Stack) -> None:
    def program(name: str, *also: Goal) -> list[Goal]:
        first = thing("first", inputs={"name": name}, delete_before_replace=True)
        named = thing("named", "first", property_dependencies={"name": [urn("first")]}, inputs={"name": name})
        return [first, named, thing("later", inputs={"name": name}), *also]

    stack.run(*program("one", thing("kept"), thing("gone")))
    _, recorder = stack.run(*program("two", thing("kept"), thing("new")), dry_run=True)
    steps: dict[str, list[str]] = {}
    for op, name in recorder.plans:
        steps.setdefault(name, []).append(op)
    assert steps == {
        "web-dev": ["same"],
        "first": ["delete-replaced", "replace", "create-replacement"],
        "named": ["delete-replaced", "replace", "create-replacement"],
        "later": ["create-replacement", "replace", "delete-replaced"],
        "kept": ["same"],
        "new": ["create"],
        "gone": ["delete"],
    }


def test_a_preview_changes_nothing_and_writes_nothing(stack: Stack, provider: FakeProvider) -> None:
    deployment, _ = stack.run(thing("a"), thing("b", "a"), dry_run=True)
    assert deployment.counts == {"create": 3}
    assert not provider.world
    assert not stack.backend.file.exists()


def test_a_failure_is_told_once_and_independent_work_goes_on(stack: Stack, provider: FakeProvider) -> None:
    provider.on["create a"] = fails("no room for a; free some.")
    deployment, recorder = stack.run(thing("a"), thing("b", "a"), thing("c"), thing("d", "b"))
    assert recorder.failures == {"a": "no room for a; free some."}
    assert deployment.errored
    assert provider.world.keys() == {"c-1"}
    assert stack.resources().keys() == {"web-dev", "c"}


def test_nothing_is_deleted_after_a_failure(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a"), thing("old"))
    provider.on["update a-1"] = fails("a is busy.")
    stack.run(thing("a", inputs={"size": 2}))
    assert "old-2" in provider.world
    assert stack.resources()["a"]["inputs"]["size"] == 1


def test_a_wrong_input_is_refused_before_anything_is_done(stack: Stack, provider: FakeProvider) -> None:
    _, recorder = stack.run(thing("a", inputs={"size": "wrong"}))
    assert recorder.failures == {"a": "size is 'wrong'; write a number."}
    assert not provider.world


def test_a_resource_that_did_not_come_up_is_kept_with_its_error_and_tried_again(
    stack: Stack, provider: FakeProvider
) -> None:
    def half_made() -> None:
        provider.world["a-9"] = {"name": "a", "size": 1}
        state = State(id="a-9", inputs={}, outputs={"name": "a", "size": 1})
        raise PartialFailure("a is not healthy.", state)

    provider.on["create a"] = half_made
    deployment, _ = stack.run(thing("a"))
    assert deployment.errored
    assert stack.resources()["a"]["initErrors"] == ["a is not healthy."]
    assert stack.resources()["a"]["id"] == "a-9"
    deployment, _ = stack.run(thing("a"))
    assert deployment.counts["update"] == 1
    assert "initErrors" not in stack.resources()["a"]


def test_two_resources_of_one_name_are_refused(stack: Stack) -> None:
    _, recorder = stack.run(thing("a"), thing("a"))
    assert "Two resources of the program have the URN" in recorder.failures["a"]


def test_refresh_notices_what_is_gone_and_creates_it_again(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a"), thing("b", "a"))
    del provider.world["a-1"]
    deployment, _ = stack.run(thing("a"), thing("b", "a"), refresh=True)
    assert deployment.counts == {"same": 1, "create": 1, "update": 1}
    assert provider.world.keys() == {"a-3", "b-2"}


def test_refresh_notices_what_was_changed_by_hand(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a"))
    provider.world["a-1"]["size"] = 7
    assert stack.run(thing("a"))[0].counts == {"same": 2}
    assert stack.run(thing("a"), refresh=True)[0].counts == {"same": 1, "update": 1}
    assert provider.world["a-1"]["size"] == 1


def test_secret_inputs_are_encrypted_in_inputs_and_outputs(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a", inputs={"password": Secret("hush"), "plain": "p"}))
    assert provider.world["a-1"]["password"] == "hush"
    text = stack.backend.file.read_text()
    assert "hush" not in text
    state = stack.resources()["a"]
    assert state["inputs"]["password"]["ciphertext"].startswith("v1:")
    assert state["outputs"]["password"]["ciphertext"].startswith("v1:")
    assert state["outputs"]["plain"] == "p"
    assert stack.run(thing("a", inputs={"password": Secret("hush"), "plain": "p"}))[0].counts == {"same": 2}


def test_additional_secret_outputs_are_encrypted(stack: Stack) -> None:
    stack.run(thing("a", additional_secret_outputs=["address"]))
    assert "ciphertext" in stack.resources()["a"]["outputs"]["address"]


def with_outputs(stack: Stack, outputs: Properties, *, dry_run: bool = False) -> Deployment:
    deployment, _ = stack.run(thing("a"), dry_run=dry_run)
    deployment.register_outputs(STACK, outputs)
    deployment.snapshot.save()
    return deployment


def test_outputs_of_the_program_keep_their_last_value_where_they_became_unknown(stack: Stack) -> None:
    with_outputs(stack, {"url": "http://one", "at": {"port": 1}, "dropped": 1})
    outputs = {"url": UNKNOWN, "at": {"port": UNKNOWN}, "new": UNKNOWN, "version": "2"}
    after = {"url": "http://one", "at": {"port": 1}, "version": "2"}
    assert with_outputs(stack, outputs).stack_outputs == after
    assert stack.resources()["web-dev"]["outputs"] == after


def test_a_preview_says_which_outputs_are_not_known_yet(stack: Stack) -> None:
    with_outputs(stack, {"url": "http://one"})
    outputs = {"url": UNKNOWN, "version": "2"}
    assert with_outputs(stack, outputs, dry_run=True).stack_outputs == outputs


def test_an_output_may_be_nothing(stack: Stack) -> None:
    assert with_outputs(stack, {"url": None}).stack_outputs == {"url": None}


def test_outputs_of_a_resource_that_failed_are_not_recorded(stack: Stack, provider: FakeProvider) -> None:
    provider.on["create a"] = fails("no room for a; free some.")
    deployment, _ = stack.run(thing("a"))
    deployment.register_outputs(urn("a"), {"url": "http://one"})
    assert deployment.stack_outputs is None


def test_a_refresh_is_counted_and_shown_by_what_became_of_each_resource(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("gone"), thing("changed"), thing("same"), thing("same too"))
    del provider.world["gone-1"]
    provider.world["changed-2"]["size"] = 7
    deployment, recorder = stack.deployment()
    deployment.refresh_all()
    assert deployment.counts == {"same": 3, "update": 1, "delete": 1}
    assert recorder.ended == [("delete", "gone"), ("update", "changed")]
    assert recorder.shown == [("gone", ""), ("changed", "")]
    assert stack.resources().keys() == {"web-dev", "changed", "same", "same too"}


def test_a_program_that_failed_leaves_the_outputs_it_did_not_come_to_export(stack: Stack) -> None:
    with_outputs(stack, {"url": "http://one", "version": "1"})
    deployment, _ = stack.run(thing("a"))
    deployment.register_outputs(STACK, {"version": "2"})
    deployment.keep_stack_outputs()
    deployment.snapshot.save()
    assert stack.resources()["web-dev"]["outputs"] == {"url": "http://one", "version": "2"}
    assert stack.resources()["a"]["outputs"]["address"] == "at a-1"


def test_what_is_registered_is_shown_below_its_parent(stack: Stack) -> None:
    _, recorder = stack.run(thing("a"))
    assert recorder.shown == [("web-dev", ""), ("a", "web-dev")]


def test_a_data_source_is_answered_by_its_provider(stack: Stack) -> None:
    deployment, _ = stack.deployment()
    answer = deployment.invoke("fake:index:look", {"secret": Secret("hush")})
    assert answer == {"token": "fake:index:look", "secret": "hush"}


def test_an_interrupted_run_starts_nothing_more(stack: Stack, provider: FakeProvider) -> None:
    deployment, _ = stack.deployment()
    deployment.interrupted = True
    assert deployment.register(thing("a")).failed
    assert not provider.world


def test_a_resource_can_be_read_that_is_not_managed_here(stack: Stack, provider: FakeProvider) -> None:
    provider.world["x-1"] = {"name": "x"}
    deployment, _ = stack.deployment()
    answer = deployment.read_resource(thing("x"), "x-1")
    assert answer.outputs["address"] == "at x-1"
    deployment.snapshot.save()
    assert stack.resources()["x"]["external"] is True
    assert deployment.register(thing("x")).failed, "its URN is taken"
    provider.world["x-2"] = {"name": "x"}
    deployment, recorder = stack.deployment()
    deployment.read_resource(thing("x"), "x-2")
    deployment.delete_unregistered()
    assert recorder.plans == [("read", "x")]
    assert stack.resources()["x"]["id"] == "x-2"
    _, recorder = stack.run()
    assert ("discard", "x") in recorder.plans
    assert provider.world.keys() == {"x-1", "x-2"}


@pytest.mark.parametrize(("found", "left"), [("x-1", {"x-1"}), ("x-2", {"x-2"})])
def test_what_is_read_where_it_was_managed_takes_its_place(
    stack: Stack, provider: FakeProvider, found: str, left: set[str]
) -> None:
    stack.run(thing("x"))
    provider.world["x-2"] = {"name": "x"}
    deployment, recorder = stack.deployment()
    deployment.register(Goal(type=STACK_TYPE, name="web-dev", custom=False))
    assert deployment.read_resource(thing("x"), found).id == found
    deployment.delete_unregistered()
    assert recorder.plans[:2] == [("same", "web-dev"), ("read", "x")]
    assert provider.world.keys() == left | {"x-2"}
    assert (stack.resources()["x"]["id"], stack.resources()["x"]["external"]) == (found, True)


@pytest.mark.parametrize(
    ("inputs", "resource_id"), [({}, ""), ({"size": UNKNOWN}, "x-1")], ids=["id not known", "input not known"]
)
def test_what_cannot_be_read_yet_is_so_in_a_preview_and_has_failed_in_an_update(
    stack: Stack, provider: FakeProvider, inputs: Properties, resource_id: str
) -> None:
    provider.world["x-1"] = {"name": "x", "size": 1}
    stack.run(thing("x"))
    provider.calls.clear()
    preview, _ = stack.deployment(dry_run=True)
    answer = preview.read_resource(thing("x", inputs=inputs), resource_id)
    assert (answer.urn, answer.id, answer.failed) == (urn("x"), "", False)
    preview.register(Goal(type=STACK_TYPE, name="web-dev", custom=False))
    preview.delete_unregistered()
    assert preview.counts == {"same": 1}, "nothing is deleted"
    assert preview.register(thing("x")).failed, "its URN is taken"
    deployment, _ = stack.deployment()
    assert deployment.read_resource(thing("x", inputs=inputs), resource_id).failed
    assert deployment.register(thing("y", "x")).failed
    assert provider.calls == []


def test_nothing_is_read_once_what_it_needs_has_failed_or_the_user_has_interrupted(
    stack: Stack, provider: FakeProvider
) -> None:
    provider.world["x-1"] = {"name": "x"}
    provider.on["create a"] = fails("no room for a; free some.")
    deployment, _ = stack.deployment()
    deployment.register(thing("a"))
    assert deployment.read_resource(thing("x", dependencies=[urn("a")]), "x-1").failed
    deployment, _ = stack.deployment()
    deployment.interrupted = True
    assert deployment.read_resource(thing("x"), "x-1").failed
    assert not [call for call in provider.calls if call.startswith("read")]


def test_what_is_kept_when_it_is_deleted_is_looked_at_like_all_else(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a", retain_on_delete=True))
    provider.world.clear()
    deployment, _ = stack.run(thing("a", retain_on_delete=True), refresh=True)
    assert deployment.counts == {"same": 1, "create": 1}


def test_a_deletion_waits_for_its_dependents_and_for_nothing_else(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a"), thing("b", "a"), thing("c"))
    gone, waited = Event(), []
    provider.on["deleted a-1"] = gone.set
    provider.on["delete c-3"] = lambda: waited.append(gone.wait(30))
    stack.run()
    assert waited == [True]
    assert not provider.world


def process(name: str, *needs: str) -> Goal:
    return thing(name, *needs, inputs={"size": "process"})


def test_what_runs_is_stopped_once_nothing_that_needs_it_runs_and_deleted_after_it(
    stack: Stack, provider: FakeProvider
) -> None:
    web = Goal(type="web:index:Group", name="web", custom=False, parent=STACK, dependencies=[urn("valkey")])
    app = replace(process("app"), parent=urn("web").replace("fake:index:Thing", web.type))
    stack.run(thing("volume"), process("valkey", "volume"), web, app)
    stopped = Event()
    provider.on["stopped valkey-2"] = stopped.set
    provider.on["delete app-3"] = lambda: provider.calls.append(f"valkey stopped meanwhile: {stopped.wait(30)}")
    provider.calls.clear()
    stack.run()
    assert provider.calls[:2] == ["stop app-3", "stopped app-3"]
    assert sorted(provider.calls[2:5]) == ["delete app-3", "stop valkey-2", "stopped valkey-2"]
    assert provider.calls[5:] == [
        "valkey stopped meanwhile: True",
        "deleted app-3",
        "delete valkey-2",
        "deleted valkey-2",
        "delete volume-1",
        "deleted volume-1",
    ]
    assert stack.resources().keys() == {"web-dev"}


def test_what_runs_is_not_stopped_while_something_is_deleted_that_needs_it(
    stack: Stack, provider: FakeProvider
) -> None:
    stack.run(process("valkey"), thing("account", "valkey"), process("app", "account"))
    provider.calls.clear()
    stack.run()
    assert [call for call in provider.calls if not call.startswith("stopped")] == [
        "stop app-3",
        "delete app-3",
        "deleted app-3",
        "delete account-2",
        "deleted account-2",
        "stop valkey-1",
        "delete valkey-1",
        "deleted valkey-1",
    ]


def test_what_was_stopped_for_a_deletion_that_failed_is_looked_at_by_the_next_run(
    stack: Stack, provider: FakeProvider
) -> None:
    stack.run(process("valkey"), process("app", "valkey"))
    stopped = Event()
    provider.on["stopped valkey-1"] = stopped.set

    def refuse() -> None:
        assert stopped.wait(30)
        raise ProviderError("it will not go")

    provider.on["delete app-2"] = refuse
    _, recorder = stack.run()
    assert recorder.failures == {"app": "it will not go"}
    assert provider.world.keys() == {"valkey-1", "app-2"}
    provider.on.clear()
    provider.calls.clear()
    _, recorder = stack.run(process("valkey"), process("app", "valkey"))
    assert "info: deleting it was interrupted; looking at it again" in recorder.notes
    assert "read valkey-1" in provider.calls
    assert not any(resource.get("stopped") for resource in provider.world.values())


def test_what_was_stopped_when_the_user_interrupted_is_deleted_still(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("volume"), process("valkey", "volume"), process("app", "valkey"))
    deployment, _ = stack.deployment()
    stopped = Event()
    provider.on["stopped valkey-2"] = stopped.set

    def interrupt() -> None:
        assert stopped.wait(30)
        deployment.interrupted = True

    provider.on["delete app-3"] = interrupt
    deployment.delete_unregistered()
    deployment.snapshot.save()
    assert stack.resources().keys() == {"web-dev", "volume"}
    assert provider.world.keys() == {"volume-1"}


def test_a_destroy_does_not_look_at_what_it_only_forgets(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a", retain_on_delete=True), thing("b"))
    deployment, _ = stack.deployment()
    provider.calls.clear()
    deployment.prepare(refresh=True, destroying=True)
    deployment.delete_unregistered()
    assert provider.calls == ["read b-2", "delete b-2", "deleted b-2"]
    assert provider.world.keys() == {"a-1"}
    assert stack.resources() == {}
