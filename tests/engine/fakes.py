"""A provider over a dictionary, and a stack to deploy to it without Docker or the Pulumi SDK."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tooling.engine.deployment import Deployment
from tooling.engine.events import Change
from tooling.engine.goal import Goal, Registered
from tooling.engine.provider import Diff, ProviderError, State
from tooling.engine.snapshot import Snapshot
from tooling.pulumi_files.backend import Backend
from tooling.pulumi_files.checkpoint import STACK_TYPE, Checkpoint, load, salt_of
from tooling.pulumi_files.secrets import Secrets
from tooling.pulumi_files.values import UNKNOWN, Properties


class Killed(BaseException):
    """The engine's process ends here."""


@dataclass
class FakeProvider:
    """Things with a ``name`` that cannot change in place; ``on`` acts on ``create <name>`` and so on.

    Those whose size is "process" are processes, which are stopped before they are deleted.
    """

    world: dict[str, Properties] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    on: dict[str, Callable[[], None]] = field(default_factory=dict)
    delete_before_replace: bool = False
    _ids: Any = field(default_factory=lambda: itertools.count(1))

    def _called(self, what: str) -> None:
        self.calls.append(what)
        if action := self.on.get(what):
            action()

    def check(self, urn: str, old_inputs: Properties | None, new_inputs: Properties) -> Properties:
        if new_inputs.get("size") == "wrong":
            raise ProviderError("size is 'wrong'; write a number.")
        return {"size": 1, **new_inputs}

    def diff(
        self,
        urn: str,
        resource_id: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        ignore_changes: list[str],
    ) -> Diff:
        keys = {*old_inputs, *new_inputs}
        changed = sorted(k for k in keys if new_inputs.get(k) is UNKNOWN or old_inputs.get(k) != new_inputs.get(k))
        if self.world.get(resource_id, {}).get("stopped"):
            changed.append("running")
        return Diff(
            changed=changed,
            replaces=[key for key in changed if self.replaces(key)],
            delete_before_replace=self.delete_before_replace,
        )

    def replaces(self, key: str) -> bool:
        """Whether an input cannot change in place."""
        return key == "name"

    def create(self, urn: str, inputs: Properties, timeout_seconds: float | None) -> State:
        name = urn.rsplit("::", 1)[1]
        self._called(f"create {name}")
        resource_id = f"{name}-{next(self._ids)}"
        self.world[resource_id] = dict(inputs)
        self._called(f"created {name}")
        return State(id=resource_id, inputs=inputs, outputs={**inputs, "address": f"at {resource_id}"})

    def read(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> State | None:
        self._called(f"read {resource_id}")
        if resource_id not in self.world:
            return None
        found = {k: v for k, v in self.world[resource_id].items() if k != "stopped"}
        return State(id=resource_id, inputs=found, outputs={**found, "address": f"at {resource_id}"})

    def update(
        self,
        urn: str,
        resource_id: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        timeout_seconds: float | None,
    ) -> Properties:
        self._called(f"update {resource_id}")
        self.world[resource_id] = dict(new_inputs)
        return {**new_inputs, "address": f"at {resource_id}"}

    def runs(self, urn: str) -> bool:
        name = urn.rsplit("::", 1)[1]
        return any(i.startswith(f"{name}-") and self.world[i].get("size") == "process" for i in self.world)

    def stop(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> None:
        self._called(f"stop {resource_id}")
        self.world[resource_id]["stopped"] = True
        self._called(f"stopped {resource_id}")

    def delete(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> None:
        self._called(f"delete {resource_id}")
        self.world.pop(resource_id, None)
        self._called(f"deleted {resource_id}")

    def find(self, urn: str, inputs: Properties) -> str | None:
        return next((i for i in reversed(self.world) if self.world[i] == inputs), None)

    def invoke(self, token: str, arguments: Properties) -> Properties:
        return {"token": token, **arguments}

    def close(self) -> None:
        pass


@dataclass
class Recorder:
    """Records what a display would show."""

    shown: list[tuple[str, str]] = field(default_factory=list)
    plans: list[tuple[str, str]] = field(default_factory=list)
    ended: list[tuple[str, str]] = field(default_factory=list)
    changes: dict[str, list[Change]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def seen(self, urn: str, parent: str) -> None:
        self.shown.append((urn.rsplit("::", 1)[1], parent.rpartition("::")[2]))

    def plan(self, op: str, urn: str, changes: list[Change]) -> None:
        name = urn.rsplit("::", 1)[1]
        self.plans.append((op, name))
        if changes or name not in self.changes:
            self.changes[name] = changes

    def start(self, op: str, urn: str) -> None:
        pass

    def done(self, op: str, urn: str) -> None:
        self.ended.append((op, urn.rsplit("::", 1)[1]))

    def fail(self, op: str, urn: str, message: str) -> None:
        self.failures[urn.rsplit("::", 1)[1]] = message

    def note(self, severity: str, urn: str, message: str) -> None:
        self.notes.append(f"{severity}: {message}")


STACK = "urn:pulumi:dev::web::pulumi:pulumi:Stack::web-dev"


def urn(name: str) -> str:
    """URN of a thing at the top of the stack."""
    return f"urn:pulumi:dev::web::fake:index:Thing::{name}"


class Stack:
    """A stack on disk; each :meth:`run` is one process that loads it, deploys and may be killed."""

    def __init__(self, backend: Backend, secrets: Secrets, provider: FakeProvider) -> None:
        self.backend = backend
        self.secrets = secrets
        self.provider = provider

    def deployment(
        self, *, dry_run: bool = False, refresh: bool = False, destroying: bool = False
    ) -> tuple[Deployment, Recorder]:
        document = self.backend.read()
        checkpoint = load(document, self.secrets.open) if document else Checkpoint()
        assert not document or salt_of(document) == self.secrets.salt
        snapshot = Snapshot(checkpoint, self.secrets, None if dry_run else self.backend)
        if document:
            snapshot.mark_saved()
        recorder = Recorder()
        deployment = Deployment(
            project="web",
            stack="dev",
            snapshot=snapshot,
            provider=lambda _: self.provider,
            config={},
            observer=recorder,
            dry_run=dry_run,
        )
        deployment.prepare(refresh=refresh, destroying=destroying)
        return deployment, recorder

    def begun(self, *, dry_run: bool = False, refresh: bool = False) -> tuple[Deployment, Recorder]:
        """A run in which the stack itself is registered, and nothing else."""
        deployment, recorder = self.deployment(dry_run=dry_run, refresh=refresh)
        deployment.register(Goal(type=STACK_TYPE, name="web-dev", custom=False))
        return deployment, recorder

    def run(self, *goals: Goal, dry_run: bool = False, refresh: bool = False) -> tuple[Deployment, Recorder]:
        """An update with these resources, in this order; raises :class:`Killed` where the provider says so."""
        deployment, recorder = self.begun(dry_run=dry_run, refresh=refresh)
        answers: dict[str, Registered] = {}
        for goal in goals:
            answers[goal.name] = deployment.register(resolved(goal, answers))
        if not deployment.errored:
            deployment.delete_unregistered()
        deployment.snapshot.save()
        return deployment, recorder

    def resources(self) -> dict[str, dict[str, Any]]:
        """The state file's resources by name, without providers."""
        document = self.backend.read()
        assert document is not None
        found = document["checkpoint"]["latest"].get("resources", [])
        return {r["urn"].rsplit("::", 1)[1]: r for r in found if "pulumi:providers" not in r["type"]}


def thing(name: str, *needs: str, **options: Any) -> Goal:
    """A thing; each of ``needs`` is the logical name of a thing whose address is an input of this one."""
    inputs = options.pop("inputs", {})
    options.setdefault("dependencies", [urn(need) for need in needs])
    options.setdefault("property_dependencies", {f"needs_{need}": [urn(need)] for need in needs})
    return Goal(
        type="fake:index:Thing",
        name=name,
        custom=True,
        parent=STACK,
        inputs={"name": name, **{f"needs_{need}": None for need in needs}, **inputs},
        **options,
    )


def resolved(goal: Goal, answers: dict[str, Registered]) -> Goal:
    """The goal with the addresses of what it needs, as the program would fill them in."""
    inputs = dict(goal.inputs)
    for key, value in inputs.items():
        if key.startswith("needs_") and value is None:
            inputs[key] = answers[key.removeprefix("needs_")].outputs.get("address", UNKNOWN)
    return Goal(**{**goal.__dict__, "inputs": inputs})
