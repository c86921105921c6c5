"""The engine, killed by SIGKILL when it comes to a given point: ``python killable.py ENGINE-ARGUMENTS``.

A point is a line ``WHEN WHAT<tab>ON WHICH``: before and after every provider call that changes something, every
durable write (fsync, rename, link, unlink), and before, during (sent, not answered) and after every request that has
Docker change something. ``KILL_LOG`` names the file that takes each point passed; ``KILL_AT`` is
``<occurrence><tab><point>``, empty to live.
"""

from __future__ import annotations

import functools
import http.client
import os
import re
import runpy
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tooling.engine.providers
import tooling.pulumi_files.secrets

_log = os.open(os.environ["KILL_LOG"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
_passed: Counter[str] = Counter()
_lock = threading.Lock()
_CHANGING = ("create", "update", "stop", "delete")


def point(what: str, which: str) -> None:
    with _lock:
        line = f"{what}\t{which}"
        _passed[line] += 1
        os.write(_log, f"{line}\n".encode())
        if os.environ["KILL_AT"] == f"{_passed[line]}\t{line}":
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()


def around(what: str, which: str, call: Callable[[], Any]) -> Any:
    point(f"before {what}", which)
    answer = call()
    point(f"after {what}", which)
    return answer


class KillableProvider:
    """A provider whose calls that change something are points."""

    def __init__(self, provider: Any) -> None:
        self._provider = provider

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._provider, name)
        if name not in _CHANGING:
            return method

        @functools.wraps(method)
        def call(urn: str, *arguments: Any) -> Any:
            token, resource = urn.split("::")[2:]
            kind = token.rpartition(":")[2]
            return around(f"{name} {kind}", resource, lambda: method(urn, *arguments))

        return call


def watch_providers() -> None:
    get = tooling.engine.providers.Providers.get
    tooling.engine.providers.Providers.get = lambda self, package: KillableProvider(get(self, package))  # type: ignore[method-assign]


def watch_files() -> None:
    here = str(Path.cwd())

    def watched(name: str) -> None:
        call = getattr(os, name)

        @functools.wraps(call)
        def wrapper(*arguments: Any, **named: Any) -> Any:
            path = arguments[-1] if name in ("replace", "link") else arguments[0]
            path = str(Path(f"/proc/self/fd/{path}").readlink()) if isinstance(path, int) else os.fspath(path)
            if not path.startswith(here):
                return call(*arguments, **named)
            return around(name, file_kind(path), lambda: call(*arguments, **named))

        setattr(os, name, wrapper)

    for name in ("fsync", "replace", "link", "unlink"):
        watched(name)


def file_kind(path: str) -> str:
    for kind in ("locks", "history", "stacks", "meta.yaml"):
        if f".pulumi/{kind}" in path:
            return kind + re.sub(r"^.*?(\.json\.bak|\.attrs|\.tmp|\.json|)$", r"\1", path)
    return Path(path).name.removeprefix(".")[:10]


def watch_docker() -> None:
    putrequest, getresponse = http.client.HTTPConnection.putrequest, http.client.HTTPConnection.getresponse

    def put(self: Any, method: str, url: str, *arguments: Any, **named: Any) -> None:
        self.asked = None
        if method != "GET":
            path = re.sub(r"[0-9a-f]{64}", "ID", re.sub(r"^/v[0-9.]+", "", url))
            self.asked = f"{method} {re.sub(r'(ID|[?].*)', '', path)}", path
            point(f"before {self.asked[0]}", self.asked[1])
        putrequest(self, method, url, *arguments, **named)

    def get(self: Any) -> Any:
        if asked := self.asked:
            point(f"during {asked[0]}", asked[1])
        answer = getresponse(self)
        if asked:
            point(f"after {asked[0]}", asked[1])
        return answer

    http.client.HTTPConnection.putrequest = put  # type: ignore[method-assign]
    http.client.HTTPConnection.getresponse = get  # type: ignore[method-assign]


def keep_the_key() -> None:
    """Derive the passphrase's key once for all runs: it takes a tenth of a run's processor time."""
    derive = tooling.pulumi_files.secrets.derive
    folder = Path(os.environ["KILL_LOG"]).parent

    def kept(passphrase: str, salt: bytes) -> bytes:
        file = folder / f"key-{salt.hex()}"
        if not file.exists():
            # Complete or not there: this process may be killed over it.
            half = folder / f"half-{os.getpid()}"
            half.write_bytes(derive(passphrase, salt))
            half.rename(file)
        return file.read_bytes()

    tooling.pulumi_files.secrets.derive = kept


if __name__ == "__main__":
    keep_the_key()
    watch_providers()
    watch_files()
    watch_docker()
    sys.argv[0] = "engine"
    runpy.run_module("tooling.engine", run_name="__main__", alter_sys=True)
