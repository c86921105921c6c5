"""The real program: a stack of the embedded engine moves to PostgreSQL, is worked on by two, and moves back.

Every command is the one of docs/teams.md.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

import docker
import docker.errors
import pytest

from docker_access.client import docker_client
from tests.documents import commands
from tests.integration.deployment import Deployment
from tests.teams.people import Person, postgres, send_signal, wait_for

pytestmark = [pytest.mark.pulumi_cli, pytest.mark.docker, pytest.mark.chained]
IMAGE = "docker.io/pgvector/pgvector:0.8.7-pg17"


@dataclass(frozen=True, kw_only=True)
class Team:
    """Two who share a stack.

    Attributes:
        stack: The stack.
        ann: She has deployed it, with the embedded engine.
        ben: He has what she committed.
        alone: Her, in a shell without the variables of the backend.
    """

    stack: Deployment
    ann: Person
    ben: Person
    alone: Person

    def container(self) -> str:
        """The id of the app's container; empty where there is none."""
        with closing(docker_client()) as client:
            try:
                return str(client.containers.get(self.stack.names["app"]).id)
            except docker.errors.NotFound:
                return ""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    directory = tmp_path_factory.mktemp("team")
    stack = Deployment(directory / "ann", "embedded")
    try:
        with postgres(f"teams-{secrets.token_hex(3)}", IMAGE) as backend:
            stack.succeed("up")
            passphrase = (stack.directory / ".pulumi-state/passphrase").read_text().strip()
            alone = Person(checkout=stack.directory, home=directory / "home-of-ann")
            ann = dataclasses.replace(
                alone,
                variables=commands("docs/teams.md", "PostgreSQL", **backend.words),
                given=(*backend.given, passphrase),
            )
            shutil.copytree(stack.directory, directory / "ben", symlinks=True)
            shutil.rmtree(directory / "ben/.pulumi-state")
            ben = dataclasses.replace(ann, checkout=directory / "ben", home=directory / "home-of-ben")
            for somebody in (ann, ben):
                somebody.home.mkdir()
            yield Team(stack=stack, ann=ann, ben=ben, alone=alone)
    finally:
        stack.remove_everything()


def test_a_stack_of_files_moves_to_the_database_and_nothing_is_touched(team: Team) -> None:
    container = team.container()
    name = team.stack.stack
    there = commands("docs/teams.md", "Move a stack there", team=name)
    first, then = there.split("pulumi stack init", 1)
    team.alone.types(first)
    moved = team.ann.types(f"pulumi stack init{then}")
    assert "engine: Pulumi CLI" in moved
    assert "state in postgres://pulumi@127.0.0.1:" in moved
    assert team.container() == container
    assert team.stack.state() == b""


def test_the_other_sees_the_same_stack(team: Team) -> None:
    shown = team.ben.types(commands("docs/teams.md", "Begin, or join", team=team.stack.stack))
    assert "unchanged" in shown
    assert "to create" not in shown
    outputs = json.loads(team.ben.types(f"make -s outputs STACK={team.stack.stack} 2>/dev/null"))
    assert outputs["subject"]
    team.ben.types(f"make drift STACK={team.stack.stack}; make verify STACK={team.stack.stack}")


def test_who_forgets_the_variables_does_not_begin_it_anew(team: Team) -> None:
    container = team.container()
    refused = team.alone.types(f"make up STACK={team.stack.stack}", fails=True)
    assert f"stack {team.stack.stack} of project open-webui is deployed on this Docker from another state" in refused
    assert "PULUMI_BACKEND_URL=" in refused
    assert team.container() == container


def test_with_another_passphrase_and_without_the_salt_nothing_is_begun(team: Team) -> None:
    stranger = dataclasses.replace(team.ben, given=(*team.ben.given[:-1], "another"))
    preview = f"make preview STACK={team.stack.stack}"
    assert "Wrong passphrase" in stranger.types(preview, fails=True)
    file = stranger.checkout / f"stacks/Pulumi.{team.stack.stack}.yaml"
    committed = file.read_text()
    salt = next(line for line in committed.splitlines(keepends=True) if line.startswith("encryptionsalt"))
    file.write_text(committed.replace(salt, ""))
    try:
        assert "Wrong passphrase" in stranger.types(preview, fails=True)
        assert "encryptionsalt" not in file.read_text()
    finally:
        file.write_text(committed)


def test_the_embedded_engine_is_refused_before_anything_is_done(team: Team) -> None:
    refused = team.ben.types(f"make up STACK={team.stack.stack} ENGINE=embedded", fails=True)
    assert "which only the Pulumi CLI can use" in refused
    assert "image:" not in refused


def test_of_two_at_once_the_second_is_told_whom_to_wait_for_and_a_killed_run_is_recovered(team: Team) -> None:
    name, before = team.stack.stack, team.container()
    team.stack.configure({"logLevel": "INFO"})
    shutil.copy(team.stack.stack_file, team.ben.checkout / f"stacks/Pulumi.{name}.yaml")
    with team.ann.begin(f"make up STACK={name}") as run:
        try:
            # In the middle of its replacement.
            wait_for(lambda: team.container() not in {before, ""}, run)
            send_signal(run, signal.SIGSTOP)
            refused = team.ben.types(f"make up STACK={name}", fails=True)
            assert f"has been changing stack {name} since" in refused
            assert all(secret not in refused for secret in team.ben.given)
            assert "make cancel" in team.ben.types(f"make cancel STACK={name}", fails=True)
        finally:
            send_signal(run, signal.SIGKILL)
    assert "left its lock behind" in team.ben.types(f"make up STACK={name}", fails=True)
    recovered = team.ben.types(commands("docs/teams.md", "A killed run", team=name))
    assert "proved" in recovered
    assert len(team.stack.left()["containers"]) == 3


def test_it_moves_back_to_files_and_the_embedded_engine_goes_on(team: Team) -> None:
    container, name = team.container(), team.stack.stack
    team.ann.types(commands("docs/teams.md", "Move it back", team=name))
    assert "unchanged" in team.alone.types(f"make up STACK={name} ENGINE=embedded")
    assert team.container() == container
    team.stack.succeed("destroy")
    assert team.stack.left()["containers"] == []
