"""Commands that Docker runs inside a container."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    import docker

HEADER_BYTES: Final = 8
"""In front of each piece of output: which stream it is of, three zeros, and its length."""


class Ran(NamedTuple):
    """How a command ended, and what it printed.

    Attributes:
        exit_code: Its exit code.
        output: Standard output.
        error: Standard error.
    """

    exit_code: int
    output: str
    error: str


def run_inside(
    client: docker.APIClient,
    container: str,
    command: Sequence[str],
    *,
    user: str = "",
    environment: Mapping[str, str] | None = None,
) -> Ran:
    """Run a command inside a container that runs; waits for its end, however long that takes.

    Not by ``exec_start``, which has the connection upgraded and reads on from the bare socket: what has come with the
    answer's headers is in a buffer by then, and lost. That is all a quick command prints, one time in some thousands.

    Args:
        client: A client of Docker.
        container: Name or id of the container.
        command: The command; everybody on this host can read it.
        user: User, and group after a colon, that it runs as; empty for the container's own.
        environment: Variables on top of the container's: the place for secrets, which Docker does not show.

    Raises:
        docker.errors.APIError: There is no such container, or it does not run.
        requests.RequestException: Docker does not answer, or breaks off.

    Source: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Exec/operation/ExecStart
    """
    import requests  # noqa: PLC0415 - 0.1 s that whoever runs nothing saves
    from docker.errors import create_api_error_from_http_exception  # noqa: PLC0415

    identity = client.exec_create(container, list(command), user=user, environment=dict(environment or {}))["Id"]
    response = client.post(
        f"{client.base_url}/v{client.api_version}/exec/{identity}/start",
        json={"Detach": False, "Tty": False},
        timeout=(client.timeout, None),
    )
    try:
        response.raise_for_status()
    except requests.HTTPError as error:
        create_api_error_from_http_exception(error)  # raises
    code = client.exec_inspect(identity)["ExitCode"]
    return Ran(code or 0, *(text.decode(errors="replace") for text in _streams(response.content)))


OUTPUT: Final = 1
"""The stream of a piece of standard output; 2 is standard error."""
PIECE_BYTES: Final = 65536
STALLED_SECONDS: Final = 1.0
"""How long one read or write may wait in the middle of a piece, while nothing goes the other way."""

RELAY: Final = """\
import os, socket, sys, threading
there = socket.create_connection((sys.argv[1], int(sys.argv[2])), 5)
there.settimeout(None)
def send():
    while data := os.read(0, 65536):
        there.sendall(data)
    os._exit(0)
threading.Thread(target=send, daemon=True).start()
while data := there.recv(65536):
    while data:
        data = data[os.write(1, data):]
"""
"""Joins its standard input and output to a TCP connection, and ends with either."""


@contextmanager
def through(client: docker.APIClient, container: str, host: str, port: int) -> Iterator[socket.socket]:
    """A TCP connection that is made from inside a container, with the Python there.

    A real socket, so that timeouts and TLS work as on any other. Whoever answers must not be the first to speak: what
    comes with the headers of Docker's own answer is lost, see :func:`run_inside`.

    Args:
        client: A client of Docker.
        container: Name or id of the container; it has ``python3``.
        host: IP address or name, as it is seen there.
        port: TCP port.

    Raises:
        docker.errors.APIError: There is no such container, or it does not run.
        requests.RequestException: Docker does not answer.
        OSError: The connection ended, with the reason from inside the container if there was one.
    """
    command = ["python3", "-c", RELAY, host, str(port)]
    identity = client.exec_create(container, command, stdin=True)["Id"]
    upgraded: Any = client.exec_start(identity, socket=True)
    far = getattr(upgraded, "_sock", upgraded)
    ours, near = socket.socketpair()
    said = bytearray()
    pump = Thread(target=_pump, args=(far, near, said), daemon=True)
    pump.start()
    with ours:
        try:
            yield ours
        except (OSError, ValueError) as error:
            pump.join(STALLED_SECONDS)
            if not pump.is_alive() and said:
                last = said.decode(errors="replace").strip().splitlines()[-1]
                raise OSError(f"{last} (at {host}:{port}, from inside {container})") from error
            raise
        finally:
            with suppress(OSError):
                ours.shutdown(socket.SHUT_RDWR)
            pump.join(STALLED_SECONDS)
            # Its close() would wait for the SDK's answer, which has hold of it; the command ends with the connection.
            socket.close(far.detach())


def _pump(far: Any, near: socket.socket, said: bytearray) -> None:
    """Carry bytes both ways until one side ends; by one thread, for no TLS connection is for two at once."""
    frames = b""
    far.settimeout(STALLED_SECONDS)
    with near, suppress(OSError):
        while True:
            # Of TLS, what has been read and not asked for is in no file descriptor any more.
            waiting = getattr(far, "pending", lambda: 0)()
            ready = select.select([far, near], [], [], 0 if waiting else None)[0]
            if near in ready:
                if not (data := near.recv(PIECE_BYTES)):
                    return
                far.sendall(data)
            if waiting or far in ready:
                try:
                    data = far.recv(PIECE_BYTES)
                except TimeoutError:
                    continue
                if not data:
                    return
                frames += data
                while len(frames) >= HEADER_BYTES:
                    stream, length = struct.unpack(">BxxxL", frames[:HEADER_BYTES])
                    if len(frames) < HEADER_BYTES + length:
                        break
                    piece, frames = frames[HEADER_BYTES : HEADER_BYTES + length], frames[HEADER_BYTES + length :]
                    if stream == OUTPUT:
                        near.sendall(piece)
                    else:
                        said += piece


def _streams(content: bytes) -> tuple[bytes, bytes]:
    """Standard output and standard error, out of what Docker sends of both in turns."""
    pieces: dict[int, list[bytes]] = {1: [], 2: []}
    while content:
        stream, length = struct.unpack(">BxxxL", content[:HEADER_BYTES])
        pieces[stream].append(content[HEADER_BYTES : HEADER_BYTES + length])
        content = content[HEADER_BYTES + length :]
    return b"".join(pieces[1]), b"".join(pieces[2])
