"""What a save of the state costs, and what it leaves where it cannot be made."""

from __future__ import annotations

import errno
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.engine.fakes import Stack, thing, urn
from tooling.engine import snapshot as module
from tooling.engine.goal import Alias
from tooling.engine.snapshot import Snapshot
from tooling.pulumi_files.backend import Backend
from tooling.pulumi_files.checkpoint import Resource, compact, dump_resource
from tooling.pulumi_files.errors import PulumiFilesError

SIZES = (16, 64)


@pytest.fixture
def encodings(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each record was made into JSON."""
    counted: Counter[str] = Counter()

    def dump(resource: Any, seal: Any) -> dict[str, Any]:
        counted[resource.urn] += 1
        return dump_resource(resource, seal)

    monkeypatch.setattr(module, "dump_resource", dump)
    return counted


@pytest.mark.parametrize("size", SIZES)
def test_a_record_is_encoded_when_it_changes_and_not_at_each_save(
    stack: Stack, encodings: Counter[str], size: int
) -> None:
    program = [thing(f"r{number}") for number in range(size)]
    stack.run(*program)
    assert max(encodings.values()) <= 4, "what is begun, its outcome, and the provider's and the stack's own"
    encodings.clear()
    stack.run(*program)
    assert max(encodings.values()) == 2, "as it was loaded, and as it was registered"


def test_what_is_kept_of_a_record_is_what_would_be_encoded_anew(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bool] = []
    encode = Snapshot._encoded

    def compared(self: Snapshot, resource: Resource) -> bytes:
        kept.append(resource.encoded is not None)
        encoded = encode(self, resource)
        assert encoded == compact(self._dump(resource))
        return encoded

    monkeypatch.setattr(Snapshot, "_encoded", compared)
    stack.run(thing("a"), thing("b", "a"), thing("c", "b", "a"))
    stack.run(thing("a", inputs={"size": 2}), thing("new", "a", aliases=[Alias(name="b")]), thing("c", "new", "a"))
    stack.run(thing("a", inputs={"name": "other"}), thing("new", "a"), refresh=True)
    stack.run()
    assert kept.count(True) > 10


def test_what_another_thread_sets_while_a_record_is_encoded_is_in_the_next_save(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, _ = stack.deployment()
    resource = Resource(urn=urn("a"), type="fake:index:Thing", custom=True)
    deployment.snapshot.settle(resource)

    def dump(one: Any, seal: Any) -> dict[str, Any]:
        made = dump_resource(one, seal)
        one.outputs = {"address": "at a"}
        return made

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(module, "dump_resource", dump)
        deployment.snapshot.save()
    assert "outputs" not in stack.resources()["a"]
    deployment.snapshot.save()
    assert stack.resources()["a"]["outputs"] == {"address": "at a"}


def test_what_was_not_begun_because_it_could_not_be_saved_is_in_no_later_save(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, _ = stack.deployment()
    write = Backend.write

    def full(*_: Any) -> None:
        raise PulumiFilesError("no space")

    monkeypatch.setattr(Backend, "write", full)
    resource = Resource(urn=urn("a"), type="fake:index:Thing", custom=True)
    with pytest.raises(PulumiFilesError):
        deployment.snapshot.begin("creating", resource)
    monkeypatch.setattr(Backend, "write", write)
    deployment.snapshot.save()
    assert not deployment.snapshot.operations
    assert b"creating" not in stack.backend.file.read_bytes()


def test_the_state_before_is_kept_where_the_file_system_has_no_hard_links(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    stack.run(thing("a"))
    deployment, _ = stack.deployment()
    before = stack.backend.file.read_bytes()
    monkeypatch.setattr(os, "link", link)
    deployment.snapshot.settle(Resource(urn=urn("b"), type="fake:index:Thing", custom=True))
    deployment.snapshot.save()
    assert stack.backend.file.with_name("dev.json.bak").read_bytes() == before
    assert stack.backend.file.read_bytes() != before


@pytest.mark.parametrize("name", ["dev.json", "other.json.gz"])
def test_a_backend_of_the_old_layout_is_not_taken_for_an_empty_one(stack: Stack, tmp_path: Path, name: str) -> None:
    (tmp_path / ".pulumi/stacks").mkdir(parents=True)
    (tmp_path / ".pulumi/stacks" / name).write_text("{}")
    with pytest.raises(PulumiFilesError, match="pulumi state upgrade"):
        stack.run(thing("a"))
    assert not (tmp_path / ".pulumi/meta.yaml").exists()
