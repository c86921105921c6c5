"""What the program asks for and what it is answered: Pulumi's resource goals and aliases.

Left out, because the monitor refuses them: imports, transforms, hooks, explicit providers, and the other options that
:mod:`tooling.engine.monitor` does not know.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/resource_goal.go
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tooling.pulumi_files.values import Properties


@dataclass(frozen=True, kw_only=True)
class Alias:
    """A former identity of a resource; empty parts are as they are now."""

    urn: str = ""
    name: str = ""
    type: str = ""
    stack: str = ""
    project: str = ""
    parent: str = ""
    no_parent: bool = False


@dataclass(frozen=True, kw_only=True)
class Goal:
    """What the program wants of one resource (Pulumi's ``resource.Goal``).

    Attributes:
        version: Version of the provider's SDK; it names the default provider.
        delete_before_replace: None leaves the decision to the provider.
        custom_timeouts: Seconds for ``create`` and ``update``.
    """

    type: str
    name: str
    custom: bool
    parent: str = ""
    inputs: Properties = field(default_factory=dict)
    version: str = ""
    dependencies: list[str] = field(default_factory=list)
    property_dependencies: dict[str, list[str]] = field(default_factory=dict)
    protect: bool = False
    retain_on_delete: bool = False
    delete_before_replace: bool | None = None
    ignore_changes: list[str] = field(default_factory=list)
    replace_on_changes: list[str] = field(default_factory=list)
    additional_secret_outputs: list[str] = field(default_factory=list)
    aliases: list[Alias] = field(default_factory=list)
    custom_timeouts: dict[str, float] = field(default_factory=dict)
    deleted_with: str = ""
    replace_with: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Registered:
    """The answer to a registration: the state of the resource, or that it failed."""

    urn: str
    id: str = ""
    outputs: Properties = field(default_factory=dict)
    failed: bool = False
