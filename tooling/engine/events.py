"""What a run tells whoever shows it: Pulumi's engine events.

Left out: the JSON event stream, policy and progress events, and events of single outputs.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/engine/events.go
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Change:
    """A property that differs, for the display; values may hold secrets."""

    key: str
    old: Any
    new: Any
    replaces: bool


class Observer(Protocol):
    """What the deployment tells the display.

    ``op`` is one of same, create, update, replace, delete; also delete-replaced for the old half of a replacement; and
    for a resource that leaves the state only (``retainOnDelete``) forget, or keep where something real stays. A plan
    has the CLI's operations, in the order in which a resource undergoes them: create-replacement, too, beside replace;
    read; discard for what was read and is no longer asked for.
    """

    def seen(self, urn: str, parent: str) -> None:
        """A resource is registered, or about to be deleted."""

    def plan(self, op: str, urn: str, changes: list[Change]) -> None:
        """What is to be done with a resource, and because of which properties."""

    def start(self, op: str, urn: str) -> None:
        """A provider begins to work."""

    def done(self, op: str, urn: str) -> None:
        """It is done (in a preview: it would be)."""

    def fail(self, op: str, urn: str, message: str) -> None:
        """It failed."""

    def note(self, severity: str, urn: str, message: str) -> None:
        """A diagnostic; severity is info, warning or error."""
