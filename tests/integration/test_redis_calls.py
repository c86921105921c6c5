"""What the installed Open WebUI asks of Valkey, read from its own source in its image, is what its account may do."""

import json
from collections.abc import Mapping
from pathlib import Path

import docker
import pytest

from components.valkey.acl import APP_ACCOUNT, RIGHTS
from tests import redis_calls
from verification.checks.rights import DONE_WITHOUT

pytestmark = pytest.mark.docker

GOLDEN = Path(__file__).parent.parent / "unit/golden/valkey-commands.json"


def commands_of(client: docker.DockerClient, image: str) -> tuple[str, dict[str, str]]:
    """Version of an image's Open WebUI, and its commands with the place of each."""
    program = Path(redis_calls.__file__).read_text("utf-8")
    told = client.containers.run(
        image, ["-c", program], entrypoint="python3", working_dir="/app/backend", network_mode="none", remove=True
    )
    found: dict[str, str] = json.loads(told)
    version = client.containers.run(
        image, ["-c", "import json; print(json.load(open('/app/package.json'))['version'])"],
        entrypoint="python3", network_mode="none", remove=True,
    )  # fmt: skip
    return version.decode().strip(), found


def assert_granted(version: str, found: Mapping[str, str]) -> None:
    granted = {word[1:] for word in RIGHTS[APP_ACCOUNT].split() if word.startswith("+")}
    assert not {command: place for command, place in found.items() if command not in granted | DONE_WITHOUT}
    recorded: dict[str, list[str]] = json.loads(GOLDEN.read_text("utf-8"))
    if version in recorded:
        assert sorted(found) == recorded[version]


def test_each_command_that_open_webui_sends_is_granted(
    client: docker.DockerClient, references: Mapping[str, str]
) -> None:
    assert_granted(*commands_of(client, references["open-webui"]))
