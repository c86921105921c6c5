"""Compares what ``docker inspect`` shows with what was asked for."""

from __future__ import annotations

import json
import re
from typing import Any, Final

ORDERED: Final = frozenset({"Cmd", "Entrypoint", "Test"})
"""Lists in which order matters; Docker treats the others as sets."""

UPDATED: Final = (
    "HostConfig.Memory",
    "HostConfig.MemorySwap",
    "HostConfig.NanoCpus",
    "HostConfig.CpuShares",
    "HostConfig.CpusetCpus",
    "HostConfig.RestartPolicy",
    "HostConfig.PidsLimit",
)
"""What an update reads back and fixes by itself; anything else needs the container re-created."""


def looked_up(value: Any, path: str) -> Any:
    """Follow ``A.B[KEY].C``; a key in brackets may hold dots, and picks ``KEY=value`` out of a list."""
    for word, bracketed in re.findall(r"([^.\[\]]+)|\[([^\]]*)\]", path):
        key = bracketed or word
        if isinstance(value, list):
            found = (item.partition("=") for item in value if isinstance(item, str))
            value = next((rest for name, _, rest in found if name == key), None)
        elif isinstance(value, dict):
            value = value.get(key)
        else:
            return None
    return value


def same(path: str, wanted: Any, actual: Any) -> bool:
    """Whether a property is as asked: nothing, empty and zero are one, and most lists are sets to Docker."""
    if not wanted and not actual:
        return True
    if isinstance(wanted, list) and isinstance(actual, dict):
        actual = list(actual)  # the networks a container has joined, for instance
    if isinstance(wanted, list) and isinstance(actual, list):
        ordered = path.rsplit(".", 1)[-1] in ORDERED
        left, right = ([_canonical(item) for item in items] for items in (wanted, actual))
        return left == right if ordered else sorted(left) == sorted(right)
    return _canonical(wanted) == _canonical(actual)


def _canonical(value: Any) -> str:
    """Comparable text: capabilities without ``CAP_``, whole floats (all numbers of Pulumi's) as integers."""
    if isinstance(value, str):
        return value.removeprefix("CAP_")
    if isinstance(value, dict):
        return json.dumps({key: _canonical(item) for key, item in value.items()}, sort_keys=True)
    if isinstance(value, list):
        return json.dumps([_canonical(item) for item in value])
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
