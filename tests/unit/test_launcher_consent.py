"""What is shown and asked before an update interrupts people, or a stack is destroyed."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock, Mock

import pytest
import yaml

from engine.state import Backend
from engine.workspace import Project, backend_directory, load_project
from launcher import __main__ as command_line
from launcher import consent, engines
from launcher.consent import NotAgreedError, confirm_destroy, confirm_update, interruptions, removals
from launcher.errors import LauncherError
from launcher.gate import read_settings
from preview_report.steps import read

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parents[2]
PREVIEWS = HERE / "tests/unit/previews"
ENGINE = engines.Engine(name="embedded", line="engine: embedded")
RUNNING = {"Id": "c1", "Names": ["/open-webui-team"], "State": "running", "Labels": {"pulumi.role": "open-webui"}}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """This project's settings, with a stack of its own that is deployed."""
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "Pulumi.yaml").write_text((HERE / "Pulumi.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/Pulumi.team.yaml").touch()
    found = load_project(tmp_path)
    deploy(found, CONTAINER, DATA)
    return found


def resource(type_: str, name: str, physical: str, id_: str, **more: Any) -> dict[str, Any]:
    urn = f"urn:pulumi:team::open-webui::openwebui:components:OpenWebUI${type_}::{name}"
    return {"urn": urn, "type": type_, "id": id_, "inputs": {"name": physical}, **more}


CONTAINER = resource("docker:index/container:Container", "open-webui-container", "open-webui-team", "c1")
DATA = resource("docker:index/volume:Volume", "open-webui-data", "open-webui-team-data", "v1", retainOnDelete=True)


def deploy(project: Project, *resources: dict[str, Any]) -> None:
    """Have these in the stack's state."""
    backend = Backend(backend_directory(project), project.name, "team")
    backend.write({"version": 3, "checkpoint": {"stack": "team", "latest": {"resources": list(resources)}}})


def docker_with(*containers: dict[str, Any]) -> Any:
    """A Docker that has these containers of the stack, and no one-shot that failed."""
    client = MagicMock()
    client.api.containers.return_value = list(containers)
    client.containers.list.return_value = []
    return client


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Has somebody at the terminal answer; nobody is there until then."""
    monkeypatch.setattr(consent, "at_a_terminal", lambda: False)

    def types(answer: str) -> None:
        monkeypatch.setattr(consent, "at_a_terminal", lambda: True)
        monkeypatch.setattr("sys.stdin", SimpleNamespace(readline=lambda: answer))

    return types


def previews(monkeypatch: pytest.MonkeyPatch, text: str, code: int = 0, said: str = "") -> Mock:
    """Have the engine's preview come to this."""
    asked = Mock(return_value=subprocess.CompletedProcess([], code, text, said))
    monkeypatch.setattr(engines, "preview_as_json", asked)
    return asked


def destroying(client: Any, project: Project) -> None:
    confirm_destroy(client, project, "team", lambda: read_settings(project, "team"))


def recorded(name: str) -> str:
    return next(PREVIEWS.glob(f"{name}.*.json")).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["create", "limits", "no-change", "replicas-more", "container-gone"])
def test_what_interrupts_nobody_and_removes_nothing_is_not_asked_about(name: str) -> None:
    assert interruptions(read(recorded(name))) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("replicated-image", "Nobody reaches Open WebUI while all 2 replicas are made anew"),
        ("postgres-settings", "nothing is loaded or saved until it answers again"),
        ("valkey-password", "live events are missing for some seconds"),
        ("replicas-fewer", "browsers on it connect again, to another replica"),
        ("network", "replaces "),
        ("secret-key", "Everybody is signed out and signs in anew"),
        ("data-deleted", "is deleted, and with it its data"),
    ],
)
def test_what_interrupts_people_or_removes_data_is_told_in_words_and_steps(name: str, said: str) -> None:
    plan = interruptions(read(recorded(name)))

    assert said in " ".join(plan)
    assert any(line.startswith(("replaces ", "deletes ")) for line in plan)
    assert not [line for line in plan if "**" in line or "`" in line]


def test_an_update_is_not_even_previewed_where_nobody_could_answer(
    monkeypatch: pytest.MonkeyPatch, project: Project, typed: Callable[[str], None]
) -> None:
    del typed
    asked = previews(monkeypatch, recorded("replicated-image"))

    confirm_update(ENGINE, docker_with(RUNNING), project, "team")

    asked.assert_not_called()


