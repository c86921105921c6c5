"""A single stack's life by the documents' own commands: adopted, changed, backed up, restored, given back."""

import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.documents import commands
from tests.integration.deployment import Deployment, sh
from tests.integration.hand_made import APP_IMAGE, VALKEY_IMAGE, ensure_images
from tests.integration.people import (
    ask,
    delete_chats,
    is_signed_in,
    sign_in,
    sign_up,
    titles,
    wait_until_it_answers,
    write_chat,
)
from tests.lease import free_port

pytestmark = [pytest.mark.docker, pytest.mark.chained]

CHAT = "written before the move"


@dataclass
class Moved:
    """A stack that has adopted the data of an Open WebUI made by hand.

    Attributes:
        stack: The stack.
        old: Name of the container made by hand.
        data: Name of its volume.
        old_url: Where that container answers when it runs.
        token: The administrator's, from before the move.
    """

    stack: Deployment
    old: str
    data: str
    old_url: str
    token: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.stack.config['uiPort']}"

    def type_in(self, script: str) -> str:
        """Have the shell run a script in which the names of what was there before are known."""
        script = script.replace("3100", str(self.stack.config["uiPort"])).replace(
            self.stack.names["app_data"], self.data
        )
        return self.stack.type_in(f"old={self.old}\ndata={self.data}\n{script}")


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moved]:
    """The tutorial's pair with an account and a chat, moved; the tests of this module go on from each other."""
    ensure_images(APP_IMAGE, VALKEY_IMAGE)
    stack = Deployment(tmp_path_factory.mktemp("project"), "embedded")
    stack.stack_file.unlink()
    old, port = f"{stack.stack}-old", free_port()
    made = Moved(stack, old, f"{old}_open-webui", f"http://127.0.0.1:{port}", "")
    try:
        # The tutorial's two, but for names and a port to reach it by.
        sh("docker", "network", "create", f"{old}-network")
        sh(
            "docker", "run", "-d", "--name", f"{old}-valkey", "--network", f"{old}-network", "--network-alias", "redis",
            "-v", f"{old}_redis-data:/data", "--restart", "unless-stopped", VALKEY_IMAGE,
            "valkey-server", "--save", "30", "1",
        )  # fmt: skip
        sh(
            "docker", "run", "-d", "--name", old, "--network", f"{old}-network", "--restart", "always",
            "-v", f"{made.data}:/app/backend/data", "-p", f"127.0.0.1:{port}:8080",
            "-e", "ENABLE_WEBSOCKET_SUPPORT=true", "-e", "WEBSOCKET_MANAGER=redis",
            "-e", "WEBSOCKET_REDIS_URL=redis://redis:6379/1", "-e", "ENABLE_MESSAGE_RATING=false", APP_IMAGE,
        )  # fmt: skip
        wait_until_it_answers(made.old_url)
        made.token = sign_up(made.old_url)
        write_chat(made.old_url, made.token, CHAT)
        yield made
    finally:
        stack.remove_everything()
        sh("sh", "-c", f"docker rm -f -v {old} {old}-valkey || true")
        sh("sh", "-c", f"docker volume rm {made.data} {old}_redis-data {old}-copy || true")
        sh("sh", "-c", f"docker network rm {old}-network || true")


def test_what_there_is_is_found_by_the_commands_of_the_page(moved: Moved) -> None:
    script = commands("docs/coming-from.md", "What you have")
    for name, value in (("old", moved.old), ("data", moved.data)):
        assert f"{name}=open-webui\n" in script
        script = script.replace(f"{name}=open-webui\n", f"{name}={value}\n")
    printed = moved.type_in(script)
    assert f"/app/backend/data is volume {moved.data}\n" in printed


def test_two_open_webuis_do_not_get_hold_of_one_database(moved: Moved) -> None:
    moved.stack.configure({"openWebuiVolume": moved.data})
    assert f"container {moved.old} runs and writes to it. Stop it (docker stop {moved.old})" in moved.stack.fail("up")
    moved.stack.stack_file.unlink()


