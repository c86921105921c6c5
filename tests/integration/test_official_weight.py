"""An Open WebUI as heavy as the official image comes up, within the limits and waits this project gives it."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from components.building.spec import STOP_GRACE_SECONDS
from components.limits import DEFAULTS, LEAST, threads
from components.open_webui.containers import HEALTHCHECK, USER
from components.open_webui.environment import base_environment
from docker_access.commands import run_inside
from tests.integration.deployment import Deployment, settings_of
from tests.integration.official_weight import EMBEDS, HOST_CORES, MIB, MODEL_FILE, official_weight
from tooling.images.ensure import ensure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import docker
    from docker.models.containers import Container

pytestmark = [pytest.mark.docker, pytest.mark.nightly]

PREFIX = f"it-weight-{os.getpid()}"
SILENT = """
import socket, time
listening = socket.create_server(("127.0.0.2", 443))
kept = []
while True:
    kept.append(listening.accept())
    print("asked", flush=True)
"""
"""Accepts, and never says a word: so do transparent proxies of networks without a way out."""


@pytest.fixture(scope="module")
def heavy(client: docker.DockerClient) -> Iterator[str]:
    reference = "ghcr.io/open-webui/open-webui:v0.12.4"
    ensure(client, reference)
    with official_weight(client, reference, f"{PREFIX}/open-webui:v0.12.4") as name:
        yield name


def is_ready(container: Container) -> bool:
    return bool(container.exec_run(list(HEALTHCHECK.test[1:])).exit_code == 0)


def wait_until_ready(container: Container, seconds: float) -> None:
    wait_until(lambda: is_ready(container), seconds, container)


def wait_until(question: Callable[[], bool], seconds: float, container: Container) -> None:
    end = time.monotonic() + seconds
    while not question():
        container.reload()
        log = container.logs(tail=20).decode()
        assert container.status == "running", f"{container.attrs['State']}\n{log}"
        assert time.monotonic() < end, log
        time.sleep(1)


def answer(container: Container, line: str) -> str:
    """What a shell line prints in it."""
    assert container.client
    return run_inside(container.client.api, str(container.id), ["sh", "-c", line]).output.strip()


def said(container: Container) -> list[str]:
    return container.logs().decode().splitlines()


def count_threads(container: Container) -> int:
    return int(answer(container, "ls /proc/[0-9]*/task | grep -c '^[0-9]'"))


@pytest.fixture(scope="module")
def booting(client: docker.DockerClient, heavy: str) -> Iterator[tuple[Container, Container]]:
    """Two that boot with the least they may have: one as this project starts it, and one that asks a hub."""
    least = LEAST["open-webui"]
    ours = {
        **base_environment(log_level="INFO"), "ENABLE_DB_MIGRATIONS": "true", "WEBSOCKET_MANAGER": "",
        "OMP_NUM_THREADS": str(threads(DEFAULTS["open-webui"])), "WEBUI_SECRET_KEY": "0" * 64,
    }  # fmt: skip
    control = {**ours, "RAG_EMBEDDING_MODEL_AUTO_UPDATE": "true", "OMP_NUM_THREADS": ""}
    containers = [
        client.containers.run(
            heavy, ["bash", "-c", f"python3 -c '{SILENT}' & exec bash start.sh"], environment=environment,
            name=f"{PREFIX}-{number}", detach=True, network_mode="none", extra_hosts={"huggingface.co": "127.0.0.2"},
            mem_limit=f"{least.memory}m", memswap_limit=f"{least.memory}m", pids_limit=least.pids,
        )
        for number, environment in enumerate((ours, control))
    ]  # fmt: skip
    yield containers[0], containers[1]
    for container in containers:
        container.remove(force=True, v=True)


def test_within_the_least_limits_it_boots_and_waits_for_no_hub_that_accepts_and_never_answers(
    booting: tuple[Container, Container],
) -> None:
    ours, control = booting
    wait_until_ready(ours, 300)
    assert "asked" not in said(ours)
    anonymous = int(answer(ours, "grep RssAnon: /proc/1/status").split()[1])
    assert MIB < anonymous >> 10 < LEAST["open-webui"].memory
    assert count_threads(ours) < HOST_CORES
    # What the image does by itself: the boot is at that question, and stays there.
    wait_until(lambda: "asked" in said(control), 300, control)
    time.sleep(10)
    assert not is_ready(control)
    assert count_threads(control) > 2 * HOST_CORES


def test_stopped_while_it_embeds_it_is_killed_when_its_grace_has_passed(booting: tuple[Container, Container]) -> None:
    ours, control = booting
    control.kill()
    wait_until_ready(ours, 300)
    account = json.dumps({"name": "a", "email": "a@example.com", "password": "correct-horse"})
    api = "http://127.0.0.1:8080/api/v1"
    sign_up = f"curl -s {api}/auths/signup -H 'Content-Type: application/json' -d '{account}' | jq -r .token"
    token = answer(ours, sign_up)
    text = "yes 'A sentence that is embedded.' | head -n 20000 > /tmp/long.txt"
    answer(ours, f"{text}; curl -s -F file=@/tmp/long.txt -H 'Authorization: Bearer {token}' {api}/files/")
    wait_until(lambda: EMBEDS in said(ours), 60, ours)
    began = time.monotonic()
    ours.stop(timeout=STOP_GRACE_SECONDS)
    assert time.monotonic() - began > STOP_GRACE_SECONDS - 1
    assert ours.wait()["StatusCode"] == 128 + signal.SIGKILL


def test_replicas_as_heavy_as_the_official_ones_come_up_with_the_defaults_and_are_proved(
    client: docker.DockerClient, heavy: str, tmp_path: Path
) -> None:
    config = settings_of("staging", {"openWebuiImage": heavy})
    with Deployment(tmp_path, "embedded", config=config).deployed() as stack:
        assert stack.outputs()["verification"]["verdict"] == "proved"
        for name in stack.apps:
            container = client.containers.get(name)
            assert not container.attrs["State"]["OOMKilled"]
            # A fresh volume is filled from the image, and belongs to who reads it.
            assert answer(container, f"stat -c %u:%g /{MODEL_FILE}") == USER
            assert "Cannot determine model snapshot path" not in container.logs().decode()
            assert count_threads(container) < HOST_CORES
