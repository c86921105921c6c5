"""The choice of the engine, the commands it is given, and how they end."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from tooling.errors import ToolError
from tooling.launcher import engines
from tooling.launcher.engines import foreground
from tooling.machine import negative_cache
from tooling.pulumi_cli import usable
from tooling.pulumi_files.project import Project, load_project
from tooling.pulumi_files.stack import find_stack

PROJECT_FOLDER = Path(engines.__file__).resolve().parents[2]
PARTS = ("pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")


@pytest.fixture
def project() -> Project:
    return load_project(PROJECT_FOLDER)


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A PATH with nothing on it but what a test puts there, and no plugins anywhere."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    monkeypatch.setattr(negative_cache, "_FILE", tmp_path / "unreachable.json")
    return folder


def stand_in(folder: Path, name: str, body: str = "") -> None:
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


def pulumi(folder: Path, *, plugin_installs: bool = True) -> None:
    for program in PARTS:
        stand_in(folder, program)
    installs = "exit 0" if plugin_installs else "echo 'no such host' >&2; exit 1"
    stand_in(
        folder, "pulumi", f'case "$1" in version) echo v3.260.0;; plugin) echo x >> {folder}/asked; {installs};; esac'
    )


def test_without_the_cli_the_embedded_engine_runs_and_says_why(path: Path, project: Project) -> None:
    engine = engines.choose("auto", find_stack(project, "dev"))
    assert (engine.name, engine.line) == ("embedded", "engine: embedded (no Pulumi CLI on PATH)")


def test_the_cli_runs_where_its_plugin_is_there_already(path: Path, project: Project, tmp_path: Path) -> None:
    pulumi(path)
    version = usable.docker_plugin_version((PROJECT_FOLDER / "requirements.txt").read_text())
    (tmp_path / "home/plugins" / f"resource-docker-v{version}").mkdir(parents=True)
    engine = engines.choose("auto", find_stack(project, "dev"))
    assert (engine.name, engine.line) == ("pulumi", "engine: Pulumi CLI 3.260.0")
    assert not (path / "asked").exists()


def test_the_cli_runs_where_its_plugin_can_be_had(path: Path, project: Project) -> None:
    pulumi(path)
    assert engines.choose("auto", find_stack(project, "dev")).name == "pulumi"


def test_a_plugin_that_cannot_be_had_means_the_embedded_engine_and_is_not_asked_for_each_time(
    path: Path, project: Project
) -> None:
    pulumi(path, plugin_installs=False)
    assert "could not be: no such host" in engines.choose("auto", find_stack(project, "dev")).line
    assert "did not answer" in engines.choose("auto", find_stack(project, "dev")).line
    assert (path / "asked").read_text() == "x\n"


def test_a_plugin_installation_that_fails_without_a_word_has_its_exit_code_told(path: Path, project: Project) -> None:
    pulumi(path)
    stand_in(path, "pulumi", "exit 7")
    assert "could not be: exit code 7" in engines.choose("auto", find_stack(project, "dev")).line


@pytest.mark.parametrize("part", PARTS)
def test_a_cli_that_lacks_a_part_is_not_used(path: Path, project: Project, part: str) -> None:
    pulumi(path)
    (path / part).unlink()
    assert engines.choose("auto", find_stack(project, "dev")).line.endswith(f"without {part})")


def test_a_cli_that_only_a_link_on_path_leads_to_has_its_parts_beside_it(
    path: Path, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulumi(path)
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "pulumi").symlink_to(path / "pulumi")
    monkeypatch.setenv("PATH", str(linked))
    assert engines.choose("auto", find_stack(project, "dev")).name == "pulumi"


def test_the_cli_asked_for_and_not_there_is_an_error(path: Path, project: Project) -> None:
    with pytest.raises(ToolError, match="ENGINE=pulumi cannot be used: no Pulumi CLI on PATH"):
        engines.choose("pulumi", find_stack(project, "dev"))


def test_the_embedded_engine_asked_for_is_taken_though_the_cli_is_there(path: Path, project: Project) -> None:
    pulumi(path)
    assert engines.choose("embedded", find_stack(project, "dev")).line == "engine: embedded (ENGINE=embedded)"


def test_the_cli_makes_the_stack_once_and_never_asks_a_question(
    path: Path, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/state")
    calls = tmp_path / "calls"
    stand_in(path, "pulumi", f'echo "$@" >> {calls}; echo "$PULUMI_BACKEND_URL $PULUMI_SKIP_UPDATE_CHECK" >> {calls}')
    engine = engines.Engine(name="pulumi", line="")
    assert engines.run(engine, "up", find_stack(project, "dev")) == 0
    variables = f"file://{tmp_path}/state true"
    assert calls.read_text().splitlines() == [
        "stack select --create --non-interactive --stack dev",
        variables,
        "up --stack dev --suppress-outputs --yes --skip-preview --non-interactive",
        variables,
    ]
    calls.unlink()
    (tmp_path / "state/.pulumi/stacks/open-webui").mkdir(parents=True)
    (tmp_path / "state/.pulumi/stacks/open-webui/dev.json").touch()
    assert engines.run(engine, "preview", find_stack(project, "dev")) == 0
    assert calls.read_text().splitlines()[0] == "preview --stack dev --suppress-outputs --non-interactive"


@pytest.mark.parametrize(("program", "code"), [("exit(3)", 3), ("import os; os.kill(os.getpid(), 9)", 137)])
def test_the_exit_code_of_an_engine_is_passed_on(tmp_path: Path, program: str, code: int) -> None:
    assert foreground([sys.executable, "-c", program], tmp_path, dict(os.environ)) == code


def test_ctrl_c_is_left_to_the_engine(tmp_path: Path) -> None:
    program = f"import os, signal; os.kill({os.getpid()}, signal.SIGINT); print('went on')"
    before = signal.getsignal(signal.SIGINT)
    assert foreground([sys.executable, "-c", program], tmp_path, dict(os.environ)) == 0
    assert signal.getsignal(signal.SIGINT) is before


def test_the_plugin_goes_with_the_pinned_sdk() -> None:
    assert usable.docker_plugin_version("pulumi==3.1.0\npulumi-docker==5.2.0\n") == "5.2.0"
    with pytest.raises(ToolError, match="no line pulumi-docker=="):
        usable.docker_plugin_version("pulumi-docker>=5\n")


def test_an_engine_that_there_is_not_is_refused_with_those_there_are(project: Project) -> None:
    with pytest.raises(ToolError, match=r"ENGINE=terraform is no engine\. There are: auto, pulumi, embedded"):
        engines.choose("terraform", find_stack(project, "dev"))


def test_cancel_asks_the_embedded_engine_where_the_backend_is_of_files_and_else_the_cli(
    path: Path, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    assert engines.cancel(find_stack(project, "dev"), force=False) == 0
    assert "The stack dev is not locked." in capfd.readouterr().out
    stand_in(path, "pulumi", 'echo "$@"')
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    assert engines.cancel(find_stack(project, "dev"), force=True) == 0
    assert capfd.readouterr().out == "cancel --stack dev --yes\n"
