"""Records which provider manages a resource that names none: Pulumi's default providers.

The state keeps one provider resource per package and SDK version; this engine writes it as the Pulumi CLI would, so
that the CLI finds its own. Left out: explicit providers, and configuration of a provider in the stack's file.

Source: defaultProviders of https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/source_eval.go
"""

from __future__ import annotations

import re
import uuid
from dataclasses import replace

from tooling.engine.errors import only_the_cli
from tooling.engine.goal import Goal
from tooling.engine.identity import Names
from tooling.engine.provider import DYNAMIC, package_of
from tooling.engine.snapshot import Snapshot
from tooling.pulumi_files.checkpoint import PROVIDER_PREFIX, Resource, timestamp
from tooling.pulumi_files.values import Properties, keep_equal


class DefaultProviders:
    """The default providers of one run.

    Args:
        names: Names of the stack's resources.
        snapshot: The state.
        config: The stack's configuration, secrets marked.
    """

    def __init__(self, names: Names, snapshot: Snapshot, config: Properties) -> None:
        self._names = names
        self._snapshot = snapshot
        self._config = config
        self._made: dict[str, Resource] = {}

    def reference(self, goal: Goal) -> str:
        """Reference ``urn::id`` of the package's default provider, which the state keeps as a resource."""
        package = package_of(goal.type)
        type_ = PROVIDER_PREFIX + package
        name = f"default_{re.sub(r'[^A-Za-z0-9]', '_', goal.version)}" if goal.version else "default"
        urn = self._names.urn(type_, name, "")
        provider = self._made.get(urn)
        if provider is None:
            old = self._snapshot.find(urn)
            if package == DYNAMIC:
                inputs, outputs = self._config, self._config
            else:
                if named := [key for key in self._config if key.startswith(f"{package}:")]:
                    raise only_the_cli(f"configuration of a provider ({', '.join(named)})")
                outputs = {"version": goal.version} if goal.version else {}
                inputs = {"__internal": {}, **outputs}
            provider = Resource(urn=urn, type=type_, custom=True, inputs=inputs, outputs=outputs)
            if old is None:
                provider.id = str(uuid.uuid4())
                provider.created = provider.modified = timestamp()
            else:
                provider = replace(old)
                if package == DYNAMIC:
                    provider.inputs = keep_equal(inputs, old.inputs)
                    provider.outputs = keep_equal(outputs, old.outputs)
            self._made[urn] = provider
            self._snapshot.settle(provider, old)
        return f"{urn}::{provider.id}"
