"""What is shown and asked before an update interrupts people, or a stack is destroyed."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock, Mock

import pytest
import yaml

from docker_access.deployments import Owner
from tooling.errors import ToolError
from tooling.launcher import consent, engines, recovery
from tooling.launcher.consent import NotAgreedError, confirm_destroy, confirm_update, interruptions, removals
from tooling.launcher.gate import read_settings
from tooling.preview_report.steps import read
from tooling.pulumi_files.checkpoint import compact
from tooling.pulumi_files.project import Project, load_project
from tooling.pulumi_files.stack import Stack, find_stack

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parents[2]
PREVIEWS = HERE / "tests/unit/previews"
ENGINE = engines.Engine(name="embedded", line="engine: embedded")
OWNER = Owner(identity="0urs", origin="ann@chat-host:/srv/web")
RUNNING = {
    "Id": "c1",
    "Names": ["/open-webui-team"],
    "State": "running",
    "Created": 1,
    "Labels": {**OWNER.labels, "pulumi.role": "open-webui"},
}


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
    backend = find_stack(project, "team").backend
    backend.write(compact({"version": 3, "checkpoint": {"stack": "team", "latest": {"resources": list(resources)}}}))


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


def destroying(client: Any, stack: Stack) -> None:
    confirm_destroy(client, stack, OWNER, lambda: read_settings(stack))


def recorded(name: str) -> str:
    return next(PREVIEWS.glob(f"{name}.*.json")).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["create", "limits", "no-change", "replicas-more", "container-gone"])
def test_what_interrupts_nobody_and_removes_nothing_is_not_asked_about(name: str) -> None:
    assert interruptions(read(recorded(name))) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("replicated-image", "Nobody reaches Open WebUI while all 2 replicas are re-created"),
        ("postgres-settings", "nothing is loaded or saved until it answers again"),
        ("valkey-password", "live events are missing for some seconds"),
        ("replicas-fewer", "browsers on it connect again, to another replica"),
        ("network", "replaces "),
        ("secret-key", "Everybody is signed out and has to sign in again"),
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

    confirm_update(ENGINE, docker_with(RUNNING), find_stack(project, "team"), OWNER)

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

    confirm_update(ENGINE, docker_with(RUNNING), find_stack(project, "team"), OWNER)

    said = capsys.readouterr().err
    assert said.index("plan: ") < said.index("Update stack team? [y/N]")


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "yesterday\n"])
def test_an_update_that_was_not_agreed_to_ends_there(
    monkeypatch: pytest.MonkeyPatch, project: Project, typed: Callable[[str], None], answer: str
) -> None:
    typed(answer)
    previews(monkeypatch, recorded("replicated-image"))

    with pytest.raises(NotAgreedError, match=r"nothing was changed\. .*: make up STACK=team YES=1"):
        confirm_update(ENGINE, docker_with(RUNNING), find_stack(project, "team"), OWNER)


def test_a_volume_with_data_is_not_removed_unasked_because_the_containers_are_gone(
    monkeypatch: pytest.MonkeyPatch, project: Project, typed: Callable[[str], None]
) -> None:
    typed("n\n")
    deploy(project, DATA)
    previews(monkeypatch, recorded("data-deleted"))

    with pytest.raises(NotAgreedError):
        confirm_update(ENGINE, docker_with(), find_stack(project, "team"), OWNER)


def test_a_stack_that_is_not_deployed_is_deployed_without_a_question_and_a_preview(
    monkeypatch: pytest.MonkeyPatch, project: Project, typed: Callable[[str], None]
) -> None:
    deploy(project)
    typed("n\n")
    asked = previews(monkeypatch, recorded("replicated-image"))

    confirm_update(ENGINE, docker_with(), find_stack(project, "team"), OWNER)

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

    with pytest.raises(ToolError, match=rf"nothing was changed:\n{said}"):
        confirm_update(ENGINE, docker_with(RUNNING), find_stack(project, "team"), OWNER)


def test_ctrl_c_at_the_question_is_a_no(
    monkeypatch: pytest.MonkeyPatch, project: Project, typed: Callable[[str], None]
) -> None:
    typed("y\n")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(readline=Mock(side_effect=KeyboardInterrupt)))

    with pytest.raises(NotAgreedError):
        destroying(docker_with(RUNNING), find_stack(project, "team"))


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
    client = docker_with(RUNNING, RUNNING | {"Id": "c2", "Names": ["/open-webui-team-old"], "State": "exited"})
    failed = Mock(labels={"pulumi.role": "migration"}, attrs={"State": {"ExitCode": 1}})
    failed.name = "open-webui-team-migration"
    client.containers.list.return_value = [failed]

    asks = destroying if command == "destroy" else partial(confirm_update, ENGINE, owner=OWNER)
    with pytest.raises(NotAgreedError):
        asks(client, find_stack(project, "team"))

    said = capsys.readouterr().err
    assert "removes or takes over container open-webui-team-old (exited), which this stack made" in said
    assert "open-webui-team " not in said
    assert "removes container open-webui-team-migration, which failed (exit code 1)" in said


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("command", ["up", "destroy"])
def test_what_is_taken_over_of_another_state_is_in_the_plan(
    monkeypatch: pytest.MonkeyPatch,
    project: Project,
    typed: Callable[[str], None],
    capsys: pytest.CaptureFixture[str],
    command: str,
    shared: bool,  # noqa: FBT001
) -> None:
    typed("n\n")
    previews(monkeypatch, recorded("create"))
    monkeypatch.setenv("TAKE_OVER", "1")
    if shared:
        monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    else:
        deploy(project)
    for module in (consent, recovery):
        monkeypatch.setattr(module, "deployment", lambda *_: {})
    theirs = RUNNING | {"Labels": Owner(identity="7heirs", origin="bob@laptop:/home/bob/web").labels}

    asks = destroying if command == "destroy" else partial(confirm_update, ENGINE, owner=OWNER)
    with pytest.raises(NotAgreedError):
        asks(docker_with(theirs), find_stack(project, "team"))

    line = "container open-webui-team (running), which was made from another state, in bob@laptop:/home/bob/web"
    assert f"plan: removes or takes over {line}\n" in capsys.readouterr().err


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
        "deletes WEBUI_SECRET_KEY: everybody is signed out",
    ]
    assert list(removals({})) == []


def test_a_destruction_is_asked_about_at_a_terminal_alone(
    project: Project, typed: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    destroying(docker_with(RUNNING), find_stack(project, "team"))
    assert capsys.readouterr().err == ""

    typed("y\n")
    destroying(docker_with(RUNNING), find_stack(project, "team"))
    assert "plan: removes container open-webui-team\n" in capsys.readouterr().err

    typed("\n")
    with pytest.raises(NotAgreedError, match="make destroy STACK=team YES=1"):
        destroying(docker_with(RUNNING), find_stack(project, "team"))


PRODUCTION = yaml.safe_load((HERE / "stacks/Pulumi.prod.yaml").read_text(encoding="utf-8"))["config"]


@pytest.mark.parametrize("somebody", [True, False])
@pytest.mark.parametrize(
    ("config", "why"),
    [
        (PRODUCTION, "has production: true"),
        ({"open-webui:uiport": 1}, r"may be in production: its settings cannot be read"),
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
        destroying(docker_with(RUNNING), find_stack(project, "team"))

    said = capsys.readouterr().err
    assert "plan: removes container open-webui-team" in said
    assert "[y/N]" not in said


def test_what_is_not_deployed_is_destroyed_without_a_word(project: Project, typed: Callable[[str], None]) -> None:
    (project.stacks_directory / "Pulumi.team.yaml").write_text(yaml.safe_dump({"config": PRODUCTION}))
    deploy(project)
    typed("n\n")

    destroying(docker_with(), find_stack(project, "team"))
