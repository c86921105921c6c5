"""What the embedded engine leaves to the Pulumi CLI of a project's files; what reads them refuses none of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tooling.engine.errors import OnlyTheCliError
from tooling.engine.opening import open_project, open_workspace, read_state
from tooling.engine.refusals import refuse_backend, refuse_project, refuse_stack_file
from tooling.pulumi_files.backend import Backend
from tooling.pulumi_files.checkpoint import load
from tooling.pulumi_files.config import load_config
from tooling.pulumi_files.project import load_project
from tooling.pulumi_files.secrets import Secrets
from tooling.pulumi_files.stack import Stack, find_stack
from tooling.pulumi_files.values import SECRET, SIGNATURE

PASSPHRASE = {"type": "passphrase", "state": {"salt": "v1:x"}}
SHOWN = {SIGNATURE: SECRET, "plaintext": '"hush"'}


def stack_of(directory: Path, url: str = "", *, project: str = "", stack_file: str = "") -> Stack:
    (directory / "Pulumi.yaml").write_text(f"name: web\nruntime: python\n{project}")
    (directory / "Pulumi.dev.yaml").write_text(stack_file)
    return find_stack(load_project(directory), "dev", {"PULUMI_BACKEND_URL": url} if url else {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: web\nruntime: nodejs\n", "`runtime` 'nodejs'"),
        ("name: web\nruntime: python\nmain: src\n", "`main` 'src'"),
        ("name: web\nruntime: python\nplugins: {providers: [a]}\n", "`plugins`"),
        ("name: web\nruntime: python\npackages: {a: b}\n", "`packages`"),
        ("name: web\nruntime: python\nrequiredPulumiVersion: '>=3'\n", "`requiredPulumiVersion` '>=3'"),
        ("name: web\nruntime: python\noptions: {refresh: never}\n", "`options.refresh` 'never'"),
        ("name: web\nruntime: python\noptions: {other: 1}\n", "`options.other` 1"),
        ("name: web\nruntime: {name: python, options: {typechecker: mypy}}\n", "`runtime.options.typechecker` 'mypy'"),
        ("name: web\nruntime: python\nbackend: {url: 's3://b', other: 1}\n", "`backend.other` 1"),
    ],
)
def test_a_project_for_the_cli_is_read_and_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "Pulumi.yaml").write_text(text)
    assert load_project(tmp_path).name == "web"
    with pytest.raises(OnlyTheCliError, match=rf"{message}.*the Pulumi CLI does"):
        open_project(tmp_path)


def test_what_a_project_file_says_for_people_is_no_obstacle(tmp_path: Path) -> None:
    words = "description: d\nauthor: a\nwebsite: w\nlicense: l\ntemplate: {description: d}\nplugins: {}\n"
    (tmp_path / "Pulumi.yaml").write_text(f"name: web\nruntime: python\n{words}")
    assert open_project(tmp_path).name == "web"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("environment: [prod]\n", r"`environment` \['prod'\]"),
        ("secretsprovider: awskms://key\n", "`secretsprovider` 'awskms://key'"),
        ("encryptedkey: hush\n", "`encryptedkey`"),
        ("config:\n  pulumi:tags: {a: b}\n", r"configuration of the engine itself \(pulumi:tags\)"),
    ],
)
def test_a_stack_file_for_the_cli_is_read_and_refused(tmp_path: Path, text: str, message: str) -> None:
    stack = stack_of(tmp_path, stack_file=text)
    assert load_config(stack, None).values == {}
    with pytest.raises(OnlyTheCliError, match=rf"{message}: the embedded engine does not do that") as error:
        refuse_stack_file(stack)
    assert "hush" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("secretsprovider: awskms://key\nencryptedkey: AQ\nconfig: {pulumi:tags: {a: b}}\n", False),
        ("environment: [prod]\n", True),
    ],
)
def test_how_a_stack_is_sealed_does_not_matter_where_nothing_is_opened(
    tmp_path: Path, text: str, *, refused: bool
) -> None:
    stack = stack_of(tmp_path, stack_file=text)
    if refused:
        with pytest.raises(OnlyTheCliError):
            refuse_stack_file(stack, sealed=True)
    else:
        refuse_stack_file(stack, sealed=True)


@pytest.mark.parametrize("url", ["postgres://me:hush@db/x", "s3://bucket?token=hush", "file:///x?token=hush", "/tmp/x"])
def test_any_backend_but_plain_files_is_refused_without_its_password(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OnlyTheCliError, match=r"PULUMI_BACKEND_URL=.*the Pulumi CLI does") as error:
        refuse_backend(stack_of(tmp_path, url))
    assert "hush" not in str(error.value)
    monkeypatch.setenv("PULUMI_BACKEND_URL", url)
    with pytest.raises(OnlyTheCliError):
        open_workspace(tmp_path, "dev")


def test_the_place_that_names_a_backend_is_told(tmp_path: Path) -> None:
    stack = stack_of(tmp_path, project="backend: {url: 's3://bucket'}\n")
    refuse_project(stack.project)
    with pytest.raises(OnlyTheCliError, match=r"Pulumi.yaml: backend.url=s3://bucket \(this engine keeps"):
        refuse_backend(stack)


@pytest.mark.parametrize(
    ("document", "latest", "message"),
    [
        ({"version": 5}, {}, r"checkpoint version 5 \(3 and 4 are known\)"),
        ({"version": 4, "features": ["hooks", "taint"]}, {}, r": hooks \(features of this state\)"),
        ({"version": 3}, {"secrets_providers": {"type": "service"}}, "secrets provider 'service'"),
        ({"version": 3}, {"resources": [{"inputs": {"a": [SHOWN]}}]}, "a secret in plain text in the state"),
    ],
)
def test_a_state_for_the_cli_is_read_and_refused(
    tmp_path: Path, document: dict[str, Any], latest: dict[str, Any], message: str
) -> None:
    backend = Backend(tmp_path, "web", "dev")
    written = {**document, "checkpoint": {"latest": {"secrets_providers": PASSPHRASE, **latest}}}
    backend.file.parent.mkdir(parents=True)
    backend.file.write_text(json.dumps(written))
    assert backend.read() == written
    with pytest.raises(OnlyTheCliError, match=rf"{message}.*the Pulumi CLI does"):
        read_state(backend)


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_compressed_state_is_refused(tmp_path: Path, suffix: str) -> None:
    backend = Backend(tmp_path, "web", "dev")
    backend.file.parent.mkdir(parents=True)
    backend.file.with_name(f"dev.json.{suffix}").touch()
    with pytest.raises(OnlyTheCliError, match=rf"dev\.json\.{suffix}: compressed state.*the Pulumi CLI does"):
        read_state(backend)


def test_a_secret_that_the_cli_shows_is_read_as_one(secrets: Secrets) -> None:
    resource = {"urn": "urn:x", "type": "t", "custom": True, "outputs": {"a": SHOWN}}
    (read,) = load({"checkpoint": {"latest": {"resources": [resource]}}}, secrets.open).resources
    assert repr(read.outputs) == "{'a': [secret]}"
    assert read.outputs["a"].value == "hush"
