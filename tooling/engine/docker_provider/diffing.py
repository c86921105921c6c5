"""What a change of inputs means: Pulumi's provider call Diff, as the bridge to Terraform answers it.

Left out: the detailed diff of single list elements; a property differs as a whole.

Source: ``provider.go`` (Diff) of
https://github.com/pulumi/pulumi-terraform-bridge/tree/v3.137.0/pkg/tfbridge
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tooling.engine.docker_provider.properties import DEFAULTS, Property, Table, canonical, canonical_object
from tooling.engine.provider import Diff
from tooling.pulumi_files.values import UNKNOWN, Properties, has_unknown


def diff(
    table: Table,
    old_outputs: Properties,
    new_inputs: Properties,
    *,
    delete_before_replace: bool | None = None,
    ignore_changes: Collection[str] = (),
) -> Diff:
    """What the plugin would plan: recorded outputs against checked inputs.

    Args:
        table: Properties of the resource.
        old_outputs: The resource as recorded.
        new_inputs: Checked inputs.
        delete_before_replace: None takes the bridge's rule: only if the name was not generated.
        ignore_changes: Properties to leave out. Of a path into one, the engine has put the old value back.
    """
    changed = sorted(
        key
        for key, prop in table.items()
        if key not in ignore_changes and _differs(prop, old_outputs.get(key), new_inputs.get(key))
    )
    replaces = [key for key in changed if table[key].replaces]
    if delete_before_replace is None:
        generated = new_inputs.get(DEFAULTS, [])
        delete_before_replace = any(p.autonamed and key not in generated for key, p in table.items())
    return Diff(changed=changed, replaces=replaces, delete_before_replace=bool(replaces) and delete_before_replace)


def _differs(prop: Property, old: Any, new: Any) -> bool:
    if new is None or (new == "" and prop.kind == "string"):
        if prop.computed:
            # What Docker would choose is not recorded yet, so the plugin plans to find out.
            return old is None and prop.kind in {"list", "map"}
        new = prop.default if new is None else new
    if prop.output_only:
        return False
    if has_unknown(new):
        # The plugin expects a set that Docker may choose, and of which nothing is known, to stay as it is.
        return not (new is UNKNOWN and prop.computed and prop.kind == "set")
    if prop.blank_keeps and not new:
        return False
    if prop.kind == "list" and prop.fields:
        return _objects_differ(prop, old or [], new or [])
    return bool(canonical(prop, old) != canonical(prop, new))


def _objects_differ(prop: Property, old: list[Any], new: list[Any]) -> bool:
    """Compare lists of objects whatever their order; a computed field that is not given equals anything."""
    if len(old) != len(new):
        return True
    left = [canonical_object(prop.fields, element) for element in old]
    for element in new:
        wanted = canonical_object(prop.fields, element)
        free = {key for key, p in prop.fields.items() if p.computed and element.get(key) is None}
        match = next((found for found in left if all(found[k] == wanted[k] for k in wanted if k not in free)), None)
        if match is None:
            return True
        left.remove(match)
    return False
