"""One run over one stack: Pulumi's deployment.

What the program registers comes here from :mod:`tooling.engine.monitor`. A registration is planned under one lock by
:mod:`tooling.engine.step_generator` and carried out by :mod:`tooling.engine.step_executor` in the thread that brought
it; what is left over is deleted by :mod:`tooling.engine.deletions`. Left to the Pulumi CLI: targets, plans, imports,
transforms, hooks, policies, explicit providers, remote components.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/deployment.go
"""

from __future__ import annotations

from tooling.engine.default_providers import DefaultProviders
from tooling.engine.deletions import Deletions, visible
from tooling.engine.errors import EngineError
from tooling.engine.events import Observer
from tooling.engine.goal import Goal, Registered
from tooling.engine.identity import Names
from tooling.engine.provider import ProviderError, ProviderOf, package_of
from tooling.engine.refresh import refresh_resources, resolve_pending
from tooling.engine.snapshot import Snapshot
from tooling.engine.step_executor import StepExecutor
from tooling.engine.step_generator import StepGenerator, new_resource
from tooling.engine.wire import for_provider
from tooling.errors import ToolError
from tooling.pulumi_files.checkpoint import STACK_TYPE, Resource
from tooling.pulumi_files.values import Properties, has_unknown, keep_equal, mark_secrets


