"""``make logs`` and ``make shell``: the containers of a stack, by names that are quick to type."""

from __future__ import annotations

import os
import shutil
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from queue import SimpleQueue
from typing import Final

from docker import DockerClient
from docker.models.containers import Container

from docker_access import labels
from docker_access.client import docker_client, failure_text
from docker_access.one_shots import ROLES
from tooling.errors import ToolError
from tooling.launcher.stack import own_labels
from tooling.pulumi_files.stack import Stack

SHELL: Final = "command -v bash >/dev/null && exec bash || exec sh"


def logs(stack: Stack, who: str, *, lines: int, follow: bool) -> int:
    """Print the last lines of containers, in the order of their time, and go on as they come if asked to.

    Args:
        stack: The stack.
        who: See :func:`chosen`; empty for all that keep running.
        lines: How many of each.
        follow: Go on until Ctrl-C.

    Raises:
        ToolError: There is no such container, or Docker stopped answering.
    """
    with closing(docker_client()) as client:
        found = chosen(stack, _all(client, stack), who)
        width = max(len(str(one.name)) for one in found)
        prefix = {one: f"{one.name!s:<{width}} | " if len(found) > 1 else "" for one in found}
        past = sorted(
            ((line, one) for one in found for line in _lines([one.logs(tail=lines, timestamps=True)])),
            key=lambda pair: pair[0].partition(" ")[0],
        )
        for line, one in past:
            print(f"{prefix[one]}{line.partition(' ')[2]}")
        if follow:
            _follow(found, prefix)
    return 0


def _follow(found: list[Container], prefix: dict[Container, str]) -> None:
    coming: SimpleQueue[str | Exception | None] = SimpleQueue()

    def read(one: Container) -> None:
        try:
            for line in _lines(one.logs(tail=0, stream=True, follow=True)):
                coming.put(f"{prefix[one]}{line}")
            coming.put(None)
        except Exception as error:  # noqa: BLE001 - it is for who waits for the lines
            coming.put(error)

    running = [one for one in found if one.status == "running"]
    for one in running:
        threading.Thread(target=read, args=[one], daemon=True).start()
    ended = 0
    while ended < len(running):
        line = coming.get()
        if line is None:
            ended += 1
        elif isinstance(line, Exception):
            raise ToolError(f"Docker stopped answering: {failure_text(line)}. Run it again once `docker info` answers.")
        else:
            print(line, flush=True)


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Whole lines of what comes in pieces."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.decode(errors="replace").rstrip("\r") for line in whole)
    if rest:
        yield rest.decode(errors="replace")


def shell(stack: Stack, who: str) -> int:
    """Be in a container: this process becomes ``docker exec``.

    Raises:
        ToolError: There is no such container, it does not run, or the command ``docker`` is not here.
    """
    with closing(docker_client()) as client:
        found = chosen(stack, [one for one in _all(client, stack) if one.status == "running"], who)
    if len(found) > 1:
        raise ToolError(f"name one container: {', '.join(f'WHO={_short(stack, one)}' for one in found)}")
    name = str(found[0].name)
    program = shutil.which("docker")
    if program is None:
        raise ToolError(f"the command `docker` is not on PATH; with it: docker exec -it {name} sh")
    terminal = ["-it"] if sys.stdin.isatty() and sys.stdout.isatty() else ["-i"]
    sys.stdout.flush()
    os.execv(program, ["docker", "exec", *terminal, name, "sh", "-c", SHELL])  # noqa: S606 - Docker's


def chosen(stack: Stack, there: list[Container], who: str) -> list[Container]:
    """Containers by a word for them.

    Args:
        stack: The stack.
        there: Its containers.
        who: A name, the name without the stack's before it (``valkey``, ``1``), or a role (``open-webui``); empty for
            all that keep running.

    Raises:
        ToolError: No container goes by it.
    """
    there = sorted(there, key=lambda one: str(one.name))
    if not who:
        found = [one for one in there if one.labels.get(labels.ROLE) not in ROLES]
    else:
        found = [one for one in there if who in (one.name, _short(stack, one))]
        found = found or [one for one in there if one.labels.get(labels.ROLE) == who]
    if found:
        return found
    if not there:
        raise ToolError(f"stack {stack.name} has no such container that runs. Look: make status STACK={stack.name}")
    names = ", ".join(_short(stack, one) for one in there)
    raise ToolError(f"no container of stack {stack.name} goes by {who!r}. There are: {names}")


def _all(client: DockerClient, stack: Stack) -> list[Container]:
    return client.containers.list(all=True, filters=labels.filters(own_labels(stack)), ignore_removed=True)


def _short(stack: Stack, container: Container) -> str:
    return str(container.name).removeprefix(f"{stack.project.name}-{stack.name}-")
