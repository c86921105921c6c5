"""The life of a team's stack by the documents' own commands: deployed, changed, backed up, lost, restored, removed."""

import re
import ssl
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.documents import commands
from tests.integration.deployment import Deployment
from tests.integration.hand_made import POSTGRES_IMAGE
from tests.integration.people import delete_chats, sign_in, titles, write_chat
from tests.lives import OUTPUTS

pytestmark = [pytest.mark.docker, pytest.mark.nightly, pytest.mark.chained, pytest.mark.xdist_group("prod")]

CHAT, UPLOAD = "written before the loss", "/app/backend/data/uploads/kept"
OWN_PASSWORD = "a-password-of-ones-own"
API_KEY = "sk-0123456789"


@dataclass
class Team:
    """A stack as the README has it for a team."""

    stack: Deployment

    @property
    def url(self) -> str:
        return str(self.stack.config["publicUrl"])

    @property
    def context(self) -> ssl.SSLContext:
        """Trust in what the commands of the page have fetched, and in nothing else."""
        return ssl.create_default_context(cafile=Path.home() / f"open-webui-{self.stack.stack}.crt")

    def signed_in(self) -> str:
        return sign_in(self.url, OWN_PASSWORD, self.context)


@pytest.fixture(scope="module")
def team(prod: Deployment) -> Team:
    """A team's stack; the tests of this module go on from each other, and end it."""
    printed = (prod.directory / OUTPUTS).read_text(encoding="utf-8")
    assert re.search(r'"admin_password": "[^"\s*]{16,}"', printed)
    return Team(prod)


def test_the_authority_of_the_gateway_is_all_that_has_to_be_trusted(team: Team) -> None:
    script = commands("docs/replicated.md", "TLS", team=team.stack.stack)
    assert "3443" in script
    assert '{"status":true}' in team.stack.type_in(script.replace("3443", str(team.stack.config["uiPort"])))


def test_several_settings_and_secrets_are_changed_and_one_update_carries_them_out(team: Team) -> None:
    name = team.stack.stack
    administrator = commands("docs/replicated.md", "The administrator", team=name)
    own = commands("docs/replicated.md", "Open WebUI's own settings", team=name)
    team.stack.type_in(only("config set", administrator), answer=OWN_PASSWORD)
    team.stack.type_in(only("config set", own), answer=API_KEY)
    scale = commands("docs/replicated.md", "Scale", team=name)
    rotate = commands("docs/replicated.md", "Rotate a secret", team=name)
    printed = team.stack.type_in(only("config set", scale) + only("config set", rotate) + only("make rotate", rotate))
    assert "by each of 3 replicas" in printed
    assert not any(secret in printed for secret in (OWN_PASSWORD, API_KEY))
    assert f"OPENAI_API_KEYS={API_KEY}" in team.stack.run_in("app-1", "cat", "/run/secrets/open-webui.env")
    assert team.signed_in()
    # Each of the pages ends with what changes nothing any more.
    for script in (administrator, own, scale, rotate):
        assert only("make up", script)
    assert "unchanged" in team.stack.type_in(only("make up", scale))


def only(words: str, script: str) -> str:
    """The lines of a script that hold these words."""
    return "".join(line for line in script.splitlines(keepends=True) if words in line)


def test_a_lost_database_is_restored_into_another_postgres(team: Team) -> None:
    name = team.stack.stack
    token = team.signed_in()
    delete_chats(team.url, token, team.context)
    write_chat(team.url, token, CHAT, team.context)
    team.stack.run_in("app-1", "sh", "-c", f"echo uploaded > {UPLOAD}")
    team.stack.type_in(commands("docs/upgrade-and-backup.md", "Back up a replicated stack", team=name))

    delete_chats(team.url, token, team.context)
    team.stack.run_in("app-1", "rm", UPLOAD)
    script = commands("docs/upgrade-and-backup.md", "Upgrade Postgres", team=name)
    assert "docker.io/pgvector/pgvector:NEWER" in script
    fewer = f"python -m tooling.engine config set replicas 2 --stack {name}\n"
    newer = script.replace("docker.io/pgvector/pgvector:NEWER", POSTGRES_IMAGE)
    assert "proved: " in team.stack.type_in(fewer + newer)

    restore = commands("docs/upgrade-and-backup.md", "Restore a replicated stack", team=name)
    assert "proved: " in team.stack.type_in(restore)
    assert titles(team.url, team.signed_in(), team.context) == {CHAT}
    assert team.stack.run_in("app-2", "cat", UPLOAD) == "uploaded"


def test_the_data_go_when_that_is_asked_for_and_production_does_not_forbid_it(team: Team) -> None:
    script = commands("docs/operations.md", "Destroy, and what it keeps", team=team.stack.stack)
    team.stack.type_in(f"python -m tooling.engine config set production false --stack {team.stack.stack}\n{script}")
    assert team.stack.left() == {"containers": [], "networks": [], "volumes": []}
