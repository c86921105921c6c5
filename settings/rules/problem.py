"""A rule between settings that is broken: what each rule yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Settings that do not go together.

    Attributes:
        key: The key to change.
        rule: Why it cannot stay.
        example: A value that would do; None where the key is better left out.
        also: Further keys and values that the example needs.
        about: Further keys the rule looks at: while one of those cannot be read, the rule says nothing.
        path: Place within the value of an object.
    """

    key: str
    rule: str
    example: Any
    also: Mapping[str, str] = field(default_factory=dict)
    about: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
