"""Whatever the program and whatever the state: nothing is lost, order holds, and what is done needs no doing again."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.fakes import FakeProvider, Stack, thing, urn
from tests.properties import TRIED_LESS
from tooling.engine.goal import Goal
from tooling.engine.provider import ProviderError
from tooling.pulumi_files.backend import Backend
from tooling.pulumi_files.secrets import Secrets

NAMES = "abcde"


@dataclass(frozen=True)
class Wanted:
    """A thing of a program: what it takes from others, what it only waits for, and what it is."""

    name: str
    needs: tuple[str, ...]
    waits: tuple[str, ...]
    size: int
    called: str
    delete_first: bool | None
    replace_on: tuple[str, ...]

    @property
    def goal(self) -> Goal:
        return thing(
            self.name,
            *self.needs,
            inputs={"name": self.called, "size": self.size},
            dependencies=[urn(name) for name in (*self.needs, *self.waits)],
            delete_before_replace=self.delete_first,
            replace_on_changes=list(self.replace_on),
        )


Program = list[Wanted]


@st.composite
def programs(draw: st.DrawFn) -> Program:
    """Some of five things, in any order, each with dependencies on earlier ones."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True))
    some = st.lists(st.sampled_from(NAMES), max_size=2, unique=True)
    return [
        Wanted(
            name=name,
            needs=tuple(other for other in draw(some) if other in names[:place]),
            waits=tuple(other for other in draw(some) if other in names[:place]),
            size=draw(st.integers(1, 2)),
            called=draw(st.sampled_from([name, f"{name}2"])),
            delete_first=draw(st.sampled_from([None, True, False])),
            replace_on=draw(st.sampled_from([(), (), ("size",)])),
        )
        for place, name in enumerate(names)
    ]


@pytest.fixture
def fresh(tmp_path: Path, secrets: Secrets) -> Callable[[], Stack]:
    """Makes stacks, each in a directory of its own: an example must not see the last one's."""

    def make() -> Stack:
        return Stack(Backend(Path(tempfile.mkdtemp(dir=tmp_path)), "web", "dev"), secrets, FakeProvider())

    return make


def goals(program: Program) -> list[Goal]:
    return [wanted.goal for wanted in program]


def made(stack: Stack) -> dict[str, str]:
    """Ids that the state has, by name."""
    document = stack.backend.read()
    return {} if document is None else {name: r["id"] for name, r in stack.resources().items() if r["custom"]}


def in_order(stack: Stack, program: Program, before: dict[str, str], needed: dict[str, set[str]]) -> None:
    """Each was made after what it needs, and what needed it before was deleted before it."""
    calls = stack.provider.calls
    place = {call: number for number, call in enumerate(calls)}
    assert len(place) == len(calls), f"something was done twice: {calls}"
    for wanted in program:
        for other in {*wanted.needs, *wanted.waits}:
            if f"create {wanted.name}" in place and f"created {other}" in place:
                assert place[f"created {other}"] < place[f"create {wanted.name}"], calls
    for name, others in needed.items():
        for other in others:
            last, first = f"deleted {before[name]}", f"delete {before[other]}"
            # What is deleted to be made again may go before what only waits for it, as with the CLI.
            at_the_end = place.get(f"create {other}", -1) < place.get(first, -1)
            if last in place and at_the_end:
                assert place[last] < place[first], calls


def holds(stack: Stack, program: Program) -> None:
    """The world and the state are as the program says, and nothing is left to do."""
    recorded = stack.resources()
    assert set(made(stack)) == {wanted.name for wanted in program}
    assert set(made(stack).values()) == stack.provider.world.keys()
    for wanted in program:
        assert (
            stack.provider.world[recorded[wanted.name]["id"]].items()
            >= {"name": wanted.called, "size": wanted.size}.items()
        )
        assert set(recorded[wanted.name].get("dependencies", [])) == {
            urn(one) for one in (*wanted.needs, *wanted.waits)
        }
    for refresh in (False, True):
        preview, _ = stack.run(*goals(program), dry_run=True, refresh=refresh)
        assert preview.counts == {"same": 1 + len(program)}
    stack.provider.calls.clear()
    again, _ = stack.run(*goals(program))
    assert (again.counts, stack.provider.calls) == ({"same": 1 + len(program)}, [])


@TRIED_LESS
@given(st.lists(programs(), min_size=2, max_size=3))
def test_each_program_is_reached_from_the_one_before_in_order_and_as_its_preview_said(
    fresh: Callable[[], Stack], steps: list[Program]
) -> None:
    stack = fresh()
    needed: dict[str, set[str]] = {}
    for program in steps:
        before, world = made(stack), dict(stack.provider.world)
        preview, _ = stack.run(*goals(program), dry_run=True)
        assert stack.provider.world == world
        stack.provider.calls.clear()
        deployment, recorder = stack.run(*goals(program))
        assert recorder.failures == {}
        assert deployment.counts == preview.counts
        in_order(stack, program, before, needed)
        holds(stack, program)
        needed = {wanted.name: {*wanted.needs, *wanted.waits} for wanted in program}


def fails() -> None:
    raise ProviderError("no.")


@TRIED_LESS
@given(
    before=programs(),
    after=programs(),
    failing=st.lists(
        st.sampled_from([f"{op} {name}" for op in ("create", "update", "delete") for name in NAMES]), max_size=3
    ),
    gone=st.lists(st.sampled_from(NAMES), max_size=2),
)
def test_after_failures_nothing_is_lost_and_the_next_run_gets_there(
    fresh: Callable[[], Stack], before: Program, after: Program, failing: list[str], gone: list[str]
) -> None:
    stack = fresh()
    stack.run(*goals(before))
    for name in gone:
        stack.provider.world.pop(made(stack).get(name, ""), None)
    for call in failing:
        op, name = call.split()
        stack.provider.on[f"{op} {name if op == 'create' else made(stack).get(name, name)}"] = fails
    stack.run(*goals(after), refresh=True)
    document = stack.backend.read()
    assert document is not None
    recorded = {resource.get("id") for resource in document["checkpoint"]["latest"]["resources"]}
    assert stack.provider.world.keys() <= recorded
    stack.provider.on.clear()
    _, recorder = stack.run(*goals(after))
    assert recorder.failures == {}
    holds(stack, after)
