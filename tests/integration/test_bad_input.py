"""Bad input gets one clear error and changes nothing: neither Docker, nor the state, nor a file.

One case a layer, through what ``make`` runs, under each engine; and, where the program must say it by itself, without
the launcher before it. What is said of every other case is tested in process, where it is said.
"""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from docker_access.client import docker_client
from tests.integration.deployment import COMMAND_SECONDS, ENGINES, Deployment, sh
from tests.integration.registry import registry
from tests.lease import free_port

both_engines = pytest.mark.parametrize("stood_in", ENGINES, indirect=True)
each_engine = pytest.mark.parametrize("engine", ENGINES)
embedded = pytest.mark.parametrize("stood_in", ENGINES[:1], indirect=True)

VALKEY = "docker.io/valkey/valkey:8.0.1-alpine"
# Runs an engine as `make` does, with nothing asked before it.
ENGINE_ALONE = """\
import sys
from tooling.launcher import engines, stack
engine, command, name = sys.argv[1:]
sys.exit(engines.run(engines.Engine(name=engine, line=""), command, stack.open_stack(name)))
"""


def world(deployment: Deployment) -> dict[str, Any]:
    """Everything that may not change: what Docker holds under the stack's name, and the project's own files."""
    client = docker_client()
    try:
        name: dict[str, str | list[str] | bool] = {"name": deployment.stack}
        containers = client.containers.list(all=True, filters=name)
        found: dict[str, Any] = {
            "containers": sorted((c.name, c.id, c.status, c.attrs["State"]["StartedAt"]) for c in containers),
            "networks": sorted((network.name, network.id) for network in client.networks.list(filters=name)),
            "volumes": sorted((v.name, str(v.attrs["Labels"])) for v in client.volumes.list(filters=name)),
        }
    finally:
        client.close()
    # Ours or the CLI's; what is left out are caches, and the CLI's memory of the backend's format.
    kept = [deployment.directory / name for name in ("Pulumi.yaml", "stacks", ".pulumi-state")]
    files = [file for path in kept for file in ([path] if path.is_file() else sorted(path.rglob("*")))]
    found["files"] = {str(file): file.read_bytes() for file in files if file.is_file() and file.name != "meta.yaml"}
    return found


def refused(deployment: Deployment, *commands: str, **environment: str) -> str:
    """Run commands, or `up`, that must fail with one error each and change nothing; what the last one printed."""
    before, output = world(deployment), ""
    for command in commands or ("up",):
        output = deployment.fail(command, **environment)
        assert output.count("error: ") == 1, output
        assert world(deployment) == before, output
    return output


