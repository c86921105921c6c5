"""The commands of the launcher: nothing before it is agreed to and allowed, and what they say of it."""

# ruff: noqa: F811 - fixtures of another module

from __future__ import annotations

import json
import socket
import subprocess
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock, Mock

import pytest

from docker_access.deployments import Owner
from tests.unit.test_launcher_consent import (
    ENGINE,
    HERE,
    OWNER,
    RUNNING,
    docker_with,
    previews,
    project,  # noqa: F401 - a fixture
    recorded,
    typed,  # noqa: F401 - a fixture
)
from tooling.errors import ToolError
from tooling.launcher import __main__ as command_line
from tooling.launcher import deploy, engines, verify
from tooling.pulumi_cli import stacks
from tooling.pulumi_files.stack import find_stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from tooling.pulumi_files.project import Project


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch, project: Project) -> list[str]:
    """What was done to the stack, by ``python -m tooling.launcher``."""
    steps: list[str] = []
    monkeypatch.setattr(command_line, "open_stack", lambda _: find_stack(project, "team"))
    monkeypatch.setattr(engines, "choose", lambda *_: ENGINE)
    monkeypatch.setattr(deploy, "ensure_docker", lambda: docker_with(RUNNING))
    for module in (command_line, deploy):
        monkeypatch.setattr(module, "checked_owner", lambda *_: OWNER)
    for name in ("local_builds", "look", "have_images", "_say_what_was_kept", "_say_how_to_sign_in"):
        monkeypatch.setattr(deploy, name, lambda *_: None)
    monkeypatch.setattr(deploy, "_clear_the_way", lambda *_: steps.append("cleaned up"))

    def run(_engine: object, command: str, *_: object) -> int:
        steps.append(command)
        return 0

    monkeypatch.setattr(engines, "run", run)
    return steps


@pytest.mark.parametrize("command", ["up", "destroy"])
def test_nothing_is_done_before_it_is_agreed_to(
    monkeypatch: pytest.MonkeyPatch, done: list[str], typed: Callable[[str], None], command: str
) -> None:
    typed("n\n")
    previews(monkeypatch, recorded("replicated-image"))

    assert command_line.main([command, "--stack", "team"]) == 1
    assert done == []
    assert command_line.main([command, "--stack", "team", "--yes"]) == 0
    assert done == ["cleaned up", command]


@pytest.mark.parametrize("command", ["up", "preview", "refresh", "destroy"])
def test_a_migration_at_work_is_waited_for_before_anything_else_but_not_by_a_preview(
    monkeypatch: pytest.MonkeyPatch, done: list[str], command: str
) -> None:
    monkeypatch.setattr(deploy, "await_one_shots", lambda *_: done.append("waited"))
    monkeypatch.setattr(deploy, "look", lambda *_: done.append("looked"))

    assert command_line.main([command, "--stack", "team", "--yes"]) == 0
    looks = ["looked"] if command in {"up", "preview"} else []
    cleans = ["cleaned up"] if command in {"up", "destroy"} else []
    assert done == [*([] if command == "preview" else ["waited"]), *looks, *cleans, command]


def test_a_rotation_that_is_not_agreed_to_leaves_the_stack_file_as_it_was(
    monkeypatch: pytest.MonkeyPatch, done: list[str], project: Project, typed: Callable[[str], None]
) -> None:
    file = project.stacks_directory / "Pulumi.team.yaml"
    before = "# ours\nconfig:\n  open-webui:topology: replicated\n  open-webui:enableSignup: true\n"
    file.write_text(before)
    typed("n\n")
    previews(monkeypatch, recorded("secret-key"))
    rotating = ["rotate", "--stack", "team", "--secret", "secret-key"]

    assert command_line.main(rotating) == 1
    assert done == []
    assert file.read_text() == before
    assert command_line.main([*rotating, "--yes"]) == 0
    assert "rotated" in file.read_text()


def test_a_rotation_of_another_states_deployment_is_refused_before_it_is_written_down(
    monkeypatch: pytest.MonkeyPatch, done: list[str], project: Project
) -> None:
    file = project.stacks_directory / "Pulumi.team.yaml"
    file.write_text(before := "config:\n  open-webui:topology: replicated\n  open-webui:enableSignup: true\n")
    monkeypatch.setattr(command_line, "checked_owner", Mock(side_effect=ToolError("it is another state's")))

    assert command_line.main(["rotate", "--stack", "team", "--secret", "secret-key", "--yes"]) == 1
    assert done == []
    assert file.read_text() == before


