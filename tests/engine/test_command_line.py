"""The command line: what is asked for, refused and printed, in process on a real program of the SDK."""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.engine.two_things import Run
from tooling.engine.__main__ import main

pytestmark = pytest.mark.usefixtures("without_leftovers")


def test_outputs_are_masked_unless_asked_for(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run("up")
    capsys.readouterr()
    run("stack", "output", "--json")
    assert json.loads(capsys.readouterr().out) == {"address": "at a-1", "password": "[secret]"}
    run("stack", "output", "password", "--show-secrets")
    assert capsys.readouterr().out == "hush hush\n"
    assert run("stack", "output", "nothing") == 1
    assert "has no output 'nothing'. It has: address, password." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["up", "--target", "urn:x"], "--target"),
        (["up", "--policy-pack=pack"], "--policy-pack"),
        (["up", "--parallel", "4"], "--parallel"),
        (["up", "-r"], "-r"),
        (["preview", "--diff"], "--diff"),
        (["preview", "--expect"], "--expect"),  # an abbreviation, which the CLI does not take either
        (["destroy", "--remove"], "--remove"),
        (["import", "docker:index/network:Network", "n", "0123"], "import"),
        (["state", "delete", "urn:x"], "state"),
        (["stack", "rename", "other"], "stack rename"),
        (["watch"], "watch"),
    ],
)
def test_what_only_the_cli_can_do_is_refused_with_its_line_for_the_same_state(
    run: Run, project: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], what: str
) -> None:
    assert run(*arguments) == 2
    said = capsys.readouterr()
    assert f"error: `{what}`: the embedded engine does not do that; if the Pulumi CLI does" in said.err
    assert f"pulumi {' '.join(arguments)} --cwd {project}\n" in said.err
    assert f"  PULUMI_BACKEND_URL=file://{project}/.pulumi-state pulumi" in said.err
    assert not said.out
    assert not (project / ".pulumi-state").exists()


def test_a_value_of_the_configuration_is_not_repeated_with_the_clis_line(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("config", "set", "token", "hush", "--plaintext") == 2
    assert run("config", "set-all", "--secret", "token=hush") == 2
    assert run("up", "-c", "token=hush") == 2
    assert "hush" not in capsys.readouterr().err


def test_the_clis_options_for_running_unattended_are_taken(run: Run) -> None:
    assert run("up", "--yes", "--skip-preview", "--non-interactive") == 0
    assert run("destroy", "-y", "-f") == 0


def test_a_stack_without_a_file_is_wrong_usage(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("up", "--stack", "prod") == 2
    assert "Stacks here: dev" in capsys.readouterr().err


def test_the_only_stack_needs_no_name_and_several_do(
    run: Run, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "stacks/Pulumi.prod.yaml").write_text("")
    assert run("up") == 2
    assert "Give --stack NAME; stacks here: dev, prod." in capsys.readouterr().err
    assert run("stack", "ls") == 0
    assert capsys.readouterr().out == "dev\nprod\n"
    monkeypatch.setenv("PULUMI_STACK", "prod")
    assert run("preview") == 0
    assert "Previewing update (prod)" in capsys.readouterr().out


def test_configuration_is_read_and_written(run: Run, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("config", "get", "size")
    run("config", "set", "size", "7")
    run("config", "get", "size")
    run("config", "set", "token", "hush", "--secret")
    run("config", "get", "token")
    assert capsys.readouterr().out == "1\n7\nhush\n"
    assert run("config", "get", "nothing") == 1
    assert run("config", "set", "a:b:c", "x") == 2


def test_cancel_says_when_there_is_nothing_to_cancel(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("cancel") == 0
    assert "is not locked" in capsys.readouterr().out


def test_a_place_in_a_list_is_refused_with_who_can_set_it(
    run: Run, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (project / "stacks/Pulumi.dev.yaml").read_text()
    assert run("config", "set", "--path", "words[0]", "x") == 2
    assert "'words[0]' is a place in a list" in capsys.readouterr().err
    assert (project / "stacks/Pulumi.dev.yaml").read_text() == before


@pytest.mark.parametrize("command", [[], ["up"], ["preview"], ["destroy"], ["stack", "output"], ["config", "set"]])
def test_help_teaches_by_example(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    assert ended.value.code == 0
    assert "example" in capsys.readouterr().out


def test_a_secret_that_is_typed_is_asked_for_without_being_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    typed = Mock(return_value="hush hush")
    monkeypatch.setattr("tooling.engine.commands.getpass", typed)
    assert run("config", "set", "token", "--secret") == 0
    typed.assert_called_once_with("value of web:token (it is not shown): ")
    capsys.readouterr()
    assert run("config", "get", "token") == 0
    assert capsys.readouterr().out == "hush hush\n"
