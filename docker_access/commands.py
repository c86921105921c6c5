"""Commands that Docker runs inside a container, connections from there, and files in it."""

from __future__ import annotations

import io
import math
import select
import socket
import struct
import tarfile
from collections.abc import Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    import docker

HEADER_BYTES: Final = 8
"""In front of each piece of output: the number of its stream, three zeros, and its length."""
OUTPUT: Final = 1
"""The number of standard output; that of standard error is 2."""


class Ran(NamedTuple):
    """How a command ended, and what it printed to standard output and standard error."""

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
    """Run a command inside a container that runs, and wait for its end, however long that takes.

    The SDK's ``exec_start`` is not used: it upgrades the connection and reads on from the bare socket. Output that came
    with the headers of the answer is in a buffer by then, and lost. Of a quick command that is all of it, once in some
    thousand times.

    Everybody on this host can read the command. Docker does not show the variables that come to the container's own, so
    they may hold secrets. The user may have a group after a colon; empty is the container's own.

    Raises:
        docker.errors.APIError: There is no such container, or it does not run.
        requests.RequestException: Docker does not answer, or breaks off.

    Source: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Exec/operation/ExecStart
    """
    import requests  # noqa: PLC0415 - takes 0.1 s
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
    output, errors = bytearray(), bytearray()
    for stream, piece in _complete_pieces(bytearray(response.content)):
        (output if stream == OUTPUT else errors).extend(piece)
    code = client.exec_inspect(identity)["ExitCode"]
    return Ran(code or 0, output.decode(errors="replace"), errors.decode(errors="replace"))


def _complete_pieces(received: bytearray) -> Iterator[tuple[int, bytes]]:
    """The number of the stream and the bytes of each complete piece, which is taken off the front of what was received.

    Source: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Container/operation/ContainerAttach
    """
    while len(received) >= HEADER_BYTES:
        stream, length = struct.unpack_from(">BxxxL", received)
        end = HEADER_BYTES + length
        if len(received) < end:
            return
        piece = bytes(received[HEADER_BYTES:end])
        del received[:end]
        yield stream, piece


def files_in(client: docker.APIClient, container: str, path: str, most_bytes: float = math.inf) -> list[str]:
    """Texts of a file, or of all files below a folder, in a container that need not run.

    Empty where all of them together are larger than ``most_bytes``.

    Raises:
        docker.errors.APIError: Docker does not give them; NotFound where there is no such path.
        tarfile.TarError: It gives something else.
    """
    content = b""
    chunks, _ = client.get_archive(container, path)
    for chunk in chunks:
        content += chunk
        if len(content) > most_bytes:
            return []
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = (archive.extractfile(member) for member in archive if member.isfile())
        return [file.read().decode(errors="replace") for file in files if file]


PIECE_BYTES: Final = 65536
STALLED_SECONDS: Final = 1.0
"""How long one read or write may wait in the middle of a piece; nothing goes the other way meanwhile."""

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
"""A program that joins its standard input and output to a TCP connection, and ends with either."""


@contextmanager
def through(client: docker.APIClient, container: str, host: str, port: int) -> Iterator[socket.socket]:
    """A TCP connection from inside a container, made by the Python there.

    It is a real socket, so that timeouts and TLS work as on any other. The far end must not be the first to speak: what
    comes with the headers of Docker's own answer is lost, see :func:`run_inside`. The host is as seen from there.

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
    errors = bytearray()
    pump = Thread(target=_pump, args=(far, near, errors), daemon=True)
    pump.start()
    with ours:
        try:
            yield ours
        except (OSError, ValueError) as error:
            pump.join(STALLED_SECONDS)
            if not pump.is_alive() and errors:
                last = errors.decode(errors="replace").strip().splitlines()[-1]
                raise OSError(f"{last} (at {host}:{port}, from inside {container})") from error
            raise
        finally:
            with suppress(OSError):
                ours.shutdown(socket.SHUT_RDWR)
            pump.join(STALLED_SECONDS)
            # The SDK's answer holds on to it, and close() would wait for that. The command ends with the connection.
            socket.close(far.detach())


def _pump(far: Any, near: socket.socket, errors: bytearray) -> None:
    """Carry bytes both ways until one side ends. One thread does both: a TLS connection is not for two at once."""
    received = bytearray()
    far.settimeout(STALLED_SECONDS)
    with near, suppress(OSError):
        while True:
            # TLS may have read more than was asked for, which select() does not see.
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
                received += data
                for stream, piece in _complete_pieces(received):
                    if stream == OUTPUT:
                        near.sendall(piece)
                    else:
                        errors += piece