@pytest.mark.parametrize(
    ("marks", "again"),
    [
        ({}, "make up STACK=team"),
        (Owner(identity="0urs", origin=f"ann@{socket.gethostname()}:{{}}").labels, "make up STACK=team"),
        (Owner(identity="7heirs", origin="bob@laptop:/home/bob/web").labels, "make up STACK=team TAKE_OVER=1"),
    ],
)
def test_what_a_destruction_kept_is_told_with_the_line_that_uses_it_again(
    project: Project, capsys: pytest.CaptureFixture[str], marks: dict[str, str], again: str
) -> None:
    found = Mock(attrs={"Labels": {key: value.format(project.directory) for key, value in marks.items()}})
    found.name = "open-webui-team-data"
    client = MagicMock()
    client.volumes.list.return_value = [found]

    deploy._say_what_was_kept(client, find_stack(project, "team"))

    assert f"`{again}` uses it again" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["up", "destroy", "rotate", "cancel"])
def test_only_1_is_an_agreement(command: str) -> None:
    dry_run = ["make", "--dry-run", command, "STACK=team", "YES=no"]
    assert "--yes" not in subprocess.run(dry_run, cwd=HERE, capture_output=True, text=True, check=True).stdout


def test_make_hands_the_agreement_on() -> None:
    for command in ("up", "destroy", "rotate"):
        lines = subprocess.run(
            ["make", "--dry-run", command, "STACK=team", "YES=1"], cwd=HERE, capture_output=True, text=True, check=True
        ).stdout
        assert f"launcher {command} --stack team" in lines
        assert lines.splitlines()[-1].endswith("--yes"), lines


def test_a_preview_as_json_is_that_of_the_engine_in_use(monkeypatch: pytest.MonkeyPatch, project: Project) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(stacks, "select", lambda *_: None)
    monkeypatch.setattr(stacks, "variables", lambda *_: {})

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 0, json.dumps({"steps": [], "changeSummary": {}}), "")

    monkeypatch.setattr(subprocess, "run", run)
    for name in ("embedded", "pulumi"):
        engines.preview_as_json(engines.Engine(name=name, line=""), find_stack(project, "team"))
    assert [command[-5:] for command in ran] == [
        ["tooling.engine", "preview", "--json", "--stack", "team"],
        ["preview", "--json", "--stack", "team", "--non-interactive"],
    ]


@pytest.mark.parametrize("said", ["error: no stack named 'team' found", "error: passphrase must be set"])
def test_a_stack_that_the_cli_does_not_know_is_one_that_is_not_deployed(
    monkeypatch: pytest.MonkeyPatch, project: Project, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    monkeypatch.setattr(command_line, "open_stack", lambda _: find_stack(project, "team"))
    monkeypatch.setattr(engines, "choose", lambda *_: engines.Engine(name="pulumi", line=""))
    monkeypatch.setattr(stacks, "variables", lambda *_: {})
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 255, "", said))
    monkeypatch.setattr(verify, "checked_owner", lambda *_: None)
    monkeypatch.setattr(command_line, "refuse_unusable_state", lambda *_: None)

    assert command_line.main(["verify", "--stack", "team"]) == 1

    told = "stack team is not deployed" if "no stack" in said else f"cannot be read:\n{said}"
    assert told in capsys.readouterr().err


def test_whose_a_deployment_is_is_told_before_a_state_that_has_nothing(
    monkeypatch: pytest.MonkeyPatch, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command_line, "open_stack", lambda _: find_stack(project, "team"))
    monkeypatch.setattr(engines, "choose", lambda *_: ENGINE)
    monkeypatch.setattr(engines, "outputs", lambda *_, **__: "{}")
    monkeypatch.setattr(verify, "checked_owner", Mock(side_effect=ToolError("it is another state's")))

    assert command_line.main(["verify", "--stack", "team"]) == 1

    assert capsys.readouterr().err == "error: it is another state's\n"
