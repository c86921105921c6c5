"""How ``DOCKER_HOST`` is read, what a failed connection says, and which ports can be asked from here."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import re
import socket
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from docker import APIClient
from docker.errors import DockerException, NotFound

from docker_access import daemon as which_daemon
from docker_access import elsewhere
from docker_access.client import api_client, docker_client, failure_text
from docker_access.commands import Ran, run_inside
from docker_access.ports import connected
from docker_access.ssh import dial_stdio, explained, through
from tests.unit.test_settings import read
from tooling.launcher.deploy import where_it_listens


@pytest.fixture
def bin_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that comes first on PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


def ssh_is(folder: Path, script: str) -> None:
    (folder / "ssh").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "ssh").chmod(0o755)


@pytest.mark.parametrize(
    ("value", "kind", "name"),
    [
        ("", "local", ""),
        ("unix:///run/docker.sock", "local", ""),
        ("ssh://deploy@docker.example.org:2222", "ssh", "docker.example.org"),
        ("tcp://192.0.2.9:2376", "tcp", "192.0.2.9"),
        ("tcp://[fd00::9]:2376", "tcp", "fd00::9"),
    ],
)
def test_the_kind_of_a_docker_host_is_told_by_its_scheme(
    monkeypatch: pytest.MonkeyPatch, value: str, kind: str, name: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", value)
    assert (which_daemon.kind(), which_daemon.name()) == (kind, name)


def test_ssh_runs_what_dockers_own_command_line_runs() -> None:
    assert dial_stdio("ssh://deploy@docker.example.org:2222/run/user/1000/docker.sock")[6:] == [
        "-l", "deploy", "-p", "2222", "--", "docker.example.org",
        "docker", "--host=unix:///run/user/1000/docker.sock", "system", "dial-stdio",
    ]  # fmt: skip
    assert dial_stdio("ssh://build-host")[6:] == ["--", "build-host", "docker", "system", "dial-stdio"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("ssh://deploy:hunter2@docker.example.org", "a password is not taken, a key is"),
        ("ssh://", "it names no host"),
        ("ssh://docker.example.org:many", "Port could not be cast"),
        ("ssh://[fe80::1", "Invalid IPv6 URL"),
        ("tcp://[fe80::1", "Invalid IPv6 URL"),
        ("tcp://deploy:hunter2@docker.example.org:99999", "Port out of range"),
    ],
)
def test_an_address_that_cannot_be_one_is_refused_and_no_password_shown(
    monkeypatch: pytest.MonkeyPatch, value: str, why: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", value)
    with pytest.raises(DockerException, match=why) as caught:
        api_client()
    example = {"ssh": "ssh://user@host", "tcp": "tcp://host:port"}[value.partition(":")[0]]
    assert f"should look like {example}" in str(caught.value)
    assert "hunter2" not in f"{caught.value}{which_daemon.address()}"


@pytest.mark.parametrize(
    ("said", "seen", "way_out"),
    [
        ("Host key verification failed.", "Host key verification failed", "compare its key: ssh -p 2222 deploy@far"),
        ("deploy@far: Permission denied (publickey).", "Permission denied (publickey)", "ssh-copy-id deploy@far"),
        ("bash: line 1: docker: command not found", "docker: command not found", "install Docker's command line there"),
        (
            "error: Cannot connect to the Docker daemon at unix:///run/docker.sock. Is the docker daemon running?",
            "Cannot connect to the Docker daemon",
            "systemctl start docker",
        ),
        (
            "permission denied while trying to connect to the docker daemon socket at unix:///run/docker.sock",
            "permission denied while trying",
            "--groups docker",
        ),
        ("ssh: Could not resolve hostname far: Name or service not known", "Could not resolve hostname far", "ssh -p"),
    ],
)
def test_a_connection_that_ssh_cannot_make_says_why_and_the_way_out(said: str, seen: str, way_out: str) -> None:
    text = explained("ssh://deploy@far:2222", ["Warning: added far", said], 255)
    assert text.startswith("ssh -p 2222 deploy@far: ")
    assert seen in text.partition(". Way out: ")[0]
    assert way_out in text.partition(". Way out: ")[2]


def test_what_ssh_says_reaches_the_error(monkeypatch: pytest.MonkeyPatch, bin_folder: Path) -> None:
    ssh_is(bin_folder, "echo 'Host key verification failed.' >&2; exit 255")
    monkeypatch.setenv("DOCKER_HOST", "ssh://far")
    with pytest.raises(DockerException) as caught:
        docker_client()
    assert failure_text(caught.value).startswith("ssh far: Host key verification failed. Way out: connect once")


def test_a_machine_without_ssh_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://far")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DockerException) as caught:
        docker_client()
    assert "there is no ssh on PATH" in failure_text(caught.value)


def test_certificates_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.9:2376")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with pytest.raises(DockerException, match=r"holds no cert.pem and no key.pem; put them there"):
        api_client()


# The SDK leaves the socket of a connection that was refused to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_variables_of_tls_do_not_concern_a_socket_of_this_machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))
    with pytest.raises(DockerException) as caught:
        api_client()
    assert failure_text(caught.value) == "No such file or directory"
    del caught
    gc.collect()


def context(folder: Path, name: str, host: str, *, tls: bool = False) -> None:
    """Have the docker command use a context, as it writes it down itself."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts/meta" / digest
    meta.mkdir(parents=True)
    told = {"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": False}}}
    (meta / "meta.json").write_text(json.dumps(told))
    if tls:
        (folder / "contexts/tls" / digest / "docker").mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"currentContext": name}))


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home in which nobody has a Docker."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "SUDO_UID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("PATH", "/no/such/folder")
    assert elsewhere.of_context() is None
    assert elsewhere.of_a_user() is None
    return tmp_path


