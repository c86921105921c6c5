"""Stack configuration: the typed ``config:`` block of the project file, and the stack file that fills it.

Values are strings to the program, structured ones JSON text; ``secure:`` values are decrypted. Environments (ESC) and
project-wide values of other namespaces' types are not looked up, and what configures Pulumi itself (``pulumi:``) is not
the program's: see :func:`tooling.pulumi_files.stack_file.needs_the_cli`.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/workspace/config.go
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tooling.errors import UsageError
from tooling.pulumi_files.errors import PulumiFilesError
from tooling.pulumi_files.go_yaml import read_yaml
from tooling.pulumi_files.project import PROJECT_FILE, Project

if TYPE_CHECKING:
    from tooling.pulumi_files.secrets import Secrets
    from tooling.pulumi_files.stack import Stack

_TYPES: Final = ("string", "integer", "boolean", "array", "object")

PlainConfig = tuple[Mapping[str, str], Collection[str]]
"""Configuration as text by key, and the keys, or paths within them, that are secret."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Configuration of one stack.

    Attributes:
        values: ``<namespace>:<key>`` to plain text.
        secret_keys: The keys whose values are secret, sorted.
        sealed: The same as the history file records it: secrets as ``{"secure": ciphertext}``.
    """

    values: dict[str, str]
    secret_keys: list[str]
    sealed: dict[str, Any]


def full_key(project: Project, key: str) -> str:
    """The key with its namespace, the project's by default; raises :class:`UsageError` on a malformed one."""
    full = key if ":" in key else f"{project.name}:{key}"
    if not re.fullmatch(r"[^:\s]+:[^:\s]+", full):
        raise UsageError(f"{key!r} is not a configuration key; write KEY or NAMESPACE:KEY, as in uiPort.")
    return full


def load_config(stack: Stack, secrets: Secrets | None) -> Config:
    """Read and validate a stack's configuration.

    Args:
        stack: The stack.
        secrets: Opens ``secure:`` values; None where the stack file has no salt.

    Raises:
        PulumiFilesError: A value is missing, of the wrong type, not secret though declared so, or cannot be decrypted.
    """
    project = stack.project
    written = read_yaml(stack.file).get("config") or {}
    if not isinstance(written, dict):
        raise PulumiFilesError(f"{stack.file}: `config` is {written!r}; it maps keys to values, one a line.")
    given = {full_key(project, str(key)): value for key, value in written.items()}
    given = {key: value for key, value in given.items() if not key.startswith("pulumi:")}
    name = os.path.relpath(stack.file, project.directory)
    _apply_declarations(project, given, name)
    values: dict[str, str] = {}
    secret_keys: list[str] = []
    for key in sorted(given):
        if _is_secure(given[key]):
            secret_keys.append(key)
        values[key] = _text(_opened(given[key], secrets, f"{name}: {key}"))
    _check_types(project, given, values, name)
    return Config(values=values, secret_keys=secret_keys, sealed={key: given[key] for key in sorted(given)})


def _apply_declarations(project: Project, given: dict[str, Any], name: str) -> None:
    missing = []
    for short, declaration in project.config.items():
        key = full_key(project, str(short))
        declared = declaration if isinstance(declaration, dict) else {"value": declaration}
        if declared.get("type") not in (None, *_TYPES):
            raise PulumiFilesError(
                f"{PROJECT_FILE}: config.{short}.type is {declared['type']!r}; one of {', '.join(_TYPES)} is wanted."
            )
        default = declared.get("value") if declared.get("value") is not None else declared.get("default")
        if key not in given and default is not None:
            given[key] = default
        elif key not in given and key.startswith(f"{project.name}:"):
            missing.append((key, declared))
    if missing:
        lines = "\n".join(f"  {key}: {_example(declared)}" for key, declared in missing)
        described = "; ".join(f"{key} ({declared.get('description', 'no description')})" for key, declared in missing)
        raise PulumiFilesError(f"{name}: no value for {described}. Under `config:` write:\n{lines}")


