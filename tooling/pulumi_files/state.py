"""The stack's state: Pulumi's checkpoint, version 3 or 4, in the layout of its file backend.

Every save replaces the file as a whole (temporary file, fsync, rename, fsync of the directory), so it is readable at
every instant; the file before it stays as ``.bak``. History entries are written, ``.pulumi/backups`` are not (the
history keeps a copy of each checkpoint). Compressed state and other secrets providers are the Pulumi CLI's.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/core.go and pkg/backend/diy
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any, Final, Literal

from docker_access.redaction import redact
from tooling.pulumi_files.errors import EngineError, only_the_cli
from tooling.pulumi_files.secrets import Secrets
from tooling.pulumi_files.values import Properties, Secret, from_state, to_state

STACK_TYPE: Final = "pulumi:pulumi:Stack"
PROVIDER_PREFIX: Final = "pulumi:providers:"
_VERSION: Final = "v3.260.0"
"""Version of the CLI whose state format this is; the CLI checks that its hash stands beside it, nothing more."""

_FEATURES: Final = ("replaceWith", "taint")
"""Fields of a resource that make the checkpoint one of version 4, which lists them as its features.

Source: ApplyFeatures of https://github.com/pulumi/pulumi/blob/master/pkg/resource/stack/deployment.go
"""
_PLAIN_VERSION: Final = 3
_FEATURES_VERSION: Final = 4

_ABANDONED_SECONDS: Final = 60.0
"""Age from which on a file half written, that no lock guards, is taken for abandoned."""

Operation = Literal["creating", "updating", "deleting", "reading", "importing"]


def timestamp() -> str:
    """Now, in RFC 3339 as the state file has it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


