"""Bad input gets one clear error, in a preview too, and changes nothing: neither Docker, nor the state, nor a file.

Through what ``make`` runs, under each engine; and, where the program or the embedded engine must say it by itself,
without the launcher before it.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import docker_access
from tests.integration.deployment import COMMAND_SECONDS, ENGINES, Deployment, sh
from tests.integration.registry import registry
from tests.lease import free_port

both_engines = pytest.mark.parametrize("fresh", ENGINES, indirect=True)
each_engine = pytest.mark.parametrize("engine", ENGINES)
embedded = pytest.mark.parametrize("fresh", [ENGINES[0]], indirect=True)

VALKEY = "docker.io/valkey/valkey:8.0.1-alpine"
EMPTY_TAR = b"\0" * 10240
# Runs an engine as `make` does, with nothing asked before it.
ENGINE_ALONE = """\
import sys
from launcher import engines, stack
engine, command, name = sys.argv[1:]
sys.exit(engines.run(engines.Engine(name=engine, line=""), command, stack.open_project(name), name))
"""


def world(deployment: Deployment) -> dict[str, Any]:
    """Everything that may not change: what Docker holds under the stack's name, and the project's own files."""
    client = docker_access.client()
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
    """Run commands that must fail with one error each and change nothing; what the last one printed."""
    before, output = world(deployment), ""
    for command in commands or ("preview", "up"):
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
@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("uiport", 3000, "open-webui:uiport ('3000') is not a setting. Did you mean uiPort?"),
        ("colour", "blue", "open-webui:colour ('blue') is not a setting. There are acknowledged, "),
        ("uiPort", "abc", "open-webui:uiPort is 'abc'; integer is wanted."),
        ("tutorialNames", "yes", "open-webui:tutorialNames is 'yes'; boolean is wanted."),
        ("uiPort", 70000, "open-webui:uiPort is '70000': a port is a whole number from 1 to 65535."),
        ("valkeyImage", "docker.io/Valkey/valkey:8", "'docker.io/Valkey/valkey:8': this is not an image reference."),
        ("openWebuiImage", "ghcr.io/open-webui/open-webui:v0.11.9", ":v0.11.9': Open WebUI before 0.12.0"),
    ],
)
def test_a_setting_that_cannot_work_is_named_with_its_value_and_one_that_would(
    fresh: Deployment, key: str, value: object, says: str
) -> None:
    fresh.configure({key: value})
    output = refused(fresh, "preview")
    assert f"stacks/Pulumi.{fresh.stack}.yaml" in output
    assert says in output
    # Nothing was done for a deployment that cannot be: no image was looked at.
    assert "image: " not in output


@both_engines
def test_the_program_itself_refuses_a_setting_under_an_engine_alone(fresh: Deployment) -> None:
    fresh.configure({"uiport": 3000})
    before = world(fresh)
    output = alone(fresh, "preview")
    assert "open-webui:uiport ('3000') is not a setting. Did you mean uiPort?" in output
    assert left_alone(before, world(fresh))


# Files ------------------------------------------------------------------------------------------------------------


@both_engines
def test_a_stack_file_that_is_not_yaml_is_named_with_the_line(fresh: Deployment) -> None:
    fresh.stack_file.write_text("config:\n  open-webui:uiPort: [3000\n", encoding="utf-8")
    assert f"Pulumi.{fresh.stack}.yaml, line 3, column 1: not valid YAML" in refused(fresh)


@both_engines
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: open-webui\nconfig: [\n", "Pulumi.yaml, line 3, column 1: not valid YAML"),
        ("runtime: python\n", "Pulumi.yaml: `name` is None"),
        ("name: open-webui\nruntime: go\n", "Pulumi.yaml: `runtime` 'go'"),
    ],
)
def test_a_broken_project_file_is_named_with_what_is_wrong(fresh: Deployment, text: str, says: str) -> None:
    (fresh.directory / "Pulumi.yaml").write_text(text, encoding="utf-8")
    assert says in refused(fresh)


@both_engines
def test_a_stack_that_there_is_not_is_refused_with_those_there_are(fresh: Deployment) -> None:
    known, fresh.stack = fresh.stack, "nosuch"
    output = refused(fresh, "preview", "up", "destroy", "outputs")
    assert f"there is no stack 'nosuch'. Stacks here: dev, {known}, prod, staging." in output


@embedded
def test_a_stack_that_there_is_not_is_wrong_usage_of_the_embedded_engine(fresh: Deployment) -> None:
    command = [sys.executable, "-m", "engine", "up", "--stack", "nosuch"]
    done = subprocess.run(
        command, cwd=fresh.directory, env=fresh.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert re.fullmatch(r"error: No stack 'nosuch': .* Stacks here: dev, it\w+, prod, staging\. .*\n", done.stderr)


def read_only(deployment: Deployment, command: str, **environment: str) -> str:
    """Run a command where the project's directory cannot be written, not even by root."""
    folder = str(deployment.directory)
    mount = f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder} && cd {folder}"
    try:
        subprocess.run(["unshare", "--mount", "sh", "-c", mount], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount")
    launch = [sys.executable, "-m", "launcher", command, "--stack", deployment.stack, "--engine", deployment.engine]
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh", *launch], text=True, check=False,
        env={**deployment.environment(), **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert done.stdout.count("error: ") == 1, done.stdout
    return done.stdout


@both_engines
def test_a_project_that_cannot_be_written_is_named(fresh: Deployment, tmp_path_factory: pytest.TempPathFactory) -> None:
    before = world(fresh)
    given = {"PULUMI_CONFIG_PASSPHRASE": "given"}
    for environment in ({}, given):
        output = read_only(fresh, "up", **environment)
        assert f"{fresh.directory}/.pulumi-state" in output
        assert "Read-only file system" in output
        assert "writable" in output
    elsewhere = tmp_path_factory.mktemp("state")
    output = read_only(fresh, "up", PULUMI_BACKEND_URL=f"file://{elsewhere}", **given)
    assert f"stacks/Pulumi.{fresh.stack}.yaml cannot be written" in output
    assert world(fresh) == before
    assert not list(elsewhere.rglob("*.json"))


@both_engines
def test_a_state_directory_that_cannot_be_made_is_named(fresh: Deployment) -> None:
    given = {"PULUMI_CONFIG_PASSPHRASE": "given", "PULUMI_BACKEND_URL": "file:///proc/nowhere"}
    output = refused(fresh, "up", **given)
    assert "/proc/nowhere" in output
    assert "No such file or directory" in output
    assert "writable" in output


# What is in the way on this host ----------------------------------------------------------------------------------


@pytest.fixture
def holder(fresh: Deployment) -> Iterator[int]:
    """A port that a container of somebody else's publishes."""
    port, name = free_port(), f"{fresh.stack}-holder"
    sh("docker", "run", "-d", "--name", name, "-p", f"127.0.0.1:{port}:6379", VALKEY)
    try:
        yield port
    finally:
        sh("docker", "rm", "-fv", name)


@both_engines
@pytest.mark.parametrize(("one", "other"), [("uiPort", "valkeyDebugPort"), ("valkeyDebugPort", "uiPort")])
def test_a_port_in_use_is_named_with_the_container_or_process_that_holds_it(
    fresh: Deployment, holder: int, one: str, other: str
) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        taken: int = listener.getsockname()[1]
        fresh.configure({one: holder, other: taken})
        output = refused(fresh)
    assert f"port {holder} on 127.0.0.1 is in use by container {fresh.stack}-holder." in output
    assert f"port {taken} on 127.0.0.1 is in use by process {os.getpid()} (" in output
    assert re.search(rf"open-webui:{one}: \d+", output)
    assert re.search(rf"open-webui:{other}: \d+", output)


@pytest.fixture
def foreign(fresh: Deployment, request: pytest.FixtureRequest) -> Iterator[str]:
    """An object of somebody else's under a name of the stack's; its kind."""
    kind: str = request.param
    role = {"container": "valkey", "network": "network", "volume": "app_data"}[kind]
    name = fresh.names[role]
    sh("docker", kind, "create", *(("--name", name, VALKEY) if kind == "container" else (name,)))
    try:
        yield f"{kind} {name}"
    finally:
        sh("docker", kind, "rm", *(("--volumes",) if kind == "container" else ()), name)


@both_engines
@pytest.mark.parametrize("foreign", ["container", "network", "volume"], indirect=True)
def test_an_object_that_is_not_ours_is_named_and_left_alone(fresh: Deployment, foreign: str) -> None:
    output = refused(fresh)
    assert f"{foreign} exists and is not this stack's (it carries no label of a Pulumi stack" in output
    assert "nothing was changed" in output


@both_engines
@pytest.mark.parametrize("foreign", ["container"], indirect=True)
def test_the_program_itself_refuses_an_object_that_is_not_ours(fresh: Deployment, foreign: str) -> None:
    before = world(fresh)
    output = alone(fresh, "up")
    assert f"{foreign} exists and is not this stack's" in output
    assert left_alone(before, world(fresh))


@both_engines
@pytest.mark.parametrize(
    ("host", "reason"),
    [("tcp://127.0.0.1:1", "Connection refused"), ("unix:///nowhere/docker.sock", "No such file or directory")],
)
def test_a_docker_that_does_not_answer_is_named_with_the_address_tried(
    fresh: Deployment, host: str, reason: str
) -> None:
    output = refused(fresh, "preview", "up", "destroy", DOCKER_HOST=host)
    assert f"Docker does not answer at DOCKER_HOST={host}: {reason}\n" in output
    assert "unset DOCKER_HOST" in output


@both_engines
def test_the_program_itself_names_a_docker_that_does_not_answer(fresh: Deployment) -> None:
    output = alone(fresh, "preview", DOCKER_HOST="tcp://127.0.0.1:1")
    assert output.count("Docker does not answer at DOCKER_HOST=tcp://127.0.0.1:1: Connection refused.") >= 1


# Images -----------------------------------------------------------------------------------------------------------


@both_engines
@pytest.mark.parametrize(
    ("repository", "way_out"),
    [
        ("nobody/nothing:1", "Only images named caddy, open-webui, pgvector, valkey can be built on this machine."),
        (f"valkey/valkey@sha256:{'ab' * 32}", "Name it by a tag to have it built."),
    ],
)
def test_an_image_that_cannot_be_had_is_named_with_the_registrys_answer(
    fresh: Deployment, repository: str, way_out: str
) -> None:
    with registry() as source:
        reference = f"{source.host}/{repository}"
        fresh.configure({"valkeyImage": reference})
        output = refused(fresh)
    assert output.count(reference) == 1
    assert f"{reference} is not present and cannot be pulled: " in output
    assert "manifest unknown" in output
    assert way_out in output


@embedded
@pytest.mark.parametrize(
    ("key", "repository", "says"),
    [
        ("openWebuiImage", "open-webui/open-webui:v0.99.0", "there is no Open WebUI 0.99.0 on the package index."),
        (
            "valkeyImage",
            "valkey/valkey:77.1.2",
            "there is no Valkey 77.1.2 among the packages of this machine's mirror",
        ),
    ],
)
def test_a_version_that_nobody_has_is_named_with_those_there_are(
    fresh: Deployment, key: str, repository: str, says: str
) -> None:
    with registry() as source:
        fresh.configure({key: f"{source.host}/{repository}"})
        output = refused(fresh, "preview")
    assert says in output
    assert re.search(r"(It|which) has .*\d+\.\d+\.\d+", output)


@pytest.fixture
def old_image(fresh: Deployment) -> Iterator[str]:
    """An image under a floating tag, whose label says that it is too old."""
    reference = f"localhost/{fresh.stack}/open-webui:main"
    subprocess.run(
        ["docker", "import", "--change", "LABEL org.opencontainers.image.version=v0.11.3", "-", reference],
        input=EMPTY_TAR, capture_output=True, check=True,
    )  # fmt: skip
    try:
        yield reference
    finally:
        sh("docker", "rmi", reference)


@both_engines
def test_an_open_webui_that_is_too_old_is_known_by_its_label_where_the_tag_does_not_tell(
    fresh: Deployment, old_image: str
) -> None:
    fresh.configure({"openWebuiImage": old_image})
    output = refused(fresh)
    assert f"image {old_image} is Open WebUI v0.11.3" in output
    assert "0.12.0 or later is needed" in output


# A stack that is deployed -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployed stack for both engines: whatever they refuse leaves it as it is."""
    with Deployment(tmp_path_factory.mktemp("project"), "embedded").deployed() as made:
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
    output = refused(stack, "preview", "up", "destroy", PULUMI_CONFIG_PASSPHRASE="wrong")
    assert "Wrong passphrase: it does not open this stack's secrets. Set PULUMI_CONFIG_PASSPHRASE" in output


@each_engine
def test_a_passphrase_file_that_is_not_there_is_named(stack: Deployment, engine: str) -> None:
    output = refused(stack, "preview", "up", "destroy", PULUMI_CONFIG_PASSPHRASE_FILE="/nowhere/passphrase")
    assert "The passphrase file /nowhere/passphrase cannot be read (No such file or directory)." in output


@each_engine
def test_a_passphrase_that_was_lost_is_not_replaced_by_another(stack: Deployment, engine: str, tmp_path: Path) -> None:
    file = stack.directory / ".pulumi-state/passphrase"
    shutil.move(file, tmp_path)
    try:
        output = refused(stack, "preview", "up", "destroy")
    finally:
        shutil.move(tmp_path / "passphrase", file)
    assert f"The stack was begun under a passphrase, and none is given: {file} is not there." in output


@each_engine
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"version":3,"checkpoint":{"stack":"organ', "is not whole JSON"),
        (b'{"version":3}', "holds no checkpoint"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_state_file_that_cannot_be_used_is_named_and_kept(
    stack: Deployment, engine: str, state_file: Path, content: bytes, says: str
) -> None:
    state_file.write_bytes(content)
    output = refused(stack, "preview", "up")
    assert f"The state file {state_file} {says}" in output
    assert f"{state_file.name}.bak beside it" in output


@each_engine
def test_a_docker_that_went_away_leaves_the_state_of_a_deployed_stack(stack: Deployment, engine: str) -> None:
    output = refused(stack, "preview", "up", "destroy", DOCKER_HOST="tcp://127.0.0.1:1")
    assert "Connection refused" in output
