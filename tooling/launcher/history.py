"""``make history``: the updates of a stack, what they changed, and by whom."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tooling.errors import ToolError
from tooling.launcher.lines import ago, columns
from tooling.pulumi_cli.stacks import captured
from tooling.pulumi_files.stack import Stack


def history(stack: Stack, *, most: int, as_json: bool) -> int:
    """Print the newest updates, the newest first; 0 where there are some.

    Raises:
        ToolError: There are none, or a shared backend does not answer.
    """
    found = entries(stack, most)
    if not found:
        raise ToolError(f"stack {stack.name} has no history: it was never updated. Run: make up STACK={stack.name}")
    heading = ["when", "what", "result", "took", "changes", "by"]
    rows = [
        [ago(one["ended"]), one["kind"], one["result"], f"{one['seconds']} s", one["changes"], one["by"]]
        for one in found
    ]
    print(json.dumps(found, indent=2) if as_json else "\n".join(columns([heading, *rows])))
    return 0


def entries(stack: Stack, most: int) -> list[dict[str, Any]]:
    """The newest updates, the newest first.

    Raises:
        ToolError: A shared backend does not answer.
    """
    raw = _of_the_cli(stack, most) if stack.shared else list(stack.backend.history(most))
    return [_entry(one) for one in raw]


def _of_the_cli(stack: Stack, most: int) -> list[dict[str, Any]]:
    page = ["--page-size", str(most), "--page", "1"]
    done = captured(["pulumi", "stack", "history", "--json", *page, "--stack", stack.name], stack)
    if done.returncode != 0:
        raise ToolError(f"the Pulumi CLI does not tell the history of stack {stack.name}:\n{done.stderr}")
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def _entry(raw: dict[str, Any]) -> dict[str, Any]:
    environment = raw.get("environment") or {}
    changes = raw.get("resourceChanges") or {}
    began, ended = raw.get("startTime", 0), raw.get("endTime", 0)
    by = environment.get("exec.user") or environment.get("git.author.email") or environment.get("git.author") or "-"
    return {
        "kind": "up" if raw.get("kind") == "update" else raw.get("kind", ""),
        "result": raw.get("result", ""),
        "ended": ended,
        "seconds": _seconds(began, ended),
        "changes": ", ".join(_words(changes)) or "nothing recorded",
        "by": by,
        "engine": "embedded" if environment.get("exec.kind") == "embedded" else "pulumi",
    }


def _words(changes: dict[str, int]) -> Iterator[str]:
    names = {"create": "created", "update": "updated", "delete": "deleted", "replace": "replaced", "same": "unchanged"}
    for op, word in names.items():
        if changes.get(op):
            yield f"{changes[op]} {word}"


def _seconds(began: Any, ended: Any) -> int:
    # A file has seconds since 1970; what the CLI prints has RFC 3339.
    if isinstance(began, str) and isinstance(ended, str):
        return int((datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds())
    return int(ended) - int(began)
