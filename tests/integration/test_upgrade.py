"""Open WebUI 0.12.0 becomes 0.12.4: two versions as they are on PyPI, with what people wrote under the first."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from components.postgres import DATABASE
from tests.integration.deployment import Deployment, settings_of
from tests.integration.people import ask, is_signed_in, sign_in, sign_up, titles, write_chat
from tests.integration.test_redis_calls import assert_granted, commands_of
from tooling.images.ensure import ensure

pytestmark = [pytest.mark.docker, pytest.mark.nightly]

CHAT = "written before"
NEW = "ghcr.io/open-webui/open-webui:v0.12.4"
SCHEMA = "SELECT version_num FROM alembic_version"
OLDER_SCHEMA, NEWER_SCHEMA = "b8f2c6d91a04", "0bd252b206fb"
"""The last of each version's migrations: the newer one has two more."""
FROM_SQLITE = f"import sqlite3; print(*sqlite3.connect('data/webui.db').execute({SCHEMA!r}).fetchone())"
ASK = {
    "single": ("app", "python3", "-c", FROM_SQLITE),
    "replicated": ("postgres", "psql", "--username", "postgres", "--dbname", DATABASE, "-XAtc", SCHEMA),
}
"""Where the revision is asked for, by topology."""


@pytest.fixture(scope="module")
def old(client: docker.DockerClient, downloads: None) -> Iterator[str]:
    """An image of 0.12.0, built here: no registry has one of that name."""
    name = f"open-webui-test.invalid/{secrets.token_hex(3)}/open-webui:v0.12.0"
    ensure(client, name, rebuild=True)
    try:
        yield name
    finally:
        client.images.remove(name, force=True)


def test_each_command_that_the_older_version_sends_is_granted(client: docker.DockerClient, old: str) -> None:
    version, found = commands_of(client, old)
    assert version == "0.12.0"
    assert_granted(version, found)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("topology", "like"), [("single", "dev"), ("replicated", "staging")])
def test_an_account_and_a_chat_written_under_the_older_version_are_there_under_the_newer(
    tmp_path: Path, old: str, topology: str, like: str
) -> None:
    config = settings_of(like, {"tutorialNames": None, "openWebuiImage": old})
    stack = Deployment(tmp_path, "embedded", config=config)
    url = f"http://127.0.0.1:{config['uiPort']}"
    role, *command = ASK[topology]
    with stack.deployed():
        assert ask(f"{url}/api/version", "GET")[1]["version"] == "0.12.0"
        token = sign_up(url)
        write_chat(url, token, CHAT)
        assert stack.run_in(role, *command) == OLDER_SCHEMA
        stack.configure({"openWebuiImage": NEW})
        assert "proved: live events through Valkey are sent and received" in stack.succeed("up")
        assert ask(f"{url}/api/version", "GET")[1]["version"] == "0.12.4"
        assert stack.run_in(role, *command) == NEWER_SCHEMA
        assert titles(url, sign_in(url)) == {CHAT}
        assert is_signed_in(url, token)
