"""The commands that one looks with: what they print, and what they end with."""

from __future__ import annotations

import io
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import yaml
from docker.errors import DockerException

from docker_access import labels
from settings import Settings, SettingsError
from tooling.errors import ToolError
from tooling.launcher import __main__ as command_line
from tooling.launcher import configuration, containers, history, initial, status
from tooling.launcher.gate import read_settings
from tooling.launcher.lines import ago, columns
from tooling.launcher.stack import PROJECT_FOLDER
from tooling.pulumi_files.checkpoint import compact
from tooling.pulumi_files.project import load_project
from tooling.pulumi_files.stack import Stack, find_stack
from verification.evidence.container import Container


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    (tmp_path / "Pulumi.yaml").write_text("name: open-webui\nruntime: python\n")
    (tmp_path / "Pulumi.team.yaml").write_text("config:\n  open-webui:uiPort: 3100\n  open-webui:replicas: 3\n")
    return find_stack(load_project(tmp_path), "team")


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (timedelta(seconds=1), "1 s ago"), (timedelta(seconds=119), "119 s ago"), (timedelta(minutes=2), "2 min ago"),
        (timedelta(hours=30), "30 h ago"), (timedelta(days=3), "3 days ago"), (timedelta(seconds=-5), "0 s ago"),
    ],
)  # fmt: skip
def test_how_long_ago_something_was_is_told_in_the_unit_that_fits(before: timedelta, said: str) -> None:
    then = datetime.now(UTC) - before
    assert ago(then.isoformat()) == ago(then.timestamp()) == said


@pytest.mark.parametrize("never", ["", "0001-01-01T00:00:00Z", "gone"])
def test_what_never_was_has_no_age(never: str) -> None:
    assert ago(never) == "-"


def test_a_column_is_as_wide_as_it_needs_to_be() -> None:
    assert list(columns([["a", "b"], ["long", ""], ["", "x"]])) == ["a     b", "long", "      x"]


def found(name: str, **state: Any) -> Container:
    role = "migration" if name.endswith("migration") else "valkey"
    return Container(
        name=name,
        inspect={"State": state, "RestartCount": 2, "Config": {"Image": "i:1", "Labels": {labels.ROLE: role}}},
    )


@pytest.mark.parametrize(
    ("container", "shown"),
    [
        (found("v", Status="running", Running=True, Health={"Status": "healthy"}), "running healthy"),
        (found("v", Status="running", Running=True), "running"),
        (found("v", Status="exited", Running=False, ExitCode=3, Health={"Status": "unhealthy"}), "exited (3)"),
        (found("v", Status="created", Running=False, ExitCode=0), "created (0)"),
        (Container(name="v", inspect={}), "gone"),
    ],
)
def test_a_container_has_its_health_while_it_runs_and_its_exit_code_after(container: Container, shown: str) -> None:
    assert status._row(status._container(container))[1] == shown


SICK = [("healthy", [], 0), ("unhealthy", [], 2), ("healthy", [1], 2)]


@pytest.mark.parametrize(("health", "differences", "code"), SICK)
def test_all_is_well_where_nothing_differs_and_no_healthcheck_fails(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, health: str, differences: list[int], code: int
) -> None:
    """A replicated stack has containers that never run, and a prune takes those whose work is done."""
    running = found("v", Status="running", Running=True, Health={"Status": health})
    never = found("files", Status="created", Running=False, ExitCode=0)
    view = Mock(container={"v": running, "files": never, "pruned": Container(name="pruned", inspect={})}.get)
    names = [SimpleNamespace(name=name) for name in ("v", "files", "pruned")]
    monkeypatch.setattr(status, "recorded", lambda _: SimpleNamespace(containers=names))
    monkeypatch.setattr(status, "DockerView", lambda: view)
    monkeypatch.setattr(status, "observe", Mock())
    monkeypatch.setattr(status, "differences", lambda *_: differences)
    assert status.status(stack, as_json=False) == code


def test_a_status_is_one_screen_that_names_what_to_type() -> None:
    now = datetime.now(UTC)
    valkey = status._container(found("v", Status="running", Running=True, StartedAt="2026-11-30T00:00:00Z"))
    said = status._text(
        {
            "stack": "team", "url": "http://x", "open_webui": "0.12.4", "valkey": "8.0.1", "drift": 1,
            "containers": [valkey],
            "verification": {"verdict": "proved", "asked_at": now.isoformat(), "summary": "proved: yes"},
            "update": {"kind": "up", "result": "succeeded", "changes": "2 created", "ended": now.timestamp()},
        }
    )  # fmt: skip
    assert said.splitlines()[0] == "stack team   http://x   Open WebUI 0.12.4, Valkey 8.0.1"
    assert "verification  proved: yes (0 s ago)" in said
    assert "last up        succeeded, 2 created (0 s ago)" in said
    assert said.endswith("drift         1 difference: make drift STACK=team")


