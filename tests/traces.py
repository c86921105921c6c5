"""What is on this machine that tests could have left: looked at before them and after them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import psutil

from docker_access.client import docker_client
from tests.lease import FILE

RUN: Final = "TESTS_RUN"
"""Variable that every process of a run of tests carries, by which those that outlive it are found."""
CHECKOUT: Final = Path(__file__).resolve().parent.parent
CACHES: Final = {
    ".artifacts", ".cache", ".git", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv",
    "__pycache__",
}  # fmt: skip
"""Folders that commands keep for the next one."""
DEPTH: Final = 3
"""How deep the home is looked at, in which other programs are at work too."""
Traces = Mapping[str, set[str]]
"""By kind, what there is: words that name it for people."""


def traces(run: str) -> Traces:
    """What there is now.

    Args:
        run: What :data:`RUN` is for the run that is looked at.
    """
    with closing(docker_client()) as client:
        found = {
            "container": {str(item.name) for item in client.containers.list(all=True, ignore_removed=True)},
            "network": {str(item.name) for item in client.networks.list()},
            "volume": {str(item.name) for item in client.volumes.list()},
        }
    listening: list[Any] = [item.laddr for item in psutil.net_connections("tcp") if item.status == psutil.CONN_LISTEN]
    return {
        **found,
        "port": {f"{address.ip}:{address.port}" for address in listening},
        "process": set(_processes(run)),
        "file": {str(path) for path in (*_files(CHECKOUT), *_files(Path.home(), DEPTH)) if path != FILE},
    }


def left(before: Traces, after: Traces) -> list[str]:
    """What is there after and was not before, a line for each."""
    new = [(kind, name) for kind, names in after.items() for name in names - before[kind]]
    return sorted(f"{kind} {name}{_holder(name) if kind == 'port' else ''}" for kind, name in new)


def _holder(port: str) -> str:
    """The process that holds a listening port, as it may be of a program that has nothing to do with tests."""
    for item in psutil.net_connections("tcp"):
        address: Any = item.laddr
        if item.status == psutil.CONN_LISTEN and item.pid and f"{address.ip}:{address.port}" == port:
            with suppress(psutil.Error):
                return f" of {item.pid}: {' '.join(psutil.Process(item.pid).cmdline())[:200]}"
    return ""


def _processes(run: str) -> Iterator[str]:
    mark = f"{RUN}={run}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        # One that has ended meanwhile, or another user's.
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0") and folder.name != str(os.getpid()):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                yield f"{folder.name}: {command[:200].strip()}"


def _files(folder: Path, depth: int | None = None) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        at = len(Path(place).relative_to(folder).parts)
        folders[:] = [name for name in folders if name not in CACHES and (depth is None or at + 1 < depth)]
        yield from (Path(place, name) for name in (*names, *folders))