@pytest.mark.parametrize("answer", ["y\n", "Yes\n"])
def test_an_update_that_was_agreed_to_goes_on(
    monkeypatch: pytest.MonkeyPatch,
    project: Project,
    typed: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
    answer: str,
) -> None:
    typed(answer)
    previews(monkeypatch, recorded("replicated-image"))

    confirm_update(ENGINE, docker_with(RUNNING), project, "team")

    said = capsys.readouterr().err
    assert said.index("plan: ") < said.index("Update stack team? [y/N]")


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "yesterday\n"])
def test_an_update_that_was_not_agreed_to_ends_there(
    monkeypatch: pytest.MonkeyPatch, project: Project, typed: Callable[[str], None], answer: str
) -> None:
    typed(answer)
    previews(monkeypatch, recorded("replicated-image"))

    with pytest.raises(NotAgreedError, match=r"nothing was changed\. .*: make up STACK=team YES=1"):
        confirm_update(ENGINE, docker_with(RUNNING), project, "team")


def test_a_stack_without_containers_is_deployed_without_a_question_and_a_preview(
    monkeypatch: pytest.MonkeyPatch, project: Project, typed: Callable[[str], None]
) -> None:
    typed("n\n")
    asked = previews(monkeypatch, recorded("replicated-image"))

    confirm_update(ENGINE, docker_with(), project, "team")

    asked.assert_not_called()


@pytest.mark.parametrize(
    ("printed", "complained", "said"),
    [
        ("", "error: uiPort 3000 is taken\n", "error: uiPort 3000 is taken"),
        (recorded("refused"), "", "stack staging cannot be deployed on this host"),
    ],
)
def test_a_preview_that_fails_stops_the_update_with_its_words(
    monkeypatch: pytest.MonkeyPatch,
    project: Project,
    typed: Callable[[str], None],
    printed: str,
    complained: str,
    said: str,
) -> None:
    typed("y\n")
    previews(monkeypatch, printed, 1, complained)

    with pytest.raises(LauncherError, match=rf"nothing was changed:\n{said}"):
        confirm_update(ENGINE, docker_with(RUNNING), project, "team")


def test_ctrl_c_at_the_question_is_a_no(
    monkeypatch: pytest.MonkeyPatch, project: Project, typed: Callable[[str], None]
) -> None:
    typed("y\n")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(readline=Mock(side_effect=KeyboardInterrupt)))

    with pytest.raises(NotAgreedError):
        destroying(docker_with(RUNNING), project)


