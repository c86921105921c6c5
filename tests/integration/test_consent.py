"""At a terminal nothing is interrupted or removed that was not shown and agreed to."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress

import pytest

from tests.integration.deployment import COMMAND_SECONDS, ENGINES, Deployment

pytestmark = pytest.mark.docker


def at_a_terminal(stack: Deployment, command: str, answer: str) -> tuple[int, str]:
    """Run a command of `make` where a person types the answer once asked; its exit code, and what it showed."""
    person, terminal = os.openpty()
    words = [sys.executable, "-m", "tooling.launcher", command, "--stack", stack.stack, "--engine", stack.engine]
    with subprocess.Popen(
        words, cwd=stack.directory, env=stack.environment(), stdin=terminal, stdout=terminal, stderr=terminal
    ) as run:
        os.close(terminal)
        shown, asked = b"", False
        with suppress(OSError):  # the terminal is closed with the last who writes to it
            while some := os.read(person, 4096):
                shown += some
                if b"[y/N]" in shown and not asked:
                    os.write(person, answer.encode() + b"\n")
                    asked = True
        os.close(person)
        code = run.wait(timeout=COMMAND_SECONDS)
    text = shown.decode(errors="replace")
    assert asked, text
    return code, text


@pytest.mark.parametrize("stood_in", ENGINES, indirect=True)
def test_what_interrupts_people_or_removes_a_stack_is_shown_asked_and_left_undone_without_a_yes(
    stood_in: Deployment,
) -> None:
    stood_in.succeed("up")
    before = stood_in.ids()
    stood_in.configure({"logLevel": "WARNING"})

    code, shown = at_a_terminal(stood_in, "up", "n")
    assert code == 1, shown
    assert "plan: Nobody reaches Open WebUI while its container is re-created" in shown
    assert f"make up STACK={stood_in.stack} YES=1" in shown
    assert stood_in.ids() == before

    code, shown = at_a_terminal(stood_in, "up", "y")
    assert code == 0, shown
    assert "proved: " in shown
    assert stood_in.ids()[stood_in.names["app"]] != before[stood_in.names["app"]]

    before = stood_in.ids()
    code, shown = at_a_terminal(stood_in, "destroy", "n")
    assert code == 1, shown
    assert f"plan: removes container {stood_in.names['app']}" in shown or f", {stood_in.names['app']}" in shown
    assert f"plan: keeps volume {stood_in.names['app_data']}" in shown
    assert stood_in.ids() == before

    code, shown = at_a_terminal(stood_in, "destroy", "y")
    assert code == 0, shown
    assert stood_in.ids() == {}
