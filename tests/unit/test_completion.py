"""What bash completes after ``make``, in the project and elsewhere."""

import subprocess
from pathlib import Path

import pytest

from tests.documents import PROJECT

SCRIPT = """
source "$1/tooling/completion.sh"
COMP_LINE=$2 COMP_POINT=${#2}
_open_webui_make
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """This project with three stacks, whatever its checkout has."""
    for name in ("Makefile", "Pulumi.yaml", "tooling"):
        (tmp_path / name).symlink_to(PROJECT / name)
    (tmp_path / "stacks").mkdir()
    for name in ("dev", "prod", "staging"):
        (tmp_path / f"stacks/Pulumi.{name}.yaml").touch()
    return tmp_path


def completed(typed: str, folder: Path) -> list[str]:
    done = subprocess.run(
        ["bash", "-c", SCRIPT, "bash", str(PROJECT), typed], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("make pre", ["preview"]),
        ("make ro", ["rotate"]),
        ("make up ST", ["STACK="]),
        ("make up STACK=", ["dev", "prod", "staging"]),
        ("make up STACK=st", ["staging"]),
        ("make up STACK=staging ENGINE=e", ["embedded"]),
        ("make up Y", ["YES=1"]),
        ("make nothing-such", []),
    ],
)
def test_targets_variables_stacks_and_engines_are_completed(typed: str, words: list[str], project: Path) -> None:
    assert completed(typed, project) == words


def test_another_project_has_its_own_completion(tmp_path: Path) -> None:
    assert completed("make pre", tmp_path) == []