@pytest.mark.parametrize("command", ["up", "destroy"])
def test_what_another_run_left_is_taken_away_only_when_that_is_agreed_to(
    monkeypatch: pytest.MonkeyPatch,
    project: Project,
    typed: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    typed("n\n")
    previews(monkeypatch, recorded("no-change"))
    client = docker_with(RUNNING, {"Id": "c2", "Names": ["/open-webui-team-old"], "State": "exited"})
    failed = Mock(labels={"pulumi.role": "migration"}, attrs={"State": {"ExitCode": 1}})
    failed.name = "open-webui-team-migration"
    client.containers.list.return_value = [failed]

    asks = destroying if command == "destroy" else partial(confirm_update, ENGINE, stack="team")
    with pytest.raises(NotAgreedError):
        asks(client, project)

    said = capsys.readouterr().err
    assert "removes or takes over container open-webui-team-old (exited), which the state does not know" in said
    assert "open-webui-team " not in said
    assert "removes container open-webui-team-migration, which failed (exit code 1)" in said


def test_the_plan_of_a_destruction_names_what_goes_and_what_stays() -> None:
    network = resource("docker:index/network:Network", "network", "open-webui-team-network", "n1")
    lost = resource("docker:index/volume:Volume", "postgres-data", "open-webui-team-postgres-data", "v2")
    socket = resource("docker:index/volume:Volume", "postgres-socket", "open-webui-team-postgres-socket", "v3")
    key = resource("pulumi-python:dynamic/openwebui:Secret", "open-webui-secret-key", "", "s1")

    assert list(removals({"resources": [CONTAINER, network, DATA, lost, socket, key]})) == [
        "removes container open-webui-team",
        "removes network open-webui-team-network",
        "keeps volume open-webui-team-data: uploads, and with SQLite accounts and chats",
        "DELETES volume open-webui-team-postgres-data, and with it accounts, chats and vectors",
        "forgets WEBUI_SECRET_KEY: everybody is signed out",
    ]
    assert list(removals({})) == []


def test_a_destruction_is_asked_about_at_a_terminal_alone(
    project: Project, typed: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    destroying(docker_with(RUNNING), project)
    assert capsys.readouterr().err == ""

    typed("y\n")
    destroying(docker_with(RUNNING), project)
    assert "plan: removes container open-webui-team\n" in capsys.readouterr().err

    typed("\n")
    with pytest.raises(NotAgreedError, match="make destroy STACK=team YES=1"):
        destroying(docker_with(RUNNING), project)


PRODUCTION = yaml.safe_load((HERE / "stacks/Pulumi.prod.yaml").read_text(encoding="utf-8"))["config"]


@pytest.mark.parametrize("somebody", [True, False])
@pytest.mark.parametrize(
    ("config", "why"),
    [
        (PRODUCTION, "has production: true"),
        ({"open-webui:uiport": 1}, r"may be one of production, its settings cannot be read"),
    ],
)
def test_a_stack_of_production_is_destroyed_by_name_alone(
    project: Project,
    typed: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
    config: dict[str, Any],
    why: str,
    somebody: bool,  # noqa: FBT001
) -> None:
    (project.stacks_directory / "Pulumi.team.yaml").write_text(yaml.safe_dump({"config": config}))
    if somebody:
        typed("y\n")

    with pytest.raises(NotAgreedError, match=rf"stack team {why}.*make destroy STACK=team YES=1"):
        destroying(docker_with(RUNNING), project)

    said = capsys.readouterr().err
    assert "plan: removes container open-webui-team" in said
    assert "[y/N]" not in said


def test_what_is_not_deployed_is_destroyed_without_a_word(project: Project, typed: Callable[[str], None]) -> None:
    (project.stacks_directory / "Pulumi.team.yaml").write_text(yaml.safe_dump({"config": PRODUCTION}))
    deploy(project)
    typed("n\n")

    destroying(docker_with(), project)


# --- through the command line -----------------------------------------------------------------------------------------


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch, project: Project) -> list[str]:
    """What was done to the stack, by ``python -m launcher``."""
    steps: list[str] = []
    monkeypatch.setattr(command_line, "open_project", lambda _: project)
    monkeypatch.setattr(engines, "choose", lambda *_: ENGINE)
    monkeypatch.setattr(command_line, "ensure_docker", lambda: docker_with(RUNNING))
    for name in ("owner_of", "local_builds", "look", "_have_images", "_say_what_was_kept", "_say_how_to_sign_in"):
        monkeypatch.setattr(command_line, name, lambda *_: None)
    monkeypatch.setattr(command_line, "_make_way", lambda *_: steps.append("cleaned up"))

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
    monkeypatch.setattr(command_line, "await_one_shots", lambda *_: done.append("waited"))
    monkeypatch.setattr(command_line, "look", lambda *_: done.append("looked"))

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


def test_make_hands_the_agreement_on() -> None:
    for command in ("up", "destroy", "rotate"):
        lines = subprocess.run(
            ["make", "--dry-run", command, "STACK=team", "YES=1"], cwd=HERE, capture_output=True, text=True, check=True
        ).stdout
        assert f"launcher {command} --stack team" in lines
        assert lines.splitlines()[-1].endswith("--yes"), lines


def test_a_preview_as_json_is_that_of_the_engine_in_use(monkeypatch: pytest.MonkeyPatch, project: Project) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(engines, "_select", lambda *_: None)
    monkeypatch.setattr(engines, "_variables", lambda *_: {})

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 0, json.dumps({"steps": [], "changeSummary": {}}), "")

    monkeypatch.setattr(subprocess, "run", run)
    for name in ("embedded", "pulumi"):
        engines.preview_as_json(engines.Engine(name=name, line=""), project, "team")
    assert [command[-5:] for command in ran] == [
        ["engine", "preview", "--json", "--stack", "team"],
        ["preview", "--json", "--stack", "team", "--non-interactive"],
    ]
