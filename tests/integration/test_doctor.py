"""``python -m verification`` on what somebody else deployed: it finds what belongs together, and proves it.

Other deployments may run on the same Docker: each test asks for its own, or looks for its own among all.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import shlex
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import docker
import pytest

from docker_access.client import docker_client
from tests.integration.hand_made import BOOT_SECONDS, SECOND, SECRET_KEY, STAND_IN, VALKEY_IMAGE, ensure_images
from tests.lease import free_port

pytestmark = pytest.mark.docker

PROJECT = Path(__file__).parents[2]
PASSWORD = "correct-horse-4712"
OFTEN = {"interval": SECOND}
"""The image's own healthcheck, asked more often: for the first half a minute Docker would not know how an app is."""


class ByHand:
    """Containers, networks and volumes with names of their own, removed together."""

    def __init__(self, client: docker.DockerClient) -> None:
        self.client, self.prefix = client, f"vd-{secrets.token_hex(3)}"
        self.removals = ExitStack()

    def network(self, name: str, **options: Any) -> str:
        network = self.client.networks.create(f"{self.prefix}{name}", **options)
        self.removals.callback(network.remove)
        return str(network.name)

    def create(self, name: str, image: str, command: list[str] | None = None, **options: Any) -> Any:
        container = self.client.containers.create(image, command, name=f"{self.prefix}{name}", **options)
        self.removals.callback(container.remove, force=True, v=True)
        return container


@pytest.fixture(scope="module")
def by_hand() -> Iterator[ByHand]:
    ensure_images(STAND_IN, VALKEY_IMAGE)
    client = docker_client()
    made = ByHand(client)
    try:
        yield made
    finally:
        made.removals.close()
        client.close()


@pytest.fixture(scope="module")
def compose(by_hand: ByHand) -> tuple[str, str]:
    """The app and the Valkey of the tutorial's file, corrected, as ``docker compose up`` makes them of it.

    Source: https://github.com/docker/compose/blob/v2.29.7/pkg/compose/create.go
    """
    project = by_hand.prefix
    network = by_hand.network("_default", labels={"com.docker.compose.network": "default"})

    def service(name: str, image: str, command: list[str] | None = None, **options: Any) -> str:
        marks = {"project": project, "service": name, "oneoff": "False", "container-number": "1"}
        labels = {f"com.docker.compose.{key}": value for key, value in marks.items()}
        joined = {network: by_hand.client.api.create_endpoint_config(aliases=[f"{project}-{name}-1", name])}
        container = by_hand.create(
            f"-{name}-1",
            image,
            command,
            labels=labels,
            network=network,
            networking_config=joined,
            healthcheck=OFTEN,
            **options,
        )
        container.start()
        return str(container.name)

    kept = ["SETGID", "SETUID", "DAC_OVERRIDE"]
    command = ["valkey-server", "--save", "30", "1"]
    valkey = service("redis", VALKEY_IMAGE, command, cap_drop=["ALL"], cap_add=kept)
    app = service(
        "open-webui",
        STAND_IN,
        environment={
            "ENABLE_WEBSOCKET_SUPPORT": "true",
            "WEBSOCKET_MANAGER": "redis",
            "WEBSOCKET_REDIS_URL": "redis://redis:6379/1",
            "REDIS_URL": "redis://redis:6379/0",
            "WEBUI_SECRET_KEY": SECRET_KEY,
        },
        ports={"8080/tcp": ("127.0.0.1", free_port())},
    )
    return app, valkey


