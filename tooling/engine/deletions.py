"""Deletes what a run leaves over, dependents first, each as soon as nothing that needs it is left.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/deployment_executor.go (scheduleDeletes)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from threading import Lock

from tooling.engine.errors import EngineError
from tooling.engine.provider import DYNAMIC, package_of
from tooling.engine.step_executor import PARALLEL, StepExecutor, asks_provider
from tooling.engine.wire import for_provider
from tooling.errors import ToolError
from tooling.pulumi_files.checkpoint import PROVIDER_PREFIX, PendingOperation, Resource


class Deletions:
    """What one run deletes.

    Args:
        executor: Calls the providers, and counts.
    """

    def __init__(self, executor: StepExecutor) -> None:
        self._executor = executor
        self._snapshot = executor.snapshot
        self._observer = executor.observer
        self._one_replacement = Lock()

    def delete_unregistered(self) -> None:
        """Delete what the program no longer registers (all, if it was not run), dependents first.

        Raises:
            EngineError: One of them is protected; nothing is deleted then.
        """
        condemned = list(self._snapshot.base)
        living = [resource for resource in condemned if not (resource.delete or resource.pending_replacement)]
        if protected := [resource for resource in living if resource.protect]:
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
        self._delete_in_order(condemned, {resource.urn for resource in condemned})
        self._snapshot.save()

    def delete_first(self, condemned: list[Resource], going: AbstractSet[str]) -> None:
        """Delete what is replaced by what this run makes later; the state has it as that until then.

        Args:
            condemned: Dependencies before dependents. What is deleted already is left out.
            going: URNs of all that this run deletes so.

        Raises:
            EngineError: One of them could not be deleted; those that need it are gone.
        """
        # Two of these may share a dependent: whichever comes first deletes it.
        with self._one_replacement:
            left = [resource for resource in condemned if not resource.pending_replacement]
            if self._executor.dry_run:
                for resource in left:
                    resource.pending_replacement = True
                return
            for resource in left:
                self._observer.seen(resource.urn, resource.parent)
            self._delete_in_order(left, going, replaced=True)

    def _delete_in_order(self, condemned: list[Resource], going: AbstractSet[str], *, replaced: bool = False) -> None:
        """Delete each as soon as nothing that needs it is left; begin no more once something failed.

        What runs is stopped as soon as nothing that needs it runs, while that is still being removed.

        Args:
            condemned: Dependencies before dependents.
            going: URNs of the others that are deleted.
            replaced: They stay in the state, as what is made again; a failure is raised.
        """
        batch = _Batch(condemned, going, replaced=replaced)
        running: dict[Future[None], Resource] = {}
        with ThreadPoolExecutor(PARALLEL) as pool:
            while True:
                for resource, step in self._ready(batch):
                    if resource not in running.values():
                        running[pool.submit(step)] = resource
                if not running:
                    break
                for ended in wait(running, return_when=FIRST_COMPLETED).done:
                    ended.result()
                    del running[ended]
        if batch.failures and replaced:
            raise EngineError("; ".join(batch.failures))
        if batch.left and not (batch.failures or self._executor.errored or self._executor.interrupted):
            names = ", ".join(resource.name for resource in batch.left)
            raise EngineError(f"{names}: left over, although nothing failed. Please report this.")

    def _ready(self, batch: _Batch) -> Iterator[tuple[Resource, Callable[[], None]]]:
        """What can be done now for those that are left."""
        left = batch.left
        needed = {need for resource in left for need in batch.needs[resource]}
        in_use = batch.needed_at_work(
            lambda one: asks_provider(one, batch.going - {one.urn}) and one not in batch.stopped
        )
        # A replacement that was begun goes on to its end, whatever else failed or whoever interrupts.
        ending = batch.failures or (not batch.replaced and (self._executor.interrupted or self._executor.errored))
        for resource in left:
            if resource in batch.failed:
                continue
            if resource in batch.stopped:
                if resource not in needed:
                    yield resource, partial(self._delete, batch, resource)
            elif ending:
                continue
            elif self._runs(resource, batch.going):
                if resource not in in_use:
                    yield resource, partial(self._stop, batch, resource)
            elif resource not in needed:
                yield resource, partial(self._delete, batch, resource)

    def _runs(self, resource: Resource, going: AbstractSet[str]) -> bool:
        """Whether it is stopped before it is deleted."""
        if self._executor.dry_run or not asks_provider(resource, going - {resource.urn}):
            return False
        with suppress(EngineError):  # A provider that is not known refuses the deletion.
            return self._executor.provider(package_of(resource.type)).runs(resource.urn)
        return False

    def _stop(self, batch: _Batch, resource: Resource) -> None:
        try:
            pending = self._begin_deletion(batch, resource)
            provider = self._executor.provider(package_of(resource.type))
            facts = for_provider(resource.inputs), for_provider(resource.outputs)
            self._executor.call(pending, lambda: provider.stop(resource.urn, resource.id, *facts))
            # It stays pending, also where the deletion of what needs it fails: the state does not say that it stopped.
            batch.stopped[resource] = pending
        except ToolError as error:
            self._fail(batch, resource, error)

    def _begin_deletion(self, batch: _Batch, resource: Resource) -> PendingOperation:
        self._observer.start("delete-replaced" if resource.delete or batch.replaced else "delete", resource.urn)
        return self._snapshot.begin("deleting", resource)

    def _delete(self, batch: _Batch, resource: Resource) -> None:
        asked = not self._executor.dry_run and asks_provider(resource, batch.going - {resource.urn})
        try:
            begun = batch.stopped.get(resource) or (self._begin_deletion(batch, resource) if asked else None)
            if begun:
                provider = self._executor.provider(package_of(resource.type))
                facts = for_provider(resource.inputs), for_provider(resource.outputs)
                self._executor.call(begun, lambda: provider.delete(resource.urn, resource.id, *facts))
            with self._snapshot.lock:
                if batch.replaced:
                    resource.pending_replacement = True
                else:
                    self._snapshot.remove(resource)
                if begun:
                    self._snapshot.end(begun)
                    self._snapshot.save()
        except ToolError as error:
            self._fail(batch, resource, error)
            return
        batch.gone.add(resource)
        if (begun and resource.delete) or batch.replaced:
            self._observer.done("delete-replaced", resource.urn)
        elif visible(resource):
            self._executor.count("delete", resource, _deletion(resource))

    def _fail(self, batch: _Batch, resource: Resource, error: ToolError) -> None:
        batch.failed.add(resource)
        batch.failures.append(str(error))
        if not batch.replaced:
            self._executor.fail(resource.urn, str(error))


class _Batch:
    """Resources that are deleted together.

    Attributes:
        needs: By resource, those of them that it needs: of two with one URN, the one that stands before it.
        stopped: Those that are stopped and not deleted yet, whose deletion is pending.
        gone: Those that are deleted.
    """

    def __init__(self, condemned: list[Resource], going: AbstractSet[str], *, replaced: bool) -> None:
        self.going = going
        self.replaced = replaced
        self.needs: dict[Resource, list[Resource]] = {}
        self.stopped: dict[Resource, PendingOperation] = {}
        self.gone: set[Resource] = set()
        self.failed: set[Resource] = set()
        self.failures: list[str] = []
        latest: dict[str, Resource] = {}
        for resource in condemned:
            self.needs[resource] = [latest[urn] for urn in resource.needs() if urn in latest]
            latest[resource.urn] = resource

    @property
    def left(self) -> list[Resource]:
        """Those that are not deleted yet, dependencies before dependents."""
        return [resource for resource in self.needs if resource not in self.gone]

    def needed_at_work(self, works: Callable[[Resource], bool]) -> set[Resource]:
        """What something at work needs, itself or by way of others.

        Args:
            works: Whether a resource still needs what it needs.
        """
        found: set[Resource] = set()
        for resource in reversed(self.left):
            if resource in found or works(resource):
                found.update(self.needs[resource])
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
