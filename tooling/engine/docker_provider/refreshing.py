"""Inputs after a read: what was found in place of what was recorded.

Source: ``schema.go`` (extractInputs) of
https://github.com/pulumi/pulumi-terraform-bridge/tree/v3.137.0/pkg/tfbridge
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tooling.engine.docker_provider.properties import DEFAULTS, Property, Table
from tooling.pulumi_files.values import Properties


def refreshed_inputs(table: Table, inputs: Properties, outputs: Properties) -> Properties:
    """Recorded inputs with what a read found put in their place; what was never an input does not become one."""
    return _refreshed_object(table, inputs, outputs)[0]


def _refreshed_object(table: Table, old: Properties, new: Properties) -> tuple[Properties, bool]:
    defaults = set(old.get(DEFAULTS, []))
    result: Properties = {}
    unchanged = True
    for key, value in old.items():
        if key == DEFAULTS:
            continue
        same = False
        if key in new:
            result[key], same = _refreshed(table.get(key), value, new[key])
        if not same:
            unchanged = False
            defaults.discard(key)
    if DEFAULTS in old:
        result[DEFAULTS] = sorted(defaults)
    return result, unchanged


def _refreshed(prop: Property | None, old: Any, new: Any) -> tuple[Any, bool]:
    if isinstance(old, list) and isinstance(new, list):
        match = _matching(old, new) if prop and prop.kind == "set" and prop.fields else _by_position(old, new)
        pairs = [_refreshed_element(prop, old[i], new[j]) for i, j in match]
        return [value for value, _ in pairs], len(pairs) == len(old) and all(same for _, same in pairs)
    if isinstance(old, dict) and isinstance(new, dict):
        if prop and prop.fields:
            return _refreshed_object(prop.fields, old, new)
        kept = {key: new[key] for key in old if key in new}
        return kept, kept == old
    if prop and prop.blank_is_default and isinstance(old, str):
        return old, (old or prop.default) == new
    return new, old == new


def _refreshed_element(prop: Property | None, old: Any, new: Any) -> tuple[Any, bool]:
    if prop and prop.fields and isinstance(old, dict) and isinstance(new, dict):
        return _refreshed_object(prop.fields, old, new)
    return new, old == new


def _by_position(old: list[Any], new: list[Any]) -> list[tuple[int, int]]:
    return [(i, i) for i in range(min(len(old), len(new)))]


def _matching(old: list[Any], new: list[Any]) -> list[tuple[int, int]]:
    """Pair elements of two sets by how many fields they share."""
    scored = sorted(((_overlap(a, b), -i, -j) for i, a in enumerate(old) for j, b in enumerate(new)), reverse=True)
    pairs: dict[int, int] = {}
    for _, minus_i, minus_j in scored:
        if -minus_i not in pairs and -minus_j not in pairs.values():
            pairs[-minus_i] = -minus_j
    return sorted(pairs.items())


def _overlap(old: Mapping[str, Any], new: Mapping[str, Any]) -> int:
    return sum(3 if old[key] == new[key] else 1 for key in old if key in new)
