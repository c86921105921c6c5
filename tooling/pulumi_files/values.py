"""Property values: plain Python inside the engine, structs towards the program, JSON in the state file.

Pulumi marks a secret by an object with a signature key; inside the engine it is a :class:`Secret`. Assets, archives
and output values (used by remote components only) are refused.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig/sig.go
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tooling.pulumi_files.errors import EngineError, only_the_cli

if TYPE_CHECKING:
    from google.protobuf import struct_pb2

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a signature
RESOURCE_REFERENCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_REFUSED: Final = {
    "c44067f5952c0a294b673a41bacd8c17": "an asset as a property",
    "0def7320c3a5731c473e5ecbe6d01bc7": "an archive as a property",
    "d0e6a833031e9bbcd3f4e8bde6ca49a4": "an output value as a property",
}


Properties = dict[str, Any]


class Unknown:
    """Type of :data:`UNKNOWN`."""

    def __repr__(self) -> str:
        return "[unknown]"

    def __reduce__(self) -> str:
        return "UNKNOWN"  # copies are the same object, so `is UNKNOWN` keeps holding


UNKNOWN: Final = Unknown()
"""A value that only a real update will know."""


@dataclass(repr=False)
class Secret:
    """A value that is encrypted in state and masked on screen.

    Attributes:
        value: The plain value.
        ciphertext: Its form in the state file, kept so that an unchanged secret leaves the file unchanged.
    """

    value: Any
    ciphertext: str | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        return "[secret]"


def _map(value: Any, change: Callable[[Any], Any]) -> Any:
    """Rebuild containers with every element passed through ``change``."""
    if isinstance(value, dict):
        return {key: change(item) for key, item in value.items()}
    if isinstance(value, list):
        return [change(item) for item in value]
    return value


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
    return UNKNOWN_TEXT if value is UNKNOWN else _map(value, _to_wire)


def from_state(value: Any, decrypt: Callable[[str, str], Any], name: str = "") -> Any:
    """A value of the state file, with secrets opened by ``decrypt``, which is told the property each stands in."""
    if isinstance(value, dict) and value.get(SIGNATURE) == SECRET:
        if "ciphertext" in value:
            return Secret(decrypt(value["ciphertext"], name), value["ciphertext"])
        raise only_the_cli(
            "a secret in plain text in the state (`pulumi stack import` of an export with secrets shown)"
        )
    if isinstance(value, dict):
        return {key: from_state(item, decrypt, key) for key, item in value.items()}
    return _map(value, lambda item: from_state(item, decrypt, name))


def to_state(value: Any, encrypt: Callable[[Secret, str], str], name: str = "") -> Any:
    """A value for the state file, its object keys sorted as the Pulumi CLI sorts them."""
    if isinstance(value, Secret):
        return {SIGNATURE: SECRET, "ciphertext": encrypt(value, name)}
    if isinstance(value, dict):
        return {key: to_state(value[key], encrypt, key) for key in sorted(value)}
    return UNKNOWN_TEXT if value is UNKNOWN else _map(value, lambda item: to_state(item, encrypt, name))


def unwrap(value: Any) -> Any:
    """The value with secret marks removed at every depth; a new object."""
    return unwrap(value.value) if isinstance(value, Secret) else _map(value, unwrap)


def for_provider(value: Any) -> Any:
    """The value as a provider takes it: no secret marks, a resource reference as the resource's id (else its URN)."""
    value = value.value if isinstance(value, Secret) else value
    if isinstance(value, dict) and value.get(SIGNATURE) == RESOURCE_REFERENCE:
        return for_provider(value.get("id") or value["urn"])
    return _map(value, for_provider)


def mask(value: Any) -> Any:
    """The value as it may be shown: secrets and unknown values replaced by words."""
    if isinstance(value, Secret):
        return "[secret]"
    return "[unknown]" if value is UNKNOWN else _map(value, mask)


def equal(one: Any, other: Any) -> bool:
    """Whether two values are the same to Pulumi: secret marks count, and ``true`` is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, Secret) and isinstance(other, Secret):
        return equal(one.value, other.value)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def keep_equal(new: Properties, old: Properties) -> Properties:
    """The new properties, with the old object (and so the old ciphertext) wherever a value is unchanged."""
    return {key: old[key] if key in old and equal(value, old[key]) else value for key, value in new.items()}


def _any(value: Any, matches: Callable[[Any], bool]) -> bool:
    if matches(value):
        return True
    if isinstance(value, Secret):
        return _any(value.value, matches)
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_any(item, matches) for item in items)


def has_secret(value: Any) -> bool:
    """Whether a secret is in the value, at any depth."""
    return _any(value, lambda item: isinstance(item, Secret))


def has_unknown(value: Any) -> bool:
    """Whether an unknown is in the value, at any depth."""
    return _any(value, lambda item: item is UNKNOWN)


def mark_secrets(plain: Properties, like: Properties, also: list[str] | None = None) -> Properties:
    """Mark again what a provider was given unmarked.

    A property becomes secret as a whole where its namesake in ``like`` holds a secret anywhere; objects are followed
    key by key, lists are not (``annotateSecrets`` of the CLI's provider plugin client).

    Args:
        plain: What the provider returned.
        like: The marked properties it was given.
        also: Further top-level keys to mark (``additionalSecretOutputs``).
    """
    marked: Properties = {}
    model: Any
    for key, value in plain.items():
        model = like.get(key)
        if isinstance(value, dict) and isinstance(model, dict):
            marked[key] = mark_secrets(value, model)
        else:
            marked[key] = Secret(unwrap(value)) if has_secret(model) else value
    for key in also or []:
        if key in marked:
            marked[key] = Secret(unwrap(marked[key]))
    return marked


_STEP: Final = re.compile(r"""\.?(?:\["([^"]*)"\]|\[(\d+|\*)\]|([^.\[\]"]+))""")


def parse_path(path: str) -> list[str | int]:
    """Steps of a property path such as ``healthcheck.tests[0]``; ``*`` stands for every key. Raises EngineError."""
    steps: list[str | int] = []
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise EngineError(f"{path!r} is not a property path; write it like labels.name or ports[0].")
        quoted, index, name = step.groups()
        steps.append(int(index) if index and index != "*" else quoted or index or name)
        position = step.end()
    return steps


def ignore_changes(new: Properties, old: Properties, paths: list[str]) -> Properties:
    """The new properties with the old value at each path, as ``ignoreChanges`` asks."""
    result = _copy(new)
    for path in paths:
        _keep_old(result, old, parse_path(path))
    return dict(result)


def _copy(value: Any) -> Any:
    return _map(value, _copy)


def _keep_old(new: Any, old: Any, path: list[str | int]) -> None:
    head: Any
    head, *rest = path
    if isinstance(new, list) and isinstance(old, list):
        keys: list[Any] = [*range(min(len(new), len(old)))]
    elif isinstance(new, dict) and isinstance(old, dict):
        keys = [*{**new, **old}]
    else:
        return
    for key in keys if head == "*" else [head] if head in keys else []:
        has = key in old if isinstance(old, dict) else True
        if rest:
            if has and (isinstance(new, list) or key in new):
                _keep_old(new[key], old[key], rest)
        elif has:
            new[key] = old[key]
        else:
            del new[key]
