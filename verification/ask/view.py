"""What is asked of Docker to verify a deployment; :class:`verification.ask.docker_view.DockerView` in earnest.

It is divided by who asks: each is shown only what it needs.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from verification.ask.docker_view import Executed
from verification.evidence.container import Container, Image

Progress = Callable[[str], None]
"""Called with one line at a time that says what is being waited for."""


class FileReader(Protocol):
    """Docker, asked for files."""

    def read_file(self, name: str, path: str) -> str | None:
        """Text of a file in a container, which need not run; None where there is no such file."""


class CommandRunner(Protocol):
    """Docker, asked to run commands."""

    def execute(
        self, name: str, command: list[str], *, seconds: float, environment: Mapping[str, str] | None = None
    ) -> Executed:
        """Run a command in a container, with variables that ``docker inspect`` does not show."""


class ContainerView(FileReader, CommandRunner, Protocol):
    """Docker, asked for its containers."""

    def names(self) -> list[str]:
        """Names of all containers."""

    def container(self, name: str) -> Container:
        """One container."""


class View(ContainerView, Protocol):
    """Docker, asked everything."""

    def close(self) -> None:
        """Close the connections to the daemon."""

    def siblings(self, container: Container) -> list[str]:
        """Names of running containers of the same stack and role."""

    def image(self, container: Container) -> Image | None:
        """Its image."""

    def internal(self, network: str) -> bool:
        """Whether a network has no way out of this host."""

    def read_files(self, name: str, path: str) -> list[str]:
        """Texts of a file, or of all files below a folder, in a container."""

    def through(self, name: str, host: str, port: int) -> AbstractContextManager[socket.socket]:
        """A TCP connection from inside a container."""

    def log_tail(self, name: str) -> tuple[str, ...]:
        """Its last log lines."""

    def last_exit(self, container: Container) -> int | None:
        """Exit code of the run before the present one."""

    def logged(self, container: Container, line: str, *, within_seconds: int) -> bool | None:
        """Whether it logged a line soon after its start."""
