"""No secret of a stack is in anything that is printed, kept in plain text, or seen by who may list processes.

The secrets are those of the state, decrypted with the stack's passphrase: none can be forgotten here.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from io import StringIO
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from rich.console import Console

from docker_access.client import docker_client
from tests.integration.deployment import PROJECT, Deployment
from tests.lives import FIRST_UP
from tooling.pulumi_files.checkpoint import salt_of
from tooling.pulumi_files.project import load_project, passphrase
from tooling.pulumi_files.secrets import Secrets
from verification.ask.docker_view import LOG_LINES
from verification.report.markdown import as_markdown
from verification.report.terminal import as_text, print_report
from verification.run import verify
from verification.subject import Subject, subject_of

pytestmark = pytest.mark.docker

SHORTEST = 16
"""No secret made by this project is shorter."""
WAIT_SECONDS = 20.0


@pytest.fixture(scope="module")
def secrets(stack: Deployment) -> frozenset[str]:
    """Every secret of the state, of keys each line: whatever is encrypted by itself, which no reader needs to see.

    A log is none: it is encrypted for what a program might write in it.
    """
    document = json.loads(stack.state())
    opened = Secrets(salt_of(document), passphrase(load_project(stack.directory), stack.environment(), make=False))
    values = [
        opened.open(value["ciphertext"])
        for resource in document["checkpoint"]["latest"]["resources"]
        for name, value in resource["outputs"].items()
        if isinstance(value, dict) and "ciphertext" in value and name not in {"__provider", "containerLogs"}
    ]
    texts = [line for value in values if isinstance(value, str) for line in value.splitlines() if "-----" not in line]
    found = frozenset(text for text in texts if len(text) >= SHORTEST)
    # The key of sessions; and Valkey's three accounts, Postgres' role, its URL, the administrator, three of a TLS key.
    assert len(found) == (10 if stack.config.get("topology") else 1)
    return found


def leaks(seen: Mapping[str, str], secrets: frozenset[str]) -> list[str]:
    """Where a secret is seen; the secret itself is not told."""
    assert all(seen.values()), [where for where, text in seen.items() if not text]
    return [where for where, text in seen.items() if any(secret in text for secret in secrets)]


def subject(stack: Deployment, **changes: Any) -> Subject:
    """What `make verify` verifies, or that with some changes."""
    outputs = stack.outputs("--show-secrets")
    inputs = {**outputs["subject"], "url": outputs["url"], "expected": outputs["expected"]}
    return subject_of({**inputs, "wait_timeout_seconds": WAIT_SECONDS, **changes})


def told(subject: Subject) -> dict[str, str]:
    """A verification in every form that its report has, and its progress."""
    progress, wide = ["progress:"], Console(file=StringIO(), width=200, force_terminal=True)
    found = verify(subject, progress.append)
    print_report(found, wide)
    assert isinstance(wide.file, StringIO)
    return {
        "text": as_text(found),
        "terminal": wide.file.getvalue(),
        "Markdown": as_markdown(found),
        "JSON": json.dumps(found),
        "progress": "\n".join(progress),
    }


@contextmanager
def command_lines() -> Iterator[set[str]]:
    """Every command line on this machine, those in containers too, for a while."""
    seen: set[str] = set()
    over = Event()

    def watch() -> None:
        while not over.is_set():
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    seen.add(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
            time.sleep(0.02)

    watching = Thread(target=watch, daemon=True)
    watching.start()
    try:
        yield seen
    finally:
        over.set()
        watching.join()


def test_what_is_printed_and_kept_in_plain_text_holds_none(stack: Deployment, secrets: frozenset[str]) -> None:
    seen = {command: stack.succeed(command) for command in ("preview", "refresh", "up")}
    seen["verify"] = stack.succeed("verify", "--no-idle")
    seen["outputs"] = json.dumps(stack.outputs())
    seen["the first up"] = (stack.directory / FIRST_UP).read_text(encoding="utf-8")
    seen["the state"] = stack.state().decode()
    seen["the stack file"] = stack.stack_file.read_text(encoding="utf-8")

    assert leaks(seen, secrets) == []


def test_a_report_of_what_is_well_holds_none_in_any_form(stack: Deployment, secrets: frozenset[str]) -> None:
    assert leaks(told(subject(stack)), secrets) == []


def test_the_command_line_alone_prints_none(stack: Deployment, secrets: frozenset[str]) -> None:
    apps = [word for name in stack.apps for word in ("--app", name)]

    done = subprocess.run(
        [sys.executable, "-m", "verification", "--no-idle", *apps, "--json"],
        cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert leaks({"stdout": done.stdout, "both": done.stdout + done.stderr}, secrets) == []
    assert "Traceback" not in done.stderr


def test_a_report_of_what_differs_from_what_was_asked_holds_none(stack: Deployment, secrets: frozenset[str]) -> None:
    right = subject(stack)
    wrong = {name: {path: f"not {value}" for path, value in paths.items()} for name, paths in right.expected.items()}
    stale = {name: {"Config.Env[WEBUI_SECRET_KEY]": secret} for name in right.apps for secret in secrets}

    assert leaks(told(subject(stack, expected=wrong)), secrets) == []
    assert leaks(told(subject(stack, expected=stale)), secrets) == []


def test_a_report_of_what_is_broken_holds_none(stack: Deployment, secrets: frozenset[str]) -> None:
    with closing(docker_client()) as client:
        valkey = client.containers.get(stack.names["valkey"])
        valkey.stop(timeout=1)
        try:
            stopped = told(subject(stack))
            while_stopped = stack.fail("verify", "--no-idle")
        finally:
            valkey.start()
        app = client.containers.get(stack.apps[0])
        app.kill()
        try:
            killed = told(subject(stack))
        finally:
            app.start()

    assert "valkey-exited" in stopped["text"]
    assert "app-exited" in killed["text"]
    assert leaks({**stopped, "make verify": while_stopped}, secrets) == []
    assert leaks(killed, secrets) == []
    assert "proved: " in stack.succeed("verify", "--no-idle")


def test_no_command_line_and_no_log_shows_one(stack: Deployment, secrets: frozenset[str]) -> None:
    with command_lines() as seen:
        stack.succeed("verify", "--no-idle")
    assert any("-m verification" in line for line in seen)
    lines = {f"command line {line.split(' ')[0]} ({len(line)} characters)": line for line in seen if line}

    assert leaks(lines, secrets) == []
    with closing(docker_client()) as client:
        containers = client.containers.list(all=True, filters=stack.marks(), ignore_removed=True)
        logs = {f"log of {one.name}": one.logs().decode(errors="replace") or "(empty)" for one in containers}
    assert leaks(logs, secrets) == []


def test_docker_shows_none_but_the_one_of_the_tutorials_form(stack: Deployment, secrets: frozenset[str]) -> None:
    with closing(docker_client()) as client:
        found = client.containers.list(all=True, filters=stack.marks(), ignore_removed=True)
        inspected = {str(one.name): json.dumps(one.attrs) for one in found}

    assert set(stack.apps) < set(inspected)
    # There the key of sessions stands in the environment of Open WebUI, as the tutorial has it.
    shown = [] if stack.config.get("topology") else [stack.names["app"], stack.names["migration"]]
    assert sorted(leaks(inspected, secrets)) == shown


def test_a_log_that_shows_every_secret_is_told_without_them(stack: Deployment, secrets: frozenset[str]) -> None:
    """The last of this module: the log stays as it is."""
    say = "{ printenv WEBUI_SECRET_KEY; cat /run/secrets/*.env; } > /proc/1/fd/1 2> /dev/null; true"
    with closing(docker_client()) as client:
        app = client.containers.get(stack.apps[0])
        app.exec_run(["sh", "-c", say])
        shown = app.logs(tail=LOG_LINES).decode(errors="replace")
        assert any(secret in shown for secret in secrets)
        app.kill()
        try:
            killed = told(subject(stack))
        finally:
            app.start()
    assert "app-exited" in killed["text"]
    assert leaks(killed, secrets) == []
    assert "proved: " in stack.succeed("verify", "--no-idle")
