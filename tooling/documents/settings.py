"""Writes what follows from the models of settings: ``Pulumi.yaml``'s ``config:``, the table and the JSON schema.

``make reference`` writes them. With ``--check`` nothing is written, and the exit code is 1 where one would change.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from docker_access.surroundings import print_in_any_encoding
from settings.field_types import keys
from settings.models import FIELDS, GROUPS, ONLY_REPLICATED, ONLY_SINGLE, SECRETS
from settings.schema import properties

PROJECT: Final = Path(__file__).resolve().parents[2]
START: Final = "<!-- from settings/models.py: `make reference` writes what follows -->\n"
END: Final = "<!-- end of what is written -->\n"


def description(key: str) -> str:
    """What a setting does, its bounds, and the topology it is for."""
    schema = properties()[key]
    sentences = [schema["description"]]
    if "minimum" in schema:
        zero = f"; {schema['x-zero']}" if "x-zero" in schema else ""
        unit = f" {schema['x-unit']}" if "x-unit" in schema else ""
        sentences.append(f"{schema['minimum']} to {schema['maximum']}{unit}{zero}.")
    for topology, only in (("replicated", ONLY_REPLICATED), ("single", ONLY_SINGLE)):
        if key in only:
            sentences.append(f"Only with topology {topology}.")
    return " ".join(sentences)


def declarations() -> str:
    """The ``config:`` block of ``Pulumi.yaml``."""
    config = {}
    for key, schema in properties().items():
        items = {"items": {"type": "string"}} if schema["type"] == "array" else {}
        config[key] = {"type": schema["type"], **items, "description": description(key), "default": schema["default"]}
    return yaml.safe_dump({"config": config}, sort_keys=False, allow_unicode=True, width=sys.maxsize)


def tables() -> str:
    """The settings in Markdown, a table for each group."""
    lines = []
    for group in GROUPS:
        lines += [
            "",
            f"## {(group.__doc__ or '').rstrip('.')}",
            "",
            "| key | default | what it does |",
            "|---|---|---|",
        ]
        for key in keys(group):
            default = yaml.safe_dump(properties()[key]["default"]).splitlines()[0]
            lines.append(f"| `{key}` | `{default}` | {description(key)} |")
        for key in keys(group):
            lines += _within(key, properties()[key])
    return "\n".join([*lines, "", ""])


def _within(key: str, schema: Mapping[str, Any]) -> list[str]:
    """What an object has, as a list."""
    if not any("description" in one for one in schema.get("properties", {}).values()):
        return []
    found = ["", f"In `{key}`:", ""]
    for name, one in schema["properties"].items():
        inner = ", ".join(_short(within, of) for within, of in one.get("properties", {}).items())
        found.append(f"- `{name}`: {one['description']}" + (f" {inner}." if inner else ""))
    return found


def _short(name: str, schema: Mapping[str, Any]) -> str:
    unit = f" ({schema['x-unit']})" if "x-unit" in schema else ""
    return f"`{name}`{unit}"


def stack_schema(project: str) -> dict[str, Any]:
    """The JSON schema of a stack file, for editors: they complete its keys, and mark what cannot work."""
    config = {
        f"{project}:{key}": {**_written(schema, key), "description": description(key)}
        for key, schema in properties().items()
    }
    return {
        # The newest draft that editors of YAML know: https://github.com/redhat-developer/yaml-language-server#readme
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": f"A stack of {project}",
        "type": "object",
        "properties": {
            "config": {
                "type": ["object", "null"],
                "properties": config,
                # The same keys without namespace are taken too; those of other namespaces are not this project's.
                "patternProperties": {rf"^(?!{project}:)[^:]+:": {}, f"^({'|'.join(FIELDS)})$": {}},
                "additionalProperties": False,
            },
            **{name: {} for name in ("encryptionsalt", "encryptedkey", "secretsprovider", "environment")},
        },
        "additionalProperties": False,
        "definitions": {
            "secure": {
                "type": "object",
                "properties": {"secure": {"type": "string"}},
                "required": ["secure"],
                "additionalProperties": False,
                "description": "An encrypted value: `config set --secret` writes it.",
            }
        },
    }


def _written(schema: Mapping[str, Any], place: str) -> dict[str, Any]:
    """How a value may be written: any may be encrypted, and numbers and booleans quoted, as ``config set`` does."""
    kept = {name: schema[name] for name in ("description", "default", "examples") if name in schema}
    rules = {name: one for name, one in schema.items() if name not in kept and not name.startswith("x-")}
    match schema["type"]:
        case "integer" | "number":
            rules |= {"type": [schema["type"], "string"], "pattern": r"^[0-9]+(\.[0-9]+)?$"}
        case "boolean":
            rules |= {"type": ["boolean", "string"], "pattern": "^(true|false)$"}
    if "properties" in schema:
        rules["properties"] = {name: _written(one, f"{place}.{name}") for name, one in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        rules["additionalProperties"] = _written(schema["additionalProperties"], f"{place}.*")
    if place in SECRETS:
        return {**kept, "$ref": "#/definitions/secure"}
    return {**kept, "anyOf": [rules, {"$ref": "#/definitions/secure"}]}


def _json(value: Any, *, depth: int, indent: str = "") -> str:
    """JSON with a member on each line down to a depth: one line for each setting."""
    if not (depth and value and isinstance(value, dict)):
        return json.dumps(value, ensure_ascii=False)
    inner = f"{indent}  "
    members = (f"{inner}{json.dumps(name)}: {_json(one, depth=depth - 1, indent=inner)}" for name, one in value.items())
    return "{\n" + ",\n".join(members) + f"\n{indent}}}"


def documents() -> dict[Path, str]:
    """Each file that is written, and its text."""
    project_file, table = PROJECT / "Pulumi.yaml", PROJECT / "docs/settings.md"
    declared = project_file.read_text(encoding="utf-8")
    name = yaml.safe_load(declared)["name"]
    before, _, rest = table.read_text(encoding="utf-8").partition(START)
    return {
        project_file: re.sub(r"(?ms)^config:\n.*?(?=^\S|\Z)", lambda _: declarations(), declared),
        table: f"{before}{START}{tables()}{END}{rest.partition(END)[2]}",
        PROJECT / "stacks/schema.json": _json(stack_schema(name), depth=4) + "\n",
    }


def main(arguments: Sequence[str]) -> int:
    """Write the files, or only say which are not as they would be written."""
    print_in_any_encoding()
    written = documents()
    stale = [file for file, text in written.items() if not file.exists() or file.read_text(encoding="utf-8") != text]
    for file in stale:
        if "--check" in arguments:
            print(
                f"{file.relative_to(PROJECT)} is not as settings/models.py says: run `make reference`", file=sys.stderr
            )
        else:
            file.write_text(written[file], encoding="utf-8")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
