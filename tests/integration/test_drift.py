"""Drift on real containers: each kind is listed as a line, and the one line that fixes it does."""

import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from components.limits import DEFAULTS, DEFAULTS_OF_SINGLE
from docker_access import labels
from tests import stand_in
from tests.documents import commands
from tests.integration.deployment import COMMAND_SECONDS, ENGINES, Deployment, sh
from tests.lease import free_port

pytestmark = pytest.mark.docker

VALKEY = "docker.io/valkey/valkey:8.0.1-alpine"
LISTED = re.compile("  (container|network|volume|image) ")
CLEAN, COULD_NOT_ASK, DRIFT = 0, 1, 2


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A single stack, whose image of Valkey nobody else uses."""
    deployment = Deployment(tmp_path_factory.mktemp("dev"), "embedded", stand_in=True)
    image = f"open-webui-test/{deployment.stack}:8.0.1"
    sh("docker", "tag", VALKEY, image)
    deployment.configure({"valkeyImage": image})
    try:
        deployment.succeed("up")
        yield deployment
    finally:
        # One made by hand does not bear the stack's labels.
        subprocess.run(
            ["docker", "rm", "--force", "--volumes", deployment.names["app"]], capture_output=True, check=False
        )
        deployment.remove_everything()
        sh("docker", "rmi", "--force", image)


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A replicated stack."""
    deployment = Deployment(tmp_path_factory.mktemp("staging"), "embedded", stand_in=True)
    deployment.configure({"topology": "replicated", "replicas": 2, "enableSignup": True})
    with deployment.deployed():
        yield deployment


def assert_drift(stack: Deployment, *lines: str) -> str:
    """Assert that exactly these lines are listed; the line that fixes them."""
    done = stack.make("drift")
    assert done.returncode == DRIFT, done.stdout
    first, *others = done.stdout.splitlines()
    many = f"{len(lines)} differences" if len(lines) > 1 else "1 difference"
    assert first == f"drift: stack {stack.stack} is not as the last update left it, {many}:"
    assert sorted(line.strip() for line in others if LISTED.match(line)) == sorted(lines)
    assert others[-1].startswith("fix: ")
    return others[-1].removeprefix("fix: ")


def run(stack: Deployment, line: str) -> str:
    """Run a command line as somebody would who copied it; what it printed."""
    # `make` hands its own options down to a `make` below it.
    inherited = {key: value for key, value in stack.environment().items() if not key.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["bash", "-ec", line], cwd=stack.directory, env={**inherited, "ENGINE": stack.engine}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=COMMAND_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{line}\n{done.stdout}"
    return done.stdout


def assert_clean(stack: Deployment) -> None:
    done = stack.make("drift")
    assert done.returncode == CLEAN, done.stdout


def files_of(stack: Deployment) -> dict[str, bytes]:
    """The state and all that lies beside it."""
    found = sorted((stack.directory / ".pulumi-state").rglob("*"))
    return {str(path): path.read_bytes() for path in found if path.is_file()}


@pytest.mark.parametrize("name", ["dev", "staging"])
def test_what_is_as_it_was_deployed_is_clean_and_asking_changes_nothing(
    name: str, request: pytest.FixtureRequest
) -> None:
    stack: Deployment = request.getfixturevalue(name)
    before = files_of(stack)

    printed = run(stack, commands("docs/operations.md", "Drift").replace("STACK=team", f"STACK={stack.stack}"))

    assert f"no drift: stack {stack.stack} is as the last update left it" in printed
    assert json.loads(printed[printed.index("{") :])["verdict"] == "clean"
    assert files_of(stack) == before


def test_what_needs_no_update_is_mended_without_one(dev: Deployment) -> None:
    app, valkey, network = dev.names["app"], dev.names["valkey"], dev.names["network"]
    extra, stray = f"{app}-extra", f"{app}-stray"
    ours = [f"--label={labels.PROJECT}=open-webui", f"--label={labels.STACK}={dev.stack}"]
    started = dev.inspect("app")["State"]["StartedAt"]
    sh("docker", "network", "create", extra)
    sh("docker", "network", "create", *ours, stray)
    sh("docker", "create", *ours, "--tmpfs", "/data", "--name", stray, VALKEY)
    try:
        sh("docker", "network", "connect", extra, app)
        sh("docker", "network", "disconnect", network, valkey)
        sh("docker", "network", "connect", network, valkey)
        sh("docker", "update", "--pids-limit", "300", valkey)
        sh("docker", "rename", valkey, f"{valkey}-renamed")
        dev.pause("app")
        fix = assert_drift(
            dev,
            f"container {app}, network {extra}: joined (deployed: not joined)",
            f"container {app}, state: paused (deployed: running)",
            f"container {valkey}, network {network}: no such alias (deployed: alias redis)",
            f"container {valkey}, limit of processes: 300 (deployed: none)",
            f"container {valkey}, name: {valkey}-renamed (deployed: {valkey})",
            f"container {stray}: has this stack's labels, and its state does not know it",
            f"network {stray}: has this stack's labels, and its state does not know it",
        )
        assert "make up" not in fix
        run(dev, fix)
        assert_clean(dev)
        assert dev.inspect("app")["State"]["StartedAt"] == started
    finally:
        subprocess.run(["docker", "network", "rm", extra], capture_output=True, check=False)


def test_a_container_made_by_hand_and_an_image_changed_under_its_tag(dev: Deployment) -> None:
    app, image = dev.names["app"], str(dev.config["valkeyImage"])
    before = sh("docker", "image", "inspect", "--format", "{{.Id}}", image)
    asked = f"127.0.0.1:{dev.config['uiPort']}->8080/tcp"
    port = free_port()
    sh("docker", "rm", "--force", "--volumes", app)
    sh(
        "docker", "run", "--detach", "--init", "--name", app, "--network", dev.names["network"],
        "--publish", f"127.0.0.1:{dev.config['uiPort']}:8080", "--publish", f"127.0.0.1:{port}:8080",
        "--volume", f"{dev.names['app_data']}:/app/backend/data", "--env", "BY_HAND=a-secret-of-somebody",
        "--entrypoint", "sleep", stand_in.NAME, "infinity",
    )  # fmt: skip
    container = sh("docker", "create", VALKEY)
    after = sh("docker", "commit", "--change", "LABEL newer=yes", container, image)
    sh("docker", "rm", "--volumes", container)

    done = dev.make("drift", "--json")
    assert done.returncode == DRIFT
    assert "a-secret-of-somebody" not in done.stdout
    report = json.loads(done.stdout)
    found = {(one["name"], one["property"]): one for one in report["differences"]}
    assert found[image, "content"]["expected"] == before
    assert found[image, "content"]["seen"] == after
    assert found[app, "variable BY_HAND"]["seen"] == "set"
    assert found[app, "variable WEBUI_SECRET_KEY"]["seen"] == "changed"  # the image's own, which is empty
    assert {(app, "id"), (app, "HostConfig.CapDrop"), (app, "HostConfig.RestartPolicy.Name")} <= set(found)
    text = dev.make("drift").stdout
    listed = re.findall(rf"container {app}, published ports: (.*) \(deployed: (.*)\)", text)
    assert listed == [(", ".join(sorted([asked, f"127.0.0.1:{port}->8080/tcp"])), asked)]

    assert report["fix"] == f"docker stop {app} && docker rm {app} && make up STACK={dev.stack}"
    assert "proved" in run(dev, report["fix"])
    assert_clean(dev)
    assert dev.inspect("valkey")["Image"] == after


@pytest.mark.parametrize("engine", ENGINES)
def test_what_docker_update_changed_and_what_was_stopped(dev: Deployment, engine: str) -> None:
    app, valkey = dev.names["app"], dev.names["valkey"]
    sh(
        "docker", "update", "--memory", "512m", "--memory-swap", "3g", "--cpus", "1.5", "--restart", "always", valkey,
    )  # fmt: skip
    sh("docker", "stop", app)
    code = dev.inspect("app")["State"]["ExitCode"]
    asked = DEFAULTS_OF_SINGLE["valkey"].memory
    fix = assert_drift(
        dev,
        f"container {app}, state: exited, exit code {code} (deployed: running)",
        f"container {valkey}, memory limit: 512 MiB (deployed: {asked} MiB)",
        f"container {valkey}, limit of memory and swap: 3072 MiB (deployed: {2 * asked} MiB)",
        f"container {valkey}, CPU limit: 1.5 (deployed: none)",
        f"container {valkey}, restart policy: always (deployed: unless-stopped)",
    )
    assert fix == f"make up STACK={dev.stack}"
    dev.engine = engine
    try:
        assert "proved" in run(dev, fix)
        assert_clean(dev)
    finally:
        dev.engine = "embedded"


def test_what_was_removed(dev: Deployment) -> None:
    app, valkey, network = dev.names["app"], dev.names["valkey"], dev.names["network"]
    sh("docker", "rm", "--force", "--volumes", valkey)
    sh("docker", "volume", "rm", dev.names["valkey_data"])
    sh("docker", "network", "disconnect", network, app)
    sh("docker", "network", "rm", network)
    fix = assert_drift(
        dev,
        f"container {valkey}: gone",
        f"container {app}, network {network}: not joined (deployed: joined)",
        f"network {network}: gone",
        f"volume {dev.names['valkey_data']}: gone",
    )
    assert fix == f"make up STACK={dev.stack}"
    assert "proved" in run(dev, fix)
    assert_clean(dev)


def test_a_stopped_replica_a_guest_an_edited_file_and_a_limit_of_a_replicated_stack(staging: Deployment) -> None:
    names, guest = staging.names, f"{staging.apps[0]}-guest"
    sleep = ("--init", "--entrypoint", "sleep", VALKEY, "infinity")
    sh("docker", "run", "--detach", "--tmpfs", "/data", "--name", guest, "--network", names["data_network"], *sleep)
    try:
        sh("docker", "stop", staging.apps[1])
        code = sh("docker", "inspect", "--format", "{{.State.ExitCode}}", staging.apps[1])
        sh("docker", "update", "--pids-limit", "300", names["postgres"])
        edit = ("--entrypoint", "sh", "--volume", f"{names['gateway_files']}:/files", VALKEY, "-c")
        sh("docker", "run", "--rm", "--user", "0", *edit, "echo '# by hand' >> /files/Caddyfile")
        asked = DEFAULTS["postgres"].pids
        fix = assert_drift(
            staging,
            f"container {staging.apps[1]}, state: exited, exit code {code} (deployed: running)",
            f"container {names['postgres']}, limit of processes: 300 (deployed: {asked})",
            f"container {names['gateway_files']}, file /etc/caddy/Caddyfile: changed",
            f"network {names['data_network']}: unexpected member {guest}",
        )
        assert "proved" in run(staging, fix)
        assert_clean(staging)
        assert "by hand" not in staging.run_in("gateway", "cat", "/etc/caddy/Caddyfile")
    finally:
        sh("docker", "rm", "--force", "--volumes", guest)


@pytest.mark.pulumi_cli
def test_a_state_that_only_the_pulumi_cli_reads_is_asked_of_it(staging: Deployment) -> None:
    backend = f"file://{staging.directory}/.pulumi-state?no_tmp_dir=true"
    passphrase = str(staging.directory / ".pulumi-state/passphrase")

    done = staging.make("drift", PULUMI_BACKEND_URL=backend, PULUMI_CONFIG_PASSPHRASE_FILE=passphrase)

    assert done.returncode == CLEAN, done.stdout
    assert done.stdout == staging.make("drift").stdout


def test_what_cannot_be_asked_is_neither_clean_nor_drift(dev: Deployment, stood_in: Deployment) -> None:
    unreachable = dev.make("drift", DOCKER_HOST="tcp://127.0.0.1:1")
    assert (unreachable.returncode, "Docker does not answer" in unreachable.stdout) == (COULD_NOT_ASK, True)
    undeployed = stood_in.make("drift")
    assert undeployed.returncode == COULD_NOT_ASK
    assert f"stack {stood_in.stack} is not deployed" in undeployed.stdout
    assert not files_of(stood_in)
    lock = dev.directory / f".pulumi-state/.pulumi/locks/organization/open-webui/{dev.stack}/1.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text('{"pid": 1, "username": "u", "hostname": "elsewhere", "timestamp": "2026-11-23T18:00:00Z"}')
    try:
        changing = dev.make("drift")
    finally:
        lock.unlink()
    assert changing.returncode == COULD_NOT_ASK
    assert "is being changed: its lock is held by u@elsewhere" in changing.stdout
