"""One run over a stack, from opening the state to the closing summary: Pulumi's update, preview, refresh, destroy.

What takes time starts at once and side by side: deriving the key, the host of dynamic resources, reading the real
resources, importing Pulumi. That is what makes an unchanged update take about a second. Left out: asking
for consent, the preview before an update, watching, and running several stacks.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/engine/update.go
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack, redirect_stdout
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO, cast

from docker_access.redaction import redact, redacted
from tooling.engine.dynamic_host import end_host, start_host
from tooling.engine.interrupts import Lasting, interruptible
from tooling.engine.provider import DYNAMIC, Provider, ProviderError
from tooling.pulumi_files.config import Config
from tooling.pulumi_files.errors import EngineError, only_the_cli
from tooling.pulumi_files.lock import locked
from tooling.pulumi_files.project import Project
from tooling.pulumi_files.stack import Workspace
from tooling.pulumi_files.state import PROVIDER_PREFIX, Snapshot
from tooling.pulumi_files.values import Properties, Secret, mask

if TYPE_CHECKING:
    from tooling.engine.deployment import Deployment
    from tooling.engine.display import Display

Kind = Literal["update", "destroy", "refresh"]
_IMPORTING: Final = Lock()
"""Held by who imports the SDK of Docker or of Pulumi. Modules of both import each other in circles: a thread that comes
to one while another is in it finds a module half made, or a package for an instant not at all (``_load_unlocked`` in
CPython's importlib/_bootstrap.py).
"""
_TITLES: Final = {"update": "Updating", "destroy": "Destroying", "refresh": "Refreshing"}


class Providers:
    """The providers of one run, each made when it is first needed."""

    def __init__(self, project: Project, display: Display) -> None:
        self._project = project
        self._display = display
        self._config: Properties = {}
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

        self._imports = _in_background(imports)

    def configure(self, config: Properties) -> None:
        """The configuration that dynamic providers get."""
        self._config = config

    def get(self, package: str) -> Provider:
        """The provider of a package; raises :class:`EngineError` for one this engine does not have."""
        with self._lock:
            if package not in self._made:
                self._made[package] = self._make(package)
            return self._made[package]

    def _make(self, package: str) -> Provider:
        if package == "docker":
            with _IMPORTING:
                import docker  # noqa: F401, PLC0415

                from tooling.engine.docker_provider import DockerProvider  # noqa: PLC0415 - 0.2 s that other commands save

            return DockerProvider(log=self._display.progress)
        if package == DYNAMIC:
            with _IMPORTING:
                from tooling.engine.dynamic import DynamicProvider  # noqa: PLC0415 - imports Pulumi, see _import_for_a_program

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


def perform(
    workspace: Workspace,
    kind: Kind,
    *,
    preview: bool = False,
    expect_no_changes: bool = False,
    as_json: bool = False,
    providers: type[Providers] = Providers,
) -> int:
    """Run one operation; returns the exit code.

    Args:
        workspace: The stack.
        kind: What to do; ``update`` runs the program.
        preview: Only show what would be done.
        expect_no_changes: Exit with 1 if something would change.
        as_json: Print the result as JSON, and everything else to standard error.
        providers: Makes the providers.

    Raises:
        EngineError: It could not be begun, or the state could not be saved.
        ProviderError: The real resources could not be read.
    """
    try:
        with ExitStack() as cleanup:
            if not preview:
                cleanup.enter_context(locked(workspace.backend))
                workspace.backend.tidy()
            if as_json:
                cleanup.enter_context(redirect_stdout(sys.stderr))
            run = Run(workspace, kind, preview=preview, quiet=as_json, providers=providers)
            cleanup.callback(run.providers.close)
            cleanup.enter_context(interruptible(run.deployment, run.display, workspace.backend))
            code = run.execute(expect_no_changes=expect_no_changes)
    except (EngineError, ProviderError) as error:
        message = redact(str(error), workspace.plaintexts)
        if as_json:
            said = {"severity": "error", "urn": "", "message": message}
            print(json.dumps({"stack": workspace.stack, "steps": [], "diagnostics": [said]}, indent=2))
        error.args = (message,)
        raise
    if as_json:
        print(json.dumps(run.report(), indent=2, ensure_ascii=False))
    return code


class Run:
    """An operation under way.

    Args:
        workspace: The stack.
        kind: What to do.
        preview: Only show what would be done.
        quiet: Show nothing but diagnostics, on standard error.
        providers: Makes the providers.
    """

    def __init__(
        self, workspace: Workspace, kind: Kind, *, preview: bool, quiet: bool, providers: type[Providers] = Providers
    ) -> None:
        self.workspace = workspace
        self.kind = kind
        self.preview = preview
        self.began = int(time.time())
        document = workspace.backend.read()
        self.secrets = workspace.stack_secrets(document, write=not preview)
        # Imported while the key is derived.
        from rich.console import Console  # noqa: PLC0415

        from tooling.engine.display import Display  # noqa: PLC0415

        console = Console(file=cast("TextIO", Lasting(sys.stderr if quiet else sys.stdout)), highlight=False)
        self.display = Display(console, preview=preview, quiet=quiet, hidden=self.secrets.plaintexts)
        self.providers = providers(workspace.project, self.display)
        dynamic = document is not None and PROVIDER_PREFIX + DYNAMIC in json.dumps(document)
        if kind == "destroy":
            # What is only in the state is forgotten without its provider: few have a host to start for.
            self.providers.import_ahead("docker", "tooling.engine.docker_provider")
        elif dynamic:
            self.providers.start_dynamic_host()
            if kind == "refresh":
                self.providers.import_ahead("docker", "tooling.engine.dynamic")
        self.config: Future[Config] = _in_background(lambda: workspace.config(self.secrets))
        self.deployment: Future[Deployment] = _in_background(lambda: self._prepare(document))

    def _prepare(self, document: dict[str, Any] | None) -> Deployment:
        """Open the state, resolve what the last run left pending, read the real resources."""
        from tooling.engine.deployment import Deployment  # noqa: PLC0415 - imported while the key is derived

        if document is None:
            # Nothing is opened then, and the first secret would fail with half of the stack made.
            self.secrets.try_passphrase()
        checkpoint = self.workspace.checkpoint(document, self.secrets)
        snapshot = Snapshot(checkpoint, self.secrets, None if self.preview else self.workspace.backend)
        if document is not None and checkpoint.salt == self.secrets.salt:
            snapshot.mark_saved()
        config = self.config.result()
        sealed = {key: Secret(v) if key in config.secret_keys else v for key, v in config.values.items()}
        self.providers.configure(sealed)
        deployment = Deployment(
            project=self.workspace.project.name,
            stack=self.workspace.stack,
            snapshot=snapshot,
            provider=self.providers.get,
            config=sealed,
            observer=self.display,
            dry_run=self.preview,
        )
        deployment.prepare(
            refresh=self.workspace.project.refresh and self.kind != "refresh", destroying=self.kind == "destroy"
        )
        return deployment

    def execute(self, *, expect_no_changes: bool) -> int:
        """Do it; returns the exit code."""
        title = "Previewing update" if self.preview else _TITLES[self.kind]
        config = self.config.result()
        self.display.begin(f"{title} ({self.workspace.stack}):")
        try:
            good = self._work(config)
            deployment = self.deployment.result()
            deployment.snapshot.save()
        finally:
            self.display.end()
        good = good and not deployment.errored and not deployment.interrupted
        # A program that failed has not said all its outputs: those missing are not gone.
        outputs = deployment.stack_outputs if good else None
        self.display.summary(deployment.counts, outputs, deployment.old_stack_outputs)
        if not self.preview:
            self._remember(deployment, succeeded=good)
        if deployment.interrupted:
            sys.stderr.write(
                f"Stopped by Ctrl-C:\n{self.display.where_it_stopped()}\n"
                "What was finished is saved; run the same command again to go on.\n"
            )
            return 130
        changes = sum(deployment.counts[op] for op in ("create", "update", "replace", "delete"))
        if good and changes and expect_no_changes:
            sys.stderr.write("error: no changes were expected but changes were proposed.\n")
            return 1
        return 0 if good else 1

    def _work(self, config: Config) -> bool:
        if self.kind == "refresh":
            self.deployment.result().refresh_all()
            return True
        if self.kind == "destroy":
            return self._delete(self.deployment.result())
        run_program = _import_for_a_program()
        good = run_program(
            self.workspace.project,
            self.workspace.stack,
            config,
            self.deployment.result,
            self.display,
            dry_run=self.preview,
        )
        deployment = self.deployment.result()
        if not good or deployment.errored or deployment.interrupted:
            deployment.keep_stack_outputs()
        return good and not deployment.errored and (deployment.interrupted or self._delete(deployment))

    def _delete(self, deployment: Deployment) -> bool:
        try:
            deployment.delete_unregistered()
        except EngineError as error:
            self.display.note("error", "", str(error))
            return False
        return True

    def _remember(self, deployment: Deployment, *, succeeded: bool) -> None:
        self.workspace.backend.remember(
            {
                "kind": self.kind,
                "startTime": self.began,
                "message": "",
                "environment": {"exec.kind": "embedded"},
                "config": self.config.result().sealed,
                "version": 0,
                "result": "succeeded" if succeeded else "failed",
                "endTime": int(time.time()),
                "resourceChanges": {op: count for op, count in deployment.counts.items() if count},
            }
        )

    def report(self) -> dict[str, Any]:
        """The run as JSON: steps, counts, outputs (secrets masked) and diagnostics."""
        deployment = self.deployment.result()
        return {
            "stack": self.workspace.stack,
            "steps": self.display.steps,
            "changeSummary": dict(deployment.counts),
            "outputs": redacted(mask(deployment.stack_outputs or {}), self.secrets.plaintexts),
            # Once more: when it was said, not every secret was known.
            "diagnostics": [
                {"severity": severity, "urn": urn, "message": redact(message, self.secrets.plaintexts)}
                for severity, urn, message in dict.fromkeys(self.display.diagnostics)
            ],
        }


def _import_for_a_program() -> Callable[..., bool]:
    """:func:`tooling.engine.language_host.run_program`, imported while the state is being prepared.

    With it comes all that the program imports of the two SDKs: once it runs, nobody can hold it to ``_IMPORTING``.
    """
    with _IMPORTING:
        import docker  # noqa: F401, PLC0415
    with _IMPORTING:
        import tooling.engine.dynamic  # noqa: F401, PLC0415
        from tooling.engine.language_host import run_program  # noqa: PLC0415
    return run_program


def _in_background(work: Callable[[], Any]) -> Future[Any]:
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future
