"""The examples of programs of somebody's own, as their READMEs have people run them: deployed, proved, removed."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import yaml

from docker_access.client import docker_client
from tests import bare
from tests.documents import commands
from tests.integration.deployment import ENGINES, NOT_COPIED, PROJECT, remove_all
from tests.lease import free_port
from tests.stand_in import ensure_stand_in
from tooling.machine.uv import environment as uv_environment
from tooling.machine.uv import uv

pytestmark = [pytest.mark.docker, pytest.mark.nightly]

SECONDS = 600
INSTALLED = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"][
    "targets"
]["wheel"]["only-include"]


@dataclass
class Example:
    """The example in a copy of the project, its package installed.

    Attributes:
        directory: The example's directory in the copy.
        stack: Name of the stack it is deployed as.
        port: Where its web server is published.
        name: The project's name in its Pulumi.yaml.
    """

    directory: Path
    stack: str
    port: int
    name: str = "shop"

    @property
    def prefix(self) -> str:
        return f"{self.name}-{self.stack}"

    def run(self, script: str, engine: str) -> str:
        """Run some of the README's commands; what they printed."""
        kept = bare.without_pulumi(os.environ)
        backend = self.directory / f".pulumi-{engine}"
        backend.mkdir(exist_ok=True)
        own = {
            "PULUMI_BACKEND_URL": f"file://{backend}", "PULUMI_CONFIG_PASSPHRASE": "correct horse",
            "PULUMI_SKIP_UPDATE_CHECK": "true", "NO_COLOR": "1",
        }  # fmt: skip
        done = subprocess.run(
            ["sh", "-e", "-c", script], cwd=self.directory, env={**kept, **own}, text=True, timeout=SECONDS,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout

    def state(self, engine: str) -> str:
        return (self.directory / f".pulumi-{engine}/.pulumi/stacks/shop/{self.stack}.json").read_text(encoding="utf-8")

    def left(self) -> set[str]:
        """Containers, networks and volumes there are of it."""
        client = docker_client()
        try:
            containers = [str(item.name) for item in client.containers.list(all=True, ignore_removed=True)]
            networks = [str(item.name) for item in client.networks.list()]
            volumes = [str(item.name) for item in client.volumes.list()]
        finally:
            client.close()
        return {name for name in (*containers, *networks, *volumes) if name.startswith(self.prefix)}

    def remove_everything(self) -> None:
        with closing(docker_client()) as client:
            remove_all(client, {"name": self.prefix})


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory, downloads: None) -> Iterator[Example]:
    copy = tmp_path_factory.mktemp("example")
    shutil.copytree(PROJECT, copy, ignore=NOT_COPIED, dirs_exist_ok=True)
    (copy / ".venv").symlink_to(sys.prefix)
    made = Example(copy / "examples/behind_your_own_proxy", f"ex{secrets.token_hex(3)}", free_port())
    (made.directory / "Pulumi.dev.yaml").unlink()
    stack_file = made.directory / f"Pulumi.{made.stack}.yaml"
    stack_file.write_text(yaml.safe_dump({"config": {"shop:port": made.port}}), encoding="utf-8")
    # The README's `python3 -m venv` and pip, by the installer that is here on every machine, from its cache.
    program = str(uv())
    for command in (
        [program, "venv", "--quiet", "--seed", "--python", sys.executable, ".venv"],
        [program, "pip", "install", "--quiet", "--python", ".venv", "-r", "requirements.txt", "-c",
         "../../requirements-dev.txt"],
    ):  # fmt: skip
        done = subprocess.run(
            command, cwd=made.directory, env=uv_environment(os.environ), text=True, timeout=SECONDS,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
    try:
        yield made
    finally:
        made.remove_everything()


def test_the_package_is_what_lies_here_and_imports_without_the_checkout(example: Example) -> None:
    (site,) = example.directory.glob(".venv/lib/python3*/site-packages")
    for name in INSTALLED:
        here, there = PROJECT / name, site / name
        files = [here] if here.is_file() else [path for path in here.rglob("*") if path.suffix in {".py", ".typed"}]
        for file in files:
            assert (there / file.relative_to(here) if here.is_dir() else there).read_bytes() == file.read_bytes()
    script = (
        "import components, json, verification.provider, verification.run\n"
        "print(json.dumps([getattr(components, name).__module__ for name in components.__all__]))"
    )
    python = str(example.directory / ".venv/bin/python")
    printed = subprocess.run([python, "-P", "-c", script], cwd="/", text=True, capture_output=True, check=True).stdout
    assert set(json.loads(printed)) >= {
        "components.valkey",
        "components.open_webui",
        "components.limits",
        "components.accounts",
    }


@pytest.mark.parametrize("engine", ENGINES)
def test_the_example_is_proved_changes_nothing_then_and_goes_without_a_trace(example: Example, engine: str) -> None:
    script = (
        commands("examples/behind_your_own_proxy/README.md", "With the Pulumi CLI", dev=example.stack)
        if engine == "pulumi"
        else commands("examples/behind_your_own_proxy/README.md", "With the embedded engine", dev=example.stack)
    )
    lines = script.splitlines(keepends=True)
    assert "destroy" in lines[-1]
    printed = example.run("".join(lines[:-1]), engine)
    assert "proved: live events through Valkey are sent and received by each of 1 replica" in printed
    # Through the web server that was there; the name is the program's own setting of Open WebUI.
    page = requests.get(f"http://127.0.0.1:{example.port}/api/config", timeout=60).json()
    assert page["name"].startswith("Shop")
    # Valkey's password is in the state, and sealed.
    assert not re.search("rediss://openwebui:[0-9a-f]", example.state(engine))
    example.run(lines[-1], engine)
    # Data stays; the next engine's turn takes it over.
    assert example.left() == {f"{example.prefix}-chat", f"{example.prefix}-valkey"}


@pytest.mark.pulumi_cli
def test_the_example_in_yaml_is_proved_and_changes_nothing_then(tmp_path: Path) -> None:
    copy = tmp_path / "project"
    shutil.copytree(PROJECT, copy, ignore=NOT_COPIED)
    example = Example(copy / "examples/yaml", f"ex{secrets.token_hex(3)}", free_port(), name="chat")
    config = {"chat:port": example.port, "chat:openWebuiImage": ensure_stand_in()}
    (example.directory / f"Pulumi.{example.stack}.yaml").write_text(
        yaml.safe_dump({"config": config}), encoding="utf-8"
    )
    try:
        printed = example.run(commands("examples/yaml/README.md", "Deploy", dev=example.stack), "pulumi")
        assert "proved: live events through Valkey are sent and received by each of 1 replica" in printed
        assert example.left() == {f"{example.prefix}-data", f"{example.prefix}-valkey-data"}
    finally:
        example.remove_everything()
