"""What a run deletes: in which order, what is stopped first, and what is only forgotten."""

from __future__ import annotations

from dataclasses import replace
from threading import Event

from tests.engine.fakes import STACK, FakeProvider, Stack, thing, urn
from tooling.engine.goal import Goal
from tooling.engine.provider import ProviderError


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
