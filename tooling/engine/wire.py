"""Property values on their way: structs to and from the program, plain values to a provider.

Assets, archives and output values (used by remote components only) are refused.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig/sig.go
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tooling.engine.errors import only_the_cli
from tooling.pulumi_files.values import (
    SECRET,
    SIGNATURE,
    UNKNOWN,
    UNKNOWN_TEXT,
    Properties,
    Secret,
    map_items,
    unwrap,
)

if TYPE_CHECKING:
    from google.protobuf import struct_pb2

RESOURCE_REFERENCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
_REFUSED: Final = {
    "c44067f5952c0a294b673a41bacd8c17": "an asset as a property",
    "0def7320c3a5731c473e5ecbe6d01bc7": "an archive as a property",
    "d0e6a833031e9bbcd3f4e8bde6ca49a4": "an output value as a property",
}


def from_struct(struct: struct_pb2.Struct) -> Properties:
    """Properties of a request of the program or an answer of a provider; raises :class:`EngineError`."""
    return {key: _from_value(value) for key, value in struct.fields.items()}


def _from_value(value: struct_pb2.Value) -> Any:
    match value.WhichOneof("kind"):
        case "number_value":
            number = value.number_value
            return int(number) if number.is_integer() else number
        case "string_value":
            return UNKNOWN if value.string_value == UNKNOWN_TEXT else value.string_value
        case "bool_value":
            return value.bool_value
        case "list_value":
            return [_from_value(item) for item in value.list_value.values]
        case "struct_value":
            plain = from_struct(value.struct_value)
            signature = plain.get(SIGNATURE)
            if signature in _REFUSED:
                raise only_the_cli(_REFUSED[signature])
            return Secret(unwrap(plain["value"])) if signature == SECRET else plain
        case _:
            return None


def to_struct(properties: Properties) -> struct_pb2.Struct:
    """Properties as the program and providers expect them."""
    from google.protobuf import json_format, struct_pb2  # noqa: PLC0415 - 40 ms that a destroy saves

    return json_format.ParseDict(_to_wire(properties), struct_pb2.Struct())


def _to_wire(value: Any) -> Any:
    if isinstance(value, Secret):
        return {SIGNATURE: SECRET, "value": _to_wire(value.value)}
    return UNKNOWN_TEXT if value is UNKNOWN else map_items(value, _to_wire)


def for_provider(value: Any) -> Any:
    """The value as a provider takes it: no secret marks, a resource reference as the resource's id (else its URN)."""
    value = value.value if isinstance(value, Secret) else value
    if isinstance(value, dict) and value.get(SIGNATURE) == RESOURCE_REFERENCE:
        return for_provider(value.get("id") or value["urn"])
    return map_items(value, for_provider)
