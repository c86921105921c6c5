"""Project and stack files, read as the Pulumi CLI reads them: YAML as Go's library has it.

The same file must give the program the same text from either engine, down to dates and octal numbers
(``tests/engine/test_config_against_the_cli.py``). No library in Python reads this dialect, which is neither YAML 1.1
nor 1.2; PyYAML parses, and only what a plain scalar stands for is said here. Left out: binary and ordered-map tags.

Source: https://github.com/yaml/go-yaml/blob/v3/resolve.go
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from tooling.pulumi_files.errors import PulumiFilesError


class _Loader(yaml.CSafeLoader):
    """YAML as the Pulumi CLI reads it: ``on``, ``off``, ``yes`` and ``no`` are strings; a key may stand only once."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(?:0b[01_]+|0o?[0-7_]*|[1-9][0-9_]*|0x[0-9a-fA-F_]+)", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
    ("timestamp", r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.*", "0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), [*_first])


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node)).replace("_", "")
    octal = re.fullmatch(r"([-+]?)0([0-7]+)", text)
    return int(f"{octal[1]}0o{octal[2]}", 0) if octal else int(text, 0)


_TIMESTAMP: Final = re.compile(
    r"(\d+)-(\d+)-(\d+)(?:(?:[Tt]| (?!.*(?:Z|[+-]\d\d:\d\d)$))"
    r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?)?",
    re.ASCII,
)
"""Dates and times that Go's YAML takes for such: https://github.com/yaml/go-yaml/blob/v3/resolve.go."""


def _timestamp(loader: _Loader, node: yaml.ScalarNode) -> str:
    """A date or time without quotes, as Go prints it: that is the text the Pulumi CLI hands over."""
    text = str(loader.construct_scalar(node))
    found = _TIMESTAMP.fullmatch(text)
    if not found or ("t" in text.lower()) != bool(found[8]):
        return text
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
    try:
        time = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return text
    fraction = (found[7] or "").rstrip("0")
    zone = "+0000 UTC" if found[8] in {None, "Z", "+00:00"} else " ".join([found[8].replace(":", "")] * 2)
    return f"{time:%Y-%m-%d %H:%M:%S}{'.' if fraction else ''}{fraction} {zone}"


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.value in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} stands twice", key.start_mark)
        seen.add(key.value)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _timestamp)


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds a mapping (or nothing); raises :class:`PulumiFilesError` naming the line."""
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        document = yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        said = _in_full(text, error)
        mark = getattr(said, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(said, "problem", None) or said
        raise PulumiFilesError(f"{path}{place}: not valid YAML: {problem}. Fix that line.") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise PulumiFilesError(
            f"{path}, line {line}: byte 0x{error.object[error.start]:02x} is not UTF-8. Save the file as UTF-8."
        ) from None
    except OSError as error:
        raise PulumiFilesError(f"{path} cannot be read: {error}.") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise PulumiFilesError(f"{path}: holds {document!r}; it should be a mapping, as in `config: {{...}}`.")
    return {str(key): value for key, value in document.items()}


def _in_full(text: str, error: yaml.YAMLError) -> yaml.YAMLError:
    """What PyYAML's slower parser says of the text, which is more than libyaml's words for it."""
    try:
        yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as said:
        return said
    return error
