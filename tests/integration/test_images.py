"""The images the project deploys do what it relies on, whether they were pulled or built here."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import docker
import pytest

from docker_access import labels
from docker_access.commands import run_inside
from tooling.images.ensure import ensure
from tooling.images.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from docker.models.containers import Container

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("downloads")]

# What the tutorial gives Valkey after dropping everything.
TUTORIAL_CAPABILITIES = ["SETGID", "SETUID", "DAC_OVERRIDE"]
NO_RIGHTS = {"cap_drop": ["ALL"], "read_only": True, "security_opt": ["no-new-privileges"]}
PREFIX = f"it-images-{os.getpid()}"


@pytest.fixture
def volume(client: docker.DockerClient) -> Iterator[str]:
    volume = client.volumes.create(f"{PREFIX}-data")
    yield volume.name
    volume.remove(force=True)


@pytest.fixture
def start(client: docker.DockerClient, volume: str) -> Iterator[Callable[..., Container]]:
    """Start containers that are gone after the test, before the volume they may have used."""
    started: list[Container] = []

    def run(image: str, *command: str, **options: Any) -> Container:
        name = f"{PREFIX}-{len(started)}"
        options = {"network_mode": "none", **options}
        container = client.containers.run(image, list(command) or None, name=name, detach=True, **options)
        started.append(container)
        return container

    yield run
    for container in started:
        container.remove(force=True, v=True)


def ask(container: Container, *command: str) -> str:
    assert container.client
    ran = run_inside(container.client.api, str(container.id), command)
    return f"{ran.exit_code} {ran.output}{ran.error}".strip()


def wait_until(question: Callable[[], bool], seconds: float, container: Container) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        container.reload()
        log = container.logs(tail=20).decode()
        assert container.status == "running", log
        assert time.monotonic() < deadline, log
        time.sleep(0.2)


def answers(container: Container) -> None:
    wait_until(lambda: ask(container, "redis-cli", "ping") == "0 PONG", 240, container)


def test_valkey_runs_with_the_tutorials_capabilities_as_its_own_user(
    start: Callable[..., Container], references: Mapping[str, str], volume: str
) -> None:
    options = {"cap_drop": ["ALL"], "cap_add": TUTORIAL_CAPABILITIES, "volumes": [f"{volume}:/data"]}
    container = start(references["valkey"], "valkey-server", "--save", "30", "1", **options)
    answers(container)
    assert ask(container, "valkey-cli", "ping") == "0 PONG"
    assert "no" in ask(container, "valkey-cli", "config", "get", "protected-mode").split()
    assert ask(container, "valkey-cli", "config", "get", "save").endswith("30 1")
    assert ask(container, "sh", "-c", "grep -h ^Uid: /proc/1/status").split()[2] == "999"
    assert ask(container, "valkey-cli", "save") == "0 OK"
    container.restart()
    answers(container)


def test_valkey_runs_without_root_without_capabilities_and_with_a_read_only_root(
    start: Callable[..., Container], references: Mapping[str, str]
) -> None:
    container = start(references["valkey"], user="999:1000", **NO_RIGHTS)
    answers(container)
    assert ask(container, "valkey-cli", "bgrewriteaof").startswith("0 ")


def test_valkey_saves_when_it_is_stopped(start: Callable[..., Container], references: Mapping[str, str]) -> None:
    container = start(references["valkey"], "valkey-server", "--save", "3600", "1000")
    answers(container)
    ask(container, "valkey-cli", "set", "kept", "yes")
    container.stop(timeout=20)
    container.start()
    answers(container)
    assert ask(container, "valkey-cli", "get", "kept") == "0 yes"


@pytest.fixture
def own_data(client: docker.DockerClient, references: Mapping[str, str], volume: str) -> str:
    """The volume with what the image has for it, given to user 1000, as the deployment's migration does.

    Something must be in it: an empty volume takes the image's owner over again with each container.
    """
    prepare = "mkdir -p /app/backend/data/cache && chown -R 1000:1000 /app/backend/data"
    client.containers.run(
        references["open-webui"], ["sh", "-c", prepare], user="0:0", remove=True, network_mode="none",
        volumes=[f"{volume}:/app/backend/data"],
    )  # fmt: skip
    return volume


def test_open_webui_boots_without_root_on_a_read_only_root(
    start: Callable[..., Container], references: Mapping[str, str], own_data: str
) -> None:
    options = {
        **NO_RIGHTS,
        "user": "1000:1000",
        "tmpfs": {"/tmp": "", "/app/static": "uid=1000,gid=1000"},
        "volumes": [f"{own_data}:/app/backend/data"],
        "environment": {"WEBUI_SECRET_KEY": "0" * 64, "STATIC_DIR": "/app/static", "HOME": "/tmp"},
    }
    migration = start(references["open-webui"], "python3", "-c", "import open_webui.config", **options)
    assert migration.wait(timeout=300)["StatusCode"] == 0, migration.logs(tail=20).decode()
    container = start(references["open-webui"], **options)
    health = 'curl --silent --fail http://localhost:8080/health | jq -ne "input.status == true"'
    wait_until(lambda: ask(container, "bash", "-c", health) == "0 true", 300, container)
    assert (
        ask(container, "bash", "-c", "curl -so /dev/null -w %{http_code} localhost:8080/static/favicon.png") == "0 200"
    )
    assert ask(container, "bash", "-c", "curl -s localhost:8080/ | head -c 15") == "0 <!doctype html>"


@pytest.fixture
def socket(client: docker.DockerClient) -> Iterator[str]:
    volume = client.volumes.create(f"{PREFIX}-socket")
    yield volume.name
    volume.remove(force=True)


def sql(container: Container, statement: str, *options: str) -> str:
    """What psql says over the socket, as the superuser."""
    return ask(container, "psql", "-U", "postgres", "-XAtc", statement, *options)


def is_healthy(container: Container) -> None:
    """As the deployment asks: over TCP, where nothing answers before the data folder is made."""
    wait_until(lambda: ask(container, "pg_isready", "-q", "-h", "127.0.0.1") == "0", 240, container)


def test_postgres_runs_without_root_without_capabilities_and_with_a_read_only_root(
    socket: str, start: Callable[..., Container], references: Mapping[str, str], volume: str
) -> None:
    options = {
        **NO_RIGHTS,
        "user": "999:999",
        "tmpfs": {"/tmp": ""},
        "volumes": [f"{volume}:/var/lib/postgresql/data", f"{socket}:/var/run/postgresql"],
        "environment": {
            "POSTGRES_PASSWORD_FILE": "/proc/sys/kernel/random/uuid",
            "POSTGRES_INITDB_ARGS": "--auth-local=trust --auth-host=scram-sha-256 --locale=C.UTF-8",
        },
    }
    container = start(references["postgres"], "postgres", "-c", "shared_buffers=32MB", **options)
    is_healthy(container)
    assert sql(container, "CREATE EXTENSION vector") == "0 CREATE EXTENSION"
    assert sql(container, "SELECT '[1,2]'::vector <-> '[1,1]'") == "0 1"
    assert sql(container, "SHOW shared_buffers") == "0 32MB"
    assert sql(container, "SELECT count(*) > 400 FROM pg_timezone_names") == "0 t"
    assert "no password supplied" in sql(container, "SELECT 1", "-w", "-h", "127.0.0.1")
    assert ask(container, "stat", "-c", "%u:%g %a", "/var/lib/postgresql/data") == "0 999:999 700"
    assert ask(container, "stat", "-c", "%u:%g %a", "/var/run/postgresql") == "0 999:999 3775"
    # SIGINT: a client that does not leave is not waited for.
    container.exec_run(["psql", "-U", "postgres", "-c", "SELECT pg_sleep(60)"], detach=True)
    wait_until(
        lambda: sql(container, "SELECT count(*) FROM pg_stat_activity WHERE query ~ '_sleep'") == "0 2", 5, container
    )
    container.stop(timeout=20)
    assert container.wait()["StatusCode"] == 0
    container.start()
    is_healthy(container)
    assert sql(container, "SELECT extname FROM pg_extension WHERE extname = 'vector'") == "0 vector"


def test_postgres_started_by_root_makes_what_its_variables_and_scripts_say(
    start: Callable[..., Container], references: Mapping[str, str]
) -> None:
    prepare = """
        cd /docker-entrypoint-initdb.d
        echo 'CREATE TABLE one ();' > 1.sql
        echo 'CREATE TABLE two ();' | gzip > 2.sql.gz
        echo 'psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -c "CREATE TABLE three ()"' > 3.sh
        echo secret > /tmp/password
        exec docker-entrypoint.sh -c log_connections=on
    """
    variables = {"POSTGRES_USER": "me", "POSTGRES_DB": "my-data", "POSTGRES_PASSWORD_FILE": "/tmp/password"}
    container = start(references["postgres"], "-c", prepare, entrypoint="bash", environment=variables)
    is_healthy(container)
    tables = (
        "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    )
    query = ("psql", "-XAtc", tables, "postgresql://me:secret@127.0.0.1/my-data")
    assert ask(container, *query) == "0 one three two"
    assert ask(container, "sh", "-c", "grep -h ^Uid: /proc/1/status").split()[2] == "999"


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({}, "superuser"),
        (
            {"POSTGRES_PASSWORD": "a", "POSTGRES_PASSWORD_FILE": "/b"},
            "both POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are set",
        ),
    ],
)
def test_postgres_refuses_a_new_database_whose_password_is_not_clear(
    start: Callable[..., Container], references: Mapping[str, str], variables: dict[str, str], complaint: str
) -> None:
    container = start(references["postgres"], environment=variables)
    assert container.wait(timeout=60)["StatusCode"] == 1
    assert complaint in container.logs().decode()


CADDYFILE = """
{
    admin unix//run/caddy/admin.sock
    skip_install_trust
}
:80 {
    respond /gateway-health 200
}
localhost:8443 {
    tls internal
}
"""


@pytest.mark.parametrize("user", ["1000:1000", "0:0"])
def test_caddy_runs_without_capabilities_and_with_a_read_only_root(
    start: Callable[..., Container], references: Mapping[str, str], volume: str, user: str
) -> None:
    uid, _, gid = user.partition(":")
    container = start(
        references["gateway"], "sh", "-c", 'echo "$CADDYFILE" | caddy run --config - --adapter caddyfile',
        # The binary's file capability: without the right it could not be started at all.
        **NO_RIGHTS, cap_add=["NET_BIND_SERVICE"], user=user, volumes=[f"{volume}:/data"],
        environment={"CADDYFILE": CADDYFILE},
        tmpfs=dict.fromkeys(("/config", "/run/caddy"), f"uid={uid},gid={gid},mode=0700"),
    )  # fmt: skip
    health = ("wget", "-q", "-O", "/dev/null", "http://127.0.0.1/gateway-health")
    wait_until(lambda: ask(container, *health) == "0", 240, container)
    root = "/data/caddy/pki/authorities/local/root.crt"
    wait_until(lambda: ask(container, "head", "-n", "1", root) == "0 -----BEGIN CERTIFICATE-----", 240, container)
    assert ask(container, "nc", "-z", "-w", "1", "127.0.0.1", "8443") == "0"
    assert ask(container, "nc", "-z", "-w", "1", "127.0.0.1", "81").startswith("1")
    assert ask(container, "test", "-S", "/run/caddy/admin.sock") == "0"


def test_an_image_that_cannot_be_had_is_not_there_afterwards(client: docker.DockerClient) -> None:
    with pytest.raises(ImageError, match="docker load"):
        ensure(client, "localhost:1/no/such-image:1")
    assert not client.images.list("localhost:1/no/such-image")


@pytest.fixture
def own_name(client: docker.DockerClient) -> Iterator[str]:
    """A name for an image that is gone after the test."""
    reference = f"{PREFIX}/valkey:8.0.1"
    yield reference
    client.images.remove(reference, force=True)


@pytest.mark.skipif(not shutil.which("apt-get"), reason="images are built from Debian or Ubuntu packages")
def test_valkey_built_here_is_small_labelled_and_keeps_this_machines_mirrors_to_itself(
    client: docker.DockerClient, own_name: str, start: Callable[..., Container], capsys: pytest.CaptureFixture[str]
) -> None:
    line = ensure(client, own_name, rebuild=True)
    image = client.images.get(own_name)
    assert line.startswith(f"{own_name}: built locally from {image.labels[labels.LOCAL_BUILD]} in ")
    assert image.labels[labels.IMAGE_VERSION] == "8.0.1"
    assert image.attrs["Size"] < 100e6
    assert "building Valkey 8.0.1 from Debian packages" in capsys.readouterr().err
    container = start(own_name)
    answers(container)
    assert ask(container, "grep", "-rlsE", "^(deb |URIs:)|[Pp]roxy", "/etc/apt") == "1"


@pytest.fixture
def everybodys_folder() -> Iterator[Path]:
    """For temporary files: mmdebstrap may work as another user, who cannot enter pytest's folders."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o1777)
        yield Path(folder)


@pytest.mark.skipif(not shutil.which("apt-get"), reason="images are built from Debian or Ubuntu packages")
def test_a_build_that_is_interrupted_ends_alone_and_cleans_up(
    client: docker.DockerClient, everybodys_folder: Path
) -> None:
    reference = f"{PREFIX}/caddy:2.11.7"
    # A shell that runs the tests in the background has them ignore Ctrl-C, and who they start with them.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [sys.executable, "-m", "tooling.images", "--rebuild", reference],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(everybodys_folder)},
        # mmdebstrap hangs up on its process group; so that a failure of this test is not the end of all tests.
        start_new_session=True,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    assert process.stderr
    root_file_systems = "mmdebstrap.??????????"
    while not list(everybodys_folder.glob(f"{root_file_systems}/*")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert process.returncode == 130
    assert not list(everybodys_folder.glob(root_file_systems))
    assert not list(everybodys_folder.glob("open-webui-image-*"))
    assert not client.images.list(reference)
