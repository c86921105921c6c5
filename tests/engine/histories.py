"""Histories of a stack of fake things: updates, failures, deaths, things removed by hand; and a judge of each write."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self

from hypothesis import strategies as st

from tests.engine.fakes import FakeProvider, Killed, Stack
from tests.engine.integrity import integrity_faults
from tests.engine.reference_model import GROUPS, THING, TOKENS, Wanted, cannot_change, faults_of_success, goal, living
from tooling.engine.deployment import Deployment
from tooling.engine.goal import Goal, Registered
from tooling.engine.provider import OutcomeUnknownError, PartialFailure, ProviderError, State
from tooling.errors import ToolError
from tooling.pulumi_files.backend import Backend
from tooling.pulumi_files.checkpoint import STACK_TYPE, Resource, latest_of, load
from tooling.pulumi_files.secrets import Secrets
from tooling.pulumi_files.values import Properties, unwrap

NAMES: Final = "abcdef"
HUSH: Final = "hush hush"
Raw = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One command of a history, and what goes wrong.

    Attributes:
        gone: Names of things that somebody removes before it.
        failing: How calls for things fail, by call and name: ``refuses`` before anything was done, ``half`` with the
            thing as it should be but not well, ``unheard`` with the provider gone after it did it.
        ends: ``killed`` or ``interrupted`` at the point number ``at``, if there are so many.
    """

    command: str = "up"
    program: tuple[Wanted, ...] = ()
    refresh: bool = False
    gone: frozenset[str] = frozenset()
    failing: dict[tuple[str, str], str] = field(default_factory=dict)
    ends: str = ""
    at: int = 0