def test_accounts_and_chats_are_there_after_the_move_and_old_sign_ins_are_not(moved: Moved) -> None:
    assert "proved: " in moved.type_in(commands("docs/coming-from.md", "Move", team=moved.stack.stack))
    kept = Path.home() / f"open-webui-{moved.stack.stack}-before.tar"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert not is_signed_in(moved.url, moved.token)
    assert titles(moved.url, sign_in(moved.url)) == {CHAT}
    assert moved.stack.inspect("app")["Mounts"][0]["Name"] == moved.data
    # A variable of the old container's that Open WebUI had taken down in its database.
    features = ask(f"{moved.url}/api/config", "GET", sign_in(moved.url))[1]["features"]
    assert features["enable_message_rating"] is False


def test_a_setting_is_changed_by_the_commands_of_the_page(moved: Moved) -> None:
    token = sign_in(moved.url)
    script = commands("docs/operations.md", "Change a setting", team=moved.stack.stack)
    assert "proved: " in moved.type_in(script)
    assert is_signed_in(moved.url, token)


def test_a_backup_with_a_pause_is_restored_whole_on_a_docker_that_has_nothing_of_it(moved: Moved) -> None:
    name, token = moved.stack.stack, sign_in(moved.url)
    moved.type_in(commands("docs/upgrade-and-backup.md", "Back up a single stack", team=name))
    with tarfile.open(Path.home() / f"open-webui-{name}-backup/pulumi-state.tar") as state:
        kept = state.getnames()
    assert f"./.pulumi/stacks/open-webui/{name}.json" in kept
    assert not [file for file in kept if "passphrase" in file]
    moved.stack.remove_everything()
    emptied = ("docker", "run", "--rm", "--entrypoint", "find", "-v", f"{moved.data}:/data", APP_IMAGE)
    sh(*emptied, "/data", "-mindepth", "1", "-delete")
    moved.type_in(commands("docs/upgrade-and-backup.md", "Move to another host", team=name))
    assert not is_signed_in(moved.url, token)
    moved.type_in(commands("docs/upgrade-and-backup.md", "Restore a single stack", team=name))
    assert titles(moved.url, token) == {CHAT}


def test_a_backup_of_a_running_stack_is_restored_from_its_parts(moved: Moved) -> None:
    moved.stack.run_in("app", "sh", "-c", "echo uploaded > /app/backend/data/uploads/kept")
    moved.stack.run_in("valkey", "valkey-cli", "set", "kept", "yes")
    moved.type_in(
        commands("docs/upgrade-and-backup.md", "Back up a single stack while it runs", team=moved.stack.stack)
    )
    token = sign_in(moved.url)
    delete_chats(moved.url, token)
    moved.stack.run_in("app", "rm", "/app/backend/data/uploads/kept")
    moved.stack.run_in("valkey", "valkey-cli", "del", "kept")
    moved.type_in(
        commands("docs/upgrade-and-backup.md", "Restore a single stack from the parts", team=moved.stack.stack)
    )
    assert titles(moved.url, token) == {CHAT}
    assert moved.stack.run_in("app", "cat", "/app/backend/data/uploads/kept") == "uploaded"
    assert moved.stack.run_in("valkey", "valkey-cli", "get", "kept") == "yes"


def test_the_commands_of_the_first_pages_find_it_as_it_should_be(moved: Moved) -> None:
    for script in (commands("README.md", "Start"), commands("docs/first-steps.md", "Deploy it")):
        assert "unchanged" in moved.type_in(script)
    # Beside other deployments, one is named.
    script_of_help = commands("docs/troubleshooting.md", "Troubleshooting", dev=moved.stack.stack)
    for script in (commands("docs/verification.md", "Ask at any time"), script_of_help):
        assert "python -m verification\n" in script
        named = f"python -m verification --app {moved.stack.names['app']}\n"
        assert "proved: " in moved.type_in(script.replace("python -m verification\n", named))


