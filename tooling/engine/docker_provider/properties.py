"""Tables of properties: what matters of the Terraform schema from which the Docker plugin derives its behaviour.

What is done with them, beside this module: ``checking`` (validation and defaults), ``diffing`` (what a change means),
``recording`` (the form of outputs), ``refreshing`` (inputs after a read). So a stack made here looks to the plugin like
one of its own. Left out: assets, secrets, schema upgrades.

Source: https://github.com/hashicorp/terraform-plugin-sdk/blob/main/helper/schema/schema.go
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tooling.pulumi_files.values import Properties

DEFAULTS: Final = "__defaults"
RAW_STATE_DELTA: Final = "__pulumi_raw_state_delta"
META: Final = "__meta"
DEFAULT_TIMEOUT_SECONDS: Final = 20 * 60

Kind = Literal["string", "int", "bool", "list", "set", "map", "block"]
SCALARS: Final = frozenset({"string", "int", "bool"})
ZERO: Final[Mapping[str, Any]] = {"string": "", "int": 0, "bool": False}


@dataclass(frozen=True, kw_only=True)
class Property:
    """One property of a resource, or one field of an object in it.

    Attributes:
        kind: ``block`` is an object that Terraform keeps as a list of at most one.
        fields: Fields of the objects in a list, set or block; empty where the elements are strings.
        replaces: A change needs a new resource.
        computed: Docker chooses a value where none is given.
        required: Must be given.
        autonamed: Named after the resource where no name is given.
        output_only: Never an input.
        blank_keeps: An empty or missing value means "as it is".
        blank_is_default: An empty string means the default; a refresh leaves it as the program wrote it.
        default: What a missing input becomes.
        terraform: Terraform's name where it is not the plain snake case of ours.
        pattern: Regular expression that a string must match.
        minimum: Smallest integer allowed.
        known: False for a property of the plugin that this engine refuses unless it is empty.
    """

    kind: Kind
    fields: Mapping[str, Property] = field(default_factory=dict)
    replaces: bool = False
    computed: bool = False
    required: bool = False
    autonamed: bool = False
    output_only: bool = False
    blank_keeps: bool = False
    blank_is_default: bool = False
    default: Any = None
    terraform: str = ""
    pattern: str = ""
    minimum: int | None = None
    known: bool = True


Table = Mapping[str, Property]


def string(**facts: Any) -> Property:
    """A string property."""
    return Property(kind="string", **facts)


def integer(**facts: Any) -> Property:
    """An integer property."""
    return Property(kind="int", **facts)


def boolean(**facts: Any) -> Property:
    """A boolean property."""
    return Property(kind="bool", **facts)


def mapping(**facts: Any) -> Property:
    """A map of strings."""
    return Property(kind="map", **facts)


def list_of(fields: Table | None = None, **facts: Any) -> Property:
    """An ordered list, of objects if ``fields`` are given, else of strings."""
    return Property(kind="list", fields=fields or {}, **facts)


def set_of(fields: Table | None = None, **facts: Any) -> Property:
    """An unordered list, of objects if ``fields`` are given, else of strings."""
    return Property(kind="set", fields=fields or {}, **facts)


def block(fields: Table, **facts: Any) -> Property:
    """A single object."""
    return Property(kind="block", fields=fields, **facts)


def canonical(prop: Property, value: Any) -> Any:
    """A form in which two values are equal exactly if the plugin takes them as equal."""
    if prop.kind in SCALARS:
        zero = ZERO[prop.kind]
        if value is None or (value == "" and prop.blank_is_default):
            return prop.default if prop.default is not None else zero
        return text(value) if prop.kind == "string" else number(value) if prop.kind == "int" else bool(value)
    if prop.kind == "map":
        return {k: text(v) for k, v in (value or {}).items() if v is not None}
    if prop.kind == "block":
        return None if value is None else canonical_object(prop.fields, value)
    elements = [canonical_object(prop.fields, element) if prop.fields else text(element) for element in value or []]
    return as_set(elements) if prop.kind == "set" else elements


def canonical_object(fields: Table, value: Mapping[str, Any]) -> Properties:
    """:func:`canonical` for the fields of an object."""
    return {key: canonical(prop, value.get(key)) for key, prop in fields.items()}


def number(value: Any) -> int | None:
    """An integer, however it is written; None for anything else."""
    if isinstance(value, bool):
        return None
    try:
        parsed = float(value)
    except (TypeError, ValueError):
        return None
    return int(parsed) if parsed.is_integer() else None


def text(value: Any) -> str:
    """A scalar as Terraform writes it in a string."""
    if isinstance(value, bool):
        return "true" if value else "false"
    whole = number(value) if isinstance(value, float) else None
    return str(value if whole is None else whole)


def as_set(elements: list[Any]) -> list[Any]:
    """The elements of a set, each once, in the order in which Terraform keeps them."""
    unique = {_set_key(element): element for element in elements}
    return [unique[key] for key in sorted(unique)]


def _set_key(value: Any) -> str:
    """The order in which Terraform keeps the elements of a set.

    Source: https://github.com/zclconf/go-cty/blob/main/cty/set_internals.go (``appendSetHashBytes``)
    """
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, list):
        return "[" + "".join(_set_key(v) + ";" for v in value) + "]"
    if isinstance(value, Mapping):
        return "<" + "".join(_set_key(value[k]) + ";" for k in sorted(value)) + ">"
    return "~" if value is None else f"{value:.10g}"
