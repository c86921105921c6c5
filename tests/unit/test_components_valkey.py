"""A locked-down Valkey: its accounts, its command line, its health probe."""

import hashlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from components.limits import DEFAULTS, Limits
from components.open_webui.environment import HEALTH_CHECK_SECONDS
from components.valkey.acl import ACCOUNTS, APP_ACCOUNT, HEALTH_ACCOUNT, RIGHTS, VERIFY_ACCOUNT, accounts_file
from components.valkey.args import Lockdown
from components.valkey.command import IDLE_SECONDS, locked_command, locked_healthcheck, valkey_command
from verification.ask.valkey_client import ping, statistics_of
from verification.checks.rights import DONE_WITHOUT
from verification.subject import Login

GOLDEN = Path(__file__).parent / "golden"
PASSWORDS = {account: f"password of {account}" for account in ACCOUNTS}


def options(command: list[str]) -> dict[str, str]:
    """Options of a command line that have one value each."""
    words = command[1:]
    return {words[at]: words[at + 1] for at in range(len(words) - 1) if words[at].startswith("--")}


def locked(*, tls: bool = False, limits: Limits = DEFAULTS["valkey"]) -> dict[str, str]:
    return options(locked_command([(30, 1)], Lockdown(files_name="f", limits=limits, max_clients=1234, tls=tls)))


def account_lines() -> dict[str, list[str]]:
    """Words of each account's line, by account."""
    lines = [line.split() for line in accounts_file(PASSWORDS).splitlines()]
    assert all(line[0] == "user" for line in lines)
    return {line[1]: line[2:] for line in lines}


def test_the_open_command_is_the_tutorials() -> None:
    assert valkey_command([(30, 1)]) == ["valkey-server", "--save", "30", "1"]


def test_several_points_of_saving_follow_each_other() -> None:
    assert valkey_command([(900, 1), (30, 100)]) == ["valkey-server", "--save", "900", "1", "30", "100"]


def test_an_empty_save_policy_turns_snapshots_off() -> None:
    assert valkey_command([]) == ["valkey-server", "--save", ""]


def test_nobody_is_let_in_without_a_password() -> None:
    default, *_ = accounts_file(PASSWORDS).splitlines()
    assert default == "user default off resetpass resetkeys resetchannels -@all"
    assert "nopass" not in accounts_file(PASSWORDS)


def test_the_file_holds_hashes_and_no_password() -> None:
    text = accounts_file(PASSWORDS)
    for account, password in PASSWORDS.items():
        assert password not in text
        assert f"#{hashlib.sha256(password.encode()).hexdigest()}" in account_lines()[account]
    assert " >" not in text


def test_the_file_ends_with_a_line_end_as_valkey_wants_it() -> None:
    assert accounts_file(PASSWORDS).endswith("\n")


def test_every_account_is_the_files_alone() -> None:
    assert account_lines().keys() == {"default", *ACCOUNTS} == {"default", *RIGHTS}


@pytest.mark.parametrize("account", ACCOUNTS)
def test_every_account_begins_with_nothing(account: str) -> None:
    words = account_lines()[account]
    assert words[0] == "on"
    assert words[2:4] == ["resetkeys", "resetchannels"]
    first_right = next(word for word in words[4:] if word[0] in "+-")
    assert first_right == "-@all"
    # What is given after is commands one by one, never a category.
    assert not [word for word in words if word.startswith("+@") or word in {"allcommands", "allkeys", "allchannels"}]


@pytest.mark.parametrize("account", [VERIFY_ACCOUNT, HEALTH_ACCOUNT])
def test_who_only_looks_sees_no_key_and_hears_no_channel(account: str) -> None:
    assert not [word for word in account_lines()[account] if word.startswith(("~", "&", "%"))]


def test_the_health_account_may_ask_whether_valkey_is_there_and_nothing_else() -> None:
    assert RIGHTS[HEALTH_ACCOUNT] == "-@all +ping"


def commands(account: str) -> set[str]:
    return {word[1:] for word in RIGHTS[account].split() if word.startswith("+")}


def test_the_application_has_each_command_that_its_versions_send_and_no_other() -> None:
    """The versions' own sources are read by ``tests/integration/test_redis_calls.py``."""
    recorded: dict[str, list[str]] = json.loads((GOLDEN / "valkey-commands.json").read_text("utf-8"))
    assert commands(APP_ACCOUNT) == set().union(*recorded.values()) - DONE_WITHOUT


