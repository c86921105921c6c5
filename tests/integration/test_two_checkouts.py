"""Two checkouts on one Docker, each with a state of its own: neither touches what the other has deployed."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from docker_access import labels
from docker_access.client import docker_client
from tests.integration.deployment import ENGINES, Deployment, sh
from tests.integration.hand_made import VALKEY_IMAGE

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.docker


@pytest.mark.parametrize("stood_in", ENGINES, indirect=True)
def test_a_second_checkout_is_told_whose_it_is_and_changes_nothing_unless_it_takes_over(
    stood_in: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stood_in.succeed("up")
    stood_in.run_in("valkey", "valkey-cli", "set", "kept", "yes")
    made = ids(stood_in)
    other = checkout(stood_in, tmp_path_factory.mktemp("other"))

    for command in ("preview", "up", "refresh", "verify", "drift", "destroy"):
        refused = other.fail(command)
        assert f"stack {stood_in.stack} of project open-webui is deployed on this Docker from another state" in refused
        assert f":{stood_in.directory}" in refused
        assert "TAKE_OVER=1" in refused
    assert ids(stood_in) == made
    assert "proved" in stood_in.succeed("verify")

    guest, network = f"{stood_in.stack}-guest", stood_in.names["network"]
    sh("docker", "run", "--detach", "--name", guest, "--network", network, VALKEY_IMAGE, "sleep", "600")
    try:
        line = f"docker network disconnect {network} {guest}"
        assert line in other.fail("up", TAKE_OVER="1")
        assert ids(stood_in) == made
        sh(*line.split())
    finally:
        sh("docker", "rm", "--force", "--volumes", guest)

    taken = other.succeed("up", TAKE_OVER="1")
    assert f"recovery: removed container {stood_in.names['app']}, which was made from another state, in " in taken
    assert "proved" in taken
    assert other.run_in("valkey", "valkey-cli", "get", "kept") == "yes"

    # Now it is the first one that is told.
    made = ids(other)
    for command in ("preview", "up", "refresh", "verify", "drift", "destroy"):
        assert f":{other.directory}" in stood_in.fail(command)
    assert ids(other) == made
    # The data were made where the first one is: it takes them up, and this one says that it takes them over.
    assert f"make up STACK={other.stack} TAKE_OVER=1` uses it again" in other.succeed("destroy")
    assert other.left()["containers"] == other.left()["networks"] == []
    assert f"stack {other.stack} of project open-webui has data on this Docker from another" in other.fail("up")


def test_data_that_another_checkout_left_are_not_taken_up_unasked(
    stood_in: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stood_in.succeed("up")
    stood_in.succeed("destroy")
    other = checkout(stood_in, tmp_path_factory.mktemp("other"))
    assert f"volume {stood_in.names['app_data']}" in other.fail("up")
    # Where they were left they are.
    assert "proved" in stood_in.succeed("up")


@pytest.mark.parametrize("stood_in", ENGINES, indirect=True)
def test_a_stack_from_before_there_were_identities_is_given_one_and_keeps_its_data(stood_in: Deployment) -> None:
    changed = {
        "topologies/__init__.py": ("[label_with_state(host.marks)]", "[]"),
        "components/docker_host.py": (', "marks": Owner.new().labels', ""),
    }
    originals = {name: (stood_in.directory / name).read_text(encoding="utf-8") for name in changed}
    for name, (now, before) in changed.items():
        assert originals[name].count(now) >= 1
        (stood_in.directory / name).write_text(originals[name].replace(now, before), encoding="utf-8")
    stood_in.succeed("up")
    assert marks(stood_in) == {""}
    stood_in.run_in("valkey", "valkey-cli", "set", "kept", "yes")
    for name, text in originals.items():
        (stood_in.directory / name).write_text(text, encoding="utf-8")

    said = stood_in.succeed("up")

    assert f"stack {stood_in.stack} was deployed before states had identities" in said
    assert "proved" in said
    (mark,) = marks(stood_in)
    assert len(mark) == 16
    assert stood_in.run_in("valkey", "valkey-cli", "get", "kept") == "yes"
    again = stood_in.succeed("up")
    assert "before states had identities" not in again
    assert "unchanged" in again


def marks(deployment: Deployment) -> set[str]:
    """Which states the stack's containers were made from; empty for one that they do not name."""
    with closing(docker_client()) as client:
        listed = client.api.containers(all=True, filters=deployment.marks())
        return {found["Labels"].get(labels.STATE, "") for found in listed}


def checkout(of: Deployment, directory: Path) -> Deployment:
    """A fresh clone that has the same stack file, and no state."""
    return Deployment(directory, of.engine, stack=of.stack, config=of.config, stand_in=True)


def ids(deployment: Deployment) -> set[str]:
    """Of everything that is there of the stack."""
    with closing(docker_client()) as client:
        return {found["Id"] for found in client.api.containers(all=True, filters=deployment.marks())}
