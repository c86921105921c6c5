"""A small program in a PostgreSQL database and in a bucket, by the Pulumi CLI: what people do to each other there.

The variables are those of docs/teams.md, word for word.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import commands
from tests.teams.people import Backend, Person, bucket, postgres, send_signal, wait_for

pytestmark = [pytest.mark.pulumi_cli, pytest.mark.docker, pytest.mark.chained]
IMAGE = "docker.io/pgvector/pgvector:0.8.7-pg17"
PROJECT = f"""\
name: shared
runtime: {{name: python, options: {{toolchain: pip, virtualenv: {sys.prefix}}}}}
config:
  size: {{type: integer}}
  word: {{type: string, secret: true}}
"""
PROGRAM = """\
import pulumi
from things import Thing

config = pulumi.Config()
Thing("thing", config.require_int("size"))
pulumi.export("size", config.require_int("size"))
pulumi.export("word", config.require_secret("word"))
"""
# Whoever has the file `hold` is still at work.
THINGS = """\
import time
from pathlib import Path
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult


class Things(ResourceProvider):
    def create(self, props):
        return CreateResult("1", props)

    def diff(self, id, old, new):
        return DiffResult(changes=old["size"] != new["size"])

    def update(self, id, old, new):
        Path("begun").touch()
        while Path("hold").exists():
            time.sleep(0.05)
        return UpdateResult(new)


class Thing(Resource):
    def __init__(self, name, size):
        super().__init__(Things(), name, {"size": size})
"""
UP = "pulumi up --yes --skip-preview --non-interactive --stack team"
PREVIEW = "pulumi preview --expect-no-changes --non-interactive --stack team"


@pytest.fixture(scope="module", params=["postgres", "bucket"])
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    if request.param == "postgres":
        with postgres(f"teams-{secrets.token_hex(3)}", IMAGE) as made:
            yield made
    else:
        with bucket(tmp_path_factory.mktemp("bucket")) as made:
            yield made


def variables(backend: Backend) -> str:
    if backend.heading == "PostgreSQL":
        return commands("docs/teams.md", "PostgreSQL", **backend.words)
    return commands("docs/teams.md", "A bucket", **backend.words)


def person(directory: Path, backend: Backend, passphrase: str = "the team's own") -> Person:
    """Somebody with a checkout of the project as it is when nobody has begun the stack."""
    checkout, home = directory / "checkout", directory / "home"
    checkout.mkdir(parents=True)
    home.mkdir()
    for name, text in {"Pulumi.yaml": PROJECT, "__main__.py": PROGRAM, "things.py": THINGS}.items():
        (checkout / name).write_text(text)
    (checkout / "Pulumi.team.yaml").touch()
    return Person(checkout=checkout, home=home, variables=variables(backend), given=(*backend.given, passphrase))


@pytest.fixture(scope="module")
def ann(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """She has begun the stack."""
    made = person(tmp_path_factory.mktemp("ann"), backend)
    made.types(f"""
        pulumi stack init team
        pulumi config set --stack team size 1
        pulumi config set --stack team --secret word 'hush hush'
        {UP}
    """)
    return made


@pytest.fixture(scope="module")
def ben(backend: Backend, ann: Person, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """He has pulled what she committed."""
    made = person(tmp_path_factory.mktemp("ben"), backend)
    (made.checkout / "Pulumi.team.yaml").write_text((ann.checkout / "Pulumi.team.yaml").read_text())
    return made


def outputs(somebody: Person) -> dict[str, object]:
    found: dict[str, object] = json.loads(somebody.types("pulumi stack output --json --show-secrets --stack team"))
    return found


def test_what_one_has_deployed_is_the_others_stack_too_with_its_secrets(ann: Person, ben: Person) -> None:
    ben.types(f"{PREVIEW}; pulumi config set --stack team size 2; {UP}")
    assert outputs(ann) == {"size": 2, "word": "hush hush"}


def test_of_two_at_once_the_second_is_told_who_is_at_work_and_a_killed_run_is_recovered(
    ann: Person, ben: Person
) -> None:
    for somebody in (ann, ben):
        somebody.types("pulumi config set --stack team size 3")
    (ann.checkout / "begun").unlink(missing_ok=True)
    (ann.checkout / "hold").touch()
    with ann.begin(UP) as run:
        try:
            wait_for((ann.checkout / "begun").exists, run)
            refused = ben.types(UP, fails=True)
            assert "the stack is currently locked by 1 lock(s)" in refused
            assert "created by " in refused
            assert all(secret not in refused for secret in ben.given)
            assert outputs(ben)["size"] == 2
        finally:
            send_signal(run, signal.SIGKILL)
    assert "currently locked" in ben.types(UP, fails=True)
    ben.types("pulumi cancel --yes --stack team")
    assert "pending operations" in ben.types(UP)
    assert outputs(ann)["size"] == 3
    ann.types(PREVIEW)


def test_a_wrong_passphrase_is_named_and_changes_nothing(ben: Person) -> None:
    stranger = dataclasses.replace(ben, given=(*ben.given[:-1], "another"))
    assert "incorrect passphrase" in stranger.types(UP, fails=True)
    ben.types(PREVIEW)


def test_who_may_not_enter_the_backend_is_refused(ben: Person) -> None:
    stranger = dataclasses.replace(ben, given=(*ben.given[:-2], "guessed", ben.given[-1]))
    refused = stranger.types("pulumi stack ls", fails=True)
    assert "authentication failed" in refused or "SignatureDoesNotMatch" in refused


def test_another_passphrase_shuts_out_who_has_the_old_one(ann: Person, ben: Person) -> None:
    change = commands("docs/teams.md", "When somebody leaves")
    dataclasses.replace(ann, given=(*ann.given, "the new one", "the new one")).types(change)
    stack_file = (ann.checkout / "Pulumi.team.yaml").read_text()
    (ben.checkout / "Pulumi.team.yaml").write_text(stack_file)
    assert "incorrect passphrase" in ben.types(PREVIEW, fails=True)
    told = dataclasses.replace(ben, given=(*ben.given[:-1], "the new one"))
    assert outputs(told)["word"] == "hush hush"
    told.types(PREVIEW)
