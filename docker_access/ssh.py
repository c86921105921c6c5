"""The OpenSSH client as a connection: its standard input and output are the other end of a socket.

It is a real socket, so that timeouts, polling and closing one direction work as on any other.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from threading import Thread
from typing import Final
from urllib.parse import urlsplit

from docker_access.daemon import OutOfReach

CONNECT_SECONDS: Final = 30
ENDING_SECONDS: Final = 2.0
"""How long ssh is given to say why a connection ended."""

NOBODY: Final = "connect failed: "
"""The words before the reason where the far end cannot connect to a port."""

WAYS_OUT: Final = (
    ("Host key verification failed", "connect once by hand and compare its key: {ssh}"),
    ("REMOTE HOST IDENTIFICATION HAS CHANGED", "find out why its key has changed, then: ssh-keygen -R {host}"),
    ("Permission denied (", "have it let you in without a password: ssh-copy-id {to}, or ssh-add your key"),
    ("docker daemon socket", "give the user Docker there: usermod --append --groups docker USER, then log in again"),
    ("Cannot connect to the Docker daemon", "start Docker there: systemctl start docker"),
    ("administratively prohibited", "have its sshd forward to ports: AllowTcpForwarding yes, in its sshd_config"),
    (NOBODY, "see what listens there: {ssh} docker ps"),
    ("not found", "docker is to be on the PATH of `{ssh} docker version`: install Docker's command line there"),
)
"""A part of a message of ssh or of the far end, and the way out."""


def destination(address: str) -> list[str]:
    """The words that name the machine of ``ssh://user@host:port``, for the ssh command."""
    parts = urlsplit(address)
    user = ["-l", parts.username] if parts.username else []
    port = ["-p", str(parts.port)] if parts.port else []
    return [*user, *port, "--", parts.hostname or ""]


def command(address: str, *options: str) -> list[str]:
    """The ssh command up to the command for the far end. It asks for nothing: nobody could answer during an update."""
    fixed = ["-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_SECONDS}"]
    return ["ssh", *fixed, *options, *destination(address)]


def dial_stdio(address: str) -> list[str]:
    """The command that speaks to the Docker daemon of a machine, as Docker's own command line has it.

    Source: https://github.com/docker/cli/blob/v28.2.2/cli/connhelper/connhelper.go
    """
    path = urlsplit(address).path.rstrip("/")
    which = [f"--host=unix://{path}"] if path else []
    return [*command(address), "docker", *which, "system", "dial-stdio"]


class Process:
    """An ssh process that speaks through :attr:`socket`; it ends when that is closed.

    Attributes:
        socket: Our end.

    Raises:
        OSError: There is no ssh on PATH.
    """

    def __init__(self, words: list[str], address: str) -> None:
        self._address, self._said = address, b""
        self.socket, theirs = socket.socketpair()
        try:
            # A session of its own, since Ctrl-C is for the update, which must still speak to Docker to end well.
            self._process = subprocess.Popen(
                words, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=subprocess.PIPE, start_new_session=True
            )
        except OSError as error:
            self.socket.close()
            raise OSError(error.errno, f"there is no ssh on PATH ({error.strerror}): install openssh-client") from None
        finally:
            theirs.close()
        self._listening = Thread(target=self._listen, daemon=True)
        self._listening.start()

    def _listen(self) -> None:
        # This also waits for the end of the process, which nothing else does.
        self._said = self._process.communicate()[1]

    def complaint(self) -> str:
        """Why the connection ended, in the words of ssh or the far end, and the way out; empty where it ended well."""
        self._listening.join(ENDING_SECONDS)
        if not self._process.poll():
            return ""
        lines = self._said.decode(errors="replace").splitlines()
        return explained(self._address, [line.strip() for line in lines if line.strip()], self._process.returncode)


def explained(address: str, lines: Sequence[str], code: int) -> str:
    """Why a connection ended, and the way out, from the exit code and the lines that ssh and the far end wrote."""
    words = destination(address)
    to = f"{words[1]}@{words[-1]}" if words[0] == "-l" else words[-1]
    shown = " ".join(["ssh", *(["-p", str(urlsplit(address).port)] if urlsplit(address).port else []), to])
    text = "\n".join(lines)
    telling = [line for sign, _ in WAYS_OUT for line in lines if sign in line]
    reason = (telling or [*lines[-1:], f"exit code {code}"])[0].rstrip(".")
    found = (way for sign, way in WAYS_OUT if sign in text)
    way = next(found, "{ssh} docker version    # should answer")
    return f"{shown}: {reason}. Way out: {way.format(ssh=shown, host=words[-1], to=to)}"


@contextmanager
def through(address: str, host: str, port: int) -> Iterator[socket.socket]:
    """A TCP connection, made from the machine of ``address``.

    Raises:
        OutOfReach: ssh cannot connect, or its server forwards nothing.
        OSError: Nobody listens at that port.
    """
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    # Over a shared connection (ControlPath), ssh does not tell a port without listener from refused forwarding.
    process = Process(command(address, "-o", "ControlPath=none", "-W", where), address)
    with process.socket:
        try:
            yield process.socket
        except (OSError, HTTPException, ValueError) as error:
            complaint = process.complaint()
            if NOBODY in complaint:
                reason = complaint.partition(NOBODY)[2].partition(". Way out")[0]
                raise OSError(f"{reason} (at {where}, from {urlsplit(address).hostname})") from error
            if complaint:
                raise OutOfReach(complaint) from error
            raise
