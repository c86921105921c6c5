"""Property paths, such as ``healthcheck.tests[0]``, and the options that name them.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/property_path.go
"""

from __future__ import annotations

import re
from typing import Any, Final

from tooling.engine.errors import EngineError
from tooling.pulumi_files.values import Properties, map_items

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
    return map_items(value, _copy)


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
