"""What a run records of outputs and secrets, and what it reads that is not managed here."""

from __future__ import annotations

from typing import Any

import pytest

from tests.engine.fakes import STACK, FakeProvider, Stack, thing, urn
from tooling.engine.deployment import Deployment
from tooling.engine.goal import Goal
from tooling.engine.provider import ProviderError
from tooling.pulumi_files.checkpoint import STACK_TYPE
from tooling.pulumi_files.values import UNKNOWN, Properties, Secret


def fails(message: str) -> Any:
    def action() -> None:
        raise ProviderError(message)

    return action


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
    deployment.register(Goal(type=STACK_TYPE, name="web-dev", custom=False))
    answer = deployment.read_resource(thing("x"), "x-1")
    assert answer.outputs["address"] == "at x-1"
    deployment.snapshot.save()
    assert stack.resources()["x"]["external"] is True
    assert deployment.register(thing("x")).failed, "its URN is taken"
    provider.world["x-2"] = {"name": "x"}
    deployment, recorder = stack.deployment()
    deployment.register(Goal(type=STACK_TYPE, name="web-dev", custom=False))
    deployment.read_resource(thing("x"), "x-2")
    deployment.delete_unregistered()
    assert recorder.plans == [("same", "web-dev"), ("read", "x")]
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
