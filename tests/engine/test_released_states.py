"""States that an earlier version of this project wrote are what the present one expects: it plans no change.

Recorded, not written by hand: with commit 949ef4c, after `make up` of the two stack files beside them, on an empty
Docker. Only the name of the host and the folder were changed. Docker is not asked; on a real one the same is tested by
tests/integration/test_released.py.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from docker_access.daemon import WITHOUT_DOCKER
from tests import bare
from tests.engine.two_engines import ROOT, Project
from tests.integration.deployment import NOT_COPIED

pytestmark = [pytest.mark.processes, pytest.mark.timeout(120)]

RECORDED = Path(__file__).parent / "data/released"
PASSPHRASE = "a-released-state"
ENGINES = ("embedded", pytest.param("pulumi", marks=pytest.mark.pulumi_cli))


@pytest.fixture(params=["single", "replicated"])
def released(request: pytest.FixtureRequest, tmp_path: Path) -> Project:
    """The present program in a directory that has the state of a stack which an earlier one deployed."""
    directory, stack = tmp_path / "project", request.param
    shutil.copytree(ROOT, directory, ignore=NOT_COPIED)
    (directory / ".venv").symlink_to(sys.prefix)
    file = directory / "Pulumi.yaml"
    refreshed = file.read_text(encoding="utf-8")
    file.write_text(refreshed.replace("refresh: always", ""), encoding="utf-8")
    shutil.copy(RECORDED / f"Pulumi.{stack}.yaml", directory / "stacks")
    environment = {
        **bare.without_pulumi(os.environ),
        "PULUMI_BACKEND_URL": f"file://{directory}/.pulumi-state",
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        WITHOUT_DOCKER: "1",
    }
    project = Project(directory, {}, name="open-webui", stack=stack, environment=environment)
    project.state.parent.mkdir(parents=True)
    shutil.copy(RECORDED / f"{stack}.json", project.state)
    return project


def preview(project: Project, engine: str, *, fails: bool = False) -> str:
    """Have an engine preview, which must find no change, or fail."""
    if engine == "embedded":
        return project.embedded("preview", "--expect-no-changes", fails=fails)
    return project.pulumi("preview", "--expect-no-changes", "--refresh=false", fails=fails)


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_changes(released: Project, engine: str) -> None:
    preview(released, engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_the_stack_file_says_otherwise_does(released: Project, engine: str) -> None:
    file = released.directory / f"stacks/Pulumi.{released.stack}.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("config:\n", "config:\n  open-webui:logLevel: DEBUG\n", 1), encoding="utf-8")
    assert "no changes were expected" in preview(released, engine, fails=True)
