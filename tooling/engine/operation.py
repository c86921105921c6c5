"""One run over a stack, from opening the state to the closing summary: Pulumi's update, preview, refresh, destroy.

What takes time starts at once and side by side: deriving the key, the host of dynamic resources, reading the real
resources, importing Pulumi. That is what makes an unchanged update take about a second. Left out: asking
for consent, the preview before an update, watching, and running several stacks.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/engine/update.go
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import Future
from contextlib import ExitStack, redirect_stdout
from typing import TYPE_CHECKING, Any, Final, Literal, TextIO, cast

from docker_access.redaction import redact, redacted
from docker_access.surroundings import user_at_host
from tooling.engine.interrupts import TerminalStream, interruptible
from tooling.engine.opening import read_state
from tooling.engine.provider import DYNAMIC
from tooling.engine.providers import Providers, import_for_a_program, in_background
from tooling.engine.refusals import refuse_stack_file
from tooling.engine.snapshot import Snapshot
from tooling.errors import ToolError
from tooling.pulumi_files.checkpoint import PROVIDER_PREFIX
from tooling.pulumi_files.config import Config
from tooling.pulumi_files.lock import locked
from tooling.pulumi_files.values import Secret, mask
from tooling.pulumi_files.workspace import Workspace

if TYPE_CHECKING:
    from tooling.engine.deployment import Deployment

Kind = Literal["update", "destroy", "refresh"]
_TITLES: Final = {"update": "Updating", "destroy": "Destroying", "refresh": "Refreshing"}


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
        ToolError: It could not be begun, the real resources could not be read, or the state could not be saved.
    """
    try:
        with ExitStack() as cleanup:
            backend = workspace.stack.backend
            if not preview:
                cleanup.enter_context(locked(backend))
                backend.tidy()
            if as_json:
                cleanup.enter_context(redirect_stdout(sys.stderr))
            run = Run(workspace, kind, preview=preview, quiet=as_json, providers=providers)
            cleanup.callback(run.providers.close)
            cleanup.enter_context(interruptible(run.deployment, run.display, backend))
            code = run.execute(expect_no_changes=expect_no_changes)
    except ToolError as error:
        message = redact(str(error), workspace.plaintexts)
        if as_json:
            said = {"severity": "error", "urn": "", "message": message}
            print(json.dumps({"stack": workspace.stack.name, "steps": [], "diagnostics": [said]}, indent=2))
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
        self.stack = workspace.stack
        self.kind = kind
        self.preview = preview
        self.began = int(time.time())
        document = read_state(self.stack.backend)
        refuse_stack_file(self.stack, sealed=workspace.sealed)
        self.secrets = workspace.stack_secrets(document, write=not preview)
        # Imported while the key is derived.
        from rich.console import Console  # noqa: PLC0415

        from tooling.engine.display import Display  # noqa: PLC0415

        console = Console(file=cast("TextIO", TerminalStream(sys.stderr if quiet else sys.stdout)), highlight=False)
        self.display = Display(console, preview=preview, quiet=quiet, hidden=self.secrets.plaintexts)
        self.providers = providers(self.stack.project, self.display)
        dynamic = document is not None and PROVIDER_PREFIX + DYNAMIC in json.dumps(document)
        if kind == "destroy":
            # A destroy seldom asks a dynamic provider: most of its resources only leave the state.
            self.providers.import_ahead("docker", "tooling.engine.docker_provider")
        elif dynamic:
            self.providers.start_dynamic_host()
            if kind == "refresh":
                self.providers.import_ahead("docker", "tooling.engine.dynamic")
        self.config: Future[Config] = in_background(lambda: workspace.config(self.secrets))
        self.deployment: Future[Deployment] = in_background(lambda: self._prepare(document))

    def _prepare(self, document: dict[str, Any] | None) -> Deployment:
        """Open the state, resolve what the last run left pending, read the real resources."""
        from tooling.engine.deployment import Deployment  # noqa: PLC0415 - imported while the key is derived

        if document is None:
            # Nothing is opened then, and the first secret would fail with half of the stack made.
            self.secrets.try_passphrase()
        checkpoint = self.workspace.checkpoint(document, self.secrets)
        snapshot = Snapshot(checkpoint, self.secrets, None if self.preview else self.stack.backend)
        if document is not None and checkpoint.salt == self.secrets.salt:
            snapshot.mark_saved()
        config = self.config.result()
        sealed = {key: Secret(v) if key in config.secret_keys else v for key, v in config.values.items()}
        self.providers.configure(sealed, snapshot.holder)
        deployment = Deployment(
            project=self.stack.project.name,
            stack=self.stack.name,
            snapshot=snapshot,
            provider=self.providers.get,
            config=sealed,
            observer=self.display,
            dry_run=self.preview,
        )
        deployment.prepare(
            refresh=self.stack.project.refresh and self.kind != "refresh", destroying=self.kind == "destroy"
        )
        return deployment

    def execute(self, *, expect_no_changes: bool) -> int:
        """Do it; returns the exit code."""
        title = "Previewing update" if self.preview else _TITLES[self.kind]
        config = self.config.result()
        self.display.begin(f"{title} ({self.stack.name}):")
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
        run_program = import_for_a_program()
        good = run_program(self.stack, config, self.deployment.result, self.display, dry_run=self.preview)
        deployment = self.deployment.result()
        if not good or deployment.errored or deployment.interrupted:
            deployment.keep_stack_outputs()
        return good and not deployment.errored and (deployment.interrupted or self._delete(deployment))

    def _delete(self, deployment: Deployment) -> bool:
        try:
            deployment.delete_unregistered()
        except ToolError as error:
            self.display.note("error", "", str(error))
            return False
        return True

    def _remember(self, deployment: Deployment, *, succeeded: bool) -> None:
        self.stack.backend.remember(
            {
                "kind": self.kind,
                "startTime": self.began,
                "message": "",
                "environment": {"exec.kind": "embedded", "exec.user": user_at_host()},
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
            "stack": self.stack.name,
            "steps": self.display.steps,
            "changeSummary": dict(deployment.counts),
            "outputs": redacted(mask(deployment.stack_outputs or {}), self.secrets.plaintexts),
            # Once more: when it was said, not every secret was known.
            "diagnostics": [
                {"severity": severity, "urn": urn, "message": redact(message, self.secrets.plaintexts)}
                for severity, urn, message in dict.fromkeys(self.display.diagnostics)
            ],
        }
