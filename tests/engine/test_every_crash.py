"""The engine dies at every single point of a run over fake things: before and after every call and every write.

Unlike tests/crashes/test_sweep.py, which draws points of runs over real containers, this goes through all of them.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.engine.fakes import STACK, FakeProvider, Killed, Stack, thing, urn
from tooling.engine.goal import Alias, Goal
from tooling.pulumi_files.backend import Backend
from tooling.pulumi_files.secrets import Secrets

WRITES = ("fsync", "replace", "link", "unlink")


@dataclass
class Death:
    """Ends the run at the point number ``at``; from then on nothing has an effect any more."""

    at: int = 0
    passed: int = 0

    def point(self) -> None:
        self.passed += 1
        if self.at and self.passed >= self.at:
            raise Killed

    def arm(self, at: int) -> None:
        self.at, self.passed = at, 0


class MortalProvider(FakeProvider):
    """A provider each of whose calls is a point."""

    def __init__(self, death: Death, *, delete_before_replace: bool) -> None:
        super().__init__(delete_before_replace=delete_before_replace)
        self.death = death

    def _called(self, what: str) -> None:
        self.death.point()


@pytest.fixture
def death(monkeypatch: pytest.MonkeyPatch) -> Iterator[Death]:
    death = Death()

    def mortal(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any, **named: Any) -> Any:
            # What follows a call up to the next point has no effect: there is no need of a point after it.
            death.point()
            return call(*arguments, **named)

        return wrapper

    with monkeypatch.context() as patched:
        for name in WRITES:
            patched.setattr(os, name, mortal((lambda _: None) if name == "fsync" else getattr(os, name)))
        yield death
        death.arm(0)


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder that no disk is waited for, where there is one; deaths are exceptions here, and the power stays on."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


def program(size: int = 1, name: str = "a", *more: Goal) -> list[Goal]:
    return [
        thing("a", inputs={"size": size, "name": name}),
        thing("b", "a"),
        thing("c", "a", inputs={"size": size}),
        *more,
    ]


def moved() -> list[Goal]:
    """The program with a component of its own around the first thing, whose name in the world stays."""
    group = Goal(type="web:index:Group", name="group", custom=False, parent=STACK)
    under = STACK.replace("pulumi:pulumi:Stack::web-dev", "web:index:Group::group")
    inside = urn("a").replace("fake:", "web:index:Group$fake:")
    needing = {"dependencies": [inside], "property_dependencies": {"needs_a": [inside]}}
    return [group, replace(program()[0], parent=under), thing("b", "a", **needing), thing("c", "a", **needing)]


def renamed(*aliases: Alias) -> list[Goal]:
    return [thing("new", inputs={"size": 1, "name": "a"}, aliases=list(aliases)), thing("b", "new"), thing("c", "new")]


SCENARIOS: dict[str, tuple[list[Goal], list[Goal], bool]] = {
    "made from nothing": ([], program(), False),
    "changed in place": (program(), program(size=2), False),
    "replaced, new one first": (program(), program(name="z"), False),
    "replaced and changed and one more": (program(), program(2, "z", thing("d", "b")), True),
    "one left out, another instead": (program(), [*program()[:2], thing("d", "b")], False),
    "all deleted": (program(), [], False),
    "renamed, and what needs it": (program(), renamed(Alias(name="a")), False),
    "renamed without a word": (program(), renamed(), False),
    "moved under another parent": (program(), moved(), False),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_next_run_completes_what_a_death_at_any_point_left(
    scenario: str, in_memory: Path, secrets: Secrets, death: Death
) -> None:
    before, after, delete_first = SCENARIOS[scenario]
    chance = random.Random(scenario)  # noqa: S311 - drawing points

    provider = MortalProvider(death, delete_before_replace=delete_first)
    stack = Stack(Backend(in_memory, "web", "dev"), secrets, provider)
    stack.run(*before)
    state, world = stack.backend.file.read_bytes(), provider.world.copy()
    death.arm(0)
    stack.run(*after)
    points = death.passed
    assert points > 10
    for number in range(1, points + 1):
        stack.backend.file.write_bytes(state)
        provider.world = world.copy()
        # The run that cleans up after the first death may die as well.
        for at in (number, chance.randint(1, points)):
            death.arm(at)
            with contextlib.suppress(Killed):
                stack.run(*after, refresh=bool(number % 2))
            for file in stack.backend.file.parent.glob("dev.json*"):
                assert json.loads(file.read_bytes())["version"] == 3
        death.arm(0)
        deployment, recorder = stack.run(*after)
        where = f"{scenario}, point {number} of {points}: {provider.world}, {recorder.notes}"
        assert not deployment.errored, (where, recorder.failures)
        recorded = stack.resources()
        recorded.pop("web-dev")
        assert recorded.keys() == {goal.name for goal in after}, where
        assert sorted(r["id"] for r in recorded.values() if r["custom"]) == sorted(provider.world), where
        for goal in (goal for goal in after if goal.custom):
            assert provider.world[recorded[goal.name]["id"]]["name"] == goal.inputs["name"], where
        assert "pending_operations" not in stack.backend.file.read_text(), where
        assert stack.run(*after, refresh=True)[0].counts == {"same": 1 + len(after)}, where