def test_the_endpoint_of_a_context_is_told_as_the_line_that_exports_it(nowhere: Path) -> None:
    folder = nowhere / ".docker"
    context(folder, "colima", "unix:///home/me/.colima/my docker.sock")
    found = elsewhere.of_context()
    assert found
    assert (found.what, found.line) == (
        "context colima of the docker command",
        "export DOCKER_HOST='unix:///home/me/.colima/my docker.sock'",
    )
    assert elsewhere.way_out() == f"{found.what} is another: {found.line}"


def test_a_context_with_certificates_is_told_with_them(nowhere: Path) -> None:
    context(nowhere / ".docker", "far", "tcp://chat-host:2376", tls=True)
    found = elsewhere.of_context()
    assert found
    assert found.line.startswith(
        f"export DOCKER_HOST=tcp://chat-host:2376 DOCKER_TLS_VERIFY=1 DOCKER_CERT_PATH={nowhere}/.docker/contexts/tls/"
    )


def test_a_context_of_the_default_socket_is_no_other_and_one_that_is_gone_is_asked_for(nowhere: Path) -> None:
    context(nowhere / ".docker", "here", "unix:///var/run/docker.sock")
    assert elsewhere.of_context() is None
    (nowhere / ".docker/config.json").write_text('{"currentContext": "gone"}')
    found = elsewhere.of_context()
    assert found
    assert found.line == "docker context inspect"


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("run/docker.sock", "a rootless Docker"),
        ("run/podman/podman.sock", "Podman"),
        (".docker/desktop/docker.sock", "Docker Desktop"),
        (".colima/default/docker.sock", "Colima"),
    ],
)
def test_a_docker_of_a_users_own_is_found_by_its_socket(
    place: str, what: str, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nowhere / place).parent.mkdir(parents=True)
    monkeypatch.chdir((nowhere / place).parent)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(Path(place).name)  # the whole path may be longer than an address of a socket
        found = elsewhere.of_a_user()
    assert found == elsewhere.Elsewhere(what, {"DOCKER_HOST": f"unix://{nowhere / place}"})
    assert bool(elsewhere.way_out()) is (what != "Podman")
    (nowhere / place).unlink()
    (nowhere / place).touch()
    assert elsewhere.of_a_user() is None, "a file is no socket"


def test_who_works_by_sudo_has_the_docker_of_their_own_home(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = nowhere / "ann/.colima/docker.sock"
    theirs.parent.mkdir(parents=True)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: SimpleNamespace(pw_dir=str(nowhere / "ann")) if uid == 1007 else 1)
    monkeypatch.setattr(Path, "is_socket", lambda place: place == theirs)
    assert elsewhere.of_a_user() is None
    monkeypatch.setenv("SUDO_UID", "1007")
    assert elsewhere.of_a_user() == elsewhere.Elsewhere("Colima", {"DOCKER_HOST": f"unix://{theirs}"})


