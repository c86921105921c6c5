"""Planning and performing: what happens to resources, in which order, and what the state says afterwards."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.engine.fakes import STACK, FakeProvider, Stack, thing, urn
from tooling.engine.goal import Alias, Goal
from tooling.engine.opening import read_state
from tooling.engine.provider import Diff, PartialFailure, ProviderError, State
from tooling.errors import ToolError
from tooling.pulumi_files.checkpoint import compact


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
    stack.backend.write(compact({**document, "version": 4, "features": ["taint"]}))
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
    stack.backend.write(compact({**document, "features": ["replaceWith", "hooks"]}))
    with pytest.raises(ToolError, match=r"hooks \(features of this state\).*Pulumi CLI"):
        read_state(stack.backend)


def test_ignored_changes_keep_the_old_value(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a", inputs={"labels": {"x": 1, "y": 1}}))
    deployment, _ = stack.run(thing("a", inputs={"labels": {"x": 2, "y": 1}}, ignore_changes=["labels.x"]))
    assert deployment.counts == {"same": 2}


def test_a_replacement_is_made_as_the_program_says_whatever_changes_are_ignored(stack: Stack) -> None:
    """As by the CLI: https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/resource/deploy/step_generator.go#L2009."""
    stack.run(thing("a", inputs={"size": 1}))
    stack.run(thing("a", inputs={"size": 2, "name": "z"}, ignore_changes=["size"]))
    assert stack.resources()["a"]["inputs"] == {"name": "z", "size": 2}


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
