"""Carries out the steps: Pulumi's step executor and steps (same, create, update, replace).

A step runs in the thread that registered the resource, so independent resources are made in parallel. Before a
provider changes anything the operation is on disk as pending; after it, its outcome is. Where Pulumi stops at the first
failure, what does not depend on it goes on. Left out: the option ``--parallel`` and import steps; what is left over is
deleted in ``deletions``, reading and refreshing are in ``deployment`` and ``refresh``.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/step_executor.go and step.go
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from collections.abc import Set as AbstractSet
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
from tooling.engine.snapshot import Snapshot
from tooling.engine.wire import for_provider
from tooling.pulumi_files.checkpoint import PROVIDER_PREFIX, Operation, PendingOperation, Resource, timestamp
from tooling.pulumi_files.values import keep_equal, mark_secrets

PARALLEL: Final = 16
"""Provider calls at a time, where this engine and not the program decides."""
T = TypeVar("T")


class StepExecutor:
    """The steps of one run, and how they went.

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
        self.snapshot = snapshot
        self.provider = provider
        self.observer = observer
        self.dry_run = dry_run
        self.counts: Counter[str] = Counter()
        self.errored = False
        self.interrupted = False
        self.failed: set[str] = set()
        self.lock = RLock()

    def same(self, new: Resource, old: Resource) -> Resource:
        """Nothing to do (SameStep)."""
        new.id, new.inputs = old.id, keep_equal(new.inputs, old.inputs)
        marked = mark_secrets(old.outputs, new.inputs, new.additional_secret_outputs)
        new.outputs = keep_equal(marked, old.outputs)
        self.snapshot.settle(new, old)
        self.count("same", new)
        return new

    def make_component(self, op: str, new: Resource, old: Resource | None) -> Resource:
        """Record a component, which no provider has a part in."""
        new.modified = timestamp()
        new.created = new.created or new.modified
        self.observer.start(op, new.urn)
        self.snapshot.settle(new, old)
        self.count(op, new)
        return new

    def create(self, op: str, provider: Provider, new: Resource, old: Resource | None) -> Resource:
        """Create a resource (CreateStep); ``op`` is what it is counted as."""
        self.observer.start(op, new.urn)
        new.created = new.modified = timestamp()
        new.extra = {}
        if self.dry_run:
            new.outputs = new.inputs
            self.snapshot.settle(new, old)
        else:
            timeout = new.custom_timeouts.get("create")
            self._perform("creating", new, old, lambda: provider.create(new.urn, for_provider(new.inputs), timeout))
        self.count(op, new)
        return new

    def update(self, provider: Provider, new: Resource, old: Resource) -> Resource:
        """Change a resource in place (UpdateStep)."""
        self.observer.start("update", new.urn)
        new.id, new.created, new.inputs = old.id, old.created, keep_equal(new.inputs, old.inputs)
        if self.dry_run:
            # The plugin of a Terraform provider plans on top of the old state; a dynamic one is not asked.
            new.outputs = new.inputs if package_of(new.type) == DYNAMIC else {**old.outputs, **new.inputs}
            self.snapshot.settle(new, old)
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
        self.count("update", new)
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
            if self.dry_run:
                resource.pending_replacement = True
            else:
                self._delete_for_replacement(resource, going)
        if not condemned and self.dry_run:
            old.delete = True
        return self.create("replace", provider, new, old)

    def _delete_for_replacement(self, resource: Resource, going: AbstractSet[str]) -> None:
        self.observer.seen(resource.urn, resource.parent)
        self.observer.start("delete-replaced", resource.urn)
        pending = self.snapshot.begin("deleting", resource)
        self.call(pending, lambda: self.ask_delete(resource, going - {resource.urn}))
        with self.snapshot.lock:
            resource.pending_replacement = True
            self.snapshot.end(pending)
            self.snapshot.save()
        self.observer.done("delete-replaced", resource.urn)

    def _perform(self, operation: Operation, new: Resource, old: Resource | None, call: Callable[[], State]) -> None:
        """Have a provider create or update, with the outcome in the state whatever it is."""
        pending = self.snapshot.begin(operation, new)
        failure: PartialFailure | None = None
        try:
            state = self.call(pending, call)
        except PartialFailure as error:
            failure, state = error, error.state
            new.init_errors = [self.snapshot.hide(str(error))]
        new.id = state.id
        new.outputs = keep_equal(
            mark_secrets(state.outputs, new.inputs, new.additional_secret_outputs), old.outputs if old else {}
        )
        with self.snapshot.lock:
            if operation == "creating" and old is not None and not old.pending_replacement:
                old.delete = True
            self.snapshot.settle(new, old)
            self.snapshot.end(pending)
            self.snapshot.save()
        if failure is not None:
            raise failure

    def call(self, pending: PendingOperation, call: Callable[[], T]) -> T:
        """Call a provider; the operation stays pending only if its outcome is not known."""
        try:
            return call()
        except (PartialFailure, OutcomeUnknownError):
            raise
        except ProviderError:
            with self.snapshot.lock:
                self.snapshot.end(pending)
                self.snapshot.save()
            raise
        except Exception as error:
            raise OutcomeUnknownError(f"{type(error).__name__}: {error}") from error

    def count(self, op: str, resource: Resource, shown: str | None = None) -> None:
        """Count a step that is done, and show it; ``shown`` is what it is shown as, if not ``op``."""
        with self.lock:
            self.counts[op] += 1
        self.observer.done(shown or op, resource.urn)

    def fail(self, urn: str, message: str) -> None:
        """Record that a resource failed; what needs it will not be begun."""
        with self.lock:
            self.errored = True
            self.failed.add(urn)
        self.observer.fail("", urn, message)

    def ask_delete(self, resource: Resource, going: AbstractSet[str]) -> None:
        """Have its provider delete a resource, if there is something to delete.

        Args:
            resource: The resource.
            going: URNs of the others that are deleted.
        """
        if asks_provider(resource, going):
            provider = self.provider(package_of(resource.type))
            provider.delete(resource.urn, resource.id, for_provider(resource.inputs), for_provider(resource.outputs))


def asks_provider(resource: Resource, going: AbstractSet[str]) -> bool:
    """Whether there is something to delete: kept, foreign and already deleted resources only leave the state."""
    return (
        resource.custom
        and not resource.type.startswith(PROVIDER_PREFIX)
        and not (resource.external or resource.retain_on_delete or resource.pending_replacement)
        and resource.deleted_with not in going
    )
