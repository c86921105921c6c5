"""What the launcher refuses before an engine runs, and how it says so."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests.exceptions
import yaml
from docker.errors import APIError

from settings import SettingsError
from tooling.errors import ToolError
from tooling.launcher import __main__ as command_line
from tooling.launcher import engines
from tooling.launcher.gate import read_settings, refuse_unusable_state
from tooling.pulumi_files.backend import Backend
from tooling.pulumi_files.checkpoint import compact
from tooling.pulumi_files.project import Project, load_project
from tooling.pulumi_files.secrets import Secrets
from tooling.pulumi_files.stack import find_stack
from tooling.pulumi_files.stack_file import begun

HERE = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """This project's settings, with a stack of its own and no state."""
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tooling.pulumi_files.secrets._ROUNDS", 10)
    (tmp_path / "Pulumi.yaml").write_text((HERE / "Pulumi.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/Pulumi.team.yaml").touch()
    return load_project(tmp_path)


def write(project: Project, **document: object) -> None:
    (project.stacks_directory / "Pulumi.team.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")


@pytest.mark.parametrize("port", [3001, "3001"])
def test_a_number_may_be_written_as_text_as_the_cli_has_it(project: Project, port: object) -> None:
    write(project, config={"open-webui:uiPort": port})
    settings = read_settings(find_stack(project, "team"))
    assert settings.ui_port == 3001
    assert settings.log_level == "INFO"


def test_a_key_in_plain_text_is_found_in_a_stack_file_that_has_another_encrypted(project: Project) -> None:
    secrets = Secrets.new("hunter2")
    (project.directory / ".pulumi-state").mkdir()
    (project.directory / ".pulumi-state/passphrase").write_text("hunter2")
    config = yaml.safe_load((HERE / "stacks/Pulumi.prod.yaml").read_text(encoding="utf-8"))["config"]
    environment = {"SOME_TOKEN": {"secure": secrets.encrypt("hush")}, "OPENAI_API_KEY": "hush"}
    write(project, encryptionsalt=secrets.salt, config={**config, "open-webui:extraEnvironment": environment})
    with pytest.raises(
        SettingsError, match=r"has a setting.*\n  open-webui:extraEnvironment\.OPENAI_API_KEY stands in"
    ):
        read_settings(find_stack(project, "team"))
    del environment["OPENAI_API_KEY"]
    write(project, encryptionsalt=secrets.salt, config={**config, "open-webui:extraEnvironment": environment})
    assert read_settings(find_stack(project, "team")).extra_environment == {"SOME_TOKEN": "hush"}


def test_a_wrong_type_and_an_unknown_key_are_refused(project: Project) -> None:
    write(project, config={"open-webui:uiPort": "abc"})
    with pytest.raises(ToolError, match=r"uiPort is 'abc'; integer is wanted"):
        read_settings(find_stack(project, "team"))
    write(project, config={"open-webui:uiport": 3000})
    with pytest.raises(SettingsError, match=r"uiport \('3000'\) is not a setting. Did you mean uiPort\?"):
        read_settings(find_stack(project, "team"))


def test_a_stack_file_that_is_not_utf8_is_refused(project: Project) -> None:
    (project.stacks_directory / "Pulumi.team.yaml").write_bytes(b"config: {} # M\xfcller\n")
    with pytest.raises(ToolError, match=r"line 1: byte 0xfc is not UTF-8"):
        read_settings(find_stack(project, "team"))


def test_an_encrypted_setting_is_opened(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = Secrets.new("right")
    write(project, config={"open-webui:logLevel": {"secure": secrets.encrypt("ERROR")}}, encryptionsalt=secrets.salt)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "right")
    assert read_settings(find_stack(project, "team")).log_level == "ERROR"
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "wrong")
    with pytest.raises(ToolError, match="Wrong passphrase"):
        read_settings(find_stack(project, "team"))
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    with pytest.raises(ToolError, match="none is given"):
        read_settings(find_stack(project, "team"))
    assert not (project.directory / ".pulumi-state").exists(), "no other is made for it"


def test_a_passphrase_is_made_for_a_new_stack_and_never_for_one_that_was_begun(project: Project) -> None:
    engine = engines.Engine(name="pulumi", line="")
    assert not begun(find_stack(project, "team"))
    write(project, encryptionsalt=Secrets.new("lost").salt)
    assert begun(find_stack(project, "team"))
    with pytest.raises(ToolError, match="none is given"):
        engines.run(engine, "preview", find_stack(project, "team"))
    assert not (project.directory / ".pulumi-state").exists()