def alone(deployment: Deployment, command: str, **environment: str) -> str:
    """Run an engine without the launcher's own look; it must fail without a traceback. What it printed."""
    done = subprocess.run(
        [sys.executable, "-c", ENGINE_ALONE, deployment.engine, command, deployment.stack],
        cwd=deployment.directory, env={**deployment.environment(), **environment}, text=True, timeout=COMMAND_SECONDS,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    assert done.returncode != 0, done.stdout
    assert "Traceback" not in done.stdout
    return done.stdout


def left_alone(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether Docker is as it was; an engine that has begun may have recorded its stack."""
    return all(before[kind] == after[kind] for kind in ("containers", "networks", "volumes"))


# Settings ---------------------------------------------------------------------------------------------------------


@both_engines
def test_a_setting_that_cannot_work_is_named_with_one_that_would_in_a_preview_too(stood_in: Deployment) -> None:
    stood_in.configure({"uiport": 3000})
    output = refused(stood_in, "preview")
    assert f"stacks/Pulumi.{stood_in.stack}.yaml" in output
    assert "open-webui:uiport ('3000') is not a setting. Did you mean uiPort?" in output
    # Nothing was done for a deployment that cannot be: no image was looked at.
    assert "image: " not in output


@both_engines
def test_the_program_itself_refuses_a_setting_under_an_engine_alone(stood_in: Deployment) -> None:
    stood_in.configure({"uiport": 3000})
    before = world(stood_in)
    output = alone(stood_in, "preview")
    assert "open-webui:uiport ('3000') is not a setting. Did you mean uiPort?" in output
    assert left_alone(before, world(stood_in))


# Files ------------------------------------------------------------------------------------------------------------


@both_engines
def test_a_stack_file_that_is_not_yaml_is_named_with_the_line(stood_in: Deployment) -> None:
    stood_in.stack_file.write_text("config:\n  open-webui:uiPort: [3000\n", encoding="utf-8")
    assert f"Pulumi.{stood_in.stack}.yaml, line 3, column 1: not valid YAML" in refused(stood_in)


@both_engines
def test_a_stack_that_there_is_not_is_refused_with_those_there_are(stood_in: Deployment) -> None:
    known, stood_in.stack = stood_in.stack, "nosuch"
    output = refused(stood_in)
    assert f"there is no stack 'nosuch'. Stacks here: dev, {known}, prod, staging." in output


def read_only(deployment: Deployment, command: str, **environment: str) -> str:
    """Run a command where the project's directory cannot be written, not even by root."""
    folder = str(deployment.directory)
    mount = f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder} && cd {folder}"
    try:
        subprocess.run(["unshare", "--mount", "sh", "-c", mount], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount")
    launch = [
        sys.executable,
        "-m",
        "tooling.launcher",
        command,
        "--stack",
        deployment.stack,
        "--engine",
        deployment.engine,
    ]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh", *launch], text=True, check=False,
        env={**deployment.environment(), **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert done.stdout.count("error: ") == 1, done.stdout
    return done.stdout


@both_engines
def test_a_project_that_cannot_be_written_is_named(stood_in: Deployment) -> None:
    before = world(stood_in)
    output = read_only(stood_in, "up")
    assert f"{stood_in.directory}/.pulumi-state" in output
    assert "Read-only file system" in output
    assert "writable" in output
    assert world(stood_in) == before


# What is in the way on this host ----------------------------------------------------------------------------------


@pytest.fixture
def holder(stood_in: Deployment) -> Iterator[int]:
    """A port that a container of somebody else's publishes."""
    port, name = free_port(), f"{stood_in.stack}-holder"
    sh("docker", "run", "-d", "--name", name, "-p", f"127.0.0.1:{port}:6379", VALKEY)
    try:
        yield port
    finally:
        sh("docker", "rm", "-fv", name)


@both_engines
def test_a_port_in_use_is_named_with_the_container_or_process_that_holds_it(stood_in: Deployment, holder: int) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        taken: int = listener.getsockname()[1]
        stood_in.configure({"uiPort": holder, "valkeyDebugPort": taken})
        output = refused(stood_in)
    assert f"port {holder} on 127.0.0.1 is in use by container {stood_in.stack}-holder." in output
    assert f"port {taken} on 127.0.0.1 is in use by process {os.getpid()} (" in output
    assert re.search(r"open-webui:uiPort: \d+", output)
    assert re.search(r"open-webui:valkeyDebugPort: \d+", output)


@pytest.fixture
def foreign(stood_in: Deployment) -> Iterator[str]:
    """A container of somebody else's under a name of the stack's."""
    name = stood_in.names["valkey"]
    sh("docker", "create", "--name", name, VALKEY)
    try:
        yield f"container {name}"
    finally:
        sh("docker", "rm", "--volumes", name)


@both_engines
def test_an_object_that_is_not_ours_is_named_and_left_alone(stood_in: Deployment, foreign: str) -> None:
    output = refused(stood_in)
    assert f"{foreign} exists and is not this stack's (it carries no label of a Pulumi stack" in output
    assert "nothing was changed" in output


@both_engines
def test_the_program_itself_refuses_an_object_that_is_not_ours(stood_in: Deployment, foreign: str) -> None:
    before = world(stood_in)
    output = alone(stood_in, "up")
    assert f"{foreign} exists and is not this stack's" in output
    assert left_alone(before, world(stood_in))


@both_engines
def test_a_docker_that_does_not_answer_is_named_with_the_address_tried(stood_in: Deployment) -> None:
    output = refused(stood_in, DOCKER_HOST="tcp://127.0.0.1:1")
    assert "Docker does not answer at DOCKER_HOST=tcp://127.0.0.1:1: Connection refused\n" in output
    assert "unset DOCKER_HOST" in output


# Images -----------------------------------------------------------------------------------------------------------


@both_engines
def test_an_image_that_cannot_be_had_is_named_with_the_registrys_answer(stood_in: Deployment) -> None:
    with registry() as source:
        reference = f"{source.host}/nobody/nothing:1"
        stood_in.configure({"valkeyImage": reference})
        output = refused(stood_in)
    assert output.count(reference) == 1
    assert f"{reference} is not present and cannot be pulled: " in output
    assert "manifest unknown" in output
    assert "Only images named caddy, open-webui, pgvector, valkey can be built on this machine." in output


@embedded
@pytest.mark.usefixtures("downloads")
def test_a_version_that_nobody_has_is_named_with_those_there_are(stood_in: Deployment) -> None:
    with registry() as source:
        stood_in.configure({"openWebuiImage": f"{source.host}/open-webui/open-webui:v0.99.0"})
        assert "There is no such image at its registry" in refused(stood_in, "preview")
        output = refused(stood_in, "preview", BUILD_IMAGES="1")
    assert "there is no Open WebUI 0.99.0 on the package index." in output
    assert re.search(r"It has .*\d+\.\d+\.\d+", output)


# A stack that is deployed -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployed stack for both engines: whatever they refuse leaves it as it is."""
    with Deployment(tmp_path_factory.mktemp("project"), "embedded", stand_in=True).deployed() as made:
        yield made


@pytest.fixture
def stack(deployed: Deployment, engine: str) -> Deployment:
    deployed.engine = engine
    return deployed


@pytest.fixture
def state_file(stack: Deployment) -> Iterator[Path]:
    file = stack.directory / f".pulumi-state/.pulumi/stacks/open-webui/{stack.stack}.json"
    whole = file.read_bytes()
    try:
        yield file
    finally:
        file.write_bytes(whole)


@each_engine
def test_a_bad_setting_leaves_what_is_deployed_as_it_is(stack: Deployment, engine: str) -> None:
    stack.configure({"uiport": 3000})
    try:
        assert "Did you mean uiPort?" in refused(stack)
    finally:
        stack.configure({"uiport": None})


@each_engine
def test_a_program_that_refuses_keeps_the_outputs_of_the_last_update(stack: Deployment, engine: str) -> None:
    before = world(stack)
    stack.configure({"uiport": 3000})
    try:
        assert "Did you mean uiPort?" in alone(stack, "up")
    finally:
        stack.configure({"uiport": None})
    assert left_alone(before, world(stack))
    assert stack.outputs()["verification"]["verdict"] == "proved"


@each_engine
def test_a_wrong_passphrase_is_refused_with_where_to_give_the_right_one(stack: Deployment, engine: str) -> None:
    output = refused(stack, PULUMI_CONFIG_PASSPHRASE="wrong")
    assert "Wrong passphrase: it does not open this stack's secrets. Set PULUMI_CONFIG_PASSPHRASE" in output


@each_engine
def test_a_state_file_that_cannot_be_used_is_named_and_kept(stack: Deployment, engine: str, state_file: Path) -> None:
    state_file.write_bytes(b'{"version":3,"checkpoint":{"stack":"organ')
    output = refused(stack)
    assert f"The state file {state_file} is not whole JSON" in output
    assert f"{state_file.name}.bak beside it" in output


@each_engine
def test_a_docker_that_went_away_leaves_the_state_of_a_deployed_stack(stack: Deployment, engine: str) -> None:
    assert "Connection refused" in refused(stack, DOCKER_HOST="tcp://127.0.0.1:1")