class Deployment:
    """One run over one stack.

    Args:
        project: Project name.
        stack: Stack name.
        snapshot: The state, loaded.
        provider: Gives the provider of a package; raises :class:`OnlyTheCliError` for one it does not know.
        config: The stack's configuration, secrets marked: the dynamic provider's inputs, as in the CLI.
        observer: Is told what happens.
        dry_run: Plan only: nothing is changed, no state is written.
    """

    def __init__(
        self,
        *,
        project: str,
        stack: str,
        snapshot: Snapshot,
        provider: ProviderOf,
        config: Properties,
        observer: Observer,
        dry_run: bool,
    ) -> None:
        self.snapshot = snapshot
        self.dry_run = dry_run
        self.stack_outputs: Properties | None = None
        self.old_stack_outputs: Properties = next((r.outputs for r in snapshot.base if r.type == STACK_TYPE), {})
        self._provider = provider
        self._observer = observer
        self._seen: dict[str, Resource] = {}
        self._names = Names(project, stack)
        self._executor = StepExecutor(snapshot, provider, observer, dry_run=dry_run)
        deletions = Deletions(self._executor)
        self._default_providers = DefaultProviders(self._names, snapshot, config)
        self._generator = StepGenerator(
            names=self._names,
            snapshot=snapshot,
            executor=self._executor,
            deletions=deletions,
            default_providers=self._default_providers,
            provider=provider,
            observer=observer,
            dry_run=dry_run,
        )
        self.counts = self._executor.counts
        self.delete_unregistered = deletions.delete_unregistered

    @property
    def errored(self) -> bool:
        """Whether a resource failed."""
        return self._executor.errored

    @property
    def interrupted(self) -> bool:
        """Whether the user wants it to stop: steps under way end, no other begins."""
        return self._executor.interrupted

    @interrupted.setter
    def interrupted(self, value: bool) -> None:
        self._executor.interrupted = value

    def prepare(self, *, refresh: bool, destroying: bool = False) -> None:
        """Resolve operations that an interrupted run left pending, then look at real resources.

        Args:
            refresh: At all of them, not only at those of such operations.
            destroying: Not at those that will only be forgotten, whatever has become of them.
        """
        looked_at = resolve_pending(self.snapshot, self._provider, self._observer, dry_run=self.dry_run)
        if refresh:
            looked_at = {resource.urn for resource in self.snapshot.base}
        if destroying:
            looked_at -= {resource.urn for resource in self.snapshot.base if resource.retain_on_delete}
        refresh_resources(self.snapshot, self._provider, looked_at)
        self.snapshot.save()

    def refresh_all(self) -> None:
        """The ``refresh`` operation: :func:`tooling.engine.refresh.refresh_resources`, shown and counted, and saved."""
        found = dict(refresh_resources(self.snapshot, self._provider))
        for resource in self.snapshot.base:
            if resource.urn not in found and visible(resource):
                self.counts["same"] += 1
        for urn, what in found.items():
            self._observer.seen(urn, "")
            op = "delete" if what == "gone" else "update"
            self.counts[op] += 1
            self._observer.done(op, urn)
        self.snapshot.save()

    def register(self, goal: Goal) -> Registered:
        """Bring one resource to its goal. A failure is recorded and answered, not raised: the program goes on."""
        self.snapshot.learn(goal.inputs)
        urn = self._names.urn(goal.type, goal.name, goal.parent)
        self._observer.seen(urn, goal.parent)
        try:
            with self._executor.lock:
                needed = {*goal.dependencies, goal.parent, goal.deleted_with, *goal.replace_with}
                if self.interrupted or needed & self._executor.failed:
                    self._executor.failed.add(urn)
                    return Registered(urn=urn, failed=True)
                self._refuse_second(urn)
                step = self._generator.plan(urn, goal)
                self._generator.planned.add(urn)
            resource = step()
        except ToolError as error:
            self._executor.fail(urn, str(error))
            return Registered(urn=urn, failed=True)
        with self._executor.lock:
            self._seen[urn] = resource
        return Registered(urn=urn, id=resource.id, outputs=resource.outputs if resource.custom else {})

    def _refuse_second(self, urn: str) -> None:
        if urn in self._generator.planned:
            raise EngineError(f"Two resources of the program have the URN {urn}. Give one another name.")

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Record the outputs of a component, or the exports of the program for the stack itself."""
        self.snapshot.learn(outputs)
        with self._executor.lock:
            resource = self._seen.get(urn)
            if resource is None:
                return
            if not self.dry_run and has_unknown(outputs):
                # Something failed: what it would have given keeps its last value.
                last = resource.outputs
                outputs = {k: last.get(k) if has_unknown(v) else v for k, v in outputs.items()}
                outputs = {key: value for key, value in outputs.items() if value is not None}
            if resource.type == STACK_TYPE:
                self.stack_outputs = outputs
            resource.outputs = keep_equal(outputs, resource.outputs)

    def keep_stack_outputs(self) -> None:
        """Give the stack back the outputs that a program which failed did not come to export, as the CLI does."""
        with self._executor.lock:
            for resource in self._seen.values():
                if resource.type == STACK_TYPE:
                    resource.outputs = {**self.old_stack_outputs, **resource.outputs}

    def read_resource(self, goal: Goal, resource_id: str) -> Registered:
        """``Resource.get``: read a resource that is not managed here.

        Args:
            goal: The resource.
            resource_id: Its id; empty where it is not known: in a preview, or because what would give it has failed.

        Raises:
            ProviderError: There is no such resource.
            EngineError: Another resource of the program has its URN.
        """
        urn = self._names.urn(goal.type, goal.name, goal.parent)
        with self._executor.lock:
            self._refuse_second(urn)
            self._generator.planned.add(urn)
            ready = resource_id and not has_unknown(goal.inputs)
            failed = {*goal.dependencies, goal.parent} & self._executor.failed
            if self.interrupted or failed or not (ready or self.dry_run):
                self._executor.failed.add(urn)
                return Registered(urn=urn, failed=True)
            if not ready:
                if (old := self.snapshot.find(urn)) is not None:
                    self.snapshot.settle(old, old)  # It will be read, and is not deleted.
                return Registered(urn=urn)
        self._observer.plan("read", urn, [])
        provider = self._provider(package_of(goal.type))
        state = provider.read(urn, resource_id, for_provider(goal.inputs), {})
        if state is None:
            raise ProviderError(f"nothing with the id {resource_id!r} exists; correct the id given to get().")
        with self._executor.lock:
            old = self.snapshot.find(urn)
            new = new_resource(urn, goal, old)
            if old is not None and not old.external and old.id != state.id:
                old.delete = True  # It was managed here, and is another one.
            new.provider, new.external, new.id = self._default_providers.reference(goal), True, state.id
            new.outputs = mark_secrets(state.outputs, goal.inputs, goal.additional_secret_outputs)
            self._seen[urn] = new
            self.snapshot.settle(new, old)
        return Registered(urn=urn, id=new.id, outputs=new.outputs)

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """Answer a data source."""
        return self._provider(package_of(token)).invoke(token, for_provider(arguments))
