"""The stack's state: Pulumi's checkpoint, version 3 or 4.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/core.go
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from tooling.pulumi_files.errors import PulumiFilesError
from tooling.pulumi_files.urns import name_of
from tooling.pulumi_files.values import Properties, Secret, from_state, to_state

STACK_TYPE: Final = "pulumi:pulumi:Stack"
PROVIDER_PREFIX: Final = "pulumi:providers:"
_VERSION: Final = "v3.260.0"
"""Version of the CLI whose state format this is; the CLI checks that its hash stands beside it, nothing more."""

FEATURES: Final = ("replaceWith", "taint")
"""Fields of a resource that make the checkpoint one of version 4, which lists them as its features.

Source: ApplyFeatures of https://github.com/pulumi/pulumi/blob/master/pkg/resource/stack/deployment.go
"""
PLAIN_VERSION: Final = 3
FEATURES_VERSION: Final = 4

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
        extra: Further fields, kept as they are.
        changed: Another object whenever an attribute was set.
        encoded: What the state file has of it, and what ``changed`` was before that was made: else it is out of date.
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
    changed: object = field(default_factory=object, init=False, repr=False)
    encoded: tuple[object, bytes] | None = field(default=None, init=False, repr=False)

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name != "encoded":
            object.__setattr__(self, "changed", object())

    @property
    def name(self) -> str:
        """The logical name, the last part of the URN."""
        return name_of(self.urn)

    def needs(self) -> set[str]:
        """URNs that must exist for this one: its dependencies, its parent and its provider."""
        urns = {
            *self.dependencies,
            *self.replace_with,
            self.parent,
            self.deleted_with,
            self.provider.rpartition("::")[0],
        }
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


def load(document: dict[str, Any], open_secret: Callable[[str, str], Any]) -> Checkpoint:
    """Checkpoint of a document; raises :class:`PulumiFilesError` where it is not one."""
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
        raise PulumiFilesError(
            f"The state file does not have the form of a checkpoint ({error!r}). It was left as it is."
        ) from None


def latest_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """The deployment that a state file's document holds, as ``pulumi stack export`` has it; empty if it holds none."""
    return document["checkpoint"].get("latest") or {}


def sealed_by(document: Mapping[str, Any]) -> str:
    """What seals the state's secrets, such as ``passphrase``; empty if it names nothing."""
    return str((latest_of(document).get("secrets_providers") or {}).get("type", ""))


def salt_of(document: Mapping[str, Any]) -> str:
    """Salt of the state's secrets, empty where no passphrase seals them."""
    if sealed_by(document) not in ("", "passphrase"):
        return ""
    return str(((latest_of(document).get("secrets_providers") or {}).get("state") or {}).get("salt", ""))


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


def compact(document: Any) -> bytes:
    """JSON without blanks, as the Pulumi CLI writes it."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def document_of(stack: str, latest: Mapping[str, Any], resources: Sequence[Resource]) -> bytes:
    """A state file's content around a deployment.

    Args:
        stack: The stack's full name, as in ``organization/web/dev``.
        latest: The deployment; a list of bytes is one of records that are JSON already.
        resources: What it has.
    """
    features = sorted(key for key in FEATURES if any(getattr(one, _FIELDS[key]) for one in resources))
    form = {"version": FEATURES_VERSION, "features": features} if features else {"version": PLAIN_VERSION}
    magic = hashlib.sha256(_VERSION.encode()).hexdigest()
    manifest = {"time": timestamp(), "magic": magic, "version": _VERSION}
    parts = [
        b"%b:%b" % (compact(key), b"[%b]" % b",".join(value) if _are_records(value) else compact(value))
        for key, value in {"manifest": manifest, **latest}.items()
    ]
    return b'%b,"checkpoint":{"stack":%b,"latest":{%b}}}' % (compact(form)[:-1], compact(stack), b",".join(parts))


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], bytes)
