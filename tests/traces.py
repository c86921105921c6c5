"""What is on this machine that tests could have left: looked at before them and after them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import psutil

from docker_access.client import docker_client
from tests.lease import FILE, ports

RUN: Final = "TESTS_RUN"
"""Variable that every process of a run of tests carries, by which those that outlive it are found."""
CHECKOUT: Final = Path(__file__).resolve().parent.parent
CACHES: Final = {
    ".artifacts", ".cache", ".git", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".venv",
    "__pycache__",
}  # fmt: skip
"""Folders that commands keep for the next one."""
HOME: Final = {"": 1, ".config": 1, ".local/share": 1, ".docker": 3, ".pulumi": 3, ".ssh": 3}
"""Folders of the home, in which other programs are at work too, and how deep each is looked at."""
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
    # Any other may be of a program that has nothing to do with tests; a process of theirs is found by its mark.
    ours = ports()
    return {
        **found,
        "port": {f"{address.ip}:{address.port}" for address in listening if address.port in ours},
        "process": set(_processes(run)),
        "file": {str(path) for path in (*_files(CHECKOUT), *_of_home()) if path != FILE},
    }


def left(before: Traces, after: Traces) -> list[str]:
    """What is there after and was not before, a line for each."""
    return sorted(f"{kind} {name}" for kind, names in after.items() for name in names - before[kind])


def _processes(run: str) -> Iterator[str]:
    mark = f"{RUN}={run}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        # One that has ended meanwhile, or another user's.
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0") and folder.name != str(os.getpid()):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                yield f"{folder.name}: {command[:200].strip()}"


def _of_home() -> Iterator[Path]:
    return (path for folder, depth in HOME.items() for path in _files(Path.home() / folder, depth))


def _files(folder: Path, depth: int | None = None) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        at = len(Path(place).relative_to(folder).parts)
        folders[:] = [name for name in folders if name not in CACHES and (depth is None or at + 1 < depth)]
        yield from (Path(place, name) for name in (*names, *folders))
