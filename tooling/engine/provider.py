"""What the engine asks of a resource provider, after Pulumi's ResourceProvider service.

Two implementations: :mod:`tooling.engine.dynamic` speaks the real service to ``python -m pulumi.dynamic``;
:mod:`tooling.engine.docker_provider` answers in process over the Docker SDK. :meth:`Provider.find` is this engine's
own: it looks for what an interrupted create has left. Left out: schemas, components (Construct), methods (Call),
cancelling, configuration.

Property values are plain Python: ``dict``, ``list``, ``str``, ``int``, ``float``, ``bool``, ``None``. Secrets are
unwrapped before a provider sees them and marked again afterwards; in a preview a value that is not known yet is
``UNKNOWN``, at any depth.

Source: https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from tooling.errors import ToolError
from tooling.pulumi_files.values import Properties

DYNAMIC: Final = "pulumi-python"
"""Package of the program's own dynamic resources."""


def package_of(token: str) -> str:
    """Package of a type or of a data source, such as ``docker`` of ``docker:index/container:Container``."""
    return token.split(":", 1)[0]


@dataclass(frozen=True, kw_only=True)
class Diff:
    """What a change of inputs means for a resource.

    Attributes:
        changed: Property names that differ, sorted; empty means the resource stays as it is.
        replaces: Those of them that cannot change in place, sorted.
        named: Those of them that the provider named; ``replaceOnChanges`` goes by these. None means all.
        delete_before_replace: The provider needs the old resource gone before it makes the new one.
    """

    changed: list[str] = field(default_factory=list)
    replaces: list[str] = field(default_factory=list)
    named: list[str] | None = None
    delete_before_replace: bool = False


@dataclass(frozen=True, kw_only=True)
class State:
    """A resource as the provider found or made it.

    Attributes:
        id: The provider's id.
        inputs: Inputs as they should be recorded.
        outputs: Outputs as they should be recorded.
        is_well: It came up, as far as a read tells.
    """

    id: str
    inputs: Properties
    outputs: Properties
    is_well: bool = True


class ProviderError(ToolError):
    """A provider refused or failed."""


class PartialFailure(ProviderError):  # noqa: N818 - Pulumi's own name for it
    """A resource exists but did not come up; the engine records it with ``initErrors``.

    Attributes:
        state: The resource as it stands.
    """

    def __init__(self, message: str, state: State) -> None:
        super().__init__(message)
        self.state = state


class OutcomeUnknownError(ProviderError):
    """A provider went away during a call: the operation stays pending until the next run has looked."""


class Provider(Protocol):
    """The calls of Pulumi's ResourceProvider service that the engine makes."""

    def check(self, urn: str, old_inputs: Properties | None, new_inputs: Properties) -> Properties:
        """Validate inputs and fill in defaults; raises :class:`ProviderError`. Runs in previews."""

    def diff(
        self,
        urn: str,
        resource_id: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        ignore_changes: list[str],
    ) -> Diff:
        """Compare a recorded resource with checked new inputs. Runs in previews."""

    def create(self, urn: str, inputs: Properties, timeout_seconds: float | None) -> State:
        """Make the resource; raises :class:`PartialFailure` when it exists but did not come up."""

    def read(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> State | None:
        """Look at the resource as it is; None when it is gone."""

    def update(
        self,
        urn: str,
        resource_id: str,
        old_inputs: Properties,
        old_outputs: Properties,
        new_inputs: Properties,
        timeout_seconds: float | None,
    ) -> Properties:
        """Change the resource in place; returns the new outputs."""

    def runs(self, urn: str) -> bool:
        """Whether the resource is a process, which needs what it needs only until it is stopped."""

    def stop(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> None:
        """Stop what :meth:`runs`, the first part of its deletion; returns as soon as it has ended."""

    def delete(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> None:
        """Remove the resource; one that is gone already is fine."""

    def find(self, urn: str, inputs: Properties) -> str | None:
        """Id of a resource that an interrupted create with these inputs left behind and that is ours; else None."""

    def invoke(self, token: str, arguments: Properties) -> Properties:
        """Answer a data source."""

    def close(self) -> None:
        """Release what the provider holds."""


ProviderOf = Callable[[str], Provider]
"""Gives the provider of a package; raises :class:`tooling.engine.errors.OnlyTheCliError` for one it does not know."""