def test_the_first_steps_find_a_fault_and_fix_it(moved: Moved) -> None:
    script = commands("docs/first-steps.md", "See a fault found", redis_valkey=moved.stack.names["valkey"])
    printed = moved.type_in(script)
    assert printed.index("failed: valkey-exited") < printed.rindex("proved: ")


def test_a_name_that_does_not_resolve_is_mended_by_either_line(moved: Moved) -> None:
    network, valkey = moved.stack.names["network"], moved.stack.names["valkey"]
    sh("docker", "network", "disconnect", network, valkey)
    script = commands("docs/troubleshooting.md", "name-does-not-resolve", dev=moved.stack.stack)
    assert "proved: " in moved.type_in(script.replace("NETWORK", network).replace("NAME-OF-VALKEY", valkey))


@pytest.mark.pulumi_cli
def test_the_pulumi_cli_takes_it_and_gives_it_back(moved: Moved) -> None:
    script = commands("docs/engines.md", "To the CLI and back", team=moved.stack.stack)
    printed = moved.type_in(script.replace("pulumi up --stack", "pulumi up --yes --stack"))
    assert printed.count("unchanged") >= 3


@pytest.mark.pulumi_cli
def test_bare_pulumi_goes_on_by_the_lines_of_the_first_page(moved: Moved) -> None:
    state = moved.stack.directory / ".pulumi-state"
    given = f"export PULUMI_BACKEND_URL=file://{state} PULUMI_CONFIG_PASSPHRASE_FILE={state}/passphrase\n"
    script = commands("README.md", "With the Pulumi CLI", dev=moved.stack.stack)
    assert "unchanged" in moved.type_in(given + script.replace("pulumi up", "pulumi up --yes"))


@pytest.mark.pulumi_cli
def test_the_passphrase_is_changed_and_changed_back(moved: Moved) -> None:
    script = commands("docs/engines.md", "The passphrase", team=moved.stack.stack)
    kept = moved.stack.directory / ".pulumi-state/passphrase"
    for old, new in ((kept.read_text().strip(), "a-new-one-4714"), ("a-new-one-4714", kept.read_text().strip())):
        (Path.home() / "new-passphrase-twice").write_text(f"{new}\n{new}\n", encoding="utf-8")
        given = f"export PULUMI_BACKEND_URL=file://$PWD/.pulumi-state PULUMI_CONFIG_PASSPHRASE='{old}'\n"
        assert "unchanged" in moved.type_in(given + script.replace("PASSPHRASE=...", f"PASSPHRASE='{new}'"))


def test_the_way_back_has_what_was_written_since(moved: Moved) -> None:
    write_chat(moved.url, sign_in(moved.url), "written after the move")
    moved.type_in(commands("docs/coming-from.md", "Back", team=moved.stack.stack))
    wait_until_it_answers(moved.old_url)
    assert titles(moved.old_url, sign_in(moved.old_url)) == {CHAT, "written after the move"}


def test_the_way_back_to_an_older_version_has_what_was_there_before(moved: Moved) -> None:
    sh("docker", "stop", moved.old)
    moved.type_in(commands("docs/coming-from.md", "Back to an older version", team=moved.stack.stack))
    wait_until_it_answers(moved.old_url)
    assert titles(moved.old_url, moved.token) == {CHAT}


def test_a_folder_is_copied_into_a_volume_as_it_is(moved: Moved) -> None:
    folder = moved.stack.directory / "chat"
    folder.mkdir()
    (folder / "webui.db").write_text("accounts", encoding="utf-8")
    script = commands("docs/coming-from.md", "A folder instead of a volume")
    moved.type_in(script.replace("open-webui-moved", f"{moved.old}-copy"))
    shutil.rmtree(folder)
    read = ("docker", "run", "--rm", "--entrypoint", "cat", "-v", f"{moved.old}-copy:/data", APP_IMAGE)
    assert sh(*read, "/data/webui.db") == "accounts"
