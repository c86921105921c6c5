"""The state while a run goes on, saved after every step: Pulumi's snapshot manager.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/backend/snapshot.go
"""

from __future__ import annotations

from threading import RLock
from typing import Any

from docker_access.redaction import redact
from tooling.pulumi_files.backend import Backend
from tooling.pulumi_files.checkpoint import (
    Checkpoint,
    Operation,
    PendingOperation,
    Resource,
    compact,
    document_of,
    dump_resource,
)
from tooling.pulumi_files.secrets import Secrets


class Snapshot:
    """The stack's resources while an update goes on, saved after every step.

    ``base`` is what the last run left and this one has not settled yet; ``settled`` is what it has. Together they
    are the state at any moment. Without a backend nothing is ever written.
    """

    def __init__(self, checkpoint: Checkpoint, secrets: Secrets | None = None, backend: Backend | None = None) -> None:
        self.base = checkpoint.resources
        self.settled: list[Resource] = []
        self.operations = checkpoint.operations
        self.lock = RLock()
        self._renamed: dict[str, str] = {}
        self._secrets = secrets
        self._backend = backend
        self._extra = checkpoint.extra
        self._saved: dict[str, Any] | None = None

    def find(self, urn: str) -> Resource | None:
        """The live resource of that URN that the last run left, if this run has not settled it."""
        return next((resource for resource in self.base if resource.urn == urn and not resource.delete), None)

    def resources(self) -> list[Resource]:
        """Everything the state holds now, dependencies before dependents."""
        with self.lock:
            return [*self.settled, *self.base]

    def holder(self, resource_id: str) -> Resource | None:
        """Whose a real thing of that id is; what is kept when it is replaced is so until that is made again."""
        of_the_id = (one for one in self.resources() if one.custom and one.id == resource_id)
        held = (one for one in of_the_id if one.retain_on_delete or not one.pending_replacement)
        return min(held, key=lambda one: one.pending_replacement, default=None)

    def settle(self, new: Resource, old: Resource | None = None) -> None:
        """Record a resource of this run; the old one goes unless it still waits for deletion."""
        with self.lock:
            self.settled.append(new)
            if old is not None:
                if old.urn != new.urn:
                    self._renamed[old.urn] = new.urn
                    for resource in self.resources():
                        resource.encoded = None
                if not old.delete:
                    self.remove(old)

    def replace(self, old: Resource, new: Resource) -> None:
        """Put a resource in the place of one that is not settled yet."""
        with self.lock:
            self.base[self.base.index(old)] = new

    def remove(self, old: Resource) -> None:
        """Forget a resource."""
        with self.lock:
            self.base = [resource for resource in self.base if resource is not old]

    def begin(self, operation: Operation, resource: Resource) -> PendingOperation:
        """Record, on disk, that an operation is about to start."""
        with self.lock:
            pending = PendingOperation(type=operation, resource=resource)
            self.operations.append(pending)
            try:
                self.save()
            except BaseException:
                self.operations.remove(pending)  # it is not begun, and no later save may say that it was
                raise
            return pending

    def end(self, pending: PendingOperation) -> None:
        """Record that an operation's outcome is in the state; the caller saves."""
        with self.lock:
            self.operations.remove(pending)

    def save(self) -> None:
        """Write the state file if it would change; raises :class:`PulumiFilesError` when it cannot be written."""
        if self._backend is None:
            return
        with self.lock:
            latest = self._latest()
            if latest == self._saved:
                return
            name = f"organization/{self._backend.project}/{self._backend.stack}"
            self._backend.write(document_of(name, latest, self.resources()))
            self._saved = latest

    def learn(self, value: Any) -> None:
        """Take from now on out of every text what is secret in a value."""
        if self._secrets:
            self._secrets.learn(value)

    def hide(self, text: str) -> str:
        """The text without secrets: what is kept of an error is not sealed."""
        return redact(text, self._secrets.plaintexts) if self._secrets else text

    def mark_saved(self) -> None:
        """Take what is loaded as what is on disk, so that an unchanged update writes nothing."""
        if self._backend is not None:
            self._saved = self._latest()

    def _latest(self) -> dict[str, Any]:
        """The deployment; its records are JSON already, and the same objects as before where nothing changed."""
        assert self._secrets is not None  # noqa: S101 - given with the backend
        latest: dict[str, Any] = {
            "secrets_providers": {"type": "passphrase", "state": {"salt": self._secrets.salt}},
            "resources": [self._encoded(resource) for resource in self.resources()],
            "pending_operations": [
                b'{"resource":%b,"type":%b}' % (self._encoded(pending.resource), compact(pending.type))
                for pending in self.operations
            ],
        }
        return {key: value for key, value in latest.items() if value} | {"metadata": {}} | self._extra

    def _encoded(self, resource: Resource) -> bytes:
        """A record as JSON. To make all of them anew at each save took minutes where there are hundreds."""
        known, changed = resource.encoded, resource.changed
        if known is None or known[0] is not changed:
            # Other threads set attributes meanwhile: what they set after this is encoded by the next save.
            known = resource.encoded = changed, compact(self._dump(resource))
        return known[1]

    def _dump(self, resource: Resource) -> dict[str, Any]:
        assert self._secrets is not None  # noqa: S101 - save() has asked
        raw = dump_resource(resource, self._secrets.seal)
        for key in ("parent", "deletedWith"):
            if key in raw:
                raw[key] = self._rename(raw[key])
        for key in ("dependencies", "replaceWith"):
            if key in raw:
                raw[key] = [self._rename(urn) for urn in raw[key]]
        if depends := raw.get("propertyDependencies"):
            raw["propertyDependencies"] = {key: [self._rename(urn) for urn in depends[key]] for key in depends}
        return raw

    def _rename(self, urn: str) -> str:
        return self._renamed.get(urn, urn)
