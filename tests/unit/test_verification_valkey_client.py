"""The questions to Valkey as a real shell runs them, over a client that is a recording."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from verification.ask.docker_view import Executed
from verification.ask.valkey_client import ping, read_statistics, statistics_of
from verification.evidence.container import Container
from verification.evidence.valkey import Valkey
from verification.subject import Login

PASSWORD = "0a1b2c3d4e5f"
RECORDER = """#!/bin/sh
for word in "$@"; do printf '<%s>' "$word"; done >> "$RECORD"
echo >> "$RECORD"
echo "password: ${REDISCLI_AUTH-none}" >> "$RECORD"
case "$*" in *ping) echo PONG ;; *) echo "(nothing)" ;; esac
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A directory with a client, the timeout command and a password."""
    client = tmp_path / "valkey-cli"
    client.write_text(RECORDER, encoding="utf-8")
    client.chmod(0o755)
    (tmp_path / "password").write_text(PASSWORD, encoding="utf-8")
    return tmp_path


def run(machine: Path, script: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    record = machine / "record"
    environment = {"PATH": f"{machine}:{os.defpath}", "RECORD": str(record)}
    done = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)
    return done, record.read_text(encoding="utf-8").splitlines() if record.exists() else []


def login(machine: Path, **changes: str) -> Login:
    return Login(**{"user": "verify", "password_file": str(machine / "password"), **changes})


def test_ping_prints_the_clients_name_and_the_answer(machine: Path) -> None:
    done, _ = run(machine, ping(None))

    assert done.stdout == "valkey-cli\nPONG\n"


def test_redis_cli_comes_first(machine: Path) -> None:
    (machine / "redis-cli").symlink_to(machine / "valkey-cli")

    assert run(machine, ping(None))[0].stdout.startswith("redis-cli\n")


def test_a_password_reaches_the_client_by_its_environment_alone(machine: Path) -> None:
    script = ping(login(machine, ca_file="/run/secrets/ca.pem"))

    done, record = run(machine, script)

    assert record[0] == "<-p><6379><-e><--tls><--cacert></run/secrets/ca.pem><--user><verify><ping>"
    assert record[1] == f"password: {PASSWORD}"
    assert PASSWORD not in script + done.stdout + done.stderr + record[0]


@pytest.mark.parametrize(
    ("titles", "port"),
    [
        ("valkey-server *:6399", "6399"),
        ("docker-init\\n--\\nredis-server 127.0.0.1:6399 [cluster]", "6399"),
        ("valkey-server [::1]:6399", "6399"),
        ("valkey-server\\n/etc/valkey.conf", "6379"),
        ("sh\\n-c\\nsleep 9", "6379"),
    ],
)
def test_the_client_asks_at_the_port_the_servers_title_tells(machine: Path, titles: str, port: str) -> None:
    shows_titles = machine / "tr"
    shows_titles.write_text(f"#!/bin/sh\nprintf '{titles}\\n'\n")
    shows_titles.chmod(0o755)

    assert run(machine, ping(None))[1][0] == f"<-p><{port}><-e><ping>"


def test_a_password_file_that_is_missing_is_said_and_nothing_is_asked(machine: Path) -> None:
    done, record = run(machine, ping(login(machine, password_file="/no such/file")))

    assert done.returncode == 1
    assert "/no such/file" in done.stderr
    assert record == []


def test_what_stands_in_a_login_is_no_shell(machine: Path) -> None:
    done, record = run(machine, ping(login(machine, user="verify; touch pwned")))

    assert record[0] == "<-p><6379><-e><--user><verify; touch pwned><ping>"
    assert done.stdout == "valkey-cli\nPONG\n"


def test_without_a_client_the_exit_code_says_so(tmp_path: Path) -> None:
    assert run(tmp_path, ping(None))[0].returncode == 127


def test_with_a_login_somebody_without_one_asks_too(machine: Path) -> None:
    done, record = run(machine, statistics_of(login(machine)))

    commands, passwords = record[::2], record[1::2]
    assert commands[-1] == "<-p><6379><-e><ping>"
    assert passwords[-1] == "password: none"
    assert set(passwords[:-1]) == {f"password: {PASSWORD}"}
    assert read_statistics(VALKEY, Executed(output=done.stdout)).nobody == "PONG"


VALKEY = Valkey(container=Container(name="valkey"), answer="PONG")
ENTRY = (
    '{"count":2,"reason":"key","context":"toplevel","object":"foo\\nbar","username":"openwebui",'
    '"age-seconds":0.5,"client-info":"id=8 addr=127.0.0.1:38356","entry-id":3}'
)
RECORDED = (
    "socketio\n2\n\n---\n"
    "id=7 addr=10.0.0.3:50312 laddr=10.0.0.2:6379 name= db=0 sub=2 psub=0\n"
    "id=9 addr=10.0.0.4:50314 laddr=10.0.0.2:6379 name= db=0 sub=1 psub=0\n\n---\n"
    "# Server\r\nredis_version:7.2.4\r\nvalkey_version:8.0.1\r\nmaster_host:\r\nrole:master\r\n\n---\n"
    f"[{ENTRY}]\n---\n"
    "NOAUTH Authentication required.\n\n"
)


def test_all_answers_are_read() -> None:
    found = read_statistics(VALKEY, Executed(output=RECORDED))

    assert (found.subscribers, found.subscriber_addresses) == (2, ("10.0.0.3", "10.0.0.4"))
    assert found.version == "8.0.1"
    assert (found.info["role"], found.info["master_host"]) == ("master", "")
    (denial,) = found.denials or ()
    assert (denial.user, denial.reason, denial.what) == ("openwebui", "key", "foo\nbar")
    assert (denial.count, denial.age_seconds, denial.address) == (2, 0.5, "127.0.0.1")
    assert found.nobody == "NOAUTH Authentication required."


def test_an_empty_acl_log_is_not_one_that_was_refused() -> None:
    assert read_statistics(VALKEY, Executed(output=RECORDED.replace(ENTRY, ""))).denials == ()
    refused = RECORDED.replace(f"[{ENTRY}]", "NOPERM User verify has no permissions to run the 'acl|log' command")
    assert read_statistics(VALKEY, Executed(output=refused)).denials is None


def test_a_client_too_old_for_json_tells_no_denials() -> None:
    old = RECORDED.replace(f"[{ENTRY}]", "Unrecognized option or bad number of args for: '--json'")

    assert read_statistics(VALKEY, Executed(output=old)).denials is None


SOCKETS = """
---
   0: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 71841 1 0000000000000000
   1: 0B00007F:A51F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 71729 1 0000000000000000
   0: 00000000000000000000000001000000:18EB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 0
   1: 0000000000000000FFFF00000100007F:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 0
   2: 0100007F:18EC 0100007F:D431 01 00000000:00000000 00:00000000 00000000   999        0 71842 1 0000000000000000
"""


def test_where_it_listens_is_read_as_the_kernel_writes_it() -> None:
    found = read_statistics(VALKEY, Executed(output=RECORDED + SOCKETS))

    assert found.listening == ("127.0.0.11:42271", "127.0.0.1:6379", "[::1]:6379", "[::ffff:127.0.0.1]:80")
    assert found.nobody == "NOAUTH Authentication required."
    assert read_statistics(VALKEY, Executed(output=RECORDED)).listening is None
