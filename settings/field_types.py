"""What the fields of the models are made of: their base, the marks, and the types that several share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from settings import values

T = TypeVar("T")


class Mark(Enum):
    """What a field is besides its type."""

    REPLICATED = "replicated"
    SINGLE = "single"
    SECRET = "secret"  # noqa: S105 - a word


Replicated = Annotated[T, Mark.REPLICATED]
"""A setting that has no effect in topology ``single``, and is refused there."""

Single = Annotated[T, Mark.SINGLE]
"""A setting that topology ``replicated`` cannot have."""

Secret = Annotated[T, Mark.SECRET, Field(repr=False)]
"""A setting whose value is never shown, and refused in plain text."""


class Block(BaseModel):
    """Keys that are written together. A field is named as its key, in snake case.

    ``given_`` before a name: as it is written, where :class:`settings.stack.StackSettings` has what follows from it
    under the name without.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        # A value may be a secret.
        hide_input_in_errors=True,
        alias_generator=lambda name: to_camel(name.removeprefix("given_")),
        # One of these models validates, Settings: to build the others would take 40 ms at every start.
        defer_build=True,
    )


def keys(model: type[BaseModel]) -> dict[str, tuple[str, FieldInfo]]:
    """The name of each field, and the field, by its key in the configuration."""
    return {str(field.alias): (name, field) for name, field in model.model_fields.items()}


def marked(model: type[BaseModel], mark: Mark) -> Iterator[str]:
    """Keys of a model that have a mark; those of a block within it with the block's key and a dot before."""
    for key, (_, field) in keys(model).items():
        if mark in field.metadata:
            yield key
        for block in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(block, type) and issubclass(block, BaseModel):
                yield from (f"{key}.{within}" for within in marked(block, mark))


def unless_empty(check: Callable[[str], str]) -> AfterValidator:
    """Checks text that is not empty."""
    return AfterValidator(lambda value: check(value) if value else value)


def _like(pattern: str, rule: str) -> Any:
    """Text that is empty, or like a pattern; editors hold it against that too."""
    return Field(pattern=f"^({pattern})?$", json_schema_extra={"x-rule": rule})


def _as_boolean(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


Flag = Annotated[bool, Strict(), BeforeValidator(_as_boolean)]
Port = Annotated[int, Field(ge=1, le=65535)]
PortOrNone = Annotated[
    int | None,
    Field(ge=0, le=65535, json_schema_extra={"x-zero": "0 publishes nothing"}),
    AfterValidator(lambda port: port or None),
]
DockerName = Annotated[
    str,
    _like(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", "a Docker name starts with a letter or digit, then letters, digits, _ . -"),
]
"""Source: https://github.com/moby/moby/blob/master/daemon/names/names.go"""

Email = Annotated[str, _like(r"[^@\s]+@([^@\s]+\.[^@\s]+|localhost)", "an e-mail address is wanted")]
"""As Open WebUI's ``validate_email_format`` has it, without spaces."""

PlainEmail = Annotated[
    str,
    _like(
        r"[a-zA-Z0-9_.!$%&'*+/=?^~-]+@[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)+",
        "an e-mail address without quotes, braces or letters beyond ASCII is wanted",
    ),
]
"""As certificate authorities take it."""

VariableText = Annotated[
    str,
    BeforeValidator(values.variable_text),
    WithJsonSchema({"type": ["string", "number", "boolean"], "examples": ["TEXT"]}),
]
Variables = dict[Annotated[str, AfterValidator(values.variable_name)], VariableText]
