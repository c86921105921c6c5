"""Deletes what a run leaves over, dependents first, each as soon as nothing that needs it is left.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/deployment_executor.go (scheduleDeletes)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial

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

    def delete_unregistered(self) -> None:
        """Delete what the program no longer registers (all, if it was not run), dependents first.

        Raises:
            EngineError: One of them is protected; nothing is deleted then.
        """
        condemned = list(self._snapshot.base)
        # What was deleted to be made again has nothing left to protect.
        if protected := [r for r in condemned if r.protect and not (r.delete or r.pending_replacement)]:
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
        needed: set[Resource] = set()
        latest: dict[str, Resource] = {}
        for resource in condemned:
            needed |= {latest[urn] for urn in resource.needs() & latest.keys()}
            latest[resource.urn] = resource
        in_use = _needed_at_work(condemned, lambda one: asks_provider(one, going - {one.urn}) and one not in stopped)
        for resource in condemned:
            if resource.urn in self._executor.failed:
                continue
            if resource in stopped:
                if resource not in needed:
                    yield resource, partial(self._delete, going, resource, stopped[resource])
            elif self._executor.errored or self._executor.interrupted:
                continue
            elif self._runs(resource, going):
                if resource.urn not in in_use:
                    yield resource, partial(self._stop, resource, stopped)
            elif resource not in needed:
                yield resource, partial(self._delete, going, resource)

    def _runs(self, resource: Resource, going: AbstractSet[str]) -> bool:
        """Whether it is stopped before it is deleted."""
        if self._executor.dry_run or not asks_provider(resource, going - {resource.urn}):
            return False
        with suppress(EngineError):  # A provider that is not known refuses the deletion.
            return self._executor.provider(package_of(resource.type)).runs(resource.urn)
        return False

    def _stop(self, resource: Resource, stopped: dict[Resource, PendingOperation]) -> None:
        try:
            pending = self._begin_deletion(resource)
            provider = self._executor.provider(package_of(resource.type))
            facts = for_provider(resource.inputs), for_provider(resource.outputs)
            self._executor.call(pending, lambda: provider.stop(resource.urn, resource.id, *facts))
            # It stays pending, also where the deletion of what needs it fails: the state does not say that it stopped.
            stopped[resource] = pending
        except ToolError as error:
            self._executor.fail(resource.urn, str(error))

    def _begin_deletion(self, resource: Resource) -> PendingOperation:
        self._observer.start("delete-replaced" if resource.delete else "delete", resource.urn)
        return self._snapshot.begin("deleting", resource)

    def _delete(self, going: AbstractSet[str], resource: Resource, pending: PendingOperation | None = None) -> None:
        try:
            if self._executor.dry_run or not asks_provider(resource, going - {resource.urn}):
                self._snapshot.remove(resource)
            else:
                begun = pending or self._begin_deletion(resource)
                self._executor.call(begun, lambda: self._executor.ask_delete(resource, going - {resource.urn}))
                with self._snapshot.lock:
                    self._snapshot.remove(resource)
                    self._snapshot.end(begun)
                    self._snapshot.save()
                if resource.delete:
                    self._observer.done("delete-replaced", resource.urn)
        except ToolError as error:
            self._executor.fail(resource.urn, str(error))
            return
        if visible(resource):
            self._executor.count("delete", resource, _deletion(resource))


def _needed_at_work(resources: list[Resource], works: Callable[[Resource], bool]) -> set[str]:
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
