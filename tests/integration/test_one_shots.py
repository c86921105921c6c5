"""Migrations that take long are ended by nobody, and those that are done may be pruned."""

import json
import re
import subprocess
import sys
import time
from contextlib import AbstractContextManager
from pathlib import Path

import psutil
import pytest

from docker_access import labels
from tests.integration.deployment import ENGINES, Deployment, sh
from tests.integration.test_edges import changed

LONG = """
import os, pathlib, time
go = pathlib.Path("/app/backend/data/go")
for step in range(240 if os.environ.get("ENABLE_DB_MIGRATIONS") == "true" else 0):
    if go.exists():
        break
    if step % 4 == 0:
        print(f"Running upgrade {step} of many", flush=True)
    time.sleep(0.25)
"""
"""A migration that goes on until it is let go, for a minute at most."""


def long_migration(image: str) -> AbstractContextManager[str]:
    """An image whose migrations take long, for a while."""
    variables = json.loads(sh("docker", "image", "inspect", "--format", "{{json .Config.Env}}", image))
    python = next(line.partition("=")[2] for line in variables if line.startswith("PYTHON_VERSION="))
    place = Path(f"/usr/local/lib/python{'.'.join(python.split('.')[:2])}/dist-packages")
    return changed(image, files={place / "long.py": LONG, place / "long.pth": "import long\n"})


def begin(stack: Deployment, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tooling.launcher", "up", "--stack", stack.stack, "--engine", stack.engine]
    with output.open("wb") as file:
        return subprocess.Popen(
            command, cwd=stack.directory, env=stack.environment(), stdout=file, stderr=subprocess.STDOUT
        )


def await_words(output: Path, words: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while words not in output.read_text():
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.1)


def kill(update: subprocess.Popen[bytes]) -> None:
    launcher = psutil.Process(update.pid)
    for process in [*launcher.children(recursive=True), launcher]:
        process.kill()
    update.wait(10)


@pytest.mark.parametrize("stood_in", ENGINES, indirect=True)
def test_a_long_migration_of_a_killed_update_is_waited_for_by_the_next_and_ended_by_none(
    stood_in: Deployment, tmp_path: Path
) -> None:
    first, second, name = tmp_path / "first.txt", tmp_path / "second.txt", stood_in.names["migration"]
    with long_migration(stood_in.config["openWebuiImage"]) as image:
        stood_in.configure({"openWebuiImage": image})
        began = begin(stood_in, first)
        try:
            # The update that waits for its own migration shows what that logs.
            await_words(first, "Running upgrade")
        finally:
            kill(began)
        migration = stood_in.inspect("migration")
        engine = [sys.executable, "-m", "tooling.engine", "up", "--stack", stood_in.stack]
        refused = subprocess.run(
            engine, cwd=stood_in.directory, env=stood_in.environment(), capture_output=True, text=True, check=False
        )
        assert refused.returncode != 0
        assert f"container {name} has been running for" in refused.stderr + refused.stdout
        assert "Running upgrade" in refused.stderr + refused.stdout
        went_on = begin(stood_in, second)
        try:
            await_words(second, f"{name} has been running for")
            assert stood_in.inspect("migration")["State"]["Running"]
            sh("docker", "exec", name, "touch", "/app/backend/data/go")
            assert went_on.wait(180) == 0, second.read_text()
        finally:
            if went_on.poll() is None:
                kill(went_on)
        assert "proved" in second.read_text()
        if stood_in.engine == "embedded":
            # Of the same image and settings it is taken over as it is; the Pulumi CLI has it run once more.
            assert stood_in.inspect("migration")["Id"] == migration["Id"]
        stood_in.remove_everything()


@pytest.mark.nightly
@pytest.mark.parametrize("stood_in", ENGINES, indirect=True)
def test_a_nightly_prune_makes_no_proof_red_and_restarts_nobody(stood_in: Deployment) -> None:
    stood_in.configure({"topology": "replicated", "replicas": 2, "enableSignup": True})
    stood_in.succeed("up")
    names, before = stood_in.names, stood_in.ids()
    prune(stood_in)
    gone = {names[one] for one in ("migration", "postgres_setup", "app_files", "valkey_files", "gateway_files")}
    assert before.keys() - stood_in.ids().keys() == gone
    verified = stood_in.succeed("verify")
    assert f"{names['migration']} is gone, as after `docker system prune`" in verified
    assert "proved: " in verified
    drift = stood_in.succeed("drift")
    assert drift.startswith("no drift: ")
    assert all(name in drift for name in gone)
    preview = stood_in.succeed("preview")
    assert not [line for line in preview.splitlines() if "replace" in line and "open-webui-" in line], preview
    steps = stood_in.starts_and_ends("up")
    assert {step.partition(" ")[2] for step in steps} == {names["migration"], names["postgres_setup"]}
    after = stood_in.ids()
    assert after.keys() == before.keys()
    assert {name for name in before if before[name] != after[name]} == gone
    # What stops them first where something changes besides is not gone with the container.
    prune(stood_in)
    with changed(stood_in.config["openWebuiImage"], "LABEL newer=yes") as newer:
        stood_in.configure({"openWebuiImage": newer})
        steps = stood_in.starts_and_ends("up")
        begun = steps.index(f"start {names['migration']}")
        assert all(steps.index(f"die {app}") < begun < steps.index(f"start {app}") for app in stood_in.apps), steps
        stood_in.remove_everything()


def prune(stack: Deployment) -> None:
    """What ``docker system prune`` does to the containers of this stack alone, without the volumes that it leaves."""
    of_stack = f"label={labels.STACK}={stack.stack}"
    ended = sh("docker", "ps", "--quiet", "--all", "--filter", of_stack, "--filter", "status=exited", "--filter",
        "status=created").split()  # fmt: skip
    mounts = sh("docker", "inspect", "--format", "{{range .Mounts}}{{.Name}} {{end}}", *ended).split()
    sh("docker", "container", "prune", "--force", "--filter", of_stack)
    sh("docker", "volume", "rm", *(name for name in mounts if re.fullmatch("[0-9a-f]{64}", name)))
