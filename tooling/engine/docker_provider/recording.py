"""Outputs in the very form in which the plugin records them, with what its bridge needs to read them again.

Source: ``schema.go`` (MakeTerraformResult) and ``rawstate.go`` of
https://github.com/pulumi/pulumi-terraform-bridge/tree/v3.137.0/pkg/tfbridge
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from tooling.engine.docker_provider.properties import (
    DEFAULT_TIMEOUT_SECONDS,
    META,
    RAW_STATE_DELTA,
    SCALARS,
    ZERO,
    Property,
    Table,
    as_set,
    canonical,
)
from tooling.pulumi_files.values import Properties

_TIMEOUTS: Final = "e2bfb730-ecaa-11e6-8f88-34363bc7c4c0"


def time_limits(create_seconds: float | None, **more: str) -> str:
    """``__meta`` of a resource whose operations the plugin limits to 20 minutes each.

    Args:
        create_seconds: ``customTimeouts`` for creating it.
        more: Further entries, as in ``schema_version``.

    Source: https://github.com/hashicorp/terraform-plugin-sdk/blob/main/helper/schema/resource_timeout.go
    """
    create, other = int((create_seconds or DEFAULT_TIMEOUT_SECONDS) * 10**9), DEFAULT_TIMEOUT_SECONDS * 10**9
    limits = {"create": create, "delete": other, "update": other}
    return json.dumps({_TIMEOUTS: limits, **more}, separators=(",", ":"))


def recorded(table: Table, outputs: Properties, *, settled: bool, meta: str) -> Properties:
    """Outputs in the very form in which the plugin records them.

    Args:
        table: Properties of the resource.
        outputs: Values by property; missing ones are empty.
        settled: False right after a create, where the plugin leaves empty what was not asked for; True after
            a read, where it writes empty lists and maps.
        meta: The bridge's ``__meta``, JSON text.
    """
    values = {key: _recorded(prop, outputs.get(key), settled=settled) for key, prop in table.items()}
    delta = _object_delta(table, values, settled=settled)
    return {**values, "id": outputs["id"], RAW_STATE_DELTA: delta, META: meta}


def updated(table: Table, old_outputs: Properties, new_inputs: Properties, changed: list[str]) -> Properties:
    """Outputs as the plugin records them after an update in place: as before, but for what changed.

    Args:
        table: Properties of the resource.
        old_outputs: The resource as recorded.
        new_inputs: Checked inputs.
        changed: Names of the properties that changed; what is no longer given becomes zero or empty.
    """
    values = {key: old_outputs.get(key) for key in table}
    values |= {key: _recorded(table[key], new_inputs.get(key), settled=True, nested=True) for key in changed}
    return {**old_outputs, **values, RAW_STATE_DELTA: _object_delta(table, values, settled=True)}


def _recorded(prop: Property, value: Any, *, settled: bool, nested: bool = False) -> Any:
    if value is None:
        value = prop.default
    if value is None:
        return _empty(prop, settled=settled, nested=nested)
    if prop.kind in SCALARS:
        return canonical(prop, value)
    if prop.kind == "map":
        return dict(value)
    if prop.kind == "block":
        return _recorded_object(prop.fields, value, settled=settled)
    elements = [
        _recorded_object(prop.fields, element, settled=settled) if prop.fields else element for element in value
    ]
    return as_set(elements) if prop.kind == "set" else elements


def _recorded_object(fields: Table, value: Mapping[str, Any], *, settled: bool) -> Properties:
    return {key: _recorded(prop, value.get(key), settled=settled, nested=True) for key, prop in fields.items()}


def _empty(prop: Property, *, settled: bool, nested: bool) -> Any:
    if prop.kind == "block" or (prop.kind in SCALARS and not nested):
        return None
    if prop.kind == "string":
        return ""
    if prop.kind in SCALARS:
        return ZERO[prop.kind] if settled or prop.computed else None
    if prop.kind == "map":
        return {} if settled else None
    # Only attributes may be null in Terraform, and of those that Docker may choose only lists; blocks are empty.
    never_null = prop.kind == "set" if prop.computed else bool(prop.fields)
    return [] if settled or nested or never_null else None


def _object_delta(table: Table, values: Mapping[str, Any], *, settled: bool) -> Properties:
    """How the bridge gets from recorded outputs back to Terraform's state."""
    deltas = {key: _delta(prop, values[key], settled=settled) for key, prop in table.items()}
    renamed = {key: prop.terraform for key, prop in table.items() if prop.terraform}
    delta: Properties = {}
    if any(deltas.values()):
        delta["ps"] = {key: d for key, d in deltas.items() if d}
    if renamed:
        delta["renamed"] = renamed
    return {"obj": delta}


def _delta(prop: Property, value: Any, *, settled: bool) -> Properties:
    if prop.kind == "block":
        if value is not None:
            return {"plu": {"i": _object_delta(prop.fields, value, settled=settled)}}
        return {"plu": {"i": {}}} if settled or not prop.computed else {}
    if value is None or prop.kind in SCALARS:
        return {}
    if prop.kind == "map":
        return {"map": {}}
    if not (prop.fields and value):
        return {"arr": {}}
    elements = {str(i): _object_delta(prop.fields, element, settled=settled) for i, element in enumerate(value)}
    return {"arr": {"el": elements}}
