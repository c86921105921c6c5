"""What either engine leaves when it is killed while Docker works, and the other then makes of it."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import psutil
import pytest

from tests.engine.two_engines import Project
from tests.integration.hand_made import ensure_images

pytestmark = [pytest.mark.pulumi_cli, pytest.mark.docker]
IMAGE: Final = "valkey/valkey:8.0.1-alpine"
NAME: Final = f"killed{uuid.uuid4().hex[:6]}-first"
PROJECT: Final = f"""\
name: handover
runtime: {{name: python, options: {{toolchain: pip, virtualenv: {sys.prefix}}}}}
stackConfigDir: stacks
options: {{refresh: always}}
"""
PROGRAM: Final = f"""\
from pathlib import Path

import pulumi
import pulumi_docker as docker

own = {{"pulumi.project": pulumi.get_project(), "pulumi.stack": pulumi.get_stack()}}
wait, changed = Path("wait").exists(), Path("changed").exists()
docker.Container(
    "first", name="{NAME}", image="{IMAGE}", entrypoints=["sleep"], command=["900" if changed else "600"],
    destroy_grace_seconds=0,
    labels=[docker.ContainerLabelArgs(label=key, value=value) for key, value in own.items()],
    wait=wait, wait_timeout=120,
    healthcheck=docker.ContainerHealthcheckArgs(tests=["CMD", "test", "-e", "/go"], interval="200ms", retries=600),
)
"""


def docker(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *command], capture_output=True, text=True, check=False)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    ensure_images(IMAGE)
    project = Project(tmp_path, {"Pulumi.yaml": PROJECT, "__main__.py": PROGRAM})
    project.run("pulumi", "stack", "init", "dev", "--non-interactive")
    yield project
    docker("rm", "--force", "--volumes", NAME)


def latest(project: Project) -> dict[str, Any]:
    return dict(json.loads(project.state.read_text())["checkpoint"]["latest"])


def container() -> str:
    return docker("inspect", "--format", "{{.Id}}", NAME).stdout.strip()


def recorded(project: Project) -> list[str]:
    return [resource["id"] for resource in latest(project)["resources"] if resource["urn"].endswith("::first")]


def test_the_embedded_engine_takes_over_what_a_killed_cli_was_making(project: Project) -> None:
    (project.directory / "wait").touch()
    cli = subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "dev"],
        cwd=project.directory, env=project.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while docker("inspect", "--format", "{{.State.Running}}", NAME).stdout.strip() != "true":
            assert time.monotonic() < deadline
            assert cli.poll() is None
            time.sleep(0.1)
    finally:
        plugins = psutil.Process(cli.pid).children(recursive=True) if cli.poll() is None else []
        cli.kill()
        cli.wait()
    try:
        assert [pending["type"] for pending in latest(project)["pending_operations"]] == ["creating"]
        made = container()
        assert docker("exec", NAME, "touch", "/go").returncode == 0
        said = project.embedded("up")
        assert "creating it was interrupted; it was found and taken over" in said
        assert recorded(project) == [made] == [container()]
        assert "pending_operations" not in latest(project)
        project.pulumi("preview", "--expect-no-changes")
    finally:
        # Its plugins may outlive a CLI that is killed.
        for plugin in plugins:
            with contextlib.suppress(psutil.NoSuchProcess):
                plugin.kill()


def kill_embedded(project: Project, command: str, at: str) -> None:
    """Run the embedded engine until it is killed at a point of killable.py."""
    killed = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("killable.py")), command, "--stack", "dev"],
        cwd=project.directory,
        env=project.environment | {"KILL_LOG": str(project.directory / "points"), "KILL_AT": f"1\t{at}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr


def test_the_cli_goes_on_after_a_killed_embedded_engine_as_the_documentation_says(project: Project) -> None:
    kill_embedded(project, "up", f"after POST /containers/create\t/containers/create?name={NAME}")
    assert [pending["type"] for pending in latest(project)["pending_operations"]] == ["creating"]
    left = container()
    assert left
    assert "locked by 1 lock" in project.pulumi("up", "--yes", "--skip-preview", fails=True)
    project.pulumi("cancel", "--yes")
    assert "is already in use" in project.pulumi("up", "--yes", "--skip-preview", fails=True)
    assert docker("rm", "--force", "--volumes", NAME).returncode == 0
    (project.directory / "changed").touch()
    project.pulumi("up", "--yes", "--skip-preview")
    made = container()
    assert recorded(project) == [made] != [left]
    # The CLI keeps the record until it is told to clear it; neither engine minds.
    assert latest(project)["pending_operations"]
    project.pulumi("preview", "--expect-no-changes")
    project.embedded("preview", "--expect-no-changes")
    project.embedded("up")
    assert container() == made
    assert "pending_operations" not in latest(project)

    kill_embedded(project, "destroy", "after delete Container\tfirst")
    assert [pending["type"] for pending in latest(project)["pending_operations"]] == ["deleting"]
    project.pulumi("cancel", "--yes")
    project.pulumi("destroy", "--yes", "--skip-preview")
    assert not latest(project).get("resources")
    assert "pending_operations" not in latest(project)