def test_podman_is_found_by_its_program(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (nowhere / "podman").write_text("#!/bin/sh\n")
    (nowhere / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", str(nowhere))
    assert elsewhere.of_a_user() == elsewhere.Elsewhere("Podman")


def test_who_names_a_docker_is_told_of_no_other(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context(nowhere / ".docker", "colima", "unix:///home/me/.colima/docker.sock")
    monkeypatch.setenv("DOCKER_HOST", "ssh://chat-host")
    assert elsewhere.way_out() == ""


def test_a_context_that_docker_follows_is_told_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.delenv("DOCKER_CONTEXT", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert which_daemon.context_in_use() == ""
    (tmp_path / "config.json").write_text('{"currentContext": "chat-host"}')
    assert which_daemon.context_in_use() == "chat-host"
    monkeypatch.setenv("DOCKER_CONTEXT", "default")
    assert which_daemon.context_in_use() == ""
    monkeypatch.setenv("DOCKER_CONTEXT", "another")
    monkeypatch.setenv("DOCKER_HOST", "ssh://chat-host")
    assert which_daemon.context_in_use() == ""


# --- ports of the Docker host -----------------------------------------------------------------------------------------


def test_a_port_is_asked_by_the_docker_host_itself_over_ssh(monkeypatch: pytest.MonkeyPatch, bin_folder: Path) -> None:
    ssh_is(bin_folder, 'echo "$*"')
    monkeypatch.setenv("DOCKER_HOST", "ssh://deploy@far")
    with connected("127.0.0.1", 3000, 20) as connection:
        assert connection.makefile().readline().strip().endswith("-W 127.0.0.1:3000 -l deploy -- far")


@pytest.mark.parametrize(
    ("said", "error", "text"),
    [
        ("channel 0: open failed: connect failed: Connection refused", OSError, "Connection refused (at 127.0.0.1:80"),
        ("channel 0: open failed: administratively prohibited: no", which_daemon.OutOfReach, "prohibited"),
        ("Host key verification failed.", which_daemon.OutOfReach, "Host key verification failed"),
    ],
)
def test_nobody_at_a_port_is_told_from_a_port_that_cannot_be_asked(
    bin_folder: Path, said: str, error: type[OSError], text: str
) -> None:
    ssh_is(bin_folder, f"printf '%s\\n' '{said}' 'stdio forwarding failed' >&2; exit 255")
    with pytest.raises(OSError, match=re.escape(text)) as caught, through("ssh://far", "127.0.0.1", 80) as connection:
        answer(connection)
    assert type(caught.value) is error


def answer(connection: socket.socket) -> None:
    """Wait for an answer as http.client does."""
    connection.settimeout(20)
    if not connection.recv(1):
        raise ConnectionResetError


def test_a_name_is_asked_from_here_as_people_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://far")
    asked: list[tuple[str, int]] = []

    def create_connection(place: tuple[str, int], timeout: float) -> socket.socket:
        asked.append(place)
        ours, theirs = socket.socketpair()
        theirs.close()
        return ours

    monkeypatch.setattr(socket, "create_connection", create_connection)
    with connected("chat.example.org", 443, 5):
        pass
    assert asked == [("chat.example.org", 443)]


def test_what_a_docker_host_publishes_for_itself_is_out_of_reach_over_tcp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://docker.example.org:2376")
    with pytest.raises(which_daemon.OutOfReach, match=r"with DOCKER_HOST=ssh://docker.example.org it is asked"):
        connected("127.0.0.1", 3000, 5).__enter__()


def test_what_it_publishes_everywhere_is_asked_at_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:2376")
        with connected("0.0.0.0", listener.getsockname()[1], 5) as connection:  # noqa: S104
            assert connection.getpeername() == listener.getsockname()


TO_FAR = "-l deploy -p 2222 -- far"


@pytest.mark.parametrize(
    ("bind", "line"),
    [
        (
            "127.0.0.1",
            f"UI: far publishes it for itself alone; to open it here too: ssh -N -L 3100:127.0.0.1:3100 {TO_FAR}",
        ),
        ("::", "UI: port 3100 of far"),
    ],
)
def test_an_update_of_another_machine_says_how_to_open_the_ui(
    monkeypatch: pytest.MonkeyPatch, bind: str, line: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://deploy@far:2222")
    assert where_it_listens(read({"uiPort": "3100", "uiBindAddress": bind})) == line


class Daemon(BaseHTTPRequestHandler):
    """Answers as Docker does, the output of a command in one piece with the headers before it."""

    protocol_version = "HTTP/1.1"
    output, code, missing = b"", 0, False

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if not self.path.endswith("/start"):
            self.answer({"message": "No such container: app", "Id": "1"}, 404 if self.missing else 201)
            return
        upgrade = "Upgrade" in self.headers
        head = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp" if upgrade else b"HTTP/1.1 200 OK"
        self.wfile.write(head + b"\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n" + self.output)
        self.close_connection = True

    def do_GET(self) -> None:
        self.answer({"ExitCode": self.code, "ApiVersion": "1.41", "MinAPIVersion": "1.24"}, 200)

    def answer(self, document: dict[str, Any], status: int) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def daemon(output: bytes = b"", code: int = 0, *, missing: bool = False) -> Iterator[APIClient]:
    handler = type("Answering", (Daemon,), {"output": output, "code": code, "missing": missing})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            with pytest.MonkeyPatch.context() as patched:
                patched.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
                client = api_client()
            with closing(client):
                yield client
        finally:
            server.shutdown()


def piece(stream: int, text: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(text)) + text


def test_what_a_command_prints_is_read_though_it_comes_with_the_headers() -> None:
    with daemon(piece(1, b"PO") + piece(2, b"warning") + piece(1, b"NG"), 3) as client:
        assert run_inside(client, "app", ["valkey-cli", "ping"]) == Ran(3, "PONG", "warning")


def test_the_sdks_own_way_loses_that() -> None:
    with daemon(piece(1, b"PONG")) as client:
        identity = client.exec_create("app", ["valkey-cli", "ping"])["Id"]
        assert client.exec_start(identity, demux=True) == (None, None), "use it, and delete ours"


def test_a_command_that_prints_nothing_has_printed_nothing() -> None:
    with daemon() as client:
        assert run_inside(client, "app", ["true"]) == Ran(0, "", "")


def test_a_container_that_is_not_there_is_docker_refusing() -> None:
    with daemon(missing=True) as client, pytest.raises(NotFound, match="No such container: app"):
        run_inside(client, "app", ["true"])
