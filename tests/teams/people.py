"""People who share a stack: each with a home, a checkout and a shell of their own; and the servers they share it on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker.errors
import psutil
import requests

from docker_access.client import docker_client

PLUGINS = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
SECONDS = 300
"""How long anything may take, on a machine that does much else."""


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A shared backend, as the documentation has it.

    Attributes:
        heading: The heading of ``docs/teams.md`` with its variables.
        words: What to write there instead.
        given: What is typed in answer to its ``read``, but for the passphrase; the last is the password.
    """

    heading: str
    words: Mapping[str, str]
    given: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody at a machine.

    Attributes:
        checkout: Directory of the project.
        home: Home directory, with the CLI's own files.
        variables: Lines of shell that set the variables they work with.
        given: What they type in answer to those.
    """

    checkout: Path
    home: Path
    variables: str = ""
    given: tuple[str, ...] = ()

    def environment(self) -> dict[str, str]:
        own = self.home / ".pulumi/plugins"
        if PLUGINS.is_dir() and not own.is_symlink():
            own.parent.mkdir(parents=True)
            own.symlink_to(PLUGINS)
        inherited = {
            key: value
            for key, value in os.environ.items()
            # `make test` hands its own variables on.
            if not key.startswith(("PULUMI_", "AWS_", "PG", "MAKE"))
            and key not in {"STACK", "ENGINE", "PYTHON", "PYTHONDONTWRITEBYTECODE"}
        }
        return {
            **inherited, "HOME": str(self.home), "PULUMI_HOME": str(own.parent), "NO_COLOR": "1",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}",
        }  # fmt: skip

    def begin(self, script: str) -> subprocess.Popen[str]:
        """Begin some lines of shell; what they print is one stream."""
        typed = self.home / "typed"
        typed.write_text("".join(f"{line}\n" for line in self.given))
        with typed.open() as keyboard:
            return subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", f"{self.variables}\n{script}"],
                cwd=self.checkout, env=self.environment(), text=True,
                stdin=keyboard, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def types(self, script: str, *, fails: bool = False) -> str:
        """Run some lines of shell that must succeed, or fail; what they printed."""
        with self.begin(script) as shell:
            try:
                printed, _ = shell.communicate(timeout=SECONDS)
            finally:
                send_signal(shell, signal.SIGKILL)
        assert (shell.returncode != 0) == fails, printed
        assert "Traceback" not in printed
        return printed


def wait_for(what: Callable[[], object], begun: subprocess.Popen[Any]) -> None:
    """Wait until something holds, while a process runs."""
    deadline = time.monotonic() + SECONDS
    while not what():
        assert begun.poll() is None, begun.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def send_signal(begun: subprocess.Popen[Any], number: int) -> None:
    """Send a signal to a process and to all that it began, unless it has ended; some may end meanwhile."""
    if begun.poll() is not None:
        return
    with suppress(psutil.NoSuchProcess):
        first = psutil.Process(begun.pid)
        for process in [first, *first.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


@contextmanager
def postgres(name: str, image: str) -> Iterator[Backend]:
    """A PostgreSQL of one's own, as a container."""
    client = docker_client()
    try:
        container = client.containers.run(
            image, name=name, detach=True, ports={"5432/tcp": ("127.0.0.1", 0)},
            environment={"POSTGRES_USER": "pulumi", "POSTGRES_DB": "pulumi", "POSTGRES_PASSWORD": "of-the-database"},
            tmpfs={"/var/lib/postgresql/data": ""},
        )  # fmt: skip
        # The server that makes the database does not listen on TCP.
        deadline = time.monotonic() + SECONDS
        while container.exec_run(["pg_isready", "-h", "127.0.0.1", "-U", "pulumi", "-d", "pulumi"])[0] != 0:
            assert time.monotonic() < deadline, container.logs().decode()
            time.sleep(0.1)
        container.reload()
        port = container.attrs["NetworkSettings"]["Ports"]["5432/tcp"][0]["HostPort"]
        words = {"db.example.com:5432": f"127.0.0.1:{port}", "verify-full": "disable"}
        yield Backend(heading="PostgreSQL", words=words, given=("of-the-database",))
    finally:
        with suppress(docker.errors.NotFound):
            client.containers.get(name).remove(force=True, v=True)
        client.close()


@contextmanager
def bucket(directory: Path) -> Iterator[Backend]:
    """An S3-compatible server that checks signatures, with one bucket."""
    (directory / "pulumi-state").mkdir()
    keys = {"NANIO_ACCESS_KEY": "the-team", "NANIO_SECRET_KEY": "of-the-bucket", "NANIO_DATA_DIR": str(directory)}
    with socket.socket() as listener:
        # Handed over open: nobody else can take the port meanwhile.
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "nanio.app:build_app", "--factory", "--fd", str(listener.fileno()),
             "--log-level", "warning"],
            env={**os.environ, **keys}, pass_fds=[listener.fileno()],
        ) as server:  # fmt: skip
            try:
                wait_for(lambda: _answers(url), server)
                words = {"https://s3.example.com": url}
                yield Backend(heading="A bucket", words=words, given=("the-team", "of-the-bucket"))
            finally:
                server.kill()


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code > 0
    except requests.exceptions.RequestException:
        return False
