"""What is shown of operations, values and changes, as text in the Pulumi CLI's manner; secrets are words here.

Source: https://github.com/pulumi/pulumi/tree/master/pkg/backend/display
"""

from __future__ import annotations

import difflib
import json
from typing import Any, Final, NamedTuple

from rich.text import Text

from tooling.engine.events import Change
from tooling.pulumi_files.urns import name_of, type_of
from tooling.pulumi_files.values import UNKNOWN, Properties, Secret, equal, mask


class Op(NamedTuple):
    """How an operation is written."""

    sign: str
    colour: str
    planned: str
    doing: str
    done: str


OPS: Final = {
    "same": Op("", "dim", "same", "", "unchanged"),
    "create": Op("+", "green", "create", "creating", "created"),
    "update": Op("~", "yellow", "update", "updating", "updated"),
    "replace": Op("+-", "magenta", "replace", "creating replacement", "replaced"),
    "delete": Op("-", "red", "delete", "deleting", "deleted"),
    "delete-replaced": Op("--", "magenta", "delete original", "deleting original", "deleted original"),
    "forget": Op("-", "red", "forget", "", "forgotten"),
    "keep": Op("-", "red", "forget (it is kept)", "", "forgotten (it is kept)"),
}
_COLOURS: Final = {"+": "green", "-": "red", "~": "yellow", " ": ""}
"""By the sign before what is the same, or differs."""
_LONGEST_VALUE: Final = 200
_LONGEST_OUTPUT: Final = 20
"""Lines of an output beyond which only its size is shown."""


def shown_type(urn: str) -> str:
    """The type as Pulumi shows it: ``docker:index/container:Container`` as ``docker:index:Container``."""
    type_ = type_of(urn)
    package, _, rest = type_.partition(":")
    module, _, name = rest.rpartition(":")
    first, _, last = module.partition("/")
    return f"{package}:{first}:{name}" if last.lower() == name.lower() else type_


def title_of(urn: str) -> str:
    """A resource in a sentence, as in ``docker:index:Container (app)``."""
    return f"{shown_type(urn)} ({name_of(urn)})"


def time_taken(seconds: float) -> str:
    """How long a step took, in brackets; empty below a second."""
    return "" if seconds < 1 else f" ({seconds:.1f}s)" if seconds < 10 else f" ({seconds:.0f}s)"  # noqa: PLR2004 - digits


def duration(seconds: float) -> str:
    """How long a run took, as in ``1m5s``."""
    whole = max(1, round(seconds))
    return f"{whole // 60}m{whole % 60}s" if whole >= 60 else f"{whole}s"  # noqa: PLR2004 - a minute


def changed_lines(changes: list[Change], margin: str = "      ") -> list[Text]:
    """The places that differ, each with the old value and the new one."""
    lines = []
    for change in changes:
        parts = _differing_parts(change.key, change.old, change.new)
        if not parts and change.replaces:  # because of what a dependency may become
            lines.append(Text(f"{margin}~ {change.key} (replaces)", style=_COLOURS["~"]))
        because = " (replaces)" if change.replaces else ""
        for key, old, new in parts:
            sign = "+" if old is None else "-" if new is None else "~"
            if isinstance(old, str) and isinstance(new, str) and "\n" in old + new:
                lines.append(Text(f"{margin}{sign} {key}:{because}", style=_COLOURS[sign]))
                lines += _differing_lines(old, new, f"{margin}    ")
                continue
            values = " => ".join(_on_one_line(value) for value in (old, new) if value is not None)
            lines.append(Text(f"{margin}{sign} {key}: {values}{because}", style=_COLOURS[sign]))
    return lines


def _differing_lines(old: str, new: str, margin: str) -> list[Text]:
    """The lines of a text that differ, each with the line before it."""
    compared = [line for line in difflib.ndiff(old.splitlines(), new.splitlines()) if line[0] in "+- "]
    changed = [index for index, line in enumerate(compared) if line[0] != " "]
    near = {place for index in changed for place in (index - 1, index) if place >= 0}
    return [Text(f"{margin}{compared[place]}", style=_COLOURS[compared[place][0]]) for place in sorted(near)]


def _on_one_line(value: Any) -> str:
    """A value as JSON, secrets and unknown values as words; cut where nobody reads on."""
    a_word = value is UNKNOWN or isinstance(value, Secret)
    text = str(mask(value)) if a_word else json.dumps(mask(value), ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}... ({len(text)} characters)"


def _differing_parts(key: str, old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    """The places inside a property that differ, for objects key by key and for lists item by item."""
    if key in ("*", "") or (old is None and new is None):
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        return [part for k in sorted({*old, *new}) for part in _differing_parts(f"{key}.{k}", old.get(k), new.get(k))]
    if isinstance(old, list) and isinstance(new, list):
        longest = max(len(old), len(new))
        pad = [None] * longest
        return [
            part
            for index, (one, other) in enumerate(zip((old + pad)[:longest], (new + pad)[:longest], strict=True))
            for part in _differing_parts(f"{key}[{index}]", one, other)
        ]
    return [] if equal(old, new) else [(key, old, new)]


def output_lines(new: Properties, old: Properties, *, only_changed: bool) -> list[Text]:
    """The program's outputs, each with the sign of what has become of it."""
    width = max(map(len, {*new, *old}), default=0)
    lines = []
    for key in sorted({*new, *old}):
        sign = "~" if key in new and key in old else "+" if key in new else "-"
        if sign == "~" and (equal(new[key], old[key]) or new[key] is UNKNOWN):
            sign = " "
        if sign == " " and only_changed:
            continue
        first, *rest = _nested(mask(new[key] if key in new else old[key]), "    ")
        if len(rest) > _LONGEST_OUTPUT:
            first, rest = f"{first}...{rest[-1].strip()}  ({len(rest)} lines: stack output {key})", []
        lines.append(Text(f"  {sign} {key:<{width}}: {first}", style=_COLOURS[sign]))
        lines += [Text(line, style=_COLOURS[sign]) for line in rest]
    return lines


def _nested(value: Any, indent: str) -> list[str]:
    """A masked value as the CLI shows outputs: objects and lists opened, one entry a line."""
    if isinstance(value, dict) and value:
        width = max(map(len, value))
        entries = [(f"{key:<{width}}: ", value[key]) for key in sorted(value)]
        brackets = "{}"
    elif isinstance(value, list) and value:
        entries = [(f"[{index}]: ", item) for index, item in enumerate(value)]
        brackets = "[]"
    else:
        return [value if value in ("[secret]", "[unknown]") else json.dumps(value, ensure_ascii=False)]
    lines = [brackets[0]]
    for label, item in entries:
        first, *rest = _nested(item, indent + "    ")
        lines += [f"{indent}    {label}{first}", *rest]
    return [*lines, f"{indent}{brackets[1]}"]
