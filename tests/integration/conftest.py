"""What tests of containers share: Docker, images, deployments made by hand, a stack that is not deployed yet."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import docker
import pytest

from docker_access.client import docker_client
from tests.integration.deployment import Deployment
from tests.integration.hand_made import Labs, Pair
from tooling.images.ensure import ensure
from tooling.launcher.gate import read_settings
from tooling.launcher.stack import open_stack


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    """Docker, patient enough for an image to be built."""
    client = docker_client(900)
    yield client
    client.close()


@pytest.fixture(scope="module")
def references(client: docker.DockerClient) -> Mapping[str, str]:
    """The images of a replicated stack by the role of their containers."""
    images = read_settings(open_stack("staging")).images
    for reference in images.values():
        ensure(client, reference)
    return images


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Labs]:
    """Deployments made by hand, which the tests of a module share."""
    client = docker_client()
    directory = tmp_path_factory.mktemp("files")
    for folder in (directory, *directory.parents[:2]):
        folder.chmod(0o755)
    made = Labs(client, directory)
    try:
        yield made
    finally:
        made.remove()
        client.close()


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """A Valkey made by hand, to which the tests of a module add apps."""
    client = docker_client()
    made = Pair(client)
    try:
        yield made
    finally:
        made.remove()
        client.close()


@pytest.fixture
def stood_in(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """A stack that is not deployed yet, and whose Open WebUI is only stood in for."""
    deployment = Deployment(tmp_path, getattr(request, "param", "embedded"), stand_in=True)
    try:
        yield deployment
    finally:
        deployment.remove_everything()
