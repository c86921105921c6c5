"""States that an earlier version of this project wrote: the present one plans no change but those it announces.

Recorded, not written by hand: with commit 949ef4c, after `make up` of the two stack files beside them, on an empty
Docker. Only the name of the host and the folder were changed. Docker is not asked; on a real one the same is tested by
tests/integration/test_released.py.
"""

from __future__ import annotations

import os
import re
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
ANNOUNCED = {
    "single": set(),
    "replicated": {
        "open-webui-schema replace", "open-webui-migration replace", "open-webui-1 replace", "open-webui-2 replace",
        "open-webui-1-pids replace", "open-webui-2-pids replace", "open-webui-panel create", "verification update",
    },
}  # fmt: skip
"""What the changelog says that the next update does: settings of the admin panel hold since then."""
PLANNED = re.compile(r"(?:docker|openwebui|pulumi-python|pulumi:pulumi):\S+\s+(\S+)\s+(create|update|replace|delete)\b")
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


def planned(project: Project, engine: str) -> set[str]:
    """What an engine would do to which resource."""
    text = project.embedded("preview") if engine == "embedded" else project.pulumi("preview", "--refresh=false")
    steps: dict[str, set[str]] = {}
    for name, step in PLANNED.findall(text):
        steps.setdefault(name, set()).add(step)
    # The CLI shows each of a replacement's three steps.
    return {f"{name} {'replace' if len(found) > 1 else min(found)}" for name, found in steps.items()}


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_changes_but_what_is_announced(released: Project, engine: str) -> None:
    assert planned(released, engine) == ANNOUNCED[released.stack]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_the_stack_file_says_otherwise_does(released: Project, engine: str) -> None:
    file = released.directory / f"stacks/Pulumi.{released.stack}.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("config:\n", "config:\n  open-webui:valkeySave: 60 1\n", 1), encoding="utf-8")
    assert planned(released, engine) > ANNOUNCED[released.stack]