def test_what_is_not_deployed_has_no_status_and_no_history(stack: Stack) -> None:
    with pytest.raises(ToolError, match=r"not deployed\. Run: make up STACK=team"):
        status.status(stack, as_json=False)
    with pytest.raises(ToolError, match=r"never updated\. Run: make up STACK=team"):
        history.history(stack, most=5, as_json=False)


def test_the_history_has_the_newest_update_first_by_whom_and_with_what_it_changed(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(stack.backend.file.parents[2]) / "history" / "open-webui" / "team"
    folder.mkdir(parents=True)
    entry = {"kind": "update", "startTime": 10, "endTime": 13, "result": "failed"}
    entries = [
        entry | {"resourceChanges": {"create": 3}, "environment": {"exec.kind": "embedded", "exec.user": "ann@host"}},
        entry | {"kind": "destroy", "resourceChanges": {"delete": 2, "same": 1}, "environment": {"git.author": "Bob"}},
    ]
    for number, one in enumerate(entries):
        (folder / f"team-{number}.history.json").write_bytes(compact(one))
    (folder / "team-9.history.json").write_text("not whole")
    assert history.history(stack, most=5, as_json=True) == 0
    newest, oldest = json.loads(capsys.readouterr().out)
    assert (newest["kind"], newest["changes"], newest["by"], newest["engine"]) == (
        "destroy", "2 deleted, 1 unchanged", "Bob", "pulumi",
    )  # fmt: skip
    assert (oldest["kind"], oldest["seconds"], oldest["by"], oldest["engine"]) == ("up", 3, "ann@host", "embedded")
    assert history.history(stack, most=5, as_json=False) == 0
    assert "3 created               ann@host" in capsys.readouterr().out


def test_the_configuration_says_where_each_value_comes_from_and_no_secret(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {
        "topology": "replicated", "uiPort": "3100", "replicas": "3", "adminEmail": "a@example.com",
        "adminPassword": "hush hush hush", "extraEnvironment": '{"OPENAI_API_KEY": "sk-1234567890"}',
    }  # fmt: skip
    settings = Settings.of("open-webui", "team", {f"open-webui:{key}": value for key, value in given.items()})
    assert configuration.config(stack, settings, as_json=True) == 0
    printed = capsys.readouterr().out
    listed = {one["key"]: one for one in json.loads(printed)}
    assert (listed["uiPort"]["value"], listed["uiPort"]["from"]) == (3100, "Pulumi.team.yaml")
    assert listed["logLevel"]["from"] == "default"
    assert listed["adminEmail"]["from"] == "environment"
    assert listed["extraEnvironment"]["value"] == {"OPENAI_API_KEY": "[secret]"}
    assert "hush" not in printed
    assert "sk-" not in printed
    assert configuration.config(stack, settings, as_json=False) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["setting", "from", "value"]


def there(*names: str, role: str = "open-webui") -> list[Any]:
    made = []
    for name in names:
        one = Mock(labels={labels.ROLE: "migration" if name.endswith("migration") else role}, status="running")
        one.name = name
        made.append(one)
    return made


@pytest.mark.parametrize(
    ("who", "names"),
    [
        ("", ["open-webui-team-1", "open-webui-team-2", "open-webui-team-valkey"]),
        ("1", ["open-webui-team-1"]),
        ("valkey", ["open-webui-team-valkey"]),
        ("open-webui-team-2", ["open-webui-team-2"]),
        ("open-webui", ["open-webui-team-1", "open-webui-team-2"]),
        ("migration", ["open-webui-team-migration"]),
    ],
)
def test_a_container_goes_by_its_name_a_part_of_it_or_its_role(stack: Stack, who: str, names: list[str]) -> None:
    all_of_them = [
        *there("open-webui-team-2", "open-webui-team-1", "open-webui-team-migration"),
        *there("open-webui-team-valkey", role="valkey"),
    ]
    assert [one.name for one in containers.chosen(stack, all_of_them, who)] == names
    with pytest.raises(ToolError, match=r"no container of stack team goes by 'x'\. There are: 1, 2, migration, valkey"):
        containers.chosen(stack, all_of_them, "x")


def test_lines_of_several_containers_are_in_the_order_of_their_time(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = there("open-webui-team-1", "open-webui-team-valkey")
    first.logs.return_value = b"2026-01-01T00:00:01Z one\n2026-01-01T00:00:03Z three\n"
    second.logs.return_value = b"2026-01-01T00:00:02Z two \xff\r\n"
    monkeypatch.setattr(containers, "docker_client", Mock())
    monkeypatch.setattr(containers, "_all", lambda *_: [first, second])
    assert containers.logs(stack, "", lines=2, follow=False) == 0
    width = len("open-webui-team-valkey")
    one, two, three = capsys.readouterr().out.splitlines()
    assert (one, three) == (f"{'open-webui-team-1':<{width}} | one", f"{'open-webui-team-1':<{width}} | three")
    assert two == "open-webui-team-valkey | two \ufffd"


def test_what_comes_is_printed_until_no_container_runs_any_more(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (only,) = there("open-webui-team-1")
    only.logs.side_effect = [b"", iter([b"in pie", b"ces\nand mo", b"re"])]
    monkeypatch.setattr(containers, "docker_client", Mock())
    monkeypatch.setattr(containers, "_all", lambda *_: [only])
    containers.logs(stack, "1", lines=2, follow=True)
    assert capsys.readouterr().out.splitlines() == ["in pieces", "and more"]


def test_a_docker_that_stops_answering_ends_what_waits_for_lines(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    (only,) = there("open-webui-team-1")
    only.logs.side_effect = [b"", ConnectionError("broken")]
    monkeypatch.setattr(containers, "docker_client", Mock())
    monkeypatch.setattr(containers, "_all", lambda *_: [only])
    with pytest.raises(ToolError, match="Docker stopped answering: broken"):
        containers.logs(stack, "1", lines=2, follow=True)


@pytest.mark.parametrize("command", ["logs", "shell"])
def test_a_docker_that_does_not_answer_is_named_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    monkeypatch.setattr(containers, "docker_client", Mock(side_effect=DockerException("No such file or directory")))
    monkeypatch.setattr(command_line, "checked_owner", Mock())
    assert command_line.main([command, "--stack", "dev"]) == 1
    said = capsys.readouterr().err
    assert "error: Docker does not answer at unix:///nowhere.sock: No such file or directory\nstart it" in said


def test_a_shell_is_dockers_own_in_one_container(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    became = Mock()
    monkeypatch.setattr(containers, "docker_client", Mock())
    monkeypatch.setattr(containers, "_all", lambda *_: there("open-webui-team-1", "open-webui-team-2"))
    monkeypatch.setattr("os.execv", became)
    monkeypatch.setattr("shutil.which", lambda _: "/bin/docker")
    with pytest.raises(ToolError, match="name one container: WHO=1, WHO=2"):
        containers.shell(stack, "open-webui")
    containers.shell(stack, "2")
    program, command = became.call_args.args
    assert (program, command[:2], command[3]) == ("/bin/docker", ["docker", "exec"], "open-webui-team-2")
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(ToolError, match="docker exec -it open-webui-team-1 sh"):
        containers.shell(stack, "1")


PUBLIC = ["https://chat.example.com", "ann@example.com", "", "3", "yes"]


@pytest.mark.parametrize(
    ("answers", "written"),
    [
        (["", "", "", ""], {"publicUrl": "http://localhost:3000", "uiPort": 3000, "enableSignup": False}),
        (PUBLIC, {"tls": "acme", "uiPort": 443, "httpPort": 80, "acknowledged": ["open-signup"], "production": True}),
        (["https://localhost:3443", "", "", "", ""], {"tls": "internal", "uiPort": 3443, "uiBindAddress": "127.0.0.1"}),
    ],
)
def test_five_answers_make_a_stack_file_that_works(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, answers: list[str], written: dict[str, Any]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join([*answers, ""])))
    shutil.copy(PROJECT_FOLDER / "stacks/Pulumi.prod.yaml", stack.project.stacks_directory)
    assert initial.init(stack.project, "office", overwrite=False) == 0
    file = stack.project.stacks_directory / "Pulumi.office.yaml"
    config = yaml.safe_load(file.read_text())["config"]
    assert config.items() >= {f"open-webui:{key}": value for key, value in written.items()}.items()
    assert read_settings(find_stack(stack.project, "office")).replicated
    with pytest.raises(ToolError, match="is there already; nothing was changed"):
        initial.init(stack.project, "office", overwrite=False)


@pytest.mark.parametrize("name", ["", "a b", "../team", "t" * 101])
def test_a_name_that_no_stack_can_have_is_refused_before_a_question(stack: Stack, name: str) -> None:
    with pytest.raises(ToolError, match="is no name of a stack: write letters, digits"):
        initial.init(stack.project, name, overwrite=True)


@pytest.mark.parametrize(
    ("answers", "error"), [(["http://x"], "the answers ended"), (["", "", "none", ""], "whole number from 1")]
)
def test_answers_that_do_not_do_write_nothing(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, answers: list[str], error: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join([*answers, ""])))
    with pytest.raises((ToolError, SettingsError), match=error):
        initial.init(stack.project, "office", overwrite=False)
    assert not (stack.project.stacks_directory / "Pulumi.office.yaml").exists()
