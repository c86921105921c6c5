"""A stack of its own for a test: a copy of the project, deployed by what `make` runs, and removed without a trace."""

import io
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import docker
import docker.errors
import psutil
import pytest
import yaml
from docker.models.containers import Container

from docker_access import labels
from docker_access.client import api_client, docker_client
from tests import bare, stand_in
from tests.lease import free_port, free_subnet
from verification.ask.detect import detect
from verification.ask.docker_view import DockerView
from verification.subject import subject_of

PROJECT = Path(__file__).resolve().parents[2]
NOT_COPIED = shutil.ignore_patterns(".*", "__pycache__", "tests")
"""What no command needs: a copy of the project has everything else."""

COMMAND_SECONDS = 600
CHECK_SECONDS = 60
ENGINES = (
    pytest.param("embedded", marks=pytest.mark.docker),
    pytest.param("pulumi", marks=[pytest.mark.docker, pytest.mark.pulumi_cli]),
)
"""Parameters of what is to be so under either engine."""


@dataclass
class Deployment:
    """One stack in a copy of the project.

    Attributes:
        directory: The copy.
        engine: ``embedded`` or ``pulumi``.
        stack: Its name.
        config: Settings that differ from the defaults, without the project's namespace.
        stand_in: Whether its Open WebUI is only stood in for.
    """

    directory: Path
    engine: str
    stack: str = field(default_factory=lambda: f"it{secrets.token_hex(3)}")
    config: dict[str, Any] = field(default_factory=lambda: {"uiPort": free_port(), "logLevel": "DEBUG"})
    stand_in: bool = False

    def __post_init__(self) -> None:
        shutil.copytree(PROJECT, self.directory, ignore=NOT_COPIED, dirs_exist_ok=True)
        (self.directory / ".venv").symlink_to(sys.prefix)
        self.configure({"openWebuiImage": self._stand_in()} if self.stand_in else {})

    def _stand_in(self) -> str:
        """Have the image that stands in for Open WebUI; the copy does not wait for a boot that takes no time."""
        file = self.directory / "verification/ask/observe.py"
        before, waits, after = file.read_text(encoding="utf-8").partition("\nBOOT_SECONDS: Final = 4.0\n")
        assert waits
        file.write_text(f"{before}\nBOOT_SECONDS: Final = 0.5\n{after}", encoding="utf-8")
        return stand_in.ensure_stand_in()

    @property
    def names(self) -> dict[str, str]:
        """Docker names by what they name."""
        if self.config.get("tutorialNames"):
            return {
                "app": "open-webui", "valkey": "redis-valkey", "migration": "open-webui-migration",
                "network": "openwebui-network", "app_data": "open-webui", "valkey_data": "redis-data",
            }  # fmt: skip
        prefix = f"open-webui-{self.stack}"
        both = {
            "valkey": f"{prefix}-valkey", "migration": f"{prefix}-migration",
            "app_data": f"{prefix}-data", "valkey_data": f"{prefix}-valkey-data",
        }  # fmt: skip
        if self.config.get("topology") != "replicated":
            return {**both, "app": prefix, "network": f"{prefix}-network"}
        return {
            **both,
            **{f"app-{number}": name for number, name in enumerate(self.apps, start=1)},
            "network": f"{prefix}-edge", "data_network": f"{prefix}-data",
            "postgres": f"{prefix}-postgres", "postgres_setup": f"{prefix}-postgres-setup",
            "postgres_data": f"{prefix}-postgres-data", "postgres_socket": f"{prefix}-postgres-socket",
            "gateway": f"{prefix}-gateway", "gateway_data": f"{prefix}-gateway-data",
            "app_files": f"{prefix}-files", "valkey_files": f"{prefix}-valkey-files",
            "gateway_files": f"{prefix}-gateway-files",
        }  # fmt: skip

    @property
    def apps(self) -> list[str]:
        """Names of the containers of Open WebUI."""
        if self.config.get("topology") != "replicated":
            return [self.names["app"]]
        return [f"open-webui-{self.stack}-{number}" for number in range(1, self.config.get("replicas", 1) + 1)]

    @property
    def stack_file(self) -> Path:
        return self.directory / f"stacks/Pulumi.{self.stack}.yaml"

    def configure(self, changes: Mapping[str, Any]) -> None:
        """Set some settings; None takes one back to its default."""
        self.config = {key: value for key, value in {**self.config, **changes}.items() if value is not None}
        if self.config.get("topology") == "replicated":
            self.config.setdefault("edgeSubnet", free_subnet())
        kept = yaml.safe_load(self.stack_file.read_text(encoding="utf-8")) if self.stack_file.exists() else {}
        kept["config"] = {f"open-webui:{key}": value for key, value in self.config.items()}
        self.stack_file.write_text(yaml.safe_dump(kept), encoding="utf-8")

    def environment(self) -> dict[str, str]:
        # The copy may keep its bytecode: compiling it again for each command takes longer than the command.
        inherited = bare.without_pulumi(os.environ)
        inherited.pop("PYTHONDONTWRITEBYTECODE", None)
        return {**inherited, "NO_COLOR": "1", "PULUMI_SKIP_UPDATE_CHECK": "true"}

    def make(self, command: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """What ``make COMMAND STACK=... ENGINE=...`` runs, once Python is set up."""
        return subprocess.run(
            [sys.executable, "-m", "tooling.launcher", command,
             "--stack", self.stack, "--engine", self.engine, *options],
            cwd=self.directory, env={**self.environment(), **environment}, text=True, timeout=COMMAND_SECONDS,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip

    @contextmanager
    def deployed(self) -> Iterator[Self]:
        """Have it up meanwhile, and nothing of it left afterwards."""
        try:
            self.succeed("up")
            yield self
        finally:
            self.remove_everything()

    def succeed(self, command: str, *options: str, **environment: str) -> str:
        """Run a command that must succeed; what it printed."""
        done = self.make(command, *options, **environment)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def type_in(self, script: str, answer: str = "") -> str:
        """Have a shell run what a document says, in the project's directory; what it printed.

        ``make`` does not look after the virtual environment: the copy's is that of these tests.

        Args:
            script: Shell commands; each must succeed.
            answer: What is typed where a command reads from its standard input.
        """
        path = f"{self.directory}/.venv/bin:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euxo", "pipefail", "-c", script], cwd=self.directory, text=True, timeout=2 * COMMAND_SECONDS,
            env={**self.environment(), "PATH": path, "PYTHON": "true", "ENGINE": self.engine, "STACK": self.stack},
            input=answer, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout

    def ids(self) -> dict[str, str]:
        """Ids of its containers by name."""
        with closing(docker_client()) as client:
            found = client.containers.list(all=True, filters=self.marks(), ignore_removed=True)
            return {str(one.name): str(one.id) for one in found}

    def starts_and_ends(self, command: str) -> list[str]:
        """Run a command that must succeed; what containers began and ended meanwhile, as ``start NAME``, ``die NAME``.

        Listened to as they come: the daemon remembers its last 256 events only, and health checks soon fill those.
        """
        filters = ["type=container", "event=start", "event=die", f"label={labels.STACK}={self.stack}"]
        options = [word for text in filters for word in ("--filter", text)]
        listening = ["docker", "events", *options, "--format", "{{.Action}} {{.Actor.Attributes.name}}"]
        with subprocess.Popen(listening, stdout=subprocess.PIPE, text=True) as events:
            try:
                self.succeed(command)
            finally:
                events.terminate()
            return (events.stdout or io.StringIO()).read().splitlines()

    def fail(self, command: str, *options: str, **environment: str) -> str:
        """Run a command that must fail, and without a traceback; what it printed."""
        done = self.make(command, *options, **environment)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stdout
        return done.stdout

    def outputs(self, *options: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "tooling.launcher", "outputs",
             "--stack", self.stack, "--engine", self.engine, *options],
            cwd=self.directory, env=self.environment(), capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def state(self) -> bytes:
        """The stack's state as it lies on disk; empty if there is none."""
        file = self.directory / f".pulumi-state/.pulumi/stacks/open-webui/{self.stack}.json"
        return file.read_bytes() if file.exists() else b""

    def inspect(self, role: str) -> dict[str, Any]:
        """What ``docker inspect`` shows of one of the containers."""
        client = api_client()
        try:
            found: dict[str, Any] = client.inspect_container(self.names[role])
            return found
        finally:
            client.close()

    def run_in(self, role: str, *command: str) -> str:
        """Run a command inside a container."""
        return sh("docker", "exec", self.names[role], *command)

    def pause(self, role: str) -> None:
        """Pause a container; see :func:`pause`."""
        with closing(docker_client()) as client:
            pause(client.containers.get(self.names[role]))

    def marks(self) -> dict[str, str | list[str] | bool]:
        """Docker's filter for what carries the stack's marks of ownership."""
        return {"label": [f"{labels.PROJECT}=open-webui", f"{labels.STACK}={self.stack}"]}

    def left(self) -> dict[str, list[str]]:
        """What Docker still holds of the stack, by kind."""
        marks = self.marks()
        client = docker_client()
        try:
            return {
                "containers": [
                    str(item.name) for item in client.containers.list(all=True, filters=marks, ignore_removed=True)
                ],
                "networks": [str(item.name) for item in client.networks.list(filters=marks)],
                "volumes": sorted(str(item.name) for item in client.volumes.list(filters=marks)),
            }
        finally:
            client.close()

    def is_found_as_described(self) -> bool:
        """Whether the verification, told nothing, finds the stack as its own outputs describe it."""
        outputs = self.outputs("--show-secrets")
        with closing(DockerView()) as view:
            found = [item.subject for item in detect(view) if self.apps[0] in item.subject.apps]
        return found == [subject_of({**outputs["subject"], "url": outputs["url"]})]

    def _commands(self) -> list[psutil.Process]:
        """Processes of this user that work in the stack's directory."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.cwd() == str(self.directory):
                    found.append(process)
        return found

    def remove_everything(self) -> None:
        """Remove what the stack made, whatever state a failed test left it in."""
        # An update that Ctrl-C interrupted finishes the steps under way: it would make what is removed here once more.
        psutil.wait_procs(self._commands(), timeout=COMMAND_SECONDS)
        with closing(docker_client()) as client:
            remove_all(client, self.marks())


def remove_all(client: docker.DockerClient, filters: Mapping[str, Any]) -> None:
    """Remove the containers, networks and volumes that Docker's filters let through; what is gone meanwhile is fine."""
    chosen = dict(filters)
    for container in client.containers.list(all=True, filters=chosen, ignore_removed=True):
        remove_container(client, str(container.name))
    for network in client.networks.list(filters=chosen):
        with suppress(docker.errors.NotFound):
            network.remove()
    for volume in client.volumes.list(filters=chosen):
        with suppress(docker.errors.NotFound):
            volume.remove(force=True)


def remove_container(client: docker.DockerClient, name: str) -> None:
    """Remove a container, if it is there; return when it is gone."""
    with suppress(docker.errors.NotFound):
        container = client.containers.get(name)
        try:
            container.remove(force=True, v=True)
        except docker.errors.APIError as error:
            if error.status_code != HTTPStatus.CONFLICT:
                raise
            container.wait(condition="removed", timeout=30)  # Docker is at it already


def pause(container: Container) -> None:
    """Pause a container between two of its healthchecks, the first of which it waits for.

    In the middle of one, Docker answers nobody who asks about that container until it goes on.
    """

    def last_check() -> str:
        container.reload()
        checks = container.attrs["State"].get("Health", {}).get("Log") or [{}]
        return str(checks[-1].get("End"))

    before, end = last_check(), time.monotonic() + CHECK_SECONDS
    while "Health" in container.attrs["State"] and last_check() == before:
        assert time.monotonic() < end, f"{container.name} was not checked for {CHECK_SECONDS} s"
        time.sleep(0.02)
    container.pause()


def authority(stack: Deployment, which: str = "root") -> str:
    """PEM of a certificate of a gateway's own authority: its ``root``, or the ``intermediate`` that it sends."""
    file = f"/var/tmp/caddy/pki/authorities/local/{which}.crt"
    return sh("docker", "exec", stack.names["gateway"], "cat", file)


def no_changes(output: str) -> bool:
    """Whether an engine said that everything stayed as it was."""
    summary = output[output.rindex("Resources:") :]
    changes = re.search(r"\d+ (to|created|updated|replaced|deleted)\b", summary)
    return bool(re.search(r"^ +\d+ unchanged$", summary, re.MULTILINE)) and not changes


def settings_of(stack: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """What the project's own file of a stack says, on another port, with some changes; None leaves a setting out."""
    written = yaml.safe_load((PROJECT / f"stacks/Pulumi.{stack}.yaml").read_text(encoding="utf-8"))["config"]
    all_of_them = {**{key.partition(":")[2]: value for key, value in written.items()}, "uiPort": free_port(), **changes}
    return {key: value for key, value in all_of_them.items() if value is not None}


def sh(*command: str) -> str:
    """Run a command that must succeed; its output."""
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
