"""The engine, killed at many points of an update, of changes and of a destroy of real containers, loses nothing.

One cycle is: ``up``, ``up`` of a changed program, ``destroy``; each is killed at one point and then run again to its
end. The first cycle is left alone and tells the points. Of them some are drawn, each of another kind; in the long form
each kind is taken, and as many others as are wanted. What is drawn is another every day; ``TESTS_SEED``, which
the test prints, repeats it.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import docker
import psutil
import pytest

from docker_access.client import docker_client
from tests.integration.deployment import remove_all
from tests.seed import SEED
from tooling.images.ensure import ensure

pytestmark = pytest.mark.docker
ROOT: Final = Path(__file__).resolve().parents[2]
IMAGE: Final = "valkey/valkey:8.0.1-alpine"
MARKER: Final = "not lost"
NAME = "sweep" + uuid.uuid4().hex[:6]
FILES: Final = {
    "Pulumi.yaml": f"name: {NAME}\nruntime: python\noptions: {{refresh: always}}\n",
    "Pulumi.dev.yaml": f"config:\n  {NAME}:changed: false\n",
    "proof.py": """\
import subprocess

from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult


def ask(props):
    command = ["docker", "exec", props["valkey"], "valkey-cli", "get", "marker"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return {**props, "marker": said}


class Provider(ResourceProvider):
    def create(self, props):
        return CreateResult("proof", ask(props))

    def diff(self, id, olds, news):
        return DiffResult(any(olds.get(key) != news[key] for key in ("valkey", "changed")))

    def update(self, id, olds, news):
        return UpdateResult(ask(news))


class Proof(Resource):
    def __init__(self, name, props, opts=None):
        super().__init__(Provider(), name, {**props, "marker": None}, opts)
""",
    "__main__.py": f"""\
import pulumi
import pulumi_docker as docker
from proof import Proof

changed = pulumi.Config().require_bool("changed")
name = pulumi.get_project()
own = {{"pulumi.project": name, "pulumi.stack": pulumi.get_stack()}}
labels = [docker.ContainerLabelArgs(label=key, value=value) for key, value in own.items()]
volume_labels = [docker.VolumeLabelArgs(label=key, value=value) for key, value in own.items()]
first = pulumi.ResourceOptions(delete_before_replace=True)
common = {{"labels": labels, "destroy_grace_seconds": 0, "stop_timeout": 1}}

image = docker.RemoteImage("image", name="{IMAGE}", keep_locally=True)
network = docker.Network("network", name=f"{{name}}-network", labels=[
    docker.NetworkLabelArgs(label=key, value=value) for key, value in {{**own, "changed": str(changed)}}.items()])
data = docker.Volume("data", name=f"{{name}}-data", labels=volume_labels,
                     opts=pulumi.ResourceOptions(retain_on_delete=True))
scratch = docker.Volume("scratch", name=f"{{name}}-scratch", labels=volume_labels)
valkey = docker.Container(
    "valkey", name=f"{{name}}-valkey", image=image.name, **common, wait=True, wait_timeout=60,
    healthcheck=docker.ContainerHealthcheckArgs(tests=["CMD", "valkey-cli", "ping"], interval="100ms", retries=50),
    networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=network.name)],
    volumes=[docker.ContainerVolumeArgs(volume_name=data.name, container_path="/data")], opts=first)
docker.Container(
    "once", name=f"{{name}}-once", image=image.name, **common, entrypoints=["true"], must_run=False, attach=True,
    logs=True, envs=[f"CHANGED={{changed}}"], opts=first)
docker.Container(
    "idle", name=f"{{name}}-idle", image=image.name, **common, entrypoints=["sleep"], command=["600"], must_run=True,
    restart="unless-stopped" if changed else "no",
    volumes=[docker.ContainerVolumeArgs(volume_name=scratch.name, container_path="/scratch")], opts=first)
