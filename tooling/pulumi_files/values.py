"""Property values: plain Python here, JSON in the state file.

Pulumi marks a secret by an object with a signature key; here it is a :class:`Secret`.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig/sig.go
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a signature
UNKNOWN_TEXT: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


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


def map_items(value: Any, change: Callable[[Any], Any]) -> Any:
    """Rebuild containers with every element passed through ``change``."""
    if isinstance(value, dict):
        return {key: change(item) for key, item in value.items()}
    if isinstance(value, list):
        return [change(item) for item in value]
    return value


def from_state(value: Any, decrypt: Callable[[str, str], Any], name: str = "") -> Any:
    """A value of the state file, with secrets opened by ``decrypt``, which is told the property each stands in.

    In an export with secrets shown they are in plain text.
    """
    if isinstance(value, dict) and value.get(SIGNATURE) == SECRET:
        if "ciphertext" in value:
            return Secret(decrypt(value["ciphertext"], name), value["ciphertext"])
        return Secret(json.loads(value["plaintext"]))
    if isinstance(value, dict):
        return {key: from_state(item, decrypt, key) for key, item in value.items()}
    return map_items(value, lambda item: from_state(item, decrypt, name))


def to_state(value: Any, encrypt: Callable[[Secret, str], str], name: str = "") -> Any:
    """A value for the state file, its object keys sorted as the Pulumi CLI sorts them."""
    if isinstance(value, Secret):
        return {SIGNATURE: SECRET, "ciphertext": encrypt(value, name)}
    if isinstance(value, dict):
        return {key: to_state(value[key], encrypt, key) for key in sorted(value)}
    return UNKNOWN_TEXT if value is UNKNOWN else map_items(value, lambda item: to_state(item, encrypt, name))


def unwrap(value: Any) -> Any:
    """The value with secret marks removed at every depth; a new object."""
    return unwrap(value.value) if isinstance(value, Secret) else map_items(value, unwrap)


def mask(value: Any) -> Any:
    """The value as it may be shown: secrets and unknown values replaced by words."""
    if isinstance(value, Secret):
        return "[secret]"
    return "[unknown]" if value is UNKNOWN else map_items(value, mask)


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


def _any_part(value: Any, matches: Callable[[Any], bool]) -> bool:
    if matches(value):
        return True
    if isinstance(value, Secret):
        return _any_part(value.value, matches)
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_any_part(item, matches) for item in items)


def has_secret(value: Any) -> bool:
    """Whether a secret is in the value, at any depth."""
    return _any_part(value, lambda item: isinstance(item, Secret))


def has_unknown(value: Any) -> bool:
    """Whether an unknown is in the value, at any depth."""
    return _any_part(value, lambda item: item is UNKNOWN)


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
