"""Pulling, from a registry on this machine: what happens where one answers, and where it does not."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

import docker
import docker.errors
import pytest

from docker_access import labels
from docker_access.client import docker_client
from tests.integration.registry import Registry, registry
from tooling.images import ensure as subject
from tooling.images import pull
from tooling.images.errors import ImageError
from tooling.images.recipes import RECIPES
from tooling.machine import negative_cache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.docker


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    """Docker; whatever a registry on localhost brought is gone afterwards."""
    client = docker_client(60)
    yield client
    for image in client.images.list(filters={"label": f"{labels.PROJECT}=it-registry"}):
        with contextlib.suppress(docker.errors.APIError):
            client.images.remove(str(image.id), force=True)
    client.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Registry]:
    monkeypatch.setattr(negative_cache, "_FILE", tmp_path / "unreachable.json")
    with registry() as server:
        yield server


OURS = {labels.PROJECT: "it-registry"}


def build_locally(client: docker.DockerClient, reference: str, version: str) -> str:
    """A stand-in for a local build: an empty image with its labels."""
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w").close()
    revision = str(RECIPES["valkey"].revision)
    marks = {**OURS, labels.LOCAL_BUILD: "a test", labels.IMAGE_VERSION: version, labels.LOCAL_RECIPE: revision}
    changes = [f"LABEL {name}={value!r}" for name, value in marks.items()]
    repository, _, tag = reference.rpartition(":")
    client.api.import_image(
        src=iter([empty.getvalue()]), stream_src=True, repository=repository, tag=tag, changes=changes
    )
    return str(client.images.get(reference).id)


def test_an_image_that_a_registry_has_is_pulled(client: docker.DockerClient, server: Registry) -> None:
    reference = server.put("it/tool", "1", OURS)
    assert subject.ensure(client, reference).startswith(f"{reference}: pulled in")
    assert subject.ensure(client, reference) == f"{reference}: present"


def test_a_local_build_stays_though_its_registry_answers_until_somebody_pulls(
    client: docker.DockerClient, server: Registry
) -> None:
    reference = server.put("it/valkey", "8.0.1-alpine", OURS)
    built = build_locally(client, reference, "8.0.1")
    assert "present, built locally from a test" in subject.ensure(client, reference)
    assert client.images.get(reference).id == built
    client.images.pull(reference)
    assert subject.ensure(client, reference) == f"{reference}: present"


def test_nothing_is_built_where_the_registry_has_no_such_tag(client: docker.DockerClient, server: Registry) -> None:
    server.put("it/valkey", "8.0.1-alpine", OURS)
    with pytest.raises(ImageError, match=r"There is no such image at its registry.*BUILD_IMAGES=1"):
        subject.ensure(client, f"{server.host}/it/valkey:8.0.1-alpin")


def test_a_broken_credential_helper_is_named_and_the_image_pulled_without_a_login(
    client: docker.DockerClient,
    server: Registry,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "config.json").write_text('{"auths": {}, "credsStore": "desktop"}')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    reference = server.put("it/tool", "1", OURS)
    assert subject.ensure(client, reference).startswith(f"{reference}: pulled in")
    assert f"docker-credential-desktop, which {tmp_path}/config.json names for {server.host}" in capsys.readouterr().err


def test_a_refused_login_is_named_and_the_image_pulled_without_it(
    client: docker.DockerClient,
    server: Registry,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server.refuses_logins = True
    stale = {"auths": {server.host: {"auth": base64.b64encode(b"me:changed").decode()}}}
    (tmp_path / "config.json").write_text(json.dumps(stale))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    reference = server.put("it/tool", "1", OURS)
    assert subject.ensure(client, reference).startswith(f"{reference}: pulled in")
    assert f"`docker logout {server.host}`" in capsys.readouterr().err


def test_a_pull_that_stalls_is_given_up(
    client: docker.DockerClient, server: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "PULL_STALL_SECONDS", 1)
    server.go_on.clear()
    with pytest.raises(ImageError, match=r"the registry sent nothing for 1 s"):
        subject.ensure(client, f"{server.host}/it/tool:1")


def test_open_webui_of_a_registry_that_is_too_old_is_refused(client: docker.DockerClient, server: Registry) -> None:
    reference = server.put("it/open-webui", "main", {**OURS, labels.IMAGE_VERSION: "0.6.5"})
    with pytest.raises(ImageError, match=r"Open WebUI 0\.6\.5; this project needs 0\.12\.0 or later"):
        subject.ensure(client, reference)


def test_an_image_by_digest_is_pulled(client: docker.DockerClient, server: Registry) -> None:
    server.put("it/valkey", "8", OURS)
    (digest,) = [p.rpartition("/")[2] for p in server.content if "/manifests/sha256:" in p]
    reference = f"{server.host}/it/valkey@{digest}"
    assert subject.ensure(client, reference).startswith(f"{reference}: pulled in")
