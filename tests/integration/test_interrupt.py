"""Ctrl-C, as a terminal sends it: to everything that runs in the foreground, under each engine."""

import os
import signal
import subprocess

import pytest

from tests.integration.deployment import ENGINES, Deployment


@pytest.mark.parametrize("stood_in", ENGINES, indirect=True)
def test_ctrl_c_ends_an_update_without_a_traceback_and_saves_what_was_made(stood_in: Deployment) -> None:
    command = ["make", "up", f"STACK={stood_in.stack}", f"ENGINE={stood_in.engine}"]
    with subprocess.Popen(
        command, cwd=stood_in.directory, env=stood_in.environment(), text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as update:  # fmt: skip
        assert update.stdout is not None
        output = ""
        for line in update.stdout:
            output += line
            if "open-webui-migration creating" in line and "interrupted" not in output:
                output += "interrupted\n"
                os.killpg(update.pid, signal.SIGINT)
    assert update.returncode != 0
    assert "interrupted" in output
    assert "Traceback" not in output
    assert "KeyboardInterrupt" not in output
    made = {stood_in.names["valkey"], stood_in.names["migration"]}
    assert set(stood_in.left()["containers"]) <= made
    assert b"open-webui-migration" in stood_in.state()
    if stood_in.engine == "embedded":
        _, _, where = output.partition("Stopped by Ctrl-C:\n")
        finished, not_begun, *_ = where.splitlines()
        assert finished.startswith("  finished: ")
        assert not_begun.startswith("  not begun: ")
        assert "docker:index:Container (open-webui-migration)" in finished
        assert "docker:index:Container (open-webui-container)" in not_begun
        # Valkey is made beside the migration: a slow machine may not have begun it yet.
        assert ("(valkey-container)" in finished) != ("(valkey-container)" in not_begun)
