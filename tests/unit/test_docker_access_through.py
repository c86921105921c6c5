"""A TCP connection from inside a container, at a Docker that answers with recorded pieces."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import ThreadingHTTPServer
from threading import Thread

import pytest
from docker import APIClient
from docker.errors import NotFound

from docker_access.client import api_client
from docker_access.commands import through
from tests.unit.test_docker_access import Daemon, piece

Then = Callable[[socket.socket], None]


class Inside(Daemon):
    """Goes on with what a command inside a container does."""

    then: Then

    def do_POST(self) -> None:  # noqa: N802 - the standard library's name
        super().do_POST()
        if self.path.endswith("/start"):
            type(self).then(self.connection)


@contextmanager
def docker_that(then: Then, *, missing: bool = False) -> Iterator[APIClient]:
    handler = type("Answering", (Inside,), {"then": staticmethod(then), "missing": missing})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
            client = api_client()
        with closing(client):
            yield client
        server.shutdown()


def test_bytes_go_there_and_back_however_they_are_cut() -> None:
    asked: list[bytes] = []

    def echo(connection: socket.socket) -> None:
        while data := connection.recv(100):
            asked.append(data)
            sent = piece(1, b"<" + data) + piece(2, b"a warning\n") + piece(1, b">")
            for start in range(0, len(sent), 5):
                connection.sendall(sent[start : start + 5])

    with docker_that(echo) as client, through(client, "app", "172.20.0.2", 80) as connection:
        connection.settimeout(5)
        for word in (b"ping", b"pong"):
            connection.sendall(word)
            seen = b""
            while not seen.endswith(b">"):
                seen += connection.recv(100)
            assert seen == b"<" + word + b">"
    assert asked == [b"ping", b"pong"]


def test_the_command_ends_with_the_connection() -> None:
    ended: list[bytes] = []

    def listen(connection: socket.socket) -> None:
        connection.settimeout(5)
        ended.append(connection.recv(100))

    with docker_that(listen) as client, through(client, "app", "172.20.0.2", 80):
        pass
    assert ended == [b""]


def ask(client: APIClient) -> bytes:
    with through(client, "app", "172.20.0.2", 80) as connection:
        connection.settimeout(5)
        connection.sendall(b"GET")
        if not (answer := connection.recv(100)):
            raise ConnectionResetError("nothing came")
        return answer


def test_why_nobody_answers_is_what_was_said_inside() -> None:
    def refuse(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(piece(2, b"Traceback:\nConnectionRefusedError: [Errno 111] Connection refused\n"))

    told = r"^ConnectionRefusedError: .* refused \(at 172.20.0.2:80, from inside app\)$"
    with docker_that(refuse) as client, pytest.raises(OSError, match=told):
        ask(client)


def test_a_container_that_is_not_there_is_docker_refusing() -> None:
    with docker_that(lambda _: None, missing=True) as client, pytest.raises(NotFound, match="No such container"):
        ask(client)
