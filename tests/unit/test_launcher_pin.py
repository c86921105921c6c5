"""Pinning: which digest goes where, and why one could not be had."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest
from docker.errors import APIError, ImageNotFound

from docker_access import labels
from settings.models import KEYS
from tests.unit.test_settings import read
from tooling.launcher.pin import CONFIG_KEYS, pin
from tooling.pulumi_files.project import Project, load_project
from tooling.pulumi_files.stack import find_stack

DIGEST = "sha256:" + "ab" * 32
OTHER = "sha256:" + "cd" * 32
STACK_FILE = "config:\n  open-webui:valkeyImage: localhost:5000/valkey:8.0.1  # as staging has it\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "Pulumi.yaml").write_text("name: open-webui\nruntime: python\nstackConfigDir: stacks\n")
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks/Pulumi.team.yaml").write_text(STACK_FILE)
    return load_project(tmp_path)


def written(project: Project) -> str:
    return (project.stacks_directory / "Pulumi.team.yaml").read_text()


def docker_with(*, registry: object, built_here: str = "") -> Mock:
    client = Mock()
    client.api.inspect_distribution.side_effect = registry
    client.images.get.return_value.labels = {labels.LOCAL_BUILD: built_here} if built_here else {}
    return client


def answering(known: dict[str, str]) -> object:
    def answer(name: str, *, auth_config: dict[str, str]) -> dict[str, dict[str, str]]:
        if name not in known:
            raise APIError("404", explanation="manifest unknown")
        return {"Descriptor": {"digest": known[name]}}

    return answer


def test_every_image_has_a_config_key() -> None:
    assert set(CONFIG_KEYS.values()) <= KEYS
    assert set(read().images) <= set(CONFIG_KEYS)


def test_the_digest_of_a_tag_is_written_behind_it_and_the_comment_stays(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = read({"valkeyImage": "localhost:5000/valkey:8.0.1", "openWebuiImage": "localhost:5000/open-webui:main"})
    client = docker_with(registry=answering({"localhost:5000/valkey:8.0.1": DIGEST}))
    assert pin(find_stack(project, "team"), settings, client) == 0
    assert written(project) == STACK_FILE.replace(
        "localhost:5000/valkey:8.0.1", f'"localhost:5000/valkey:8.0.1@{DIGEST}"'
    )
    said = capsys.readouterr().err
    assert f"pinned: valkeyImage: localhost:5000/valkey:8.0.1@{DIGEST}" in said
    assert "not pinned: localhost:5000/open-webui:main: localhost:5000 gives no digest" in said
    assert "(manifest unknown)" in said


def test_a_broken_credential_helper_is_named_and_the_registry_asked_without_a_login(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config.json").write_text('{"credsStore": "desktop"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    client = docker_with(registry=answering({"localhost:5000/valkey:8.0.1": DIGEST}))
    assert pin(find_stack(project, "team"), read({"valkeyImage": "localhost:5000/valkey:8.0.1"}), client) == 0
    said = capsys.readouterr().err
    assert f"docker-credential-desktop, which {tmp_path}/config.json names for localhost:5000, does not work" in said
    assert client.api.inspect_distribution.call_args.kwargs == {"auth_config": {}}


def test_a_pinned_tag_is_asked_for_again_and_a_digest_without_a_tag_stays(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned = f"localhost:5000/valkey:8.0.1@{OTHER}"
    settings = read({"valkeyImage": pinned, "openWebuiImage": f"localhost:5000/open-webui@{OTHER}"})
    client = docker_with(registry=answering({"localhost:5000/valkey:8.0.1": DIGEST}))
    assert pin(find_stack(project, "team"), settings, client) == 0
    said = capsys.readouterr().err
    assert f"pinned: valkeyImage: localhost:5000/valkey:8.0.1@{DIGEST} (it was {OTHER})" in said
    assert f"pinned already: localhost:5000/open-webui@{OTHER}" in said


def test_where_no_registry_answers_nothing_is_written_and_a_local_build_is_said_to_be_one(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = APIError("500", explanation="dial tcp: connection refused")
    assert (
        pin(find_stack(project, "team"), read(), docker_with(registry=refused, built_here="PyPI open-webui 0.12.4"))
        == 1
    )
    assert written(project) == STACK_FILE
    said = capsys.readouterr().err
    assert "ghcr.io gives no digest for it (dial tcp: connection refused)" in said
    assert "built on this machine, from PyPI open-webui 0.12.4" in said
    assert "error: no image of stack team could be pinned" in said


def test_an_image_that_is_not_here_is_not_said_to_be_built_here(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    client = docker_with(registry=APIError("500", explanation="no such host"))
    client.images.get.side_effect = ImageNotFound("no such image")
    assert pin(find_stack(project, "team"), read(), client) == 1
    assert "built on this machine" not in capsys.readouterr().err
