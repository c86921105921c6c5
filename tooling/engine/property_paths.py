"""Property paths, such as ``healthcheck.tests[0]``, and the options that name them.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/property_path.go
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from tooling.engine.errors import EngineError
from tooling.engine.provider import Diff
from tooling.pulumi_files.values import Properties, Secret, map_items, unwrap

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


def replaced_by(paths: Iterable[str], diff: Diff, old: Properties, new: Properties) -> set[str]:
    """The properties that ``replaceOnChanges`` has replace a resource; a path names what lies below it too.

    A path into a property counts where values are compared here, and not where the provider has named properties.

    Source: applyReplaceOnChanges of https://github.com/pulumi/pulumi/blob/v3.259.0/pkg/resource/deploy/step_generator.go
    """
    found = set()
    for path in map(parse_path, paths):
        named = diff.changed if diff.named is None else diff.named
        found |= {key for key in named if _covers(path, parse_path(key))}
        if diff.named is None and len(path) > 1:
            below = [key for key in diff.changed if path[0] in ("*", key)]
            found |= {key for key in below if _differs(old.get(key), new.get(key), path[1:])}
    return found


def _covers(path: list[str | int], other: list[str | int]) -> bool:
    return len(path) <= len(other) and all(step in ("*", there) for step, there in zip(path, other, strict=False))


def _differs(old: Any, new: Any, path: list[str | int]) -> bool:
    """Whether two values differ at a path that leads into them."""
    old, new = unwrap(old), unwrap(new)
    if not path:
        return bool(old != new)
    keys = {*_keys(old), *_keys(new)}
    return any(_differs(_at(old, key), _at(new, key), path[1:]) for key in keys if path[0] in ("*", key))


def _keys(value: Any) -> Iterable[str | int]:
    return range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ()


def _at(value: Any, key: str | int) -> Any:
    return value[key] if key in _keys(value) else None


def _copy(value: Any) -> Any:
    return Secret(_copy(value.value)) if isinstance(value, Secret) else map_items(value, _copy)


def _keep_old(new: Any, old: Any, path: list[str | int], *, was_secret: bool = False, is_secret: bool = False) -> None:
    """Put the old value at a path, or nothing where there was none; a list keeps its length.

    Source: ``reset`` of https://github.com/pulumi/pulumi/blob/v3.259.0/sdk/go/common/resource/properties_path.go
    """
    was_secret, is_secret = was_secret or isinstance(old, Secret), is_secret or isinstance(new, Secret)
    old, new = (one.value if isinstance(one, Secret) else one for one in (old, new))
    head: Any = path[0]
    rest = path[1:]
    both = isinstance(old, type(new)) and isinstance(new, list | dict)
    if not both and (rest or head == "*" or isinstance(head, int) or not isinstance(new, dict)):
        return
    before = dict(enumerate(old)) if isinstance(old, list) else old if isinstance(old, dict) else {}
    there: Any = range(min(len(new), len(before))) if isinstance(new, list) else {**new, **before}
    for key in [*there] if head == "*" else [head] if head in there else []:
        if rest:
            # "*" stands for what the old one has; a name may lead to something new, which then goes.
            if isinstance(new, list) or (key in new and (key in before or head != "*")):
                _keep_old(new[key], before.get(key), rest, was_secret=was_secret, is_secret=is_secret)
        elif key in before:
            new[key] = Secret(before[key]) if was_secret and not is_secret else before[key]
        else:
            del new[key]
