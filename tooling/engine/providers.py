"""The providers of one run, and what of them is imported while a run waits for the key of its secrets.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/resource/deploy/providers/registry.go
"""

from __future__ import annotations

import importlib
import subprocess
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final

from tooling.engine.dynamic_host import end_host, start_host
from tooling.engine.errors import only_the_cli
from tooling.engine.provider import DYNAMIC, Provider
from tooling.pulumi_files.checkpoint import Resource
from tooling.pulumi_files.project import Project
from tooling.pulumi_files.values import Properties

if TYPE_CHECKING:
    from tooling.engine.display import Display

_IMPORTING: Final = Lock()
"""Held by the thread that imports the SDK of Docker or of Pulumi. Modules of both import each other in circles: a
thread that comes to one while another is in it finds a module half made, or a package for an instant not at all
(``_load_unlocked`` in CPython's importlib/_bootstrap.py).
"""


class Providers:
    """The providers of one run, each made when it is first needed."""

    def __init__(self, project: Project, display: Display) -> None:
        self._project = project
        self._display = display
        self._config: Properties = {}
        self._holder: Callable[[str], Resource | None] = lambda _: None
        self._host: subprocess.Popen[bytes] | None = None
        self._made: dict[str, Provider] = {}
        self._lock = Lock()
        self._imports: Future[None] | None = None

    def start_dynamic_host(self) -> None:
        """Start the host of dynamic resources ahead of need."""
        self._host = self._host or start_host(self._project.directory, self._project.name)

    def import_ahead(self, *modules: str) -> None:
        """Import, while the key is derived, what the providers need and no program's own imports bring."""

        def imports() -> None:
            for module in modules:
                with _IMPORTING:
                    importlib.import_module(module)

        self._imports = in_background(imports)

    def configure(self, config: Properties, holder: Callable[[str], Resource | None]) -> None:
        """Take what providers need to know.

        Args:
            config: The configuration that dynamic providers get.
            holder: Whose, of what the state records, a real thing of some id is.
        """
        self._config, self._holder = config, holder

    def get(self, package: str) -> Provider:
        """The provider of a package; raises :class:`OnlyTheCliError` for one this engine does not have."""
        with self._lock:
            if package not in self._made:
                self._made[package] = self._make(package)
            return self._made[package]

    def _make(self, package: str) -> Provider:
        if package == "docker":
            with _IMPORTING:
                import docker  # noqa: F401, PLC0415

                from tooling.engine.docker_provider import DockerProvider  # noqa: PLC0415 - 0.2 s that other commands save

            return DockerProvider(log=self._display.progress, holder=self._holder)
        if package == DYNAMIC:
            with _IMPORTING:
                from tooling.engine.dynamic import DynamicProvider  # noqa: PLC0415 - imports Pulumi, see import_for_a_program

            self.start_dynamic_host()
            assert self._host is not None  # noqa: S101 - just started
            return DynamicProvider(self._host, self._config, lambda line: self._display.progress("", line))
        raise only_the_cli(f"the provider {package!r} (docker and dynamic resources are known)")

    def close(self) -> None:
        """Release them all."""
        if self._imports is not None:
            # Compiled modules are not to be half imported when Python ends.
            self._imports.exception()
        for provider in self._made.values():
            provider.close()
        if self._host is not None:
            end_host(self._host)


def import_for_a_program() -> Callable[..., bool]:
    """:func:`tooling.engine.language_host.run_program`, imported while the state is being prepared.

    With it comes all that the program imports of the two SDKs: once it runs, nobody can hold it to ``_IMPORTING``.
    """
    with _IMPORTING:
        import docker  # noqa: F401, PLC0415
    with _IMPORTING:
        import tooling.engine.dynamic  # noqa: F401, PLC0415
        from tooling.engine.language_host import run_program  # noqa: PLC0415
    return run_program


def in_background(work: Callable[[], Any]) -> Future[Any]:
    """What becomes of some work in a thread of its own; the process does not wait for it to end."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
