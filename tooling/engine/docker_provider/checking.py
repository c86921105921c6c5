"""Validation and defaults: Pulumi's provider call Check, as the bridge to Terraform answers it.

Source: ``schema.go`` (MakeTerraformInputs, applyDefaults) of
https://github.com/pulumi/pulumi-terraform-bridge/tree/v3.137.0/pkg/tfbridge
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any, Final

from tooling.engine.docker_provider.properties import DEFAULTS, SCALARS, Property, Table, number, text
from tooling.engine.provider import ProviderError
from tooling.pulumi_files.values import UNKNOWN, Properties

SHOWN: Final = 80
"""Longest text that an error repeats."""


def check(token: str, table: Table, name: str, old: Properties | None, new: Properties) -> Properties:
    """Inputs with defaults filled in and listed in ``__defaults``, as the plugin records them.

    Args:
        token: Type of the resource, for messages.
        table: Its properties.
        name: Logical name of the resource; an autonamed property becomes ``<name>-<7 hex digits>``.
        old: Recorded inputs, whose name is kept where the program gives none.
        new: Inputs of the program.

    Raises:
        ProviderError: A property is missing, mistyped, out of range or not supported.
    """
    checked = _check_fields(token, "", table, new)
    defaults: list[str] = checked[DEFAULTS]
    for key, prop in table.items():
        if prop.autonamed and key not in checked:
            checked[key] = (old or {}).get(key) or f"{name}-{secrets.token_hex(4)[:7]}"
            defaults.append(key)
    defaults.sort()
    return checked


def _check_fields(token: str, path: str, table: Table, given: Mapping[str, Any]) -> Properties:
    checked: Properties = {}
    defaults = []
    for key, value in given.items():
        if key == DEFAULTS or value is None:
            continue
        where = f"{path}{key}"
        prop = table.get(key)
        if prop is None or prop.output_only:
            raise ProviderError(
                f"{token} has no property {where} (={_shown(value)}) that the embedded engine knows; if it is spelled "
                f"right, the Pulumi CLI does. Properties are {', '.join(_inputs(table))}."
            )
        if not prop.known:
            if value in ("", 0, False, [], {}, prop.default):
                continue
            raise ProviderError(
                f"the embedded engine does not know {where} of {token} (={_shown(value)}); the Pulumi CLI does."
            )
        checked[key] = _check_value(token, where, prop, value)
    for key, prop in table.items():
        if prop.default and key not in checked:
            checked[key] = prop.default
            defaults.append(key)
        if prop.required and key not in checked:
            raise ProviderError(f"{token} needs the property {path}{key}, which is missing.")
    checked[DEFAULTS] = sorted(defaults)
    return checked


def _shown(value: Any) -> str:
    """A value for an error; the type alone where it is of a form in which a secret in it would not be masked."""
    plain = isinstance(value, int | float) or (isinstance(value, str) and len(value) <= SHOWN and value.isprintable())
    return str(value) if plain else type(value).__name__


def _inputs(table: Table) -> list[str]:
    return sorted(key for key, prop in table.items() if not prop.output_only)


def _check_value(token: str, where: str, prop: Property, value: Any) -> Any:
    if value is UNKNOWN:
        return value
    if prop.kind in SCALARS:
        return _check_scalar(token, where, prop, value)
    if prop.kind == "map":
        if not isinstance(value, Mapping):
            raise _mistyped(token, where, "a map of strings", value)
        return {k: v if v is UNKNOWN else text(v) for k, v in value.items() if v is not None}
    if prop.kind == "block":
        if not isinstance(value, Mapping):
            raise _mistyped(token, where, "an object", value)
        return _check_fields(token, f"{where}.", prop.fields, value)
    if not isinstance(value, list):
        raise _mistyped(token, where, "a list", value)
    return [_check_element(token, f"{where}[{i}]", prop, element) for i, element in enumerate(value)]


def _check_element(token: str, where: str, prop: Property, element: Any) -> Any:
    if element is UNKNOWN:
        return element
    if element is None:
        raise ProviderError(f"{where} of {token} is null. Leave the element out, or give it a value.")
    if not prop.fields:
        return _check_scalar(token, where, Property(kind="string"), element)
    if not isinstance(element, Mapping):
        raise _mistyped(token, where, "an object", element)
    return _check_fields(token, f"{where}.", prop.fields, element)


def _check_scalar(token: str, where: str, prop: Property, value: Any) -> Any:
    if prop.kind == "string":
        if not isinstance(value, str | int | float):
            raise _mistyped(token, where, "a string", value)
        written = text(value)
        if prop.pattern and not re.fullmatch(prop.pattern, written):
            raise ProviderError(f"{where} of {token} is {written!r}. It must match {prop.pattern}.")
        return written
    if prop.kind == "bool":
        if value in ("true", "false"):
            return value == "true"
        if not isinstance(value, bool):
            raise _mistyped(token, where, "true or false", value)
        return value
    found = number(value)
    if found is None:
        raise _mistyped(token, where, "an integer", value)
    if prop.minimum is not None and found < prop.minimum:
        raise ProviderError(f"{where} of {token} is {found}. It must be {prop.minimum} or more.")
    return found


def _mistyped(token: str, where: str, wanted: str, value: object) -> ProviderError:
    # The value itself may be a secret: only its type is told.
    return ProviderError(f"{where} of {token} must be {wanted}, and is of type {type(value).__name__}.")
