"""Whether there is room for an image, before it is pulled or built."""

# ruff: noqa: F811 - fixtures of another module

from __future__ import annotations

import shutil
import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.image_stand_ins import MAIN, VALKEY, Docker, Image, built, ensure, own_cache, quiet_after  # noqa: F401 - fixtures among them
from tooling.images import disk
from tooling.images.errors import ImageError
from tooling.images.reference import parse

if TYPE_CHECKING:
    from pathlib import Path


def with_free(monkeypatch: pytest.MonkeyPatch, **gigabytes: float) -> None:
    """Have folders with so much room, by the last part of their names."""

    def usage(folder: Path) -> SimpleNamespace:
        if folder.name not in gigabytes:
            raise FileNotFoundError(folder)
        return SimpleNamespace(free=gigabytes[folder.name] * 1e9)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    monkeypatch.delenv("DOCKER_HOST", raising=False)


HERE = {"Name": socket.gethostname()}
CONTAINERD_STORE: dict[str, Any] = {
    **HERE,
    "DockerRootDir": "/mnt/ssd/docker",
    "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
}
SLIM = "a.example/open-webui:v0.12.4-slim"


@pytest.mark.parametrize(
    ("name", "free", "need"), [(MAIN, 5.9, 6), (SLIM, 1.4, 1.5), (VALKEY, 0.4, 0.5)], ids=["official", "slim", "other"]
)
def test_an_image_that_has_no_room_is_not_pulled(
    name: str, free: float, need: float, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with_free(monkeypatch, docker=free, tmp=99)
    client = Docker({}, registry={name: Image()})
    client.stream = quiet_after("Downloading")
    monkeypatch.setattr(client, "info", lambda: {**HERE, "DockerRootDir": "/mnt/ssd/docker"})
    message = rf"needs about {need:.1f} GB of disk, and /mnt/ssd/docker, where .*, has {free} GB free\. Make room"
    with pytest.raises(ImageError, match=message):
        ensure(client, name)
    assert not built
    with_free(monkeypatch, docker=need)
    client.stream = [{"id": "layer", "status": "Pull complete"}]
    assert ensure(client, name).endswith(("present", "pulled in 0 s"))


def test_an_image_whose_layers_are_all_here_needs_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    with_free(monkeypatch, docker=0)
    client = Docker({}, registry={VALKEY: Image()})
    client.stream = [{"id": "layer", "status": "Already exists"}]
    monkeypatch.setattr(client, "info", lambda: {**HERE, "DockerRootDir": "/mnt/ssd/docker"})
    assert ensure(client, VALKEY).startswith(f"{VALKEY}: pulled in")


@pytest.mark.parametrize(
    ("free", "where"),
    [
        ({"docker": 1.4, "containerd": 9, "tmp": 9}, "/mnt/ssd/docker, where Docker has its data"),
        ({"docker": 9, "containerd": 1.4, "tmp": 9}, "/var/lib/containerd, where containerd has Docker's images"),
        ({"docker": 9, "containerd": 9, "tmp": 1.4}, r"/tmp, where images are built \(TMPDIR\)"),
    ],
)
def test_open_webui_is_not_built_where_it_has_no_room(
    free: dict[str, float], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_free(monkeypatch, **free)
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/tmp")
    client = Docker({})
    monkeypatch.setattr(client, "info", lambda: CONTAINERD_STORE)
    with pytest.raises(ImageError, match=rf"^{MAIN} needs about 1\.5 GB of disk, and {where}, has 1\.4 GB free"):
        ensure(client, MAIN)


@pytest.mark.parametrize(
    ("info", "host"),
    [
        ({}, ""),
        ({**HERE, "DockerRootDir": "/nowhere"}, ""),
        ({"Name": "docker-desktop", "DockerRootDir": "/mnt/ssd/docker"}, ""),
        ({**HERE, "DockerRootDir": "/mnt/ssd/docker"}, "ssh://chat-host"),
        (
            {**CONTAINERD_STORE, "DockerRootDir": "/nowhere", "Containerd": {"Address": "/run/docker/containerd.sock"}},
            "",
        ),
    ],
    ids=["told nothing", "not seen from here", "a virtual machine", "another machine", "a containerd of Docker's own"],
)
def test_nothing_is_said_of_room_that_nothing_is_known_of(
    info: dict[str, Any], host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_free(monkeypatch, docker=0, containerd=0)
    if host:
        monkeypatch.setenv("DOCKER_HOST", host)
    client: Any = SimpleNamespace(info=lambda: info)
    assert disk.shortage(client, parse(MAIN), disk.to_pull(parse(MAIN))) == ""