@pytest.fixture(scope="module")
def pair(by_hand: ByHand) -> tuple[str, str]:
    """An app and its Valkey, made by ``docker run``; the app's entrypoint reads its variables from a file."""
    network = by_hand.network("-net")
    valkey = by_hand.create(
        "-cache", VALKEY_IMAGE, ["valkey-server", "--requirepass", PASSWORD], network=network,
        environment={"REDISCLI_AUTH": PASSWORD},
    )  # fmt: skip
    valkey.start()
    url = f"redis://:{PASSWORD}@{valkey.name}:6379"
    variables = (
        f"WEBSOCKET_MANAGER=redis\nWEBSOCKET_REDIS_URL={url}/1\nREDIS_URL={url}/0\nWEBUI_SECRET_KEY={SECRET_KEY}\n"
    )
    start = by_hand.client.images.get(STAND_IN).attrs["Config"]
    app = by_hand.create(
        "-chat", STAND_IN, ["sh", *(start["Entrypoint"] or []), *(start["Cmd"] or [])], network=network,
        entrypoint=["sh", "-c", 'set -a; . /tmp/app.env; set +a; exec "$@"'], healthcheck=OFTEN,
    )  # fmt: skip
    app.put_archive("/tmp", packed("app.env", variables))
    app.start()
    return str(app.name), str(valkey.name)


def packed(name: str, text: str) -> bytes:
    """A file as Docker wants it."""
    sink, content = io.BytesIO(), text.encode()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return sink.getvalue()


def doctor(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the verification as a person does."""
    return subprocess.run(
        [sys.executable, "-m", "verification", *options], cwd=PROJECT, env={**os.environ, **environment},
        capture_output=True, text=True, timeout=BOOT_SECONDS + 120, check=False,
    )  # fmt: skip


WAIT = ("--timeout", str(BOOT_SECONDS))


@pytest.mark.usefixtures("pair")  # it may boot meanwhile
def test_the_tutorials_compose_file_is_found_and_proved(compose: tuple[str, str]) -> None:
    app, valkey = compose

    done = doctor("--app", app, *WAIT)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.startswith(f"found {app} with Valkey {valkey} at http://127.0.0.1:")
    assert f"websocket opens at {done.stderr.split()[6]}" in done.stdout
    assert "proved: live events through Valkey are sent and received by each of 1 replica" in done.stdout


def test_a_pair_made_by_hand_is_found_by_the_url_its_own_process_has(pair: tuple[str, str]) -> None:
    app, valkey = pair

    done = doctor("--app", app, "--json", *WAIT)

    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["verdict"], found["apps"], found["valkey"]) == ("proved", [app], valkey)
    assert PASSWORD not in done.stdout + done.stderr


def test_several_deployments_are_listed_and_each_line_proves_its_own(
    compose: tuple[str, str], pair: tuple[str, str]
) -> None:
    done = doctor()

    assert (done.returncode, done.stdout) == (2, "")
    lines = {shlex.split(line, comments=True)[4]: line for line in done.stderr.splitlines() if "--app" in line}
    assert f"with Valkey {pair[1]}" in lines[pair[0]]
    command = shlex.split(lines[compose[0]], comments=True)
    proved = doctor(*command[3:], "--markdown", *WAIT)
    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert proved.stdout.startswith("### ✅ proved: ")


def test_an_app_is_found_by_its_valkey_too(pair: tuple[str, str]) -> None:
    done = doctor("--valkey", pair[1], "--only", "live-event", *WAIT)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.startswith(f"found {pair[0]} with Valkey {pair[1]}")
    assert "live-event" in done.stdout
    assert "valkey-pong" not in done.stdout


def test_a_valkey_that_has_stopped_is_found_and_named_all_the_same(compose: tuple[str, str]) -> None:
    client = docker_client()
    valkey = client.containers.get(compose[1])
    valkey.stop(timeout=5)
    try:
        done = doctor("--app", compose[0], "--json")
    finally:
        valkey.start()
        client.close()

    assert done.returncode == 1
    assert json.loads(done.stdout)["summary"].startswith("failed: valkey-exited: ")
    assert f"with Valkey {compose[1]}" in done.stderr


def test_a_docker_that_does_not_answer_is_told_as_json_too() -> None:
    done = doctor("--json", DOCKER_HOST="unix:///no/such/socket")

    assert done.returncode == 2
    assert json.loads(done.stdout)["checks"][0]["cause"] == "docker-unreachable"
