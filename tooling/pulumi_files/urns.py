"""What a URN says of its resource: ``urn:pulumi:STACK::PROJECT::PARENT-TYPES$TYPE::NAME``.

Source: https://github.com/pulumi/pulumi/blob/v3.259.0/sdk/go/common/resource/urn/urn.go
"""

from __future__ import annotations


def name_of(urn: str) -> str:
    """The logical name, which may hold ``::`` itself."""
    return urn.split("::", 3)[3]


def types_of(urn: str) -> str:
    """The type with those of the parents before it, ``$`` between them; a stack is no parent here."""
    return urn.split("::", 3)[2]


def type_of(urn: str) -> str:
    """The type."""
    return types_of(urn).rpartition("$")[2]
