"""Carries out the steps: Pulumi's step executor and steps (same, create, update, replace, delete).

A step runs in the thread that registered the resource, so independent resources are made in parallel; a deletion begins
when the last dependent is gone. Before a provider changes anything the operation is on disk as pending; after it, its
outcome is. Where Pulumi stops at the first failure, what does not depend on it goes on. Left out: the option
``--parallel`` and import steps; reading and refreshing are in ``deployment`` and ``refresh``.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/step_executor.go and step.go
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from threading import RLock
from typing import Final, TypeVar

from tooling.engine.events import Observer
from tooling.engine.provider import (
    DYNAMIC,
    OutcomeUnknownError,
    PartialFailure,
    Provider,
    ProviderError,
    ProviderOf,
    State,
    package_of,
)
from tooling.pulumi_files.errors import EngineError
from tooling.pulumi_files.state import PROVIDER_PREFIX, Operation, PendingOperation, Resource, Snapshot, timestamp
from tooling.pulumi_files.values import for_provider, keep_equal, mark_secrets

PARALLEL: Final = 16
"""Provider calls at a time, where this engine and not the program decides."""
T = TypeVar("T")


class StepExecutor:
    """The steps of one run, and how it went.

    Args:
        snapshot: The state.
        provider: Gives the provider of a package.
        observer: Is told what happens.
        dry_run: Nothing is changed; steps only count.

    Attributes:
        counts: Resources by operation.
        failed: URNs that failed, or were not begun because of one that did.
        lock: Guards these, and planning.
    """

    def __init__(self, snapshot: Snapshot, provider: ProviderOf, observer: Observer, *, dry_run: bool) -> None:
        self.counts: Counter[str] = Counter()
        self.errored = False
        self.interrupted = False
        self.failed: set[str] = set()
        self.lock = RLock()
        self._snapshot = snapshot
        self._provider = provider
        self._observer = observer
        self._dry_run = dry_run

    def same(self, new: Resource, old: Resource) -> Resource:
        """Nothing to do (SameStep)."""
        new.id, new.outputs, new.inputs = old.id, old.outputs, keep_equal(new.inputs, old.inputs)
        self._snapshot.settle(new, old)
        self._count("same", new)
        return new

    def make_component(self, op: str, new: Resource, old: Resource | None) -> Resource:
        """Record a component, which no provider has a part in."""
        new.modified = timestamp()
        new.created = new.created or new.modified
        self._observer.start(op, new.urn)
        self._snapshot.settle(new, old)
        self._count(op, new)
        return new

    def create(self, op: str, provider: Provider, new: Resource, old: Resource | None) -> Resource:
        """Create a resource (CreateStep); ``op`` is what it is counted as."""
        self._observer.start(op, new.urn)
        new.created = new.modified = timestamp()
        new.extra = {}
        if self._dry_run:
            new.outputs = new.inputs
            self._snapshot.settle(new, old)
        else:
            timeout = new.custom_timeouts.get("create")
            self._perform("creating", new, old, lambda: provider.create(new.urn, for_provider(new.inputs), timeout))
        self._count(op, new)
        return new

    def update(self, provider: Provider, new: Resource, old: Resource) -> Resource:
        """Change a resource in place (UpdateStep)."""
        self._observer.start("update", new.urn)
        new.id, new.created, new.inputs = old.id, old.created, keep_equal(new.inputs, old.inputs)
        if self._dry_run:
            # The plugin of a Terraform provider plans on top of the old state; a dynamic one is not asked.
            new.outputs = new.inputs if package_of(new.type) == DYNAMIC else {**old.outputs, **new.inputs}
            self._snapshot.settle(new, old)
        else:
            new.modified = timestamp()
            new.outputs = old.outputs

            def call() -> State:
                outputs = provider.update(
                    new.urn, old.id, for_provider(old.inputs), for_provider(old.outputs), for_provider(new.inputs),
                    new.custom_timeouts.get("update"),
                )  # fmt: skip
                return State(id=old.id, inputs={}, outputs=outputs)

            self._perform("updating", new, old, call)
        self._count("update", new)
        return new

    def replace(
        self, provider: Provider, new: Resource, old: Resource, condemned: list[Resource], going: AbstractSet[str]
    ) -> Resource:
        """Replace a resource (ReplaceStep with its CreateStep).

        Args:
            provider: The resource's.
            new: As it shall be.
            old: As it is; it waits for deletion at the end of the run, unless it is among the condemned.
            condemned: What must be deleted first, dependents first.
            going: URNs of all that this run deletes in order to replace it.
        """
        for resource in condemned:
            if self._dry_run:
                resource.pending_replacement = True
            else:
                self._delete_for_replacement(resource, going)
        if not condemned and self._dry_run:
            old.delete = True
        return self.create("replace", provider, new, old)

    def _delete_for_replacement(self, resource: Resource, going: AbstractSet[str]) -> None:
        self._observer.seen(resource.urn, resource.parent)
        self._observer.start("delete-replaced", resource.urn)
        pending = self._snapshot.begin("deleting", resource)
        self._call(pending, lambda: self._ask_delete(resource, going - {resource.urn}))
        with self._snapshot.lock:
            resource.pending_replacement = True
            self._snapshot.end(pending)
            self._snapshot.save()
        self._observer.done("delete-replaced", resource.urn)

    def _perform(self, operation: Operation, new: Resource, old: Resource | None, call: Callable[[], State]) -> None:
        """Have a provider create or update, with the outcome in the state whatever it is."""
        pending = self._snapshot.begin(operation, new)
        failure: PartialFailure | None = None
        try:
            state = self._call(pending, call)
        except PartialFailure as error:
            failure, state = error, error.state
            new.init_errors = [self._snapshot.hide(str(error))]
        new.id = state.id
        new.outputs = keep_equal(
            mark_secrets(state.outputs, new.inputs, new.additional_secret_outputs), old.outputs if old else {}
        )
        with self._snapshot.lock:
            if operation == "creating" and old is not None and not old.pending_replacement:
                old.delete = True
            self._snapshot.settle(new, old)
            self._snapshot.end(pending)
            self._snapshot.save()
        if failure is not None:
            raise failure

    def _call(self, pending: PendingOperation, call: Callable[[], T]) -> T:
        """Call a provider; the operation stays pending only if its outcome is not known."""
        try:
            return call()
        except (PartialFailure, OutcomeUnknownError):
            raise
        except ProviderError:
            with self._snapshot.lock:
                self._snapshot.end(pending)
                self._snapshot.save()
            raise
        except Exception as error:
            raise OutcomeUnknownError(f"{type(error).__name__}: {error}") from error

    def _count(self, op: str, resource: Resource, shown: str | None = None) -> None:
        with self.lock:
            self.counts[op] += 1
        self._observer.done(shown or op, resource.urn)

    def fail(self, urn: str, message: str) -> None:
        """Record that a resource failed; what needs it will not be begun."""
        with self.lock:
            self.errored = True
            self.failed.add(urn)
        self._observer.fail("", urn, message)

    def delete_unregistered(self) -> None:
        """Delete what the program no longer registers (all, if it was not run), dependents first.

        Raises:
            EngineError: One of them is protected; nothing is deleted then.
        """
        condemned = list(self._snapshot.base)
        if protected := [resource for resource in condemned if resource.protect and not resource.delete]:
            names = ", ".join(f"{resource.name} ({resource.type})" for resource in protected)
            raise EngineError(
                f"Nothing was deleted: {names} would be, but is protected. Remove `protect` from it in the program and "
                "update; then this can be repeated."
            )
        for resource in condemned:
            if visible(resource):
                self._observer.seen(resource.urn, resource.parent)
                self._observer.plan("delete", resource.urn, [])
            elif resource.delete:
                self._observer.plan("delete-replaced", resource.urn, [])
            elif resource.external:
                self._observer.plan("discard", resource.urn, [])
        self._delete_in_order(condemned)
        self._snapshot.save()

    def _delete_in_order(self, condemned: list[Resource]) -> None:
        """Delete each as soon as nothing that needs it is left; begin no more once something failed.

        What runs is stopped as soon as nothing that needs it runs, while that is still being removed.
        """
        going = {resource.urn for resource in condemned}
        stopped: dict[Resource, PendingOperation] = {}
        running: dict[Future[None], Resource] = {}
        with ThreadPoolExecutor(PARALLEL) as pool:
            while True:
                for resource, step in self._ready(condemned, going, stopped):
                    if resource not in running.values():
                        running[pool.submit(step)] = resource
                if not running:
                    break
                for ended in wait(running, return_when=FIRST_COMPLETED).done:
                    ended.result()
                    del running[ended]
                with self._snapshot.lock:
                    left = set(self._snapshot.base)
                condemned = [resource for resource in condemned if resource in left]

    def _ready(
        self, condemned: list[Resource], going: AbstractSet[str], stopped: dict[Resource, PendingOperation]
    ) -> Iterator[tuple[Resource, Callable[[], None]]]:
        """What can be done now for those that are left."""
        needed = {urn for resource in condemned for urn in resource.needs() - {resource.urn}}
        in_use = _in_use(condemned, lambda one: _asks_provider(one, going - {one.urn}) and one not in stopped)
        for resource in condemned:
            if resource.urn in self.failed:
                continue
            if resource in stopped:
                if resource.urn not in needed:
                    yield resource, partial(self._delete, going, resource, stopped[resource])
            elif self.errored or self.interrupted:
                continue
            elif self._runs(resource, going):
                if resource.urn not in in_use:
                    yield resource, partial(self._stop, resource, stopped)
            elif resource.urn not in needed:
                yield resource, partial(self._delete, going, resource)

    def _runs(self, resource: Resource, going: AbstractSet[str]) -> bool:
        """Whether it is stopped before it is deleted."""
        if self._dry_run or not _asks_provider(resource, going - {resource.urn}):
            return False
        with suppress(EngineError):  # A provider that is not known refuses the deletion.
            return self._provider(package_of(resource.type)).runs(resource.urn)
        return False

    def _stop(self, resource: Resource, stopped: dict[Resource, PendingOperation]) -> None:
        try:
            pending = self._begin_deletion(resource)
            provider = self._provider(package_of(resource.type))
            facts = for_provider(resource.inputs), for_provider(resource.outputs)
            self._call(pending, lambda: provider.stop(resource.urn, resource.id, *facts))
            # It stays pending, also where the deletion of what needs it fails: the state does not say that it stopped.
            stopped[resource] = pending
        except (ProviderError, EngineError) as error:
            self.fail(resource.urn, str(error))

    def _begin_deletion(self, resource: Resource) -> PendingOperation:
        self._observer.start("delete-replaced" if resource.delete else "delete", resource.urn)
        return self._snapshot.begin("deleting", resource)

    def _delete(self, going: AbstractSet[str], resource: Resource, pending: PendingOperation | None = None) -> None:
        try:
            if self._dry_run or not _asks_provider(resource, going - {resource.urn}):
                self._snapshot.remove(resource)
            else:
                begun = pending or self._begin_deletion(resource)
                self._call(begun, lambda: self._ask_delete(resource, going - {resource.urn}))
                with self._snapshot.lock:
                    self._snapshot.remove(resource)
                    self._snapshot.end(begun)
                    self._snapshot.save()
                if resource.delete:
                    self._observer.done("delete-replaced", resource.urn)
        except (ProviderError, EngineError) as error:
            self.fail(resource.urn, str(error))
            return
        if visible(resource):
            self._count("delete", resource, _deletion(resource))

    def _ask_delete(self, resource: Resource, going: AbstractSet[str]) -> None:
        if _asks_provider(resource, going):
            provider = self._provider(package_of(resource.type))
            provider.delete(resource.urn, resource.id, for_provider(resource.inputs), for_provider(resource.outputs))


def _asks_provider(resource: Resource, going: AbstractSet[str]) -> bool:
    """Whether there is something to delete: kept, foreign and already deleted resources only leave the state."""
    return (
        resource.custom
        and not resource.type.startswith(PROVIDER_PREFIX)
        and not (resource.external or resource.retain_on_delete or resource.pending_replacement)
        and resource.deleted_with not in going
    )


def _in_use(resources: list[Resource], works: Callable[[Resource], bool]) -> set[str]:
    """URNs that something at work needs, itself or by way of others.

    Args:
        resources: As the state has them: each behind what it needs.
        works: Whether it still needs what it needs.
    """
    found: set[str] = set()
    for resource in reversed(resources):
        if resource.urn in found or works(resource):
            found |= resource.needs() - {resource.urn}
    return found


def _deletion(resource: Resource) -> str:
    """What its deletion is shown as."""
    if not resource.retain_on_delete:
        return "delete"
    return "forget" if package_of(resource.type) == DYNAMIC else "keep"


def visible(resource: Resource) -> bool:
    """Whether a deletion is shown and counted: not that of a default provider or of what was replaced."""
    hidden = resource.delete or resource.pending_replacement or resource.external
    return not hidden and not resource.type.startswith(PROVIDER_PREFIX)
