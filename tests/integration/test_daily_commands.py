"""The commands that one looks with, on a stack of the real application."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path

import pytest

from docker_access import labels
from docker_access.client import docker_client
from tests.documents import commands
from tests.integration.deployment import Deployment
from tests.integration.registry import registry

pytestmark = pytest.mark.docker


def test_the_status_is_that_of_a_stack_that_is_well(dev: Deployment) -> None:
    found = json.loads(dev.succeed("status", "--json"))
    assert found["verification"]["verdict"] == "proved"
    assert found["drift"] == 0
    assert {one["state"] for one in found["containers"]} <= {"running", "exited"}
    assert found["update"]["result"] == "succeeded"
    said = dev.succeed("status")
    assert "verification  proved: live events" in said
    assert said.rstrip().endswith("drift         none")


def test_the_history_names_who_deployed_it_where_the_engine_says_so(dev: Deployment) -> None:
    newest, *_ = json.loads(dev.succeed("history", "--json"))
    assert newest["result"] == "succeeded"
    assert "@" in newest["by"] or newest["engine"] == "pulumi"


def test_logs_are_of_the_container_that_is_named(dev: Deployment) -> None:
    valkey = dev.names["valkey"]
    assert "eady to accept connections" in dev.succeed("logs", "--who", valkey, "--lines", "100000")
    both = dev.succeed("logs", "--lines", "3")
    assert {line.partition(" | ")[0].strip() for line in both.splitlines() if " | " in line} >= {valkey, *dev.apps}


def test_the_commands_of_the_page_are_all_there_is_to_type(dev: Deployment) -> None:
    said = dev.type_in(commands("docs/operations.md", "Look at it", team=dev.stack), answer="valkey-cli ping\n")
    assert "PONG" in said
    assert "verification  proved" in said


def test_the_configuration_says_where_each_value_comes_from(dev: Deployment) -> None:
    listed = {one["key"]: one for one in json.loads(dev.succeed("config", "--json"))}
    assert listed["uiPort"]["value"] == dev.config["uiPort"]
    assert listed["topology"]["from"] == "default"


def test_what_is_newer_is_told_by_the_registry_or_why_it_is_not(tmp_path: Path) -> None:
    stack = Deployment(tmp_path, "embedded")
    with registry() as server:
        valkey = server.put("valkey", "8.0.1", {})
        server.put("valkey", "8.0.9", {})
        server.put("valkey", "9.1.0", {})
        open_webui = server.put("open-webui", "v0.12.4", {labels.IMAGE_VERSION: "0.12.4"})
        stack.configure({"openWebuiImage": open_webui, "valkeyImage": valkey})
        with closing(docker_client()) as client:
            client.images.pull(valkey)
            try:
                server.put("valkey", "8.0.1", {"made": "again"})
                done = stack.make("outdated")
            finally:
                client.images.remove(valkey)
        assert done.returncode == 2, done.stdout
        rows = [re.split(r"\s{2,}", line) for line in done.stdout.splitlines()]
        assert ["valkeyImage", "8.0.1", "9.1.0; of 8.0: 8.0.9", server.host] in rows
        assert ["openWebuiImage", "v0.12.4 (not here)", "none", server.host] in rows
        assert f"valkeyImage: the tag means another image now. To take it: docker pull {valkey} &&" in done.stdout
    silent = stack.make("outdated")
    assert silent.returncode in {1, 2}, silent.stdout
    assert f"{server.host} does not answer (Connection refused)" in silent.stdout
    assert "Traceback" not in silent.stdout


def test_a_docker_that_does_not_answer_is_named_by_each_command_that_asks_it(dev: Deployment) -> None:
    for command in ("status", "logs", "shell", "outdated"):
        assert "Docker does not answer at tcp://127.0.0.1:1" in dev.fail(command, DOCKER_HOST="tcp://127.0.0.1:1")