@dataclass(eq=False, kw_only=True)
class Resource:
    """One resource of the state (``ResourceV3``), compared by identity: two may share a URN during a replacement.

    Attributes:
        delete: Replaced already, waiting to be deleted at the end of the update.
        taint: Marked by ``pulumi state taint``: the next update replaces it.
        pending_replacement: Deleted already, waiting to be created again.
        init_errors: Why a resource that exists did not come up.
        extra: Fields that this engine does not use, kept as they are.
    """

    urn: str
    type: str
    custom: bool
    id: str = ""
    inputs: Properties = field(default_factory=dict)
    outputs: Properties = field(default_factory=dict)
    parent: str = ""
    delete: bool = False
    protect: bool = False
    taint: bool = False
    external: bool = False
    dependencies: list[str] = field(default_factory=list)
    init_errors: list[str] = field(default_factory=list)
    provider: str = ""
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    pending_replacement: bool = False
    additional_secret_outputs: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    retain_on_delete: bool = False
    deleted_with: str = ""
    replace_with: list[str] = field(default_factory=list)
    created: str = ""
    modified: str = ""
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The logical name, the last part of the URN."""
        return self.urn.split("::", 3)[3]

    def needs(self) -> set[str]:
        """URNs that must exist for this one: its dependencies, its parent and its provider."""
        urns = {*self.dependencies, self.parent, self.deleted_with, self.provider.rpartition("::")[0]}
        for listed in self.property_dependencies.values():
            urns.update(listed)
        return urns - {""}


# In the order of the CLI's own files; the first three are always written.
_FIELDS: Final = {
    "urn": "urn", "custom": "custom", "delete": "delete", "id": "id", "type": "type", "inputs": "inputs",
    "outputs": "outputs", "parent": "parent", "protect": "protect", "taint": "taint", "external": "external",
    "dependencies": "dependencies", "initErrors": "init_errors", "provider": "provider",
    "propertyDependencies": "property_dependencies", "pendingReplacement": "pending_replacement",
    "additionalSecretOutputs": "additional_secret_outputs", "aliases": "aliases",
    "customTimeouts": "custom_timeouts", "retainOnDelete": "retain_on_delete", "deletedWith": "deleted_with",
    "replaceWith": "replace_with", "created": "created", "modified": "modified",
    "ignoreChanges": "ignore_changes", "replaceOnChanges": "replace_on_changes",
}  # fmt: skip


@dataclass(eq=False, kw_only=True)
class PendingOperation:
    """An operation that was begun and whose end is not recorded."""

    type: Operation
    resource: Resource


@dataclass(kw_only=True)
class Checkpoint:
    """A state file as read.

    Attributes:
        resources: Dependencies stand before dependents.
        salt: Salt of the secrets in it; empty if it has none.
        extra: Further parts of the deployment, kept as they are.
    """

    resources: list[Resource] = field(default_factory=list)
    operations: list[PendingOperation] = field(default_factory=list)
    salt: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


class Backend:
    """Pulumi's file backend for one stack."""

    def __init__(self, directory: Path, project: str, stack: str) -> None:
        self._root = directory / ".pulumi"
        self.project = project
        self.stack = stack
        self.file = self._root / "stacks" / project / f"{stack}.json"
        self.locks = self._root / "locks" / "organization" / project / stack

    def read(self) -> dict[str, Any] | None:
        """The state file's document, None if there is none; raises :class:`EngineError` if it cannot be used."""
        for suffix in (".gz", ".zst"):
            if (packed := self.file.with_name(self.file.name + suffix)).exists():
                raise only_the_cli(f"{packed}: compressed state")
        try:
            text = self.file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise EngineError(f"The state file {self.file} cannot be read: {why}. {self._older()}") from None
        try:
            document = json.loads(text)
        except ValueError as error:
            raise EngineError(
                f"The state file {self.file} is not whole JSON ({error}; {len(text)} characters); it was not touched. "
                f"{self._older()}"
            ) from None
        if not isinstance(document, dict) or document.get("version") not in (_PLAIN_VERSION, _FEATURES_VERSION):
            version = document.get("version") if isinstance(document, dict) else type(document).__name__
            raise only_the_cli(f"{self.file}: checkpoint version {version!r} (3 and 4 are known)")
        if foreign := sorted({*(document.get("features") or [])} - {*_FEATURES}):
            raise only_the_cli(f"{self.file}: {', '.join(foreign)} (features of this state)")
        if not isinstance(document.get("checkpoint"), dict):
            raise EngineError(
                f"The state file {self.file} holds no checkpoint (it has {', '.join(document)}); it was not touched. "
                f"{self._older()}"
            )
        return document

    def _older(self) -> str:
        return (
            f"The state before the last save is {self.file.name}.bak beside it; older ones are under "
            f"{self._root / 'history' / self.project / self.stack}. Copy one over it."
        )

    def write(self, document: dict[str, Any]) -> None:
        """Replace the state file, keeping the one before it as ``.bak``; raises :class:`EngineError`."""
        try:
            if not (meta := self._root / "meta.yaml").exists():
                meta.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(meta, b"version: 1\n")
            if self.file.exists():
                backup = self.file.with_name(self.file.name + ".bak")
                with contextlib.suppress(FileNotFoundError):
                    backup.unlink()
                os.link(self.file, backup)
            write_atomically(self.file, _compact(document))
            for sidecar in (self.file, self.file.with_name(self.file.name + ".bak")):
                # The CLI keeps an MD5 of each file beside it; ours would be stale.
                sidecar.with_name(sidecar.name + ".attrs").unlink(missing_ok=True)
        except OSError as error:
            raise EngineError(
                f"The state could not be saved to {self.file}: {error.strerror or error}. The file before this save is "
                "unharmed. Make room (or writable), then run the same command again."
            ) from None

    def tidy(self) -> None:
        """Remove what runs that were killed while they wrote have left half written; the caller holds the lock."""
        history = self._root / "history" / self.project / self.stack
        remove_files(self.file.parent, f".{glob.escape(self.file.name)}.*.tmp")
        remove_files(history, f".{glob.escape(self.stack)}-*.tmp")
        remove_files(self._root, ".meta.yaml.*.tmp", older_than_seconds=_ABANDONED_SECONDS)
        remove_files(self.locks.parent, ".*", older_than_seconds=_ABANDONED_SECONDS)

    def remember(self, entry: Mapping[str, Any]) -> None:
        """Add an entry to the history that ``pulumi stack history`` reads, with a copy of the checkpoint."""
        directory = self._root / "history" / self.project / self.stack
        prefix = f"{self.stack}-{time.time_ns()}"
        try:
            if self.file.exists():
                write_atomically(directory / f"{prefix}.checkpoint.json", self.file.read_bytes())
            write_atomically(directory / f"{prefix}.history.json", _compact(entry))
        except OSError as error:
            raise EngineError(f"The state is saved, but {directory} cannot be written: {error.strerror}.") from None


