"""A stand-in for Docker and a registry, for the tests of how an image is had."""

from __future__ import annotations

import queue
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import docker.errors
import pytest

from docker_access import labels
from tooling.images import ensure as subject
from tooling.images import pull
from tooling.images.recipes import RECIPES
from tooling.machine import negative_cache

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

REVISION = "7"
NO_NETWORK = "lookup registry.example: no such host"


class Image:
    def __init__(self, *tags: str, **marks: str) -> None:
        self.id = "sha256:1"
        self.labels = marks
        self.tags = list(tags)
        self.home: dict[str, Image] = {}

    def reload(self) -> None:
        pass

    def tag(self, repository: str, tag: str) -> None:
        self.home[f"{repository}:{tag}"] = self


class Docker:
    """The part of a Docker client that is used: images by name, a registry that has some or does not answer."""

    def __init__(self, present: dict[str, Image], registry: dict[str, Image] | None = None) -> None:
        self.present = present
        for image in present.values():
            image.home = present
        self.registry = registry
        self.removed: list[str] = []
        self.asked = 0
        self.logins: list[dict[str, Any]] = []
        self.refuses_logins = ""
        self.api = self
        self.images = self
        self.timeout = 900
        self.stream: Iterable[dict[str, Any]] = [{"id": "layer", "status": "Pull complete"}]

    def info(self) -> dict[str, Any]:
        return {}

    def get(self, name: str) -> Image:
        if name not in self.present:
            raise docker.errors.ImageNotFound(name)
        return self.present[name]

    def remove(self, image: str) -> None:
        self.removed.append(image)

    def pull(
        self, repository: str, *, tag: str, stream: bool, decode: bool, auth_config: dict[str, Any]
    ) -> Iterable[dict[str, Any]]:
        assert stream
        assert decode
        self.asked += 1
        self.logins.append(auth_config)
        if auth_config and self.refuses_logins:
            return [{"errorDetail": {"message": self.refuses_logins}}]
        name = f"{repository}{'@' if ':' in tag else ':'}{tag}"
        if self.registry is None:
            raise docker.errors.APIError(NO_NETWORK, explanation=NO_NETWORK)
        if name not in self.registry:
            return [{"errorDetail": {"message": f"manifest for {name} not found"}}]
        self.present[name] = self.registry[name]
        return self.stream

    def list(self, filters: dict[str, str]) -> list[Image]:
        return [image for image in self.present.values() if filters["label"] in image.labels]


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(negative_cache, "_FILE", tmp_path / "unreachable.json")
    monkeypatch.delenv("IMAGE_BYTECODE", raising=False)
    monkeypatch.delenv("BUILD_IMAGES", raising=False)
    same_revision = {name: replace(recipe, revision=int(REVISION)) for name, recipe in RECIPES.items()}
    monkeypatch.setattr(subject, "RECIPES", same_revision)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Builds that were asked for; each leaves the version that was asked for."""
    done: list[str] = []

    def build(client: Any, reference: Any, recipe: Any, *, bytecode: bool | None) -> str:
        client.present[str(reference)] = local(recipe.constraint(reference).version, bytecode=bool(bytecode))
        done.append(str(reference))
        return f"{reference}: built"

    monkeypatch.setattr(subject, "_build", build)
    return done


def local(version: str, *tags: str, bytecode: bool = False, stands_in_for: str = "") -> Image:
    marks = {labels.STANDS_IN_FOR: stands_in_for} if stands_in_for else {}
    compiled = {labels.LOCAL_BYTECODE: "true"} if bytecode else {}
    made = {labels.LOCAL_BUILD: "Debian", labels.IMAGE_VERSION: version, labels.LOCAL_RECIPE: REVISION}
    return Image(*tags, **made, **compiled, **marks)


def ensure(client: Docker, name: str, *, rebuild: bool = False) -> str:
    return subject.ensure(client, name, rebuild=rebuild)  # type: ignore[arg-type] # a stand-in


VALKEY = "a.example/valkey:8.0.1-alpine"
MAIN, RELEASE = "a.example/open-webui:main", "a.example/open-webui:v0.12.4"


LONGER_THAN_A_REGISTRY_MAY = pull.PULL_STALL_SECONDS + 1
LONGER_THAN_DOCKER_MAY = pull.UNPACK_STALL_SECONDS + 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a stream says of being quiet is believed, and not waited for."""

    class Said(queue.Queue[Any]):
        def get(self, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002 - as there
            event = super().get(timeout=20)
            if not isinstance(event, dict) or "quiet" not in event:
                return event
            if timeout and timeout < event["quiet"]:
                raise queue.Empty
            return self.get(timeout=timeout)

    monkeypatch.setattr(pull, "queue", SimpleNamespace(Queue=Said, Empty=queue.Empty))


def quiet_after(*statuses: str, seconds: float = LONGER_THAN_A_REGISTRY_MAY) -> Iterator[dict[str, Any]]:
    """A pull of as many layers, in which Docker says nothing for a while once they are as far as this."""
    yield {"status": "Pulling from valkey", "id": "8.0.1-alpine"}
    for number, status in enumerate(statuses):
        yield {"id": str(number), "status": "Pulling fs layer"}
        yield {"id": str(number), "status": status}
    yield {"quiet": seconds}
    for number in range(len(statuses)):
        yield {"id": str(number), "status": "Pull complete"}
