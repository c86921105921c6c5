"""What the user sees: progress per resource, diagnostics, outputs and a summary, in the Pulumi CLI's manner.

On a terminal a tree is redrawn while work goes on; elsewhere each event is a line. Secrets never reach the screen. Left
out: ``--diff``, ``--color``, and the choice between displays.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/backend/display/progress.go
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from threading import RLock
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from docker_access.redaction import redact
from tooling.engine.events import Change
from tooling.engine.provider import DYNAMIC
from tooling.engine.rendering import OPS, changed_lines, duration, output_lines, shown_type, time_taken, title_of
from tooling.engine.tree import Row, tree
from tooling.pulumi_files.checkpoint import STACK_TYPE
from tooling.pulumi_files.urns import name_of
from tooling.pulumi_files.values import Properties


class Display:
    """Implements :class:`tooling.engine.events.Observer`.

    Args:
        console: Where to write.
        preview: Nothing is done, so say what would be.
        quiet: Write nothing but errors: the caller prints JSON.
        hidden: Secrets known so far; whatever is written is masked with them.
    """

    def __init__(self, console: Console, *, preview: bool, quiet: bool = False, hidden: Iterable[str] = ()) -> None:
        self.diagnostics: list[tuple[str, str, str]] = []
        self.steps: list[dict[str, Any]] = []
        self._console = console
        self._preview = preview
        self._quiet = quiet
        self._hidden = hidden
        self._rows: dict[str, Row] = {}
        self._lock = RLock()
        self._printed: dict[str, list[str]] = {}
        self._live: Live | None = None
        self._written = False
        self._speaker = ""
        """Resource of the last line, under which what it says is indented."""
        self._began = time.monotonic()

    # Events -------------------------------------------------------------------------------------------------------

    def begin(self, title: str) -> None:
        """Say what is about to happen, for example ``Updating (dev):``."""
        self._began = time.monotonic()
        if self._quiet:
            return
        self._print(Text(title, style="bold"))
        self._print("")
        if self._console.is_terminal:
            self._live = Live(
                get_renderable=self._tree, console=self._console, refresh_per_second=8, vertical_overflow="crop"
            )
            self._live.start()

    def seen(self, urn: str, parent: str) -> None:
        """A resource is registered, or about to be deleted."""
        with self._lock:
            row = self._row(urn)
            row.parent = row.parent or parent

    def plan(self, op: str, urn: str, changes: list[Change]) -> None:
        """See :class:`tooling.engine.events.Observer`."""
        with self._lock:
            if op in ("create", "update", "replace", "delete"):
                row = self._row(urn)
                row.op, row.changes = op, changes
            self.steps.append(
                {"op": op, "urn": urn, "changes": [{"key": c.key, "replaces": c.replaces} for c in changes]}
            )

    def start(self, op: str, urn: str) -> None:
        """See :class:`tooling.engine.events.Observer`."""
        with self._lock:
            row = self._row(urn)
            row.status, row.started, row.seconds = op, time.monotonic(), None
            if not self._preview and not self._live:
                self._print_row(row, OPS[op].doing, op)

    def done(self, op: str, urn: str) -> None:
        """See :class:`tooling.engine.events.Observer`."""
        with self._lock:
            row = self._row(urn)
            row.seconds = time.monotonic() - row.started if row.started else 0.0
            row.status = op
            row.op = row.op if op == "delete-replaced" and row.op else op
            if op in ("keep", "forget"):
                next(step for step in reversed(self.steps) if step["urn"] == urn)["retained"] = True
            if op != "same" and not self._live:
                self._print_row(row, OPS[op].planned if self._preview else OPS[op].done + time_taken(row.seconds), op)
                for line in changed_lines(row.changes) if op in ("update", "replace") else []:
                    self._print(line)

    def fail(self, op: str, urn: str, message: str) -> None:
        """See :class:`tooling.engine.events.Observer`."""
        del op
        with self._lock:
            row = self._row(urn)
            row.failed = True
            row.seconds = time.monotonic() - row.started if row.started else 0.0
            if not self._live:
                self._print_row(row, "failed", row.op or "same")
            self.diagnostics.append(("error", urn, self._hide(message)))

    def note(self, severity: str, urn: str, message: str) -> None:
        """See :class:`tooling.engine.events.Observer`."""
        with self._lock:
            if severity == "info":
                self.progress(urn, message)
            else:
                self.diagnostics.append((severity, urn, self._hide(message)))

    def progress(self, urn: str, message: str) -> None:
        """A provider says how far it is.

        An empty URN is what a dynamic provider prints: it is shown under the resource and, as it may be the result
        (a report), kept for the end where the screen is redrawn.
        """
        message = self._hide(message)
        with self._lock:
            running = [row for row in self._rows.values() if row.started and row.seconds is None]
            if not urn and len(dynamic := [row for row in running if f"{DYNAMIC}:" in row.urn]) == 1:
                urn = dynamic[0].urn
                if self._live:
                    self._printed.setdefault(urn, []).append(message)
            row = self._rows.get(urn)
            if row is not None and row in running and self._live:
                row.message = message
            elif row is not None:
                if self._speaker != urn:
                    self._print_row(row, "", "same")
                self._print(Text(f"      {message}", style="dim"))
            else:
                self._print(Text(f"    {message}", style="dim"))

    # The end ------------------------------------------------------------------------------------------------------

    def end(self) -> None:
        """Stop redrawing; the last picture stays."""
        if self._live is not None:
            self._live.vertical_overflow = "visible"
            self._live.stop()
            self._live = None
            self._written = True

    def summary(self, counts: Counter[str], outputs: Properties | None, old_outputs: Properties) -> None:
        """Diagnostics, outputs, counts and duration."""
        self.end()
        if self._written:
            self._print("")
        self._diagnose()
        if self._quiet:
            return
        lines = output_lines(outputs, old_outputs, only_changed=self._preview) if outputs is not None else []
        if lines:
            self._print(Text("Outputs:", style="bold"))
            for line in lines:
                self._print(line)
            self._print("")
        self._print(Text("Resources:", style="bold"))
        changes = 0
        for op in ("create", "update", "replace", "delete"):
            if counts[op]:
                changes += counts[op]
                words = f"to {op}" if self._preview else OPS[op].done
                self._print(Text(f"    {OPS[op].sign:<2}{counts[op]} {words}", style=OPS[op].colour))
        unchanged = f"{counts['same']} unchanged"
        if not changes:
            self._print(f"    {unchanged}")
        elif counts["same"]:
            self._print(f"    {changes} change{'s' if changes > 1 else ''}. {unchanged}")
        if not self._preview:
            self._print("")
            self._print(f"Duration: {duration(time.monotonic() - self._began)}")

    def _diagnose(self) -> None:
        with self._lock:
            # Several resources may fail for one reason, and the program with them: it is told once.
            unique: dict[tuple[str, str], list[str]] = {}
            for severity, urn, message in dict.fromkeys(self.diagnostics):
                unique.setdefault((severity, message), []).append(urn)
        if not unique and not self._printed:
            return
        self._print(Text("Diagnostics:", style="bold"), always=True)
        for urn, lines in self._printed.items():
            self._print(f"  {title_of(urn)}:")
            for line in lines:
                self._print(f"    {line}")
            self._print("")
        for (severity, message), urns in unique.items():
            names = [title_of(urn) if urn else "program" for urn in urns]
            self._print(f"  {', '.join(names)}:", always=True)
            colour = {"error": "red", "warning": "yellow"}.get(severity, "")
            first, *rest = message.splitlines() or [""]
            self._print(Text.assemble("    ", (f"{severity}:", colour), f" {first}"), always=True)
            for line in rest:
                self._print(f"    {line}", always=True)
            self._print("", always=True)

    def where_it_stopped(self) -> str:
        """Which resources an interrupted run has finished, was at work on and did not begin, a line each."""
        with self._lock:
            rows = [row for row in self._rows.values() if STACK_TYPE not in row.urn]
        ended = [row for row in rows if row.seconds is not None and not row.failed and row.status not in ("", "same")]
        halves = [row for row in ended if row.status == "delete-replaced"]
        under_way = [row for row in rows if row.started and row.seconds is None]
        waiting = [row for row in rows if not row.started and not row.failed and row.status == ""]
        lines = [
            f"  {words}: {', '.join(title_of(row.urn) for row in those)}"
            for words, those in (
                ("finished", [row for row in ended if row not in halves]),
                ("deleted, and not made again yet", halves),
                ("under way", under_way),
                ("not begun", waiting),
            )
            if those
        ]
        return "\n".join(lines or ["  nothing was begun"])

    # Drawing ------------------------------------------------------------------------------------------------------

    def _row(self, urn: str) -> Row:
        return self._rows.setdefault(urn, Row(urn))

    def _hide(self, message: str) -> str:
        return redact(message, self._hidden)

    def _masked(self, line: RenderableType) -> RenderableType:
        plain = line.plain if isinstance(line, Text) else line if isinstance(line, str) else ""
        return line if (masked := self._hide(plain)) == plain else Text(masked)

    def _print(self, line: RenderableType, *, always: bool = False) -> None:
        if not self._quiet or always:
            self._console.print(self._masked(line), markup=False, highlight=False, soft_wrap=True)

    def _print_row(self, row: Row, status: str, op: str) -> None:
        self._written = True
        self._speaker = row.urn
        text = Text(f" {OPS[op].sign:<2} ", style=OPS[op].colour)
        text.append(f"{shown_type(row.urn)} {name_of(row.urn)} ", style="default" if op != "same" else "dim")
        self._print(text.append(status))

    def _tree(self) -> RenderableType:
        with self._lock:
            # While it is drawn again and again, only what fits; what stays in the end is all of it.
            room = self._console.height - 2 if self._live and self._live.vertical_overflow == "crop" else None
            return tree(self._rows, self._masked, preview=self._preview, most=room)
