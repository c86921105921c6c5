"""The disk with the state is full while containers are made: a real file system, and a small one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import docker
import pytest

from docker_access.client import docker_client
from tests.integration.deployment import remove_all
from tooling.images.ensure import ensure

pytestmark = pytest.mark.docker
ROOT: Final = Path(__file__).resolve().parents[2]
IMAGE: Final = "valkey/valkey:8.0.1-alpine"
NAME: Final = "disk" + uuid.uuid4().hex[:6]
PROGRAM: Final = f"""\
import pulumi
import pulumi_docker as docker

name = pulumi.get_project()
own = {{"pulumi.project": name, "pulumi.stack": pulumi.get_stack()}}
common = {{"image": "{IMAGE}", "entrypoints": ["sleep"], "command": ["600"], "destroy_grace_seconds": 0,
           "labels": [docker.ContainerLabelArgs(label=key, value=value) for key, value in own.items()]}}
docker.Network("network", name=f"{{name}}-network",
               labels=[docker.NetworkLabelArgs(label=key, value=value) for key, value in own.items()])
if pulumi.Config().require_bool("more"):
    first = docker.Container(
        "first", name=f"{{name}}-first", wait=True, wait_timeout=120, **common,
        healthcheck=docker.ContainerHealthcheckArgs(tests=["CMD", "test", "-e", "/go"], interval="200ms", retries=600))
    docker.Container("second", name=f"{{name}}-second", envs=[first.id.apply(lambda id: f"FIRST={{id}}")], **common)
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"this user may not mount a file system: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.fixture
def client() -> Iterator[docker.DockerClient]:
    client = docker_client()
    ensure(client, IMAGE)
    yield client
    remove_all(client, {"name": NAME})
    client.close()


def containers(client: docker.DockerClient, **filters: str) -> dict[str, str]:
    """Ids of our containers by the last part of their names."""
    found = client.api.containers(all=True, filters={"name": NAME, **filters})
    return {one["Names"][0].rpartition("-")[2]: one["Id"] for one in found}


def fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler:
        while True:
            try:
                filler.write(b"." * 4096)
            except OSError:
                return


def latest(disk: Path) -> dict[str, Any]:
    document = json.loads((disk / f".pulumi/stacks/{NAME}/dev.json").read_text())
    return dict(document["checkpoint"]["latest"])


def recorded(disk: Path) -> dict[str, str]:
    resources = latest(disk)["resources"]
    return {r["urn"].rsplit("::", 1)[1]: r["id"] for r in resources if r["type"].startswith("docker:")}


def test_a_full_disk_is_told_and_what_was_made_meanwhile_is_taken_over_once_there_is_room(
    tmp_path: Path, disk: Path, client: docker.DockerClient
) -> None:
    (tmp_path / "Pulumi.yaml").write_text(f"name: {NAME}\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(f"config:\n  {NAME}:more: false\n")
    (tmp_path / "__main__.py").write_text(PROGRAM)

    def engine(command: str) -> subprocess.Popen[str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
        own = {"PULUMI_CONFIG_PASSPHRASE": "pass", "PULUMI_BACKEND_URL": f"file://{disk}", "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, "-m", "tooling.engine", command, "--stack", "dev"], cwd=tmp_path, env=inherited | own,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def to_its_end(command: str) -> None:
        run = engine(command)
        said = run.communicate(timeout=120)[0]
        assert run.returncode == 0, said

    to_its_end("up")
    before = recorded(disk)
    (tmp_path / "Pulumi.dev.yaml").write_text((tmp_path / "Pulumi.dev.yaml").read_text().replace("false", "true"))
    run = engine("up")
    deadline = time.monotonic() + 60
    while not (running := containers(client, status="running")):
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.05)
    fill(disk / "filler")
    client.containers.get(running["first"]).exec_run(["touch", "/go"])
    said = run.communicate(timeout=120)[0]
    assert run.returncode == 1
    assert "The state could not be saved" in said
    assert "No space left on device. The file before this save is unharmed. Make room" in said
    assert "Traceback" not in said
    assert recorded(disk) == before
    assert [pending["type"] for pending in latest(disk)["pending_operations"]] == ["creating"]
    assert containers(client) == running

    refused = engine("up")
    assert "No space left on device" in refused.communicate(timeout=120)[0]
    assert refused.returncode == 1
    assert recorded(disk) == before

    (disk / "filler").unlink()
    to_its_end("up")
    made = containers(client)
    assert made["first"] == running["first"]
    assert made.keys() == {"first", "second"}
    assert recorded(disk) == before | made
    assert "pending_operations" not in latest(disk)
    assert not list(disk.rglob("*.tmp"))
    to_its_end("destroy")
    assert not containers(client)
