"""The settings as JSON schema: for what is said of a refused value, and for editors of stack files."""

from __future__ import annotations

from functools import cache
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from settings.models import GROUPS


class _Generator(GenerateJsonSchema):
    """Leaves out what a stack file is not written with: null, and titles that repeat the key."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - as pydantic calls it
        return False


@cache
def properties() -> dict[str, dict[str, Any]]:
    """The JSON schema of every setting by its key, in the order of the groups; nothing in it refers to elsewhere."""
    found: dict[str, dict[str, Any]] = {}
    for group in GROUPS:
        schema = group.model_json_schema(schema_generator=_Generator)
        found |= {key: _inlined(one, schema.get("$defs", {})) for key, one in schema["properties"].items()}
    return found


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _inlined(one, definitions) for name, one in schema.items() if name != "$ref"}
    if "$ref" in schema:
        of_type = _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
        return {**of_type, **found}
    return {name: one for name, one in found.items() if not (name == "default" and one is None)}


def schema_of(key: str, *path: str) -> list[dict[str, Any]]:
    """The schema of a key, then of each step to a place within its value; empty for a place there is no schema of."""
    found = [properties()[key]]
    for part in path:
        within = found[-1].get("properties", {}).get(part, found[-1].get("additionalProperties"))
        found.append(within if isinstance(within, dict) else {})
    return found
