"""Ctrl-C, as a terminal sends it: to everything that runs in the foreground, under each engine."""

import os
import signal
import subprocess

import pytest

from tests.integration.deployment import ENGINES, Deployment


@pytest.mark.parametrize("fresh", ENGINES, indirect=True)
def test_ctrl_c_ends_an_update_without_a_traceback_and_saves_what_was_made(fresh: Deployment) -> None:
    command = ["make", "up", f"STACK={fresh.stack}", f"ENGINE={fresh.engine}"]
    with subprocess.Popen(
        command, cwd=fresh.directory, env=fresh.environment(), text=True, start_new_session=True,
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
    made = {fresh.names["valkey"], fresh.names["migration"]}
    assert set(fresh.left()["containers"]) <= made
    assert b"open-webui-migration" in fresh.state()
    if fresh.engine == "embedded":
        _, _, where = output.partition("Stopped by Ctrl-C:\n")
        finished, not_begun, *_ = where.splitlines()
        assert finished.startswith("  finished: ")
        assert not_begun.startswith("  not begun: ")
        assert "docker:index:Container (open-webui-migration)" in finished
        assert "docker:index:Container (open-webui-container)" in not_begun
        # Valkey is made beside the migration: a slow machine may not have begun it yet.
        assert ("(valkey-container)" in finished) != ("(valkey-container)" in not_begun)