def _example(declared: dict[str, Any]) -> str:
    kind = str(declared.get("type", "string"))
    return f"<{kind}>" + ("   (with `config set KEY VALUE --secret`)" if declared.get("secret") else "")


def _check_types(project: Project, given: dict[str, Any], values: dict[str, str], name: str) -> None:
    for short, declared in project.config.items():
        key = full_key(project, str(short))
        if not isinstance(declared, dict) or "type" not in declared or key not in given:
            continue
        if declared.get("secret") and not _is_secure(given[key]):
            raise PulumiFilesError(
                f"{name}: {key} is in plain text but declared secret. Set it with `config set {short} VALUE --secret`."
            )
        value = given[key]
        if _is_secure(value):
            value = values[key] if _is_ciphertext(value) else json.loads(values[key])
        if not _matches(declared["type"], declared.get("items"), value):
            wanted = declared["type"] + (f" of {declared['items'].get('type')}" if declared.get("items") else "")
            seen = "a secret" if _is_secure(given[key]) else repr(given[key])
            fitting = declared.get("default", f"<{declared['type']}>")
            raise PulumiFilesError(
                f"{name}: {key} is {seen}; {wanted} is wanted. Write, for example:\n  {key}: {json.dumps(fitting)}"
            )


def _matches(kind: str, items: Any, value: Any) -> bool:
    """Whether a value fits a declared type; as the CLI, text that reads as an integer or a boolean fits those."""
    match kind:
        case "string":  # a scalar becomes text on its way to the program
            return not isinstance(value, dict | list)
        case "integer":
            if isinstance(value, str):
                return re.fullmatch(r"[-+]?[0-9]+", value) is not None
            return not isinstance(value, bool) and isinstance(value, int | float) and float(value).is_integer()
        case "boolean":
            return isinstance(value, bool) or value in ("true", "false")
        case "object":
            return isinstance(value, dict)
        case _:
            inner = items if isinstance(items, dict) else {}
            return isinstance(value, list) and all(
                _matches(str(inner.get("type", "string")), inner.get("items"), item) for item in value
            )


def _is_ciphertext(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"secure"} and isinstance(value["secure"], str)


def _is_secure(value: Any) -> bool:
    """Whether a value, or a part of it, is encrypted."""
    if isinstance(value, dict):
        return _is_ciphertext(value) or any(map(_is_secure, value.values()))
    return isinstance(value, list) and any(map(_is_secure, value))


def _opened(value: Any, secrets: Secrets | None, place: str) -> Any:
    if _is_ciphertext(value):
        if secrets is None:
            raise PulumiFilesError(f"{place} is encrypted but the file has no encryptionsalt. Restore it from git.")
        return secrets.decrypt(value["secure"])
    if isinstance(value, dict):
        return {key: _opened(item, secrets, place) for key, item in value.items()}
    return [_opened(item, secrets, place) for item in value] if isinstance(value, list) else value


def _text(value: Any) -> str:
    """The text the program sees: JSON for objects and lists, as Go prints it for others."""
    if isinstance(value, bool | dict | list | float):
        return _json(value)
    return "" if value is None else str(value)


_HTML: Final = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})
"""Characters that Go escapes in JSON: https://pkg.go.dev/encoding/json#HTMLEscape."""


def _json(value: Any) -> str:
    """JSON, byte for byte as Go writes it: a container made from it must not differ between the engines."""
    match value:
        case dict():
            items = sorted((str(key), item) for key, item in value.items())
            return "{" + ",".join(f"{_json(key)}:{_json(item)}" for key, item in items) + "}"
        case list():
            return "[" + ",".join(map(_json, value)) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False).translate(_HTML)
        case float() if 1e-6 <= abs(value) < 1e21 or not value:  # noqa: PLR2004 - Go's bounds of plain notation
            return format(Decimal(repr(value)), "f").removesuffix(".0")
        case float():
            return repr(value).replace("e-0", "e-")
        case _:
            return json.dumps(value)
