"""The engine may be killed at any point; the next run neither loses nor duplicates anything."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest

from tests.engine.fakes import FakeProvider, Killed, Stack, thing
from tooling.engine.goal import Goal
from tooling.engine.provider import OutcomeUnknownError
from tooling.errors import ToolError
from tooling.pulumi_files.backend import Backend
from tooling.pulumi_files.values import Properties, Secret


def killed() -> None:
    raise Killed


def program(size: int = 1, name: str = "a") -> list[Goal]:
    return [thing("a", inputs={"size": size, "name": name}), thing("b", "a"), thing("c", "a", inputs={"size": size})]


def never_asked(urn: str, _: Properties) -> str | None:
    raise AssertionError(f"{urn} was looked for")


def test_a_preview_looks_for_nothing_that_another_run_may_be_making(
    stack: Stack, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.on["created a"] = killed
    with pytest.raises(Killed):
        stack.run(*program())
    provider.on.clear()
    before = stack.backend.file.read_bytes()
    with monkeypatch.context() as patched:
        patched.setattr(provider, "find", never_asked)
        _, recorder = stack.run(*program(), dry_run=True)
    assert ("create", "a") in recorder.plans
    assert "info: creating it was interrupted; the next update finds out what became of it" in recorder.notes
    assert stack.backend.file.read_bytes() == before
    stack.run(*program())
    assert stack.resources()["a"]["id"] == "a-1"


def test_a_stale_record_of_a_create_does_not_touch_what_was_made_since(
    stack: Stack, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Pulumi CLI keeps the record when it has made the resource; a find removes what is not as then asked for."""
    provider.on["create a"] = killed
    with pytest.raises(Killed):
        stack.run(thing("a"))
    provider.on.clear()
    stale = json.loads(stack.backend.file.read_text())["checkpoint"]["latest"]["pending_operations"]
    stack.run(thing("a", inputs={"size": 2}))
    document = json.loads(stack.backend.file.read_text())
    document["checkpoint"]["latest"]["pending_operations"] = stale
    stack.backend.file.write_text(json.dumps(document))
    monkeypatch.setattr(provider, "find", never_asked)
    assert stack.run(thing("a", inputs={"size": 2}))[0].counts == {"same": 2}
    assert "pending_operations" not in stack.backend.file.read_text()


def test_what_was_found_again_is_recorded_before_the_next_run_begins(stack: Stack, provider: FakeProvider) -> None:
    provider.on["created a"] = killed
    with pytest.raises(Killed):
        stack.run(*program())
    provider.on.clear()
    stack.deployment()
    assert stack.resources()["a"]["id"] == "a-1"
    assert "pending_operations" not in stack.backend.file.read_text()


def test_a_deletion_that_was_cut_off_is_finished(stack: Stack, provider: FakeProvider) -> None:
    stack.run(thing("a"))
    provider.on["deleted a-1"] = lambda: (_ for _ in ()).throw(OutcomeUnknownError("the provider went away."))
    deployment, recorder = stack.run()
    assert recorder.failures == {"a": "the provider went away."}
    provider.on.clear()
    deployment, _ = stack.run()
    assert not deployment.errored
    assert not provider.world
    assert "a" not in stack.resources()


def test_a_secret_that_an_update_was_cut_off_after_is_sealed_when_it_is_read_back(
    stack: Stack, provider: FakeProvider
) -> None:
    stack.run(thing("a"))

    def changed_and_killed() -> None:
        provider.world["a-1"] = {"name": "a", "size": 1, "token": "hush hush"}
        raise Killed

    provider.on["update a-1"] = changed_and_killed
    with pytest.raises(Killed):
        stack.run(thing("a", inputs={"token": Secret("hush hush")}))
    stack.deployment()
    assert "ciphertext" in stack.resources()["a"]["inputs"]["token"]
    assert "hush hush" not in stack.backend.file.read_text()


def test_a_provider_that_breaks_leaves_its_operation_pending(stack: Stack, provider: FakeProvider) -> None:
    def broken() -> None:
        raise KeyError("oops")

    provider.on["created a"] = broken
    _, recorder = stack.run(thing("a"))
    assert "KeyError" in recorder.failures["a"]
    provider.on.clear()
    stack.run(thing("a"))
    assert provider.world.keys() == {"a-1"}
    assert stack.resources()["a"]["id"] == "a-1"


def test_a_full_disk_is_told_and_leaves_the_old_state(
    stack: Stack, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.run(thing("a"))
    before = stack.backend.file.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    deployment, recorder = stack.run(thing("a"), thing("b"))
    assert deployment.errored
    assert re.search(r"could not be saved.*No space left on device", recorder.failures["b"])
    assert stack.backend.file.read_bytes() == before
    assert not list(stack.backend.file.parent.glob(".*.tmp"))
    assert provider.world.keys() == {"a-1"}


@pytest.mark.parametrize("content", ["", '{"version": 3, "checkpoi', "[]", '{"version": 3}'])
def test_an_unreadable_state_file_is_told_and_left_as_it_is(stack: Stack, content: str) -> None:
    stack.run(thing("a"))
    stack.backend.file.write_text(content)
    with pytest.raises(ToolError, match=r"(state file|checkpoint version)"):
        stack.run(thing("a"))
    assert stack.backend.file.read_text() == content


def test_the_file_before_the_last_save_is_kept(stack: Stack) -> None:
    stack.run(thing("a"))
    before = stack.backend.file.read_bytes()
    stack.run(thing("a", inputs={"size": 2}))
    backup = stack.backend.file.with_name("dev.json.bak").read_bytes()
    assert json.loads(backup)["version"] == 3
    assert before != stack.backend.file.read_bytes()


def test_the_state_is_whole_json_whenever_a_provider_is_called(
    stack: Stack, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    for call in ("create a", "created a", "create b", "created b"):
        provider.on[call] = lambda: seen.append(Backend.read(stack.backend))
    stack.run(*program())
    assert len(seen) == 4
    assert all(document["checkpoint"]["latest"]["pending_operations"] for document in seen)


def test_what_killed_runs_left_half_written_is_swept_up(stack: Stack) -> None:
    stack.run(thing("a"))
    stack.backend.remember({"kind": "update"})
    root = stack.backend.file.parents[2]
    half_written = [
        stack.backend.file.with_name(".dev.json.a1b2.tmp"),
        root / "history/web/dev/.dev-1.history.json.a1b2.tmp",
    ]
    others = [stack.backend.file.with_name(".team.json.a1b2.tmp"), stack.backend.locks.parent / ".1.json"]
    stack.backend.locks.mkdir(parents=True)
    for file in half_written + others:
        file.write_text("{")
    stack.backend.tidy()
    assert [file.exists() for file in half_written] == [False, False]
    assert all(file.exists() for file in others)
    os.utime(others[1], (0, 0))
    stack.backend.tidy()
    assert [file.exists() for file in others] == [True, False]