def _compact(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file so that either the old or the new content is there after a crash; its mode is kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def remove_files(directory: Path, pattern: str, *, older_than_seconds: float = 0) -> None:
    """Remove the files of a directory that a pattern matches, but not what another process may be writing just now."""
    for path in directory.glob(pattern):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime >= older_than_seconds:
                path.unlink()


def load(document: dict[str, Any], open_secret: Callable[[str, str], Any]) -> Checkpoint:
    """Checkpoint of a document; raises :class:`EngineError` where it is not one."""
    try:
        latest = dict(latest_of(document))
        operations = latest.pop("pending_operations", None) or []
        resources = latest.pop("resources", None) or []
        latest.pop("manifest", None)
        latest.pop("secrets_providers", None)
        return Checkpoint(
            resources=[_load_resource(raw, open_secret) for raw in resources],
            operations=[
                PendingOperation(type=raw["type"], resource=_load_resource(raw["resource"], open_secret))
                for raw in operations
            ],
            salt=salt_of(document),
            extra=latest,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise EngineError(
            f"The state file does not have the form of a checkpoint ({error!r}). It was left as it is."
        ) from None


def latest_of(document: dict[str, Any]) -> dict[str, Any]:
    """The deployment that a state file's document holds, as ``pulumi stack export`` has it; empty if it holds none."""
    return document["checkpoint"].get("latest") or {}


def salt_of(document: dict[str, Any]) -> str:
    """Salt of the state's secrets, empty if it has none; raises :class:`EngineError` for another secrets provider."""
    provider = latest_of(document).get("secrets_providers") or {}
    if provider.get("type", "passphrase") != "passphrase":
        raise only_the_cli(f"secrets provider {provider['type']!r}")
    return str((provider.get("state") or {}).get("salt", ""))


def _load_resource(raw: dict[str, Any], open_secret: Callable[[str, str], Any]) -> Resource:
    known = {_FIELDS[key]: value for key, value in raw.items() if key in _FIELDS}
    known["inputs"] = from_state(raw.get("inputs") or {}, open_secret)
    known["outputs"] = from_state(raw.get("outputs") or {}, open_secret)
    depends = raw.get("propertyDependencies") or {}
    known["property_dependencies"] = {key: urns or [] for key, urns in depends.items()}
    given = {key: value for key, value in known.items() if value is not None}
    return Resource(**given, extra={key: value for key, value in raw.items() if key not in _FIELDS})


def dump_resource(resource: Resource, seal: Callable[[Secret, str], str]) -> dict[str, Any]:
    """The resource as the state file has it."""
    raw: dict[str, Any] = {}
    for key, attribute in _FIELDS.items():
        value = getattr(resource, attribute)
        if value or key in ("urn", "custom", "type"):
            raw[key] = to_state(value, seal) if key in ("inputs", "outputs", "propertyDependencies") else value
    return raw | resource.extra


class Snapshot:
    """The stack's resources while an update goes on, saved after every step.

    ``base`` is what the last run left and this one has not settled yet; ``settled`` is what it has. Together they
    are the state at any moment (Pulumi's snapshot manager). Without a backend nothing is ever written.
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
        self._saved: bytes | None = None

    def find(self, urn: str) -> Resource | None:
        """The live resource of that URN that the last run left, if this run has not settled it."""
        return next((resource for resource in self.base if resource.urn == urn and not resource.delete), None)

    def resources(self) -> list[Resource]:
        """Everything the state holds now, dependencies before dependents."""
        with self.lock:
            return [*self.settled, *self.base]

    def settle(self, new: Resource, old: Resource | None = None) -> None:
        """Record a resource of this run; the old one goes unless it still waits for deletion."""
        with self.lock:
            self.settled.append(new)
            if old is not None:
                if old.urn != new.urn:
                    self._renamed[old.urn] = new.urn
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
            self.save()
            return pending

    def end(self, pending: PendingOperation) -> None:
        """Record that an operation's outcome is in the state; the caller saves."""
        with self.lock:
            self.operations.remove(pending)

    def save(self) -> None:
        """Write the state file if it would change; raises :class:`EngineError` when it cannot be written."""
        if self._backend is None:
            return
        with self.lock:
            latest = self._latest()
            content = _compact(latest)
            if content == self._saved:
                return
            manifest = {
                "time": timestamp(),
                "magic": hashlib.sha256(_VERSION.encode()).hexdigest(),
                "version": _VERSION,
            }
            name = f"organization/{self._backend.project}/{self._backend.stack}"
            features = sorted({key for raw in latest.get("resources", []) for key in _FEATURES if key in raw})
            form = {"version": _FEATURES_VERSION, "features": features} if features else {"version": _PLAIN_VERSION}
            self._backend.write({**form, "checkpoint": {"stack": name, "latest": {"manifest": manifest, **latest}}})
            self._saved = content

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
            self._saved = _compact(self._latest())

    def _latest(self) -> dict[str, Any]:
        assert self._secrets is not None  # noqa: S101 - given with the backend
        latest: dict[str, Any] = {
            "secrets_providers": {"type": "passphrase", "state": {"salt": self._secrets.salt}},
            "resources": [self._dump(resource) for resource in self.resources()],
            "pending_operations": [
                {"resource": self._dump(pending.resource), "type": pending.type} for pending in self.operations
            ],
        }
        return {key: value for key, value in latest.items() if value} | {"metadata": {}} | self._extra

    def _dump(self, resource: Resource) -> dict[str, Any]:
        assert self._secrets is not None  # noqa: S101 - save() has asked
        raw = dump_resource(resource, self._secrets.seal)
        if not self._renamed:
            return raw
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
