"""``make verify``: the verification of what is deployed, without an update."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any, Final

from tooling.errors import ToolError
from tooling.launcher import engines
from tooling.launcher.docker_daemon import ensure_docker
from tooling.launcher.ownership import checked_owner
from tooling.pulumi_files.stack import Stack

IDLE: Final = {None: [], True: ["--idle"], False: ["--no-idle"]}
"""Flags of the verification, by whether an idle websocket is to be kept open; None leaves that to it."""


def verify(engine: engines.Engine, stack: Stack, *, idle: bool | None) -> int:
    """Run the verification; its exit code.

    Raises:
        ToolError: The stack is not deployed, or not from this state.
    """
    checked_owner(stack)
    outputs: dict[str, Any] = json.loads(engines.outputs(engine, stack, show_secrets=True))
    if "subject" not in outputs:
        raise ToolError(
            f"stack {stack.name} is not deployed (it has no output `subject`). Run: make up STACK={stack.name}"
        )
    ensure_docker()
    # The subject holds secrets: it goes through standard input.
    done = subprocess.run(
        [sys.executable, "-m", "verification", "--subject", "-", *IDLE[idle]],
        input=json.dumps(subject(outputs)).encode(), check=False, cwd=stack.project.directory, env=os.environ,
    )  # fmt: skip
    return done.returncode


def subject(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """What the verification is about, from a stack's outputs, as it reads it."""
    from_outputs = {"url": outputs["url"], "expected": outputs.get("expected"), "report": outputs.get("verification")}
    return {**outputs["subject"], **from_outputs}
