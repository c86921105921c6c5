"""The check of what the engine's tests write finds what the Pulumi CLI refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.engine.fakes import Stack, thing, urn
from tests.engine.integrity import integrity_faults

Resources = list[dict[str, Any]]
A, B = 2, 3
"""Places in the state: before them are the stack and the default provider."""


def swap(resources: Resources) -> None:
    resources[A], resources[B] = resources[B], resources[A]


BREAKS: dict[str, tuple[Callable[[Resources], object], str]] = {
    "order": (swap, f"dependencies of {urn('b')} comes after it: {urn('a')}"),
    "property": (swap, f"needs_a of {urn('b')} comes after it: {urn('a')}"),
    "missing": (lambda found: found.pop(A), f"dependencies of {urn('b')} is missing: {urn('a')}"),
    "parent": (lambda found: found[A].update(parent=urn("x")), f"parent of {urn('a')} is missing: {urn('x')}"),
    "with": (lambda found: found[A].update(deletedWith=urn("b")), f"deletedWith of {urn('a')} comes after it"),
    "replace": (lambda found: found[A].update(replaceWith=[urn("x")]), f"replaceWith of {urn('a')} is missing"),
    "twice": (lambda found: found.append(found[A]), f"{urn('a')} is there 2 times"),
    "provider": (lambda found: found.pop(1), f"{urn('a')} has an unknown provider"),
    "provider's id": (lambda found: found[1].pop("id"), "::default is a provider without an id"),
    "component": (lambda found: found[0].update(id="x"), "::web-dev is a component and has an id"),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_each_rule_of_the_cli_finds_what_breaks_it_and_nothing_in_a_sound_state(stack: Stack, broken: str) -> None:
    stack.run(thing("a"), thing("b", "a"))
    document = stack.backend.read()
    assert document is not None
    assert integrity_faults(document) == []
    change, fault = BREAKS[broken]
    change(document["checkpoint"]["latest"]["resources"])
    assert [found for found in integrity_faults(document) if fault in found]


def test_what_waits_for_its_deletion_may_be_there_beside_the_new_one(stack: Stack) -> None:
    stack.run(thing("a"))
    document = stack.backend.read()
    assert document is not None
    resources = document["checkpoint"]["latest"]["resources"]
    resources.append({**resources[A], "delete": True})
    assert integrity_faults(document) == []
    document["checkpoint"]["latest"]["manifest"]["magic"] = "x"
    assert integrity_faults(document) == ["the manifest's magic is not its version's"]
