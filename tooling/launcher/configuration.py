"""``make config``: every setting of a stack, its value, and where that comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from settings import Settings
from settings.models import FIELDS, SECRETS
from tooling.launcher.lines import columns
from tooling.pulumi_files.go_yaml import read_yaml
from tooling.pulumi_files.stack import Stack

WORD: Final = "[secret]"


def config(stack: Stack, settings: Settings, *, as_json: bool) -> int:
    """Print them, those of the stack file first; secrets are masked."""
    found = sorted(_settings(stack, settings), key=lambda one: (one["from"] == "default", one["key"]))
    rows = [["setting", "from", "value"], *([one["key"], one["from"], _shown(one["value"])] for one in found)]
    print(json.dumps(found, indent=2) if as_json else "\n".join(columns(rows)))
    return 0


def _settings(stack: Stack, settings: Settings) -> Iterator[dict[str, Any]]:
    document = read_yaml(stack.file)
    given = {str(key).rpartition(":")[2] for key in document.get("config") or {}}
    for key, (name, _) in FIELDS.items():
        value = settings.model_dump(include={name}, by_alias=True, exclude_none=True, mode="json")
        shown = _without_secrets(key, next(iter(value.values()), ""))
        # What neither the file nor the default says comes from an environment of Pulumi Cloud (ESC).
        elsewhere = "default" if settings.is_default(key) else "environment"
        yield {"key": key, "value": shown, "from": stack.file.name if key in given else elsewhere}


def _without_secrets(key: str, value: Any) -> Any:
    if key in SECRETS or key == "extraEnvironment":
        return dict.fromkeys(value, WORD) if isinstance(value, dict) else WORD if value else value
    if isinstance(value, dict):
        return {part: WORD if f"{key}.{part}" in SECRETS and item else item for part, item in value.items()}
    return value


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)
