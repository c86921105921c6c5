"""A whole life of a stack in the hands of a user who is not root and may talk to Docker."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.deployment import COMMAND_SECONDS, Deployment, sh

SOCKET = Path("/var/run/docker.sock")

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(os.geteuid() != 0, reason="makes a user of its own, which needs root"),
    pytest.mark.skipif("DOCKER_HOST" in os.environ, reason="the user is given this machine's own Docker"),
]


@pytest.fixture
def user() -> Iterator[tuple[str, Path]]:
    """A user of the group that has Docker's socket, with a home; both are gone afterwards."""
    name, home = f"it{secrets.token_hex(4)}", Path(tempfile.mkdtemp(prefix="home-"))
    try:
        group = str(SOCKET.stat().st_gid)
        sh("useradd", "--no-create-home", "--home-dir", str(home), "--user-group", "--groups", group, name)
        yield name, home
    finally:
        subprocess.run(["userdel", name], check=False)
        shutil.rmtree(home)


def test_a_stack_is_deployed_proved_and_destroyed_by_an_ordinary_user_whose_files_stay_its_own(
    user: tuple[str, Path],
) -> None:
    name, home = user
    stack = Deployment(home / "project", "embedded", stand_in=True)
    sh("chown", "--recursive", "--no-dereference", f"{name}:", str(home))
    try:
        assert "proved: live events through Valkey are sent and received" in launch(stack, name, home, "up")
        assert "websocket opens at http://127.0.0.1:" in launch(stack, name, home, "verify")
        launch(stack, name, home, "destroy")
        assert stack.left()["containers"] == stack.left()["networks"] == []
        assert stack.state()
        own = sh("id", "--user", name)
        assert sh("find", str(home), "!", "-uid", own) == ""
    finally:
        stack.remove_everything()


def launch(stack: Deployment, name: str, home: Path, command: str) -> str:
    """What ``make COMMAND`` runs, by a user; what it printed."""
    # It may read what is another's, such as the Python of these tests, and write only what is its own.
    become = ["--reuid", name, "--regid", name, "--init-groups", "--inh-caps", "+dac_read_search"]
    done = subprocess.run(
        [
            "setpriv", *become, "--ambient-caps", "+dac_read_search",
            sys.executable, "-m", "tooling.launcher", command, "--stack", stack.stack, "--engine", stack.engine,
        ],
        cwd=stack.directory, env={**stack.environment(), "HOME": str(home), "USER": name, "LOGNAME": name}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=COMMAND_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout
