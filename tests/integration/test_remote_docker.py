"""Everything through ``DOCKER_HOST=ssh://…`` and TLS, on a second Docker that shares no network with this machine.

That Docker can be restarted, too, without a word to anybody: what is deployed there is found as it was.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import docker
import pytest

from components.limits import DEFAULTS
from docker_access.client import docker_client
from tests.integration.deployment import COMMAND_SECONDS, Deployment, no_changes
from tests.integration.hand_made import CADDY_IMAGE, POSTGRES_IMAGE, STAND_IN, VALKEY_IMAGE, ensure_images
from tests.integration.second_docker import SecondDocker, second_docker, wait_for
from tests.integration.test_replicas import like_prod
from tests.lease import free_port

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(os.geteuid() != 0, reason="starts a Docker daemon of its own, which needs root"),
    pytest.mark.skipif("DOCKER_HOST" in os.environ, reason="starts a Docker daemon beside this machine's own"),
]

HEALTHY_SECONDS = 180


@pytest.fixture(scope="module")
def remote() -> Iterator[SecondDocker]:
    images = (STAND_IN, VALKEY_IMAGE, POSTGRES_IMAGE, CADDY_IMAGE)
    ensure_images(*images)
    with second_docker(*images) as made:
        yield made


@pytest.fixture(scope="module")
def stack(remote: SecondDocker, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The tutorial's pair, deployed and proved through ssh, under its names: nobody else has them there."""
    config = {"uiPort": free_port(), "logLevel": "DEBUG", "tutorialNames": True}
    return deployed(remote, Deployment(tmp_path_factory.mktemp("project"), "embedded", config=config, stand_in=True))


@pytest.fixture(scope="module")
def replicas(remote: SecondDocker, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Two stand-ins behind a gateway, deployed and proved through ssh."""
    return deployed(remote, like_prod(tmp_path_factory.mktemp("replicas")))


def deployed(remote: SecondDocker, stack: Deployment) -> Deployment:
    """Up; what that said is kept."""
    up = stack.make("up", **remote.over_ssh)
    assert up.returncode == 0, up.stdout
    (stack.directory / "up.log").write_text(up.stdout)
    return stack


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``python -m …`` with the project as it is there."""
    return subprocess.run(
        [sys.executable, "-m", *words], cwd=folder, env={**os.environ, **environment, "NO_COLOR": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=COMMAND_SECONDS,
    )  # fmt: skip


@contextmanager
def asked(address: str | None = None) -> Iterator[docker.DockerClient]:
    """A daemon, from the side; this machine's without an address."""
    with closing(docker.DockerClient(base_url=address, version="auto")) as client:
        yield client


def containers(client: docker.DockerClient) -> dict[str, str]:
    """Ids of a daemon's containers by name."""
    return {str(item.name): str(item.id) for item in client.containers.list(all=True, ignore_removed=True)}


def test_a_stack_is_deployed_and_proved_through_ssh(stack: Deployment, remote: SecondDocker) -> None:
    said = (stack.directory / "up.log").read_text()

    assert f"answers at {remote.ssh}" in said
    with asked(remote.unix) as there, asked() as here:
        found = containers(there)
        assert {stack.names[role] for role in ("app", "valkey")} <= found.keys()
        assert not set(found.values()) & set(containers(here).values())
    assert "proved: live events through Valkey are sent and received by each of 1 replica" in said
    # The port answers on the other machine alone, and there the proof asked it.
    assert f"websocket opens at http://127.0.0.1:{stack.config['uiPort']}" in said
    assert "received an event that was published on Valkey" in said
    assert f"ssh -N -L {stack.config['uiPort']}:127.0.0.1:{stack.config['uiPort']} " in said


def test_names_are_the_tutorials_where_the_stack_asks_for_them(stack: Deployment, remote: SecondDocker) -> None:
    with asked(remote.unix) as there:
        made = {one.name for one in there.containers.list(all=True, filters=stack.marks())}
        assert made == {"open-webui", "redis-valkey", "open-webui-migration"}
        assert [one.name for one in there.networks.list(filters=stack.marks())] == ["openwebui-network"]
        assert {one.name for one in there.volumes.list(filters=stack.marks())} == {"open-webui", "redis-data"}


def test_replicas_are_deployed_with_their_limits_and_proved_through_ssh(
    replicas: Deployment, remote: SecondDocker
) -> None:
    said = (replicas.directory / "up.log").read_text()

    assert "proved: live events through Valkey are sent and received by each of 2 replicas" in said
    assert f"websocket opens at https://localhost:{replicas.config['uiPort']}" in said
    roles = {"app-1": "open-webui", "app-2": "open-webui", "valkey": "valkey", "postgres": "postgres"}
    with asked(remote.unix) as there:
        for name, role in {**roles, "gateway": "gateway"}.items():
            host = there.containers.get(replicas.names[name]).attrs["HostConfig"]
            assert host["PidsLimit"] == DEFAULTS[role].pids, name
            assert host["Memory"] == DEFAULTS[role].memory << 20, name


def test_a_running_gateway_finds_more_replicas_through_ssh(replicas: Deployment, remote: SecondDocker) -> None:
    with asked(remote.unix) as there:
        before = containers(there)
        replicas.configure({"replicas": 3})
        assert "by each of 3 replicas" in deployed(remote, replicas).directory.joinpath("up.log").read_text()
        after = containers(there)
        assert {name for name in before if after.get(name) != before[name]} == {replicas.names["gateway_files"]}
        gateway = there.containers.get(replicas.names["gateway"])
        address = gateway.attrs["NetworkSettings"]["Networks"][replicas.names["network"]]["IPAddress"]
        third = there.containers.get(replicas.names["app-3"])
        asks = rf'{re.escape(address)}:\d+ - "GET /health '
        wait_for(lambda: bool(re.search(asks, third.logs().decode())), 30)
    unchanged = replicas.make("preview", **remote.over_ssh)
    assert no_changes(unchanged.stdout), unchanged.stdout


def test_the_proof_and_the_doctor_ask_through_ssh(stack: Deployment, remote: SecondDocker) -> None:
    verified = stack.make("verify", **remote.over_ssh)
    found = run(stack.directory, "verification", "--app", stack.names["app"], **remote.over_ssh)

    for done in (verified, found):
        assert done.returncode == 0, done.stdout
        assert "websocket opens at http://127.0.0.1:" in done.stdout
    assert f"found {stack.names['app']} with Valkey {stack.names['valkey']} at http://127.0.0.1:" in found.stdout


@pytest.mark.parametrize("engine", ["embedded", pytest.param("pulumi", marks=pytest.mark.pulumi_cli)])
@pytest.mark.parametrize("way", ["ssh", "tls"])
def test_either_engine_sees_the_stack_unchanged_through_ssh_and_tls(
    stack: Deployment, remote: SecondDocker, engine: str, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stack, "engine", engine)

    done = stack.make("preview", **(remote.over_ssh if way == "ssh" else remote.over_tls))

    assert done.returncode == 0, done.stdout
    assert re.search(r"Resources:\n +\d+ unchanged\n", done.stdout), done.stdout


@pytest.mark.parametrize("kind", ["pair", pytest.param("replicas", marks=pytest.mark.nightly)])
def test_what_is_published_on_the_other_machine_alone_is_asked_from_inside_through_tls(
    request: pytest.FixtureRequest, remote: SecondDocker, kind: str
) -> None:
    stack: Deployment = request.getfixturevalue("stack" if kind == "pair" else "replicas")
    done = stack.make("verify", **remote.over_tls)

    assert done.returncode == 0, done.stdout
    said = " ".join(done.stdout.split())
    inside = stack.apps[0]
    assert f"asked from inside {inside}, at " in said
    assert "with DOCKER_HOST=ssh://127.0.0.1 it is asked from there" in said
    assert "the URL was asked from inside a container, not from here" in said
    assert "first ping after" in said or kind == "pair"
    with asked(remote.unix) as there:
        left = there.containers.get(inside).top()["Processes"]
    assert not [row for row in left if "create_connection" in " ".join(row)]


@pytest.mark.parametrize(
    ("client", "server", "said"),
    [
        ("UserKnownHostsFile /dev/null", "", "Host key verification failed. Way out: connect once by hand"),
        ("", "AuthorizedKeysFile none", "Permission denied (publickey). Way out: have it let you in"),
        ("", "SetEnv PATH=/nowhere", "not found. Way out: docker is to be on the PATH"),
    ],
    ids=["host key", "user key", "no docker there"],
)
def test_what_ssh_fails_of_is_told_with_the_way_out(
    stack: Deployment, remote: SecondDocker, client: str, server: str, said: str
) -> None:
    remote.configure_ssh(f"ControlPath none\n{client}", server)
    try:
        preview = stack.make("preview", **remote.over_ssh)
        found = run(stack.directory, "verification", **remote.over_ssh)
    finally:
        remote.configure_ssh()

    assert (preview.returncode, found.returncode) == (1, 2)
    for done in (preview, found):
        assert said in " ".join(done.stdout.split())
        assert "Traceback" not in done.stdout


def test_what_a_server_that_forwards_nothing_publishes_is_asked_from_inside(
    stack: Deployment, remote: SecondDocker
) -> None:
    remote.configure_ssh(server="AllowTcpForwarding no")
    try:
        done = stack.make("verify", **remote.over_ssh)
    finally:
        remote.configure_ssh()

    assert done.returncode == 0, done.stdout
    said = " ".join(done.stdout.split())
    assert f"asked from inside {stack.apps[0]}, at " in said
    assert "administratively prohibited" in said


@pytest.mark.nightly
def test_a_restart_of_docker_needs_no_update_and_loses_nothing(
    replicas: Deployment, remote: SecondDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in remote.over_ssh.items():
        monkeypatch.setenv(name, value)
    replicas.run_in("app-1", "sh", "-c", "echo yes > /app/backend/data/kept")
    replicas.run_in("postgres", "psql", "-U", "postgres", "-c", "CREATE TABLE kept AS SELECT 'yes' AS word")

    remote.restart()

    wait_for(lambda: all_are_healthy(replicas), HEALTHY_SECONDS)
    assert "proved" in replicas.succeed("verify", "--no-idle")
    assert "no drift" in replicas.succeed("drift")
    assert replicas.run_in("app-2", "cat", "/app/backend/data/kept") == "yes"
    assert replicas.run_in("postgres", "psql", "-U", "postgres", "-tAc", "SELECT word FROM kept") == "yes"


def all_are_healthy(stack: Deployment) -> bool:
    with closing(docker_client()) as client:
        found = [
            client.api.inspect_container(name)["State"]
            for name in (*stack.apps, *(stack.names[role] for role in ("valkey", "postgres", "gateway")))
        ]
    return all(state["Running"] and state.get("Health", {}).get("Status") == "healthy" for state in found)
