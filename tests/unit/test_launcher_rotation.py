"""Rotation: which secrets a stack has, and what is written so that the next update replaces one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from settings.blocks import SECRET_NAMES
from tests.unit.test_settings import read
from tooling.errors import ToolError
from tooling.launcher.rotation import SECRETS, listing, rotate, secrets_of
from tooling.pulumi_files.project import Project, load_project
from tooling.pulumi_files.stack import find_stack

REPLICATED = {"topology": "replicated", "adminEmail": "admin@example.org"}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "Pulumi.yaml").write_text("name: open-webui\nruntime: python\nstackConfigDir: stacks\n")
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/Pulumi.team.yaml").write_text("# ours\nconfig:\n  open-webui:uiPort: 3100  # free\n")
    return load_project(tmp_path)


def test_every_secret_that_can_be_rotated_is_described() -> None:
    assert set(SECRETS) == set(SECRET_NAMES)


def test_a_stack_has_the_secrets_of_what_it_deploys() -> None:
    assert secrets_of(read()) == []
    valkey = ["valkey-openwebui", "valkey-verify", "valkey-health"]
    assert secrets_of(read(REPLICATED)) == ["secret-key", "postgres-password", *valkey, "admin-password"]
    assert "valkey-tls" in secrets_of(read({**REPLICATED, "valkeyTls": "true"}))
    assert "admin-password" not in secrets_of(read({**REPLICATED, "adminPassword": "one of my own"}))
    elsewhere = read(REPLICATED).model_copy(update={"valkey_url": "rediss://:password@valkey.example.org:6379"})
    assert secrets_of(elsewhere) == ["secret-key", "postgres-password", "admin-password"]


def test_the_list_says_what_each_is_what_is_re_created_and_when_it_was_rotated() -> None:
    said = listing(read({**REPLICATED, "rotated": '{"secret-key": "2026-01-01"}'}))
    assert "make rotate STACK=team SECRET=NAME" in said
    assert re.search(r"secret-key +signs Open WebUI's sessions +rotated: 2026-01-01\n", said)
    assert re.search(
        r"valkey-verify +the verification's password at Valkey +rotated: never\n +re-created: Valkey", said
    )


def test_the_stack_file_says_when_as_the_cli_would_write_it_and_keeps_its_comments(project: Project) -> None:
    said = rotate(find_stack(project, "team"), read(REPLICATED), "postgres-password")
    text = (project.stacks_directory / "Pulumi.team.yaml").read_text()
    assert re.fullmatch(
        r"# ours\nconfig:\n  open-webui:uiPort: 3100  # free\n"
        r'  open-webui:rotated:\n    postgres-password: "\d{8}T\d{6}Z"\n',
        text,
    )
    when = yaml.safe_load(text)["config"]["open-webui:rotated"]["postgres-password"]
    assert f"postgres-password is replaced ({when})" in said
    assert "Postgres keeps running" in said


def test_a_secret_the_stack_has_not_is_refused_with_those_it_has(project: Project) -> None:
    before = (project.stacks_directory / "Pulumi.team.yaml").read_text()
    with pytest.raises(ToolError, match=r"generates no secret 'valkey'\. SECRET is one of: secret-key, postgres-"):
        rotate(find_stack(project, "team"), read(REPLICATED), "valkey")
    with pytest.raises(ToolError, match="stack team has topology single"):
        rotate(find_stack(project, "team"), read(), "secret-key")
    with pytest.raises(ToolError, match="stack team has topology single"):
        listing(read())
    assert (project.stacks_directory / "Pulumi.team.yaml").read_text() == before
