"""Whether the Pulumi CLI would accept a state: the rules of its snapshot integrity check.

Source: VerifyIntegrity of https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/resource/deploy/snapshot.go and
GetAllDependencies of https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/resource/state.go
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tooling.pulumi_files.checkpoint import PROVIDER_PREFIX, latest_of


def integrity_faults(document: Mapping[str, Any]) -> list[str]:
    """What is wrong with a state file's document, in words; nothing where the CLI would use it."""
    latest = latest_of(document)
    manifest, resources = latest.get("manifest", {}), latest.get("resources", [])
    faults = []
    if manifest.get("magic") != hashlib.sha256(manifest.get("version", "").encode()).hexdigest():
        faults.append("the manifest's magic is not its version's")
    before: set[str] = set()
    providers: set[str] = set()
    for resource in resources:
        urn = resource["urn"]
        if not resource.get("custom") and resource.get("id"):
            faults.append(f"{urn} is a component and has an id")
        if resource["type"].startswith(PROVIDER_PREFIX):
            if not resource.get("id"):
                faults.append(f"{urn} is a provider without an id")
            providers.add(f"{urn}::{resource.get('id')}")
        provider = resource.get("provider")
        if provider and provider not in providers and not resource.get("pendingReplacement"):
            faults.append(f"{urn} has an unknown provider: {provider}")
        for how, needed in links(resource):
            if needed not in before:
                later = "comes after it" if any(needed == other["urn"] for other in resources) else "is missing"
                faults.append(f"{how} of {urn} {later}: {needed}")
        before.add(urn)
    living = Counter(resource["urn"] for resource in resources if not resource.get("delete"))
    faults += [f"{urn} is there {count} times" for urn, count in living.items() if count > 1]
    return faults


def links(resource: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The URNs that a resource of the state names, each with what names it."""
    for key in ("parent", "deletedWith"):
        if urn := resource.get(key):
            yield key, urn
    lists = [(key, resource.get(key)) for key in ("dependencies", "replaceWith")]
    for key, urns in [*lists, *(resource.get("propertyDependencies") or {}).items()]:
        yield from ((key, urn) for urn in urns or () if urn)
