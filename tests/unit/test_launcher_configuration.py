"""What only the Pulumi CLI can read of a stack's settings is asked of it, and refused where it is not the engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import Settings, SettingsError
from tests.unit.test_settings import PROJECT, as_config
from tooling.errors import ToolError
from tooling.launcher import drift
from tooling.launcher.deploy import settings_for
from tooling.launcher.gate import read_settings, refuse_unusable_state
from tooling.pulumi_cli import backends, stacks
from tooling.pulumi_files.project import Project, load_project
from tooling.pulumi_files.stack import find_stack
from tooling.pulumi_files.stack_file import secrets_provider

HERE = Path(__file__).resolve().parents[2]
KMS = {"secretsprovider": "awskms://alias/team?region=eu-central-1", "encryptedkey": "AQID"}
ESC = {"environment": ["team/open-webui"]}
OWN = {"config": {"pulumi:tags": {"owner": "ann"}, "open-webui:uiPort": 3100}}
SEALED = {"config": {"open-webui:adminPassword": {"secure": "v1:abc:def"}}}
CLI = """#!/bin/sh
echo "$* ${PULUMI_CONFIG_PASSPHRASE_FILE-none}" >> "$(dirname "$0")/asked"
case "$1" in
  config) cat "$(dirname "$0")/told" ;;
  stack) exit 0 ;;
esac
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """This project's settings, with a stack of its own; a Pulumi CLI that has a port for it, and one secret."""
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "Pulumi.yaml").write_text((HERE / "Pulumi.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/Pulumi.team.yaml").touch()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/pulumi").write_text(CLI)
    (tmp_path / "bin/pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    tell(tmp_path, uiPort="3100", topology="replicated", adminEmail="a@example.org", adminPassword="hush-hush")
    return load_project(tmp_path)


def tell(folder: Path, **values: str) -> None:
    """Have the CLI tell these settings beside the defaults, as `pulumi config --json --show-secrets` does."""
    defaults = {key: as_config(declared["default"]) for key, declared in PROJECT["config"].items()}
    told: dict[str, dict[str, Any]] = {
        f"open-webui:{key}": {"value": value, "secret": key == "adminPassword"}
        for key, value in {**defaults, **values}.items()
    }
    (folder / "bin/told").write_text(
        json.dumps({**told, "pulumi:tags": {"value": "{}", "objectValue": {}, "secret": False}})
    )


def write(project: Project, document: dict[str, Any]) -> None:
    (project.stacks_directory / "Pulumi.team.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")


def asked(project: Project) -> list[str]:
    file = project.directory / "bin/asked"
    return file.read_text().splitlines() if file.exists() else []


def by_the_cli(project: Project) -> Settings:
    return read_settings(find_stack(project, "team"), lambda: stacks.configuration(find_stack(project, "team")))


@pytest.mark.parametrize(
    "document", [KMS, ESC, OWN, {**KMS, **SEALED}], ids=["key service", "ESC", "pulumi:", "sealed"]
)
def test_settings_that_only_the_cli_can_read_are_read_by_it(project: Project, document: dict[str, Any]) -> None:
    write(project, document)
    settings = by_the_cli(project)
    assert settings.ui_port == 3100
    assert settings.admin
    assert settings.admin.password == "hush-hush"
    select, config = asked(project)
    assert select.startswith("stack select --create --non-interactive --stack team")
    assert ("--secrets-provider awskms://alias/team?region=eu-central-1" in select) is (document.keys() >= KMS.keys())
    assert config.startswith("config --json --show-secrets --stack team")


def test_secrets_of_pulumi_cloud_are_read_by_the_cli(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "https://api.pulumi.com")
    write(project, SEALED)
    assert by_the_cli(project).ui_port == 3100


def test_rules_hold_for_what_the_cli_tells(project: Project) -> None:
    write(project, ESC)
    tell(project.directory, uiPort="3100", production="true")
    with pytest.raises(SettingsError, match="open-webui:production is 'true': topology single has no TLS"):
        by_the_cli(project)


def test_what_the_embedded_reader_can_read_is_asked_of_nobody(project: Project) -> None:
    write(project, {"config": {"open-webui:uiPort": 3200}})
    assert by_the_cli(project).ui_port == 3200
    assert asked(project) == []


@pytest.mark.parametrize("document", [KMS, ESC, OWN])
def test_the_embedded_engine_goes_on_to_refuse_it(project: Project, document: dict[str, Any]) -> None:
    write(project, document)
    for ask in (None, lambda: None):
        with pytest.raises(ToolError, match="the embedded engine does not do that, the Pulumi CLI does"):
            read_settings(find_stack(project, "team"), ask)
    with pytest.raises(ToolError, match="the Pulumi CLI does"):
        settings_for("embedded", find_stack(project, "team"))


def test_a_cli_that_does_not_tell_is_told_with_its_words(project: Project) -> None:
    write(project, ESC)
    (project.directory / "bin/pulumi").write_text(
        "#!/bin/sh\n[ $1 = stack ] || { echo no such environment >&2; exit 1; }\n"
    )
    with pytest.raises(ToolError, match="cannot read the configuration of stack team:\nno such environment"):
        by_the_cli(project)


@pytest.mark.parametrize(
    ("document", "backend", "sealed"),
    [
        (KMS, "", "awskms (secretsprovider)"),
        ({"secretsprovider": "passphrase"}, "", ""),
        ({}, "", ""),
        ({}, "https://api.pulumi.com", "Pulumi Cloud"),
        ({"encryptionsalt": "v1:x"}, "https://api.pulumi.com", ""),
        ({}, "s3://bucket", ""),
    ],
)
def test_what_seals_secrets_is_known(
    project: Project, document: dict[str, Any], backend: str, sealed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend:
        monkeypatch.setenv("PULUMI_BACKEND_URL", backend)
    write(project, document)
    assert secrets_provider(find_stack(project, "team")) == sealed


def test_no_passphrase_is_made_or_wanted_for_secrets_of_a_key_service(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, KMS)
    by_the_cli(project)
    assert {line.rpartition(" ")[2] for line in asked(project)} == {"none"}
    refuse_unusable_state(find_stack(project, "team"), dict)
    assert not (project.directory / ".pulumi-state/passphrase").exists()
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    assert backends.environment(find_stack(project, "team")) == {"PULUMI_BACKEND_URL": "s3://bucket"}


def test_a_state_that_a_key_service_seals_is_read_by_the_cli_or_refused_with_the_reason(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project, KMS)
    (project.directory / "bin/pulumi").write_text('#!/bin/sh\necho \'{"deployment": {"resources": []}}\'\n')
    assert drift.document_of(find_stack(project, "team")) == {"checkpoint": {"latest": {"resources": []}}}
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(ToolError, match=r"sealed by awskms .*, which the Pulumi CLI alone opens: no Pulumi CLI"):
        drift.document_of(find_stack(project, "team"))