def test_the_verification_may_ask_what_it_asks_and_nothing_else() -> None:
    login = Login(user=VERIFY_ACCOUNT, password_file="/run/secrets/verify")
    asked = re.findall(r"ask (?:--json )?([a-z]+(?: [a-z]+)?)", ping(login) + ";" + statistics_of(login))
    containers = {"pubsub", "client", "acl"}
    assert commands(VERIFY_ACCOUNT) == {
        words.replace(" ", "|") if words.split()[0] in containers else words.split()[0] for words in asked
    }


def test_further_rights_are_the_applications_alone() -> None:
    further = ["+lpop", "~other:*", "&other"]
    plain = accounts_file(PASSWORDS).splitlines()
    extended = accounts_file(PASSWORDS, further).splitlines()
    for before, after in zip(plain, extended, strict=True):
        assert after == (f"{before} {' '.join(further)}" if before.startswith(f"user {APP_ACCOUNT} ") else before)


def test_the_application_is_kept_to_its_own_keys_and_channels() -> None:
    words = account_lines()[APP_ACCOUNT]
    assert [word for word in words if word.startswith("~")] == ["~open-webui:*"]
    channels = [word for word in words if word.startswith("&")]
    assert channels == ["&socketio", "&socketio#*", "&open-webui:tasks:commands", "&open-webui:direct_completion"]


@pytest.mark.parametrize("account", ACCOUNTS)
@pytest.mark.parametrize(
    "command",
    [
        "acl|setuser", "bgrewriteaof", "config", "config|set", "debug", "eval_ro", "flushall", "flushdb", "function",
        "keys", "migrate", "module", "monitor", "replicaof", "save", "scan", "shutdown", "slaveof", "swapdb",
    ],
)  # fmt: skip
def test_no_account_may(command: str, account: str) -> None:
    assert f"+{command}" not in account_lines()[account]


def test_nothing_is_ever_evicted_because_a_dropped_revocation_makes_a_token_valid_again() -> None:
    assert locked()["--maxmemory-policy"] == "noeviction"


def test_a_revocation_outlives_a_crash() -> None:
    assert locked()["--appendonly"] == "yes"
    assert locked()["--appendfsync"] == "everysec"
    assert locked()["--save"] == "30"


def test_memory_is_bounded_well_below_the_containers_limit() -> None:
    found = locked(limits=Limits(memory=1000, cpus=1, pids=100, nofile=20000))
    assert found["--maxmemory"] == "600mb"
    assert found["--client-output-buffer-limit"] == "pubsub 10666kb 2666kb 60"


def test_clients_are_as_many_as_are_set() -> None:
    assert locked()["--maxclients"] == "1234"


def test_accounts_are_read_from_the_file() -> None:
    assert locked()["--aclfile"] == "/run/secrets/users.acl"


def test_idle_connections_are_tried_before_valkey_closes_them() -> None:
    assert locked()["--timeout"] == str(IDLE_SECONDS)
    assert 2 * HEALTH_CHECK_SECONDS < IDLE_SECONDS


def test_without_tls_nothing_speaks_of_it() -> None:
    assert not [name for name in locked() if "tls" in name or name == "--port"]


def test_with_tls_nothing_else_is_spoken() -> None:
    found = locked(tls=True)
    assert found["--port"] == "0"
    assert found["--tls-port"] == "6379"
    files = {name: value for name, value in found.items() if name.endswith("-file")}
    assert files == {
        "--tls-cert-file": "/run/secrets/cert.pem",
        "--tls-key-file": "/run/secrets/key.pem",
        "--tls-ca-cert-file": "/run/secrets/valkey-ca.pem",
    }


def test_clients_show_passwords_and_no_certificates() -> None:
    assert locked(tls=True)["--tls-auth-clients"] == "no"


@pytest.mark.parametrize("answer", ["PONG", "NOAUTH Authentication required.", "PONG and more", ""])
def test_the_probe_is_green_for_pong_alone(answer: str, tmp_path: Path) -> None:
    """A shell's line, so a shell says what it does."""
    client = tmp_path / "valkey-cli"
    client.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\necho "{answer}"\n')
    client.chmod(0o755)
    mode, line = locked_healthcheck(tls=False).test
    done = subprocess.run(
        ["sh", "-c", line], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, check=False
    )
    assert mode == "CMD-SHELL"
    assert (done.returncode == 0) is (answer == "PONG")
    assert (tmp_path / "asked").read_text() == "-e --user health ping\n"


def test_the_probe_takes_its_password_from_a_file_and_shows_it_to_nobody() -> None:
    line = locked_healthcheck(tls=False).test[1]
    assert line.startswith("REDISCLI_AUTH=$(cat /run/secrets/health) valkey-cli ")
    assert "--pass" not in line


def test_with_tls_the_probe_trusts_the_stacks_authority_alone() -> None:
    assert " --tls --cacert /run/secrets/valkey-ca.pem ping" in locked_healthcheck(tls=True).test[1]
