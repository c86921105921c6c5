"""``make status``: on one screen what runs, since when, and what the last update and verification came to."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any, Final

from tooling.drift.compare import differences
from tooling.drift.observed import observe
from tooling.drift.recorded import recorded
from tooling.errors import ToolError
from tooling.launcher.drift import checkpoint_of, document_of
from tooling.launcher.history import entries
from tooling.launcher.lines import ago, columns
from tooling.launcher.stack import own_labels
from tooling.pulumi_files.checkpoint import STACK_TYPE
from tooling.pulumi_files.stack import Stack
from tooling.pulumi_files.values import mask
from verification.ask.docker_view import CouldNotAsk, DockerView
from verification.evidence.container import Container

WELL: Final = 0
NOT_WELL: Final = 2
PROOF: Final = ("verdict", "asked_at", "summary")
"""What is told of the last verification."""


def status(stack: Stack, *, as_json: bool) -> int:
    """Print it.

    Returns:
        0 where all is as the last update left it, and no healthcheck fails; else 2.

    Raises:
        ToolError: Nothing is deployed, an update is at work, or Docker does not answer.
    """
    checkpoint = checkpoint_of(stack, document_of(stack))
    known = recorded(checkpoint)
    if not known.containers:
        raise ToolError(f"stack {stack.name} is not deployed. Run: make up STACK={stack.name}")
    outputs: dict[str, Any] = next((mask(one.outputs) for one in checkpoint.resources if one.type == STACK_TYPE), {})
    try:
        with closing(DockerView()) as view:
            found = differences(known, observe(view, known, own_labels(stack)))
            containers = [view.container(name) for name in sorted(one.name for one in known.containers)]
    except CouldNotAsk as reason:
        raise ToolError(str(reason)) from None
    proof = outputs.get("verification")
    answer = {
        "stack": stack.name,
        "url": outputs.get("url", ""),
        "open_webui": outputs.get("open_webui_version", ""),
        "valkey": outputs.get("valkey_version", ""),
        "containers": [_container(one) for one in containers],
        "drift": len(found),
        "verification": {key: proof[key] for key in PROOF} if isinstance(proof, dict) else {},
        "update": next(iter(entries(stack, 1)), {}),
    }
    print(json.dumps(answer, indent=2) if as_json else _text(answer))
    # What should run and does not is a difference.
    return NOT_WELL if found or any(one["health"] == "unhealthy" for one in answer["containers"]) else WELL


def _container(found: Container) -> dict[str, Any]:
    state = found.state
    health = (state.get("Health") or {}).get("Status", "") if state.get("Running") else ""
    return {
        "name": found.name,
        "state": state.get("Status", "gone"),
        "health": health,
        "exit_code": None if state.get("Running") else state.get("ExitCode"),
        "since": state.get("StartedAt", "") if state.get("Running") else state.get("FinishedAt", ""),
        "restarts": found.inspect.get("RestartCount", 0),
        "image": (found.inspect.get("Config") or {}).get("Image", ""),
    }


def _text(answer: dict[str, Any]) -> str:
    proof, update = answer["verification"], answer["update"]
    lines = [
        f"stack {answer['stack']}   {answer['url']}   Open WebUI {answer['open_webui']}, Valkey {answer['valkey']}",
        "",
        *columns([["container", "state", "since", "restarts", "image"], *map(_row, answer["containers"])]),
        "",
    ]
    said = f"{proof['summary']} ({ago(proof['asked_at'])})" if proof else "never asked, or switched off"
    lines.append(f"verification  {said}")
    if update:
        lines.append(f"last {update['kind']:<9} {update['result']}, {update['changes']} ({ago(update['ended'])})")
    many = f"{answer['drift']} difference{'s' if answer['drift'] > 1 else ''}"
    drift = f"{many}: make drift STACK={answer['stack']}" if answer["drift"] else "none"
    return "\n".join([*lines, f"drift         {drift}"])


def _row(one: dict[str, Any]) -> list[str]:
    ended = "" if one["exit_code"] is None else f"({one['exit_code']})"
    state = f"{one['state']} {one['health'] or ended}".strip()
    return [one["name"], state, ago(one["since"]), str(one["restarts"]), one["image"]]
