"""The commands that one looks with, on a stack of the real application."""

from __future__ import annotations

import json

import pytest

from tests.documents import commands
from tests.integration.deployment import Deployment

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