class AtOnce:
    """A pool of threads that has done each task when it is submitted: one order of many, the same each time."""

    def __init__(self, _: int) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, call: Callable[[], Any]) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(call())
        return done

    def map(self, call: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        return [call(item) for item in items]


class World(FakeProvider):
    """Things as they really are. Those that are in another go with it."""

    def __init__(self, judge: Callable[[str], object]) -> None:
        super().__init__()
        self.step = Step()
        self.passed = 0
        self.failures = 0
        self.removed: set[str] = set()
        """Ids of what somebody removed."""
        self.made_for: dict[str, str] = {}
        """URNs by id."""
        self.interrupt: Callable[[], object] = lambda: None
        self._judge = judge

    def point(self) -> None:
        """Where a run may end; once it is killed nothing has an effect any more."""
        self.passed += 1
        if self.step.ends == "killed" and self.passed >= self.step.at:
            raise Killed
        if self.step.ends == "interrupted" and self.passed == self.step.at:
            self.interrupt()

    def _does(self, operation: str, urn: str, effect: Callable[[], State]) -> State:
        """Do it, at points before and after it, and fail as the step says."""
        name = urn.rsplit("::", 1)[1]
        how = self.step.failing.get((operation, name), "")
        # A provider tells what it was given, and the engine knows as secret what the program has given as that.
        why = HUSH if any(one.name == name and one.token == "hush" for one in self.step.program) else "why"
        self.failures += bool(how)
        self.point()
        if how == "refuses":
            raise ProviderError(f"no; {why}.")
        state = effect()
        self.point()
        if how == "half" and operation != "delete":
            raise PartialFailure(f"not well; {why}.", state)
        if how:
            raise OutcomeUnknownError("the provider has gone.")
        return state

    def check(self, urn: str, old_inputs: Properties | None, new_inputs: Properties) -> Properties:
        return new_inputs

    def replaces(self, key: str) -> bool:
        return cannot_change(key)

    def _state(self, resource_id: str) -> State:
        inputs = dict(self.world[resource_id])
        return State(id=resource_id, inputs=inputs, outputs={**inputs, "address": f"at {resource_id}"})

    def create(self, urn: str, inputs: Properties, timeout_seconds: float | None) -> State:
        def made() -> State:
            if (host := inputs.get("bound_host")) and host.removeprefix("at ") not in self.world:
                self.failures += 1
                raise ProviderError("what it would be in is gone.")
            resource_id = f"{urn.rsplit('::', 1)[1]}-{next(self._ids)}"
            self.world[resource_id], self.made_for[resource_id] = dict(inputs), urn
            return self._state(resource_id)

        return self._does("create", urn, made)

    def update(
        self,
        urn: str,
        resource_id: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        timeout_seconds: float | None,
    ) -> Properties:
        def changed() -> State:
            if resource_id not in self.world:
                self.failures += 1
                raise ProviderError("it is gone.")
            self.world[resource_id] = dict(new_inputs)
            return self._state(resource_id)

        return self._does("update", urn, changed).outputs

    def delete(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> None:
        def deleted() -> State:
            self.remove(resource_id, self._judge)
            return State(id="", inputs={}, outputs={})

        self._does("delete", urn, deleted)

    def remove(self, resource_id: str, told: Callable[[str], object]) -> None:
        """Remove a thing with what is in it."""
        if self.world.pop(resource_id, None) is None:
            return
        told(resource_id)
        for other in [key for key, inputs in self.world.items() if inputs.get("bound_host") == f"at {resource_id}"]:
            self.remove(other, told)

    def read(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> State | None:
        if self.step.failing.get(("read", urn.rsplit("::", 1)[1])):
            self.failures += 1
            raise ProviderError(f"who knows; {HUSH}.")
        return self._state(resource_id) if resource_id in self.world else None

    def find(self, urn: str, inputs: Properties) -> str | None:
        made = (one for one in reversed(self.world) if self.made_for[one] == urn and self.world[one] == inputs)
        return next(made, None)


class Memory(Backend):
    """A state file in memory, each write of which is a point."""

    def __init__(self, point: Callable[[], None], judge: Callable[[Raw], None]) -> None:
        super().__init__(Path("/nowhere"), "web", "dev")
        self.text = ""
        self._point = point
        self._judge = judge

    def read(self) -> Raw | None:
        return json.loads(self.text) if self.text else None

    def write(self, content: bytes) -> None:
        self._point()
        self._judge(json.loads(content))
        self.text = content.decode()
        self._point()


class Life:
    """A stack that lives through a history, judged at each write, each deletion and the end of each command."""

    def __init__(self, secrets: Secrets) -> None:
        self.world = World(self._judge_removal)
        self.backend = Memory(self.world.point, self._judge_write)
        self.stack = Stack(self.backend, secrets, self.world)
        self.kept: set[str] = set()
        """Ids of what may be there without being recorded."""
        self.doomed: set[str] = set()
        """Ids that Pulumi no longer records as they go with another, whatever becomes of the deletion of that."""

    # --- judging -----------------------------------------------------------------------------------------------------

    def records(self) -> list[Raw]:
        """The resources of the state, as it is."""
        document = self.backend.read()
        return latest_of(document).get("resources", []) if document else []

    def _judge_write(self, document: Raw) -> None:
        faults = integrity_faults(document)
        assert not faults, faults
        assert HUSH not in json.dumps(document)
        latest = document["checkpoint"]["latest"]
        now = [one for one in latest.get("resources", []) if one["type"] == THING]
        ids = Counter(one["id"] for one in now if not one.get("pendingReplacement"))
        assert not [one for one, count in ids.items() if count > 1], "a real thing is recorded twice"
        for record in self.records():
            if record.get("id") in self.world.world.keys() - ids.keys():
                if record.get("retainOnDelete"):
                    self.kept.add(record["id"])
                elif record.get("deletedWith"):
                    self.doomed.add(record["id"])
        begun = {one["resource"]["urn"] for one in latest.get("pending_operations", []) if one["type"] == "creating"}
        lost = self.world.world.keys() - ids.keys() - self.kept - self.doomed
        assert not [one for one in lost if self.world.made_for[one] not in begun], "a real thing is recorded nowhere"

    def _judge_removal(self, resource_id: str) -> None:
        """Nothing goes that is protected, but what the program has just left unprotected and replaces."""
        record = next((one for one in self.records() if one.get("id") == resource_id), None)
        if record is None or not record.get("protect") or record.get("delete"):
            return
        program = self.world.step.program if self.world.step.command == "up" else ()
        names = {name for one in program if not one.protect for name in (one.name, *(name for name, _ in one.former))}
        assert record["urn"].rsplit("::", 1)[1] in names, f"{resource_id} was protected"

    def _open(self) -> list[Resource]:
        document = self.backend.read()
        return load(document, self.stack.secrets.open).resources if document else []

    # --- living ------------------------------------------------------------------------------------------------------

    def live(self, step: Step) -> str:
        """Take a step and judge its outcome: ``succeeded``, ``failed`` or ``killed``."""
        self.world.step = Step()
        for record in self.records():
            if record["urn"].rsplit("::", 1)[1] in step.gone and record["type"] == THING:
                self.world.remove(record["id"], self.world.removed.add)
        preview = self._preview(step) if step.command == "up" else None
        self.world.step, self.world.passed, self.world.failures = step, 0, 0
        try:
            succeeded, deployment, before = self._run(step)
        except Killed:
            return "killed"
        except ToolError:  # It was not begun.
            assert self.world.failures
            return "failed"
        finally:
            self.world.step = Step()
        if not succeeded:
            protected = [one for one in before if one.protect and not (one.delete or one.pending_replacement)]
            assert self.world.failures or protected or deployment.interrupted, "it failed for no reason"
            return "failed"
        assert not self.world.failures, "something failed, and it succeeded"
        self._judge_success(step, before)
        assert preview is None or deployment.counts == preview
        return "succeeded"

    def _preview(self, step: Step) -> Counter[str] | None:
        """What a preview counts; None where an operation is pending, which an update alone looks after."""
        text, world = self.backend.text, dict(self.world.world)
        _, deployment, _ = self._run(step, dry_run=True)
        assert (self.backend.text, self.world.world) == (text, world)
        return None if "pending_operations" in text else deployment.counts

    def _run(self, step: Step, *, dry_run: bool = False) -> tuple[bool, Deployment, list[Resource]]:
        """Whether the command succeeds, as its exit code says it; the deployment; what it began with."""
        refresh = step.refresh and step.command != "refresh"
        deployment, _ = self.stack.deployment(dry_run=dry_run, refresh=refresh, destroying=step.command == "destroy")
        self.world.interrupt = lambda: setattr(deployment, "interrupted", True)
        before = [replace(resource) for resource in deployment.snapshot.base]
        good = True
        if step.command == "refresh":
            deployment.refresh_all()
        if step.command == "up":
            self._register(step.program, deployment)
        if step.command == "destroy" or (step.command == "up" and not (deployment.errored or deployment.interrupted)):
            try:
                deployment.delete_unregistered()
            except ToolError:
                good = False
        deployment.snapshot.save()
        return good and not deployment.errored and not deployment.interrupted, deployment, before

    def _register(self, program: Sequence[Wanted], deployment: Deployment) -> None:
        deployment.register(Goal(type=STACK_TYPE, name="web-dev", custom=False))
        answers: dict[str, Registered] = {}
        for wanted in program:
            answers[wanted.name] = deployment.register(goal(wanted, program, answers))

    def _judge_success(self, step: Step, before: Sequence[Resource]) -> None:
        assert "pending_operations" not in self.backend.text
        after, there = self._open(), self.world.world
        alive = {one.id: one for one in after if one.type == THING and not (one.delete or one.pending_replacement)}
        assert alive.keys() - there.keys() <= (set() if step.command == "refresh" else self.world.removed)
        for resource_id in alive.keys() & there.keys():
            assert there[resource_id] == unwrap(alive[resource_id].inputs)
        if step.command != "refresh":
            self.kept |= {one for one in self.doomed if self._host_is_kept(one)}
            assert there.keys() - alive.keys() <= self.kept, "what is there is not recorded"
        if step.command == "destroy":
            assert after == []
        if step.command == "up":
            faults = faults_of_success(step.program, living(before), after)
            assert not faults, faults

    def _host_is_kept(self, resource_id: str) -> bool:
        host = str(self.world.world.get(resource_id, {}).get("bound_host", "")).removeprefix("at ")
        return host in self.world.world


# --- drawing ---------------------------------------------------------------------------------------------------------


def some(of: Sequence[str], most: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    """A few of them, most often none."""
    few = st.lists(st.sampled_from(of), max_size=most, unique=True).map(tuple) if of else st.just(())
    return st.one_of(st.just(()), few)


def seldom(value: Any, otherwise: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([otherwise] * 5 + [value])


@st.composite
def wanted(draw: st.DrawFn, name: str, before: Sequence[str], formers: list[str]) -> Wanted:
    """A resource of a program that may depend on those before it, and may have had another name."""
    groups = [one for one in before if one in GROUPS]
    things = [one for one in before if one not in GROUPS]
    kin = [one for one in formers if (one in GROUPS) == (name in GROUPS)]
    other = draw(seldom(True, False)) and kin[:1]
    for one in other or ():
        formers.remove(one)
    if name in GROUPS:
        return Wanted(name=name, former=tuple((one, "") for one in other or ()))
    parent = draw(st.sampled_from(["", *groups]))
    former = [(one, draw(st.sampled_from(["", "g", "h"]))) for one in other or ()]
    former += [(name, draw(st.sampled_from(["", "g", "h"])))] if draw(seldom(True, False)) else []
    flags = ("size", "token", "fixed")
    return Wanted(
        name=name,
        parent=parent,
        needs=draw(some(things)),
        bound=draw(some(things, 1)),
        waits=draw(some(things, 1)),
        size=draw(st.integers(1, 2)),
        fixed=draw(seldom(2, 1)),
        token=draw(st.sampled_from([*TOKENS])),
        shy=draw(seldom(True, False)),
        protect=draw(seldom(True, False)),
        retain=draw(seldom(True, False)),
        delete_first=draw(st.sampled_from([None, True, False])),
        deleted_with=draw(st.sampled_from(["", "", *things])),
        replace_with=draw(some(things, 1)),
        ignore=draw(some(flags, 1)),
        replace_on=draw(some(flags[:2], 1)),
        former=tuple(one for one in former if one != (name, parent)),
    )


@st.composite
def programs(draw: st.DrawFn) -> tuple[Wanted, ...]:
    """One to six resources in any order."""
    names = draw(st.lists(st.sampled_from([*NAMES, *GROUPS]), min_size=1, max_size=6, unique=True))
    formers = [one for one in draw(st.permutations([*NAMES, *GROUPS])) if one not in names]
    return tuple(draw(wanted(name, names[:place], formers)) for place, name in enumerate(names))


FAILING: Final = st.dictionaries(
    st.tuples(st.sampled_from(["create", "update", "delete", "read"]), st.sampled_from(NAMES)),
    st.sampled_from(["refuses", "half", "unheard"]),
    max_size=2,
)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """A command, most often an update, in which something may go wrong."""
    command = draw(st.sampled_from(["up"] * 6 + ["refresh", "destroy"]))
    return Step(
        command=command,
        program=draw(programs()) if command == "up" else (),
        refresh=draw(st.booleans()),
        gone=frozenset(draw(some(NAMES))),
        failing=draw(st.one_of(st.just({}), FAILING)),
        ends=(ends := draw(st.sampled_from(["", "", "", "killed", "interrupted"]))),
        at=draw(st.integers(1, 40)) if ends else 0,
    )


histories: Final = st.lists(steps(), min_size=2, max_size=5)
