"""How a resource is recognised from one run to the next: Pulumi's URNs and aliases.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/urn/urn.go and generateURN and
generateAliases of https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/step_generator.go
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tooling.engine.goal import Alias, Goal
from tooling.pulumi_files.checkpoint import STACK_TYPE
from tooling.pulumi_files.urns import name_of, type_of, types_of


@dataclass(frozen=True)
class Names:
    """Names of the stack's resources."""

    project: str
    stack: str

    def urn(self, type_: str, name: str, parent: str, stack: str = "", project: str = "") -> str:
        """The URN of a resource: its parents' types are part of it, the stack's own is not."""
        above = types_of(parent) if parent else ""
        qualified = f"{above}${type_}" if above and above != STACK_TYPE else type_
        return f"urn:pulumi:{stack or self.stack}::{project or self.project}::{qualified}::{name}"

    def alias_urns(self, goal: Goal, aliased: Mapping[str, str]) -> list[str]:
        """The URNs under which the resource may stand in the state, besides its own.

        Args:
            goal: What the program wants.
            aliased: Former URNs by present ones, of the resources planned so far; a child follows its parent.
        """
        urns = [self._alias_urn(goal, alias, aliased) for alias in goal.aliases]
        parent_was = aliased.get(goal.parent)
        if parent_was is not None:
            for urn in [self.urn(goal.type, goal.name, goal.parent), *urns[:]]:
                # A child is assumed to be named after its parent: <parent>-<suffix>.
                name, parent_name = name_of(urn), name_of(goal.parent)
                if name.startswith(parent_name):
                    name = name_of(parent_was) + name.removeprefix(parent_name)
                urns.append(self.urn(type_of(urn), name, parent_was))
        return list(dict.fromkeys(urns))

    def _alias_urn(self, goal: Goal, alias: Alias, aliased: Mapping[str, str]) -> str:
        if alias.urn:
            return alias.urn
        parent = aliased.get(alias.parent, alias.parent) if alias.parent else goal.parent
        return self.urn(
            alias.type or goal.type,
            alias.name or goal.name,
            "" if alias.no_parent else parent,
            alias.stack,
            alias.project,
        )
