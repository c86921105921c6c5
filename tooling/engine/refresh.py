"""Brings the state up to what is really there: Pulumi's refresh, and the operations an interrupted run left pending.

A create that was cut off is looked for by the provider and taken over; the Pulumi CLI only warns and has the user find
it. Left out: refreshing single targets, and the refresh that runs the program.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/deployment_executor.go (refresh) and
RefreshStep of https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/step.go
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tooling.engine.events import Observer
from tooling.engine.provider import ProviderError, ProviderOf, State, package_of
from tooling.engine.snapshot import Snapshot
from tooling.engine.step_executor import PARALLEL
from tooling.engine.wire import for_provider
from tooling.pulumi_files.checkpoint import PROVIDER_PREFIX, Resource, timestamp
from tooling.pulumi_files.values import equal, has_secret, keep_equal, mark_secrets


def resolve_pending(snapshot: Snapshot, provider: ProviderOf, observer: Observer, *, dry_run: bool) -> set[str]:
    """Adopt or drop interrupted creates; returns the URNs to look at for the other operations.

    A preview only reports creates: looking for one may wait for it and remove it if it is half made, and without a
    lock it may be one that another run is making just now.
    """
    doubtful = set()
    for pending in list(snapshot.operations):
        resource = pending.resource
        if pending.type == "creating" and dry_run:
            observer.note(
                "info", resource.urn, "creating it was interrupted; the next update finds out what became of it"
            )
        elif pending.type == "creating" and resource.custom:
            _adopt(resource, snapshot, provider, observer)
        else:
            if old := snapshot.find(resource.urn):
                # What it was given may be read back, and what of that is secret no other record says.
                old.inputs = old.inputs | {key: v for key, v in resource.inputs.items() if has_secret(v)}
            doubtful.add(resource.urn)
            observer.note("info", resource.urn, f"{pending.type} it was interrupted; looking at it again")
        snapshot.end(pending)
    return doubtful


def _adopt(resource: Resource, snapshot: Snapshot, provider_of: ProviderOf, observer: Observer) -> None:
    old = snapshot.find(resource.urn)
    recorded = old is not None and not old.pending_replacement and old.inputs.get("name")
    if recorded and equal(recorded, resource.inputs.get("name")):
        # The record is a stale one, which the CLI keeps until it is told otherwise: the name is the old one's.
        return
    provider = provider_of(package_of(resource.type))
    inputs = for_provider(resource.inputs)
    found = provider.find(resource.urn, inputs)
    state = provider.read(resource.urn, found, inputs, {}) if found else None
    if state is None:
        observer.note("warning", resource.urn, "creating it was interrupted, and nothing of it was found")
        return
    if snapshot.holder(state.id):
        return
    resource.id = state.id
    resource.outputs = mark_secrets(state.outputs, resource.inputs, resource.additional_secret_outputs)
    resource.created = resource.modified = timestamp()
    if old is None:
        snapshot.base.append(resource)
    elif old.pending_replacement:
        snapshot.replace(old, resource)
    else:
        old.delete = True
        snapshot.base.insert(snapshot.base.index(old), resource)
    observer.note("info", resource.urn, f"creating it was interrupted; it was found and taken over ({state.id[:12]})")


def refresh_resources(
    snapshot: Snapshot, provider: ProviderOf, only: Iterable[str] | None = None
) -> list[tuple[str, str]]:
    """Read resources as they are into the state, in parallel.

    Args:
        snapshot: The state.
        provider: Gives the provider of a package.
        only: URNs to read; None reads every one.

    Returns:
        URN and ``gone`` or ``changed`` of each that is not as the state had it.

    Raises:
        ProviderError: A resource cannot be read; the state is then as before.
    """
    wanted = None if only is None else set(only)
    reading = [
        resource
        for resource in snapshot.base
        if resource.custom
        and not resource.type.startswith(PROVIDER_PREFIX)
        and not resource.delete
        and not resource.pending_replacement
        and (wanted is None or resource.urn in wanted)
    ]
    if not reading:
        return []
    with ThreadPoolExecutor(min(PARALLEL, len(reading))) as pool:
        states = list(pool.map(partial(_read, provider), reading))
    found = []
    for resource, state in zip(reading, states, strict=True):
        if state is None:
            found.append((resource.urn, "gone"))
        elif resource.init_errors and not state.is_well:
            continue  # As it was recorded, so that the next update goes on to have it come up.
        elif _take_over(resource, state):
            found.append((resource.urn, "changed"))
    _forget(snapshot, {resource for resource, state in zip(reading, states, strict=True) if state is None})
    return found


def _read(provider_of: ProviderOf, resource: Resource) -> State | None:
    provider = provider_of(package_of(resource.type))
    try:
        return provider.read(resource.urn, resource.id, for_provider(resource.inputs), for_provider(resource.outputs))
    except ProviderError as error:
        raise ProviderError(f"{resource.type} {resource.name}: {error}") from None


def _forget(snapshot: Snapshot, gone: set[Resource]) -> None:
    """Take resources out of the state, and their names out of the others'; their children are their parents' then.

    Where another of the name stands before, one that waits for its deletion, the name means that one, and stays.

    Source: rebuildBaseState of
    https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/resource/deploy/deployment_executor.go
    """
    if not gone:
        return
    there = {""}
    parents: dict[str, str] = {}
    for one in snapshot.base:
        one.parent = one.parent if one.parent in there else parents.get(one.parent, "")
        one.dependencies = [urn for urn in one.dependencies if urn in there]
        depends = one.property_dependencies.items()
        one.property_dependencies = {key: [urn for urn in urns if urn in there] for key, urns in depends}
        one.replace_with = [urn for urn in one.replace_with if urn in there]
        one.deleted_with = one.deleted_with if one.deleted_with in there else ""
        parents[one.urn] = one.parent
        if one not in gone:
            there.add(one.urn)
    snapshot.base = [one for one in snapshot.base if one not in gone]


def _take_over(resource: Resource, state: State) -> bool:
    inputs = keep_equal(mark_secrets(state.inputs, resource.inputs), resource.inputs)
    outputs = mark_secrets(state.outputs, resource.inputs, resource.additional_secret_outputs)
    outputs = keep_equal(mark_secrets(outputs, resource.outputs), resource.outputs)
    same = equal(inputs, resource.inputs) and equal(outputs, resource.outputs) and state.id == resource.id
    resource.id, resource.init_errors = state.id, []
    if not same:
        resource.inputs, resource.outputs, resource.modified = inputs, outputs, timestamp()
    return not same