proof = Proof("proof", {{"valkey": valkey.id, "changed": changed}})
pulumi.export("marker", proof.marker)
""",
}
RESOURCES: Final = ["data", "idle", "image", "network", "once", "proof", "scratch", "valkey"]


class Point(NamedTuple):
    """Where to kill: the ``occurrence``-th time that the engine comes there; see killable.py."""

    occurrence: int
    what: str
    which: str

    def __str__(self) -> str:
        return f"{self.occurrence}\t{self.what}\t{self.which}"


@dataclass
class Swept:
    """The project, its Docker and what must hold of both."""

    directory: Path
    client: docker.DockerClient = field(default_factory=docker_client)

    @property
    def state_file(self) -> Path:
        return self.directory / f".pulumi-state/.pulumi/stacks/{NAME}/dev.json"

    def write(self, *, changed: bool) -> None:
        file = self.directory / "Pulumi.dev.yaml"
        text = file.read_text()
        file.write_text(text.replace(f"changed: {str(not changed).lower()}", f"changed: {str(changed).lower()}"))

    def engine(self, command: str, at: Point | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(Path(__file__).with_name("killable.py")), command, "--stack", "dev"],
            cwd=self.directory,
            env={key: value for key, value in os.environ.items() if not key.startswith("PULUMI_")}
            | {
                "PULUMI_CONFIG_PASSPHRASE": "pass",
                "PYTHONPATH": str(ROOT),
                "KILL_LOG": str(self.directory / "points"),
                "KILL_AT": str(at or ""),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def points(self) -> list[Point]:
        """The points that the last run passed."""
        passed: list[Point] = []
        for line in (self.directory / "points").read_text().splitlines():
            what, _, which = line.partition("\t")
            passed.append(Point(1 + sum(p.what == what and p.which == which for p in passed), what, which))
        return passed

    def ours(self) -> tuple[dict[str, str], list[str], list[str]]:
        """What Docker has of ours: containers (ids by name), ids of networks, names of volumes."""
        # Other tests may be making and removing things of theirs: nothing is listed and then inspected.
        api, named = self.client.api, {"name": NAME}
        containers = {one["Names"][0].lstrip("/"): one["Id"] for one in api.containers(all=True, filters=named)}
        networks = [one["Id"] for one in api.networks(filters=named)]
        return containers, networks, sorted(one["Name"] for one in api.volumes(filters=named)["Volumes"] or [])

    def assert_readable(self) -> None:
        """The state file, and the one before it, are whole at this instant."""
        for file in (self.state_file, self.state_file.with_name("dev.json.bak")):
            if file.exists():
                assert json.loads(file.read_text())["version"] == 3

    def assert_no_host_is_left(self) -> None:
        deadline = time.monotonic() + 60
        while left := [p.pid for p in psutil.process_iter(["cwd"]) if p.info["cwd"] == str(self.directory)]:
            assert time.monotonic() < deadline, f"processes {left} outlived the engine"
            time.sleep(0.02)

    def assert_settled(self, *, up: bool, proved: str) -> None:
        """Everything is there once, in Docker as in the state, and nothing else is."""
        latest = json.loads(self.state_file.read_text())["checkpoint"]["latest"]
        assert "pending_operations" not in latest
        resources = latest.get("resources", [])
        recorded = {r["urn"].rsplit("::", 1)[1]: r for r in resources if "pulumi:p" not in r["type"]}
        assert sorted(recorded) == (RESOURCES if up else [])
        assert len(recorded) == sum("pulumi:p" not in r["type"] for r in resources)
        assert not [r["urn"] for r in resources if r.get("delete") or r.get("pendingReplacement")]
        containers, networks, volumes = self.ours()
        assert containers == {f"{NAME}-{n}": recorded[n]["id"] for n in ("idle", "once", "valkey") if up}
        assert networks == [recorded[n]["id"] for n in ("network",) if up]
        assert volumes == [f"{NAME}-data", *([f"{NAME}-scratch"] if up else [])]
        if up:
            assert recorded["proof"]["outputs"]["marker"] == proved
            assert recorded["proof"]["inputs"]["valkey"] == containers[f"{NAME}-valkey"]
        state = self.directory / ".pulumi-state"
        # A lock is written beside the folder, hidden, and moved there; one that was being written stays for a minute.
        assert not [file for file in state.glob(".pulumi/locks/**/*.json") if not file.name.startswith(".")]
        # Those of locks and of the stack file stay for a minute: no lock guards them.
        assert not [str(file) for folder in ("stacks", "history") for file in state.glob(f".pulumi/{folder}/**/*.tmp")]
        self.assert_no_host_is_left()


@pytest.fixture
def swept(tmp_path: Path) -> Iterator[Swept]:
    swept = Swept(tmp_path)
    ensure(swept.client, IMAGE)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    yield swept
    remove_all(swept.client, {"name": NAME})
    swept.client.close()


STEPS: Final = [("up", False), ("up", True), ("destroy", True)]


def drawn(passed: list[Point], count: int, chance: random.Random) -> list[Point]:
    """Points of one operation, in random order: no two of a kind while there are others."""
    kinds: dict[str, list[Point]] = {}
    for point in sorted(passed):
        when, _, what = point.what.partition(" ")
        kind = what if what.startswith(("POST", "PUT", "DELETE", "link", "unlink")) else f"{when} {what}"
        kinds.setdefault(kind, []).append(point)
    one_of_each = [chance.choice(points) for points in kinds.values()]
    others = sorted(set(passed) - set(one_of_each))
    chance.shuffle(one_of_each)
    chance.shuffle(others)
    chosen = [*one_of_each, *others][:count]
    chance.shuffle(chosen)
    return chosen


@pytest.mark.parametrize("points", [8, pytest.param(150, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)])])
def test_killed_anywhere_it_goes_on_and_neither_loses_nor_doubles_anything(swept: Swept, points: int) -> None:
    print(f"TESTS_SEED={SEED}")
    chance = random.Random(SEED)  # noqa: S311 - drawing points
    plans = []
    for command, changed in STEPS:
        swept.write(changed=changed)
        done = swept.engine(command)
        assert done.returncode == 0, done.stdout + done.stderr
        plans.append(drawn(swept.points(), -(-points // len(STEPS)), chance))
        swept.assert_settled(up=command == "up", proved=MARKER if changed else "")
        if not changed:
            valkey = swept.client.containers.get(f"{NAME}-valkey")
            assert valkey.exec_run(["valkey-cli", "set", "marker", MARKER]).exit_code == 0
            assert valkey.exec_run(["valkey-cli", "save"]).exit_code == 0
    killed = 0
    longest = max(map(len, plans))
    for cycle in range(longest):
        for (command, changed), plan in zip(STEPS, plans, strict=True):
            at = plan[cycle] if cycle < len(plan) else None
            began = time.monotonic()
            swept.write(changed=changed)
            if at is not None:
                first = swept.engine(command, at)
                assert first.returncode in (-9, 0), f"{command} at {at}:\n{first.stdout}{first.stderr}"
                killed += first.returncode == -9
                swept.assert_readable()
            then = swept.engine(command)
            try:
                assert then.returncode == 0
                swept.assert_settled(up=command == "up", proved=MARKER)
                print(f"{command} {at!r} {time.monotonic() - began:.1f} s")
            except AssertionError as error:
                error.add_note(f"{command} changed={changed} after a kill at {at}:\n{then.stdout}{then.stderr}")
                raise
    print(f"killed {killed} times at {sum(map(len, plans))} points")
    assert killed >= sum(map(len, plans)) * 0.8