def state_of(project: Project, salt: str) -> Path:
    """A state without resources, encrypted under a passphrase."""
    Backend(project.directory / ".pulumi-state", "open-webui", "team").write(
        compact(
            {
                "version": 3,
                "checkpoint": {
                    "stack": "organization/open-webui/team",
                    "latest": {"secrets_providers": {"type": "passphrase", "state": {"salt": salt}}},
                },
            }
        )
    )
    return project.directory / ".pulumi-state/.pulumi/stacks/open-webui/team.json"


def test_a_stack_is_begun_once_it_has_a_state(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    state_of(project, Secrets.new("right").salt)
    assert begun(find_stack(project, "team"))
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    assert not begun(find_stack(project, "team")), "as far as can be seen from here"


def test_nothing_is_written_where_the_state_is_tried(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    file = state_of(project, Secrets.new("right").salt)
    before = file.read_bytes()
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "right")
    refuse_unusable_state(find_stack(project, "team"), dict)
    assert (project.stacks_directory / "Pulumi.team.yaml").read_bytes() == b""
    assert file.read_bytes() == before


def test_the_state_is_tried_before_the_cli_is_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_unusable_state(find_stack(project, "team"), dict)
    write(project, encryptionsalt=Secrets.new("right").salt)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "right")
    refuse_unusable_state(find_stack(project, "team"), dict)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "wrong")
    with pytest.raises(ToolError, match=r"Wrong passphrase.*PULUMI_CONFIG_PASSPHRASE"):
        refuse_unusable_state(find_stack(project, "team"), dict)
    file = project.directory / ".pulumi-state/.pulumi/stacks/open-webui/team.json"
    file.parent.mkdir(parents=True)
    file.write_text('{"version":3')
    with pytest.raises(ToolError, match=r"team\.json is not whole JSON"):
        refuse_unusable_state(find_stack(project, "team"), dict)


@pytest.mark.parametrize("form", [{"version": 4, "features": ["hooks"]}, {"version": 5}])
def test_a_state_that_only_the_cli_can_use_is_no_obstacle_to_it(project: Project, form: dict[str, Any]) -> None:
    sealed = {"checkpoint": {"latest": {"secrets_providers": {"type": "service"}}}}
    find_stack(project, "team").backend.write(compact({**form, **sealed}))
    refuse_unusable_state(find_stack(project, "team"), dict)
    assert not (project.directory / ".pulumi-state/passphrase").exists(), "it would open nothing"


def test_a_project_that_only_the_cli_can_run_is_refused_for_the_embedded_engine_alone(project: Project) -> None:
    file = project.directory / "Pulumi.yaml"
    file.write_text(f"{file.read_text(encoding='utf-8')}plugins: {{providers: [a]}}\n", encoding="utf-8")
    other = load_project(project.directory)
    with pytest.raises(ToolError, match=r"`plugins` .*: the embedded engine does not do that, the Pulumi CLI does"):
        engines.choose("embedded", find_stack(other, "team"))


def test_of_a_backend_that_is_no_directory_the_passphrase_alone_is_tried(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    refuse_unusable_state(find_stack(project, "team"), dict)
    write(project, encryptionsalt=Secrets.new("right").salt)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "wrong")
    with pytest.raises(ToolError, match="Wrong passphrase"):
        refuse_unusable_state(find_stack(project, "team"), dict)


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (PermissionError(13, "Permission denied", "/srv/x"), "error: /srv/x: Permission denied. Make it accessible"),
        (APIError("500", explanation="no space left on device"), "error: Docker refused: no space left on device"),
        (requests.exceptions.ConnectionError("gone"), "error: Docker stopped answering: gone."),
    ],
)
def test_what_goes_wrong_on_the_way_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], raised: Exception, said: str
) -> None:
    def fail(*_: object) -> None:
        raise raised

    monkeypatch.setattr(command_line, "_run", fail)
    assert command_line.main(["up"]) == 1
    assert capsys.readouterr().err.startswith(said)


def test_the_launcher_does_not_wait_for_pulumi_to_be_imported() -> None:
    program = "import sys, tooling.launcher.__main__; sys.exit('pulumi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=HERE, check=False).returncode == 0
