"""Decides what each registered resource needs: Pulumi's step generator.

The old resource is found by URN or alias, the provider checks the new inputs and compares, and the answer is one step:
same, create, update or replace, with what must be deleted first. Planning is serial, under the caller's lock. Left
out, and refused where the program asks for it: targets, update plans, imports, explicit providers, policies.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/step_generator.go
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import partial

from tooling.engine.default_providers import DefaultProviders
from tooling.engine.deletions import Deletions
from tooling.engine.errors import EngineError, only_the_cli
from tooling.engine.events import Change, Observer
from tooling.engine.goal import Goal
from tooling.engine.identity import Names
from tooling.engine.property_paths import ignore_changes, parse_path, replaced_by
from tooling.engine.provider import Diff, Provider, ProviderOf, package_of
from tooling.engine.snapshot import Snapshot
from tooling.engine.step_executor import StepExecutor
from tooling.engine.wire import for_provider
from tooling.pulumi_files.checkpoint import PROVIDER_PREFIX, Resource
from tooling.pulumi_files.values import (
    UNKNOWN,
    Properties,
    equal,
    has_unknown,
    keep_equal,
    mark_secrets,
)

Step = Callable[[], Resource]
"""What is to be done, ready to be called; gives the resource as it then is."""


class StepGenerator:
    """The plan of one run, resource by resource.

    Args:
        names: Names of the stack's resources.
        snapshot: The state.
        executor: Carries the steps out.
        deletions: Deletes what goes before what replaces it.
        default_providers: Gives the reference that a resource's record needs.
        provider: Gives the provider of a package.
        observer: Is told what is planned.
        dry_run: Inputs may be unknown.

    Attributes:
        planned: URNs of this run so far.
    """

    def __init__(
        self,
        *,
        names: Names,
        snapshot: Snapshot,
        executor: StepExecutor,
        deletions: Deletions,
        default_providers: DefaultProviders,
        provider: ProviderOf,
        observer: Observer,
        dry_run: bool,
    ) -> None:
        self.planned: set[str] = set()
        self._names = names
        self._snapshot = snapshot
        self._executor = executor
        self._deletions = deletions
        self._default_providers = default_providers
        self._provider = provider
        self._observer = observer
        self._dry_run = dry_run
        self._aliased: dict[str, str] = {}
        """Former URNs by present ones."""
        self._replaced: set[str] = set()
        self._deleted: dict[str, list[str]] = {}
        """What is deleted before it is made again, by its old URN, with the properties that are to blame."""

    def plan(self, urn: str, goal: Goal) -> Step:
        """The step that brings a resource to its goal; raises EngineError and ProviderError."""
        old = self._old(urn, goal)
        new = new_resource(urn, goal, old)
        if not goal.custom:
            return self._plan_component(old, new)
        if goal.type.startswith(PROVIDER_PREFIX):
            raise only_the_cli(f"an explicit provider ({goal.type} {goal.name})")
        if not self._dry_run and has_unknown(goal.inputs):
            raise EngineError("An input is not known although nothing it depends on failed; please report this.")
        provider = self._provider(package_of(goal.type))
        recreating = old is not None and bool({urn, old.urn} & self._deleted.keys())
        living = None if old is None or recreating or old.external or old.pending_replacement else old
        kept = ignore_changes(goal.inputs, living.inputs, goal.ignore_changes) if living is not None else goal.inputs
        self._check(provider, new, kept, living)
        new.provider = self._default_providers.reference(goal)
        if old is None:
            self._observer.plan("create", urn, [])
            return partial(self._executor.create, "create", provider, new, None)
        if recreating or old.external or old.pending_replacement:
            if old.external:
                old.delete = True
            self._replaced.add(urn)
            because = self._deleted.get(old.urn, [])
            self._plan_replace(_changes(Diff(changed=because, replaces=because), old, new), old, new)
            return partial(self._executor.create, "replace", provider, new, old)
        diff = self._diff(provider, old, new)
        if diff.replaces:
            return self._plan_replacement(provider, goal, old, new, diff)
        if diff.changed or old.init_errors:
            self._observer.plan("update", urn, _changes(diff, old, new))
            return partial(self._executor.update, provider, new, old)
        return self._plan_same(old, new)

    def _plan_same(self, old: Resource, new: Resource) -> Step:
        self._observer.plan("same", new.urn, [])
        return partial(self._executor.same, new, old)

    def _plan_replace(self, changes: list[Change], old: Resource, new: Resource) -> None:
        """Tell of a replacement: the new resource is made before the old one goes, unless that is gone already."""
        steps = [("replace", changes), ("create-replacement", [])]
        gone = old.urn in self._deleted or old.pending_replacement
        for op, shown in steps if gone else reversed(steps):
            self._observer.plan(op, new.urn, shown)

    def _plan_component(self, old: Resource | None, new: Resource) -> Step:
        if old is None:
            self._observer.plan("create", new.urn, [])
            return partial(self._executor.make_component, "create", new, None)
        new.outputs = old.outputs
        if old.taint:
            raise only_the_cli(f"replacing a component ({new.type} {new.name}, marked by `pulumi state taint`)")
        if equal(new.inputs, old.inputs):
            return self._plan_same(old, new)
        keys = sorted(key for key in {*old.inputs, *new.inputs} if old.inputs.get(key) != new.inputs.get(key))
        self._observer.plan("update", new.urn, _changes(Diff(changed=keys), old, new))
        return partial(self._executor.make_component, "update", new, old)

    def _check(self, provider: Provider, new: Resource, inputs: Properties, old: Resource | None) -> None:
        old_inputs = for_provider(old.inputs) if old is not None else None
        checked = provider.check(new.urn, old_inputs, for_provider(inputs))
        new.inputs = keep_equal(mark_secrets(checked, inputs), old.inputs if old is not None else {})

    def _diff(self, provider: Provider, old: Resource, new: Resource) -> Diff:
        if old.taint:
            return Diff(changed=["id"], replaces=["id"])
        for urn, reason in [(new.deleted_with, "deletedWith"), *((urn, "replaceWith") for urn in new.replace_with)]:
            if urn in self._replaced:
                return Diff(changed=[reason], replaces=[reason])
        return self._ask_diff(provider, old, new.inputs, new.ignore_changes, new.replace_on_changes)

    def _ask_diff(
        self, provider: Provider, old: Resource, inputs: Properties, ignored: list[str], replacing: list[str]
    ) -> Diff:
        diff = provider.diff(
            old.urn, old.id, for_provider(old.inputs), for_provider(old.outputs), for_provider(inputs), ignored
        )
        forced = replaced_by(replacing, diff, old.inputs, inputs)
        if old.init_errors and {"*", "initErrors"} & {*replacing}:
            forced.add("initErrors")
        return replace(diff, replaces=sorted({*diff.replaces, *forced}))

    def _plan_replacement(self, provider: Provider, goal: Goal, old: Resource, new: Resource, diff: Diff) -> Step:
        if old.protect and new.protect:
            raise EngineError(
                "It would be replaced, but it is protected. Remove `protect` from it in the program, then update again."
            )
        # What was taken over from the old resource, defaults and what ``ignoreChanges`` names, no longer holds.
        self._check(provider, new, goal.inputs, None)
        new.inputs = keep_equal(new.inputs, old.inputs)
        delete_first = diff.delete_before_replace if goal.delete_before_replace is None else goal.delete_before_replace
        condemned: list[Resource] = []
        if delete_first:
            dependents = self._dependents_to_replace(old)
            self._refuse_deletion(dependents)
            condemned = [old, *dependents]
            for resource in reversed(condemned):
                if resource.urn not in self._deleted:
                    self._observer.plan("delete-replaced", resource.urn, [])
            self._deleted |= {old.urn: [], **{one.urn: why for one, why in dependents.items()}, **self._deleted}
        self._replaced.add(new.urn)
        self._plan_replace(_changes(diff, old, new), old, new)
        return partial(self._replace, provider, new, old, condemned, frozenset(self._deleted))

    def _refuse_deletion(self, dependents: Iterable[Resource]) -> None:
        """Raise where something would be deleted that may not be, or that could perhaps not be made again."""
        for resource in dependents:
            what = f"It would be replaced, and {resource.name} ({resource.type}) with it"
            if resource.protect:
                raise EngineError(
                    f"{what}, which is protected. Remove `protect` from that one in the program, then update again."
                )
            if self._executor.errored and resource.urn not in self._deleted:
                raise EngineError(
                    f"{what}, which is deleted first. That was not begun, because something else failed and it might "
                    "not be made again. Correct that, then run this again."
                )

    def _replace(
        self, provider: Provider, new: Resource, old: Resource, condemned: list[Resource], going: AbstractSet[str]
    ) -> Resource:
        """Replace a resource; where nothing is deleted first, the old one goes at the end of the run."""
        if condemned:
            self._deletions.delete_first(condemned, going)
        elif self._dry_run:
            old.delete = True
        return self._executor.create("replace", provider, new, old)

    def _dependents_to_replace(self, root: Resource) -> dict[Resource, list[str]]:
        """Resources that must go before ``root`` can be deleted, dependencies first, with what is to blame.

        They are those whose inputs would change beyond repair if what they take from ``root`` became unknown (the
        step generator's calculateDependentReplacements), and those deleted or replaced with it.
        """
        reached, replaced = {root.urn}, {root.urn}
        found: dict[Resource, list[str]] = {}
        for resource in self._snapshot.resources():
            settled = resource.urn in self.planned or resource.urn in self._aliased.values()
            if resource is root or settled or resource.delete or not resource.custom:
                continue
            bound = {resource.deleted_with, *resource.replace_with} & replaced
            if not bound and not (resource.needs() - {resource.parent}) & reached:
                continue
            reached.add(resource.urn)
            if resource.external or resource.pending_replacement:
                continue
            because = self._deleted.get(resource.urn) or (
                ["deletedWith"] if bound else self._replaced_by_unknown(resource, replaced)
            )
            if because:
                replaced.add(resource.urn)
                found[resource] = because
        return found

    def _replaced_by_unknown(self, resource: Resource, replaced: set[str]) -> list[str]:
        """The properties that would replace it if what it takes from replaced resources were unknown."""
        unknown = {key for key, urns in resource.property_dependencies.items() if replaced & set(urns)}
        if not unknown & resource.inputs.keys():
            return []
        inputs = {key: UNKNOWN if key in unknown else value for key, value in resource.inputs.items()}
        provider = self._provider(package_of(resource.type))
        diff = self._ask_diff(provider, resource, inputs, resource.ignore_changes, resource.replace_on_changes)
        return diff.replaces

    def _old(self, urn: str, goal: Goal) -> Resource | None:
        """What the state has of it; a component and a resource of a provider do not take over each other."""
        if taken := next((present for present, former in self._aliased.items() if former == urn), None):
            raise EngineError(
                f"{taken} has taken over what {urn} was, by an alias. Remove that, or rename this resource."
            )
        old = self._recorded(urn, goal)
        if old is not None and old.custom != goal.custom:
            old.delete = True
            return None
        return old

    def _recorded(self, urn: str, goal: Goal) -> Resource | None:
        for candidate in [urn, *self._names.alias_urns(goal, self._aliased)]:
            old = self._snapshot.find(candidate)
            if old is None:
                continue
            if candidate != urn:
                if candidate in self.planned or candidate in self._aliased.values():
                    raise EngineError(f"The alias {candidate} of {urn} is another resource of the program; remove it.")
                self._aliased[urn] = candidate
            return old
        return None


def new_resource(urn: str, goal: Goal, old: Resource | None) -> Resource:
    """The resource as the goal has it, not yet checked."""
    return Resource(
        urn=urn,
        type=goal.type,
        custom=goal.custom,
        inputs=goal.inputs,
        parent=goal.parent,
        protect=goal.protect,
        dependencies=goal.dependencies,
        property_dependencies=goal.property_dependencies,
        additional_secret_outputs=goal.additional_secret_outputs,
        custom_timeouts=goal.custom_timeouts,
        retain_on_delete=goal.retain_on_delete,
        deleted_with=goal.deleted_with,
        replace_with=goal.replace_with,
        created=old.created if old else "",
        modified=old.modified if old else "",
        ignore_changes=goal.ignore_changes,
        replace_on_changes=goal.replace_on_changes,
        extra=old.extra if old else {},
    )


def _changes(diff: Diff, old: Resource, new: Resource) -> list[Change]:
    replacing = set(diff.replaces)
    changes = []
    for key in diff.changed:
        root = str(parse_path(key)[0])
        before, after = old.inputs.get(root, old.outputs.get(root)), new.inputs.get(root)
        if before == after:
            before = old.outputs.get(root)
        changes.append(Change(key=key, old=before, new=after, replaces=key in replacing))
    return changes
