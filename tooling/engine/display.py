"""What the user sees: progress per resource, diagnostics, outputs and a summary, in the Pulumi CLI's manner.

On a terminal a tree is redrawn while work goes on; elsewhere each event is a line. Secrets never reach the screen. Left
out: ``--diff``, ``--color``, and the choice between displays.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/backend/display/progress.go
"""

from __future__ import annotations

import difflib
import json
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, Final, NamedTuple

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from docker_access.redaction import redact
from tooling.engine.events import Change
from tooling.engine.provider import DYNAMIC
from tooling.pulumi_files.checkpoint import STACK_TYPE
from tooling.pulumi_files.values import UNKNOWN, Properties, Secret, equal, mask


class _Op(NamedTuple):
    """How an operation is written."""

    sign: str
    colour: str
    planned: str
    doing: str
    done: str


_OPS: Final = {
    "same": _Op("", "dim", "same", "", "unchanged"),
    "create": _Op("+", "green", "create", "creating", "created"),
    "update": _Op("~", "yellow", "update", "updating", "updated"),
    "replace": _Op("+-", "magenta", "replace", "creating replacement", "replaced"),
    "delete": _Op("-", "red", "delete", "deleting", "deleted"),
    "delete-replaced": _Op("--", "magenta", "delete original", "deleting original", "deleted original"),
    "forget": _Op("-", "red", "forget", "", "forgotten"),
    "keep": _Op("-", "red", "forget (it is kept)", "", "forgotten (it is kept)"),
}
_TICKING_SECONDS: Final = 2.0
_LONGEST_VALUE: Final = 200
_LONGEST_OUTPUT: Final = 20
"""Lines of an output beyond which only its size is shown."""


@dataclass
class _Row:
    """A resource on screen."""

    urn: str
    parent: str
    op: str = ""
    status: str = ""
    started: float = 0.0
    seconds: float | None = None
    message: str = ""
    changes: list[Change] = field(default_factory=list)
    failed: bool = False


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
        self._rows: dict[str, _Row] = {}
        self._lock = RLock()
        self._said: dict[str, list[str]] = {}
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
                self._line(row, _OPS[op].doing, op)

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
                self._line(row, _OPS[op].planned if self._preview else _OPS[op].done + _took(row.seconds), op)
                for line in _changed_lines(row.changes) if op in ("update", "replace") else []:
                    self._print(line)

    def fail(self, op: str, urn: str, message: str) -> None:
        """See :class:`tooling.engine.events.Observer`."""
        del op
        with self._lock:
            row = self._row(urn)
            row.failed = True
            row.seconds = time.monotonic() - row.started if row.started else 0.0
            if not self._live:
                self._line(row, "failed", row.op or "same")
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
                    self._said.setdefault(urn, []).append(message)
            row = self._rows.get(urn)
            if row is not None and row in running and self._live:
                row.message = message
            elif row is not None:
                if self._speaker != urn:
                    self._line(row, "", "same")
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
        lines = _output_lines(outputs, old_outputs, only_changed=self._preview) if outputs is not None else []
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
                words = f"to {op}" if self._preview else _OPS[op].done
                self._print(Text(f"    {_OPS[op].sign:<2}{counts[op]} {words}", style=_OPS[op].colour))
        unchanged = f"{counts['same']} unchanged"
        if not changes:
            self._print(f"    {unchanged}")
        elif counts["same"]:
            self._print(f"    {changes} change{'s' if changes > 1 else ''}. {unchanged}")
        if not self._preview:
            self._print("")
            self._print(f"Duration: {_duration(time.monotonic() - self._began)}")

    def _diagnose(self) -> None:
        with self._lock:
            # Several resources may fail for one reason, and the program with them: it is told once.
            unique: dict[tuple[str, str], list[str]] = {}
            for severity, urn, message in dict.fromkeys(self.diagnostics):
                unique.setdefault((severity, message), []).append(urn)
        if not unique and not self._said:
            return
        self._print(Text("Diagnostics:", style="bold"), always=True)
        for urn, lines in self._said.items():
            self._print(f"  {_type(urn)} ({_name(urn)}):")
            for line in lines:
                self._print(f"    {line}")
            self._print("")
        for (severity, message), urns in unique.items():
            names = [f"{_type(urn)} ({_name(urn)})" if urn else "program" for urn in urns]
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
            f"  {words}: {', '.join(f'{_type(row.urn)} ({_name(row.urn)})' for row in those)}"
            for words, those in (
                ("finished", [row for row in ended if row not in halves]),
                ("deleted, and not yet made anew", halves),
                ("under way", under_way),
                ("not begun", waiting),
            )
            if those
        ]
        return "\n".join(lines or ["  nothing was begun"])

    # Drawing ------------------------------------------------------------------------------------------------------

    def _row(self, urn: str) -> _Row:
        return self._rows.setdefault(urn, _Row(urn, ""))

    def _hide(self, message: str) -> str:
        return redact(message, self._hidden)

    def _masked(self, line: RenderableType) -> RenderableType:
        plain = line.plain if isinstance(line, Text) else line if isinstance(line, str) else ""
        return line if (masked := self._hide(plain)) == plain else Text(masked)

    def _print(self, line: RenderableType, *, always: bool = False) -> None:
        if not self._quiet or always:
            self._console.print(self._masked(line), markup=False, highlight=False, soft_wrap=True)

    def _line(self, row: _Row, status: str, op: str) -> None:
        self._written = True
        self._speaker = row.urn
        text = Text(f" {_OPS[op].sign:<2} ", style=_OPS[op].colour)
        text.append(f"{_type(row.urn)} {_name(row.urn)} ", style="default" if op != "same" else "dim")
        self._print(text.append(status))

    def _tree(self) -> RenderableType:
        with self._lock:
            shown: set[str] = set()
            for row in self._rows.values():
                if row.failed or row.status not in ("", "same") or row.op not in ("", "same"):
                    above: _Row | None = row
                    while above is not None and above.urn not in shown:
                        shown.add(above.urn)
                        above = self._rows.get(above.parent)
            table = Table.grid(padding=(0, 2, 0, 0))
            for column in ("", "Type", "Name", "Status"):
                table.add_column(header=column, no_wrap=column != "Status")
            table.add_row("", Text("Type", "bold"), Text("Name", "bold"), Text("Status", "bold"))
            roots = [row for row in self._rows.values() if row.urn in shown and row.parent not in shown]
            for row in roots:
                self._add(table, row, shown, "", "")
            return table

    def _add(self, table: Table, row: _Row, shown: set[str], branch: str, indent: str) -> None:
        op = row.op or row.status or "same"
        colour = "red" if row.failed else _OPS[op].colour
        table.add_row(
            Text(f" {_OPS[op].sign}", colour),
            Text.assemble((branch, "dim"), _type(row.urn)),
            Text(_name(row.urn)),
            self._status(row, colour),
        )
        if self._preview:
            for line in _changed_lines(row.changes, margin=""):
                table.add_row("", "", "", self._masked(line))
        children = [child for child in self._rows.values() if child.parent == row.urn and child.urn in shown]
        for child in children:
            last = child is children[-1]
            self._add(table, child, shown, indent + ("└─ " if last else "├─ "), indent + ("   " if last else "│  "))

    def _status(self, row: _Row, colour: str) -> Text:
        if row.failed:
            return Text("failed", colour)
        if row.op in ("", "same") and row.status in ("", "same"):
            return Text("")
        if self._preview:
            return Text(_OPS[row.op].planned, colour)
        if row.seconds is not None:
            return Text(_OPS[row.op].done + _took(row.seconds), colour)
        if not row.started:
            return Text("")
        elapsed = time.monotonic() - row.started
        ticking = f" ({elapsed:.0f}s)" if elapsed >= _TICKING_SECONDS else ""
        return Text.assemble((f"{_OPS[row.status].doing}{ticking}", colour), (f"  {row.message}", "dim"))


def _type(urn: str) -> str:
    """The type as Pulumi shows it: ``docker:index/container:Container`` as ``docker:index:Container``."""
    type_ = urn.split("::", 3)[2].rpartition("$")[2]
    package, _, rest = type_.partition(":")
    module, _, name = rest.rpartition(":")
    first, _, last = module.partition("/")
    return f"{package}:{first}:{name}" if last.lower() == name.lower() else type_


def _name(urn: str) -> str:
    return urn.split("::", 3)[3]


def _took(seconds: float) -> str:
    return "" if seconds < 1 else f" ({seconds:.1f}s)" if seconds < 10 else f" ({seconds:.0f}s)"  # noqa: PLR2004 - digits


def _duration(seconds: float) -> str:
    whole = max(1, round(seconds))
    return f"{whole // 60}m{whole % 60}s" if whole >= 60 else f"{whole}s"  # noqa: PLR2004 - a minute


def show(value: Any) -> str:
    """A value on one line: JSON, with secrets and unknown values as words."""
    if value is UNKNOWN or isinstance(value, Secret):
        return str(mask(value))
    return json.dumps(mask(value), ensure_ascii=False)


def _changed_lines(changes: list[Change], margin: str = "      ") -> list[Text]:
    lines = []
    for change in changes:
        parts = _parts(change.key, change.old, change.new)
        if not parts and change.replaces:  # because of what a dependency may become
            lines.append(Text(f"{margin}~ {change.key} (replaces)", style="yellow"))
        for key, old, new in parts:
            sign, colour = (
                ("~", "yellow")
                if old is not None and new is not None
                else ("+", "green")
                if old is None
                else ("-", "red")
            )
            because = " (replaces)" if change.replaces else ""
            if isinstance(old, str) and isinstance(new, str) and "\n" in old + new:
                lines.append(Text(f"{margin}{sign} {key}:{because}", style=colour))
                lines += _text_lines(old, new, f"{margin}    ")
                continue
            values = f"{_clipped(old)} => {_clipped(new)}" if sign == "~" else _clipped(new if sign == "+" else old)
            lines.append(Text(f"{margin}{sign} {key}: {values}{because}", style=colour))
    return lines


def _text_lines(old: str, new: str, margin: str) -> list[Text]:
    """The lines of a text that differ, each with the line before it."""
    colours = {"+": "green", "-": "red", " ": ""}
    compared = [line for line in difflib.ndiff(old.splitlines(), new.splitlines()) if line[0] in colours]
    changed = [index for index, line in enumerate(compared) if line[0] != " "]
    near = {place for index in changed for place in (index - 1, index) if place >= 0}
    return [Text(f"{margin}{compared[place]}", style=colours[compared[place][0]]) for place in sorted(near)]


def _clipped(value: Any) -> str:
    """A value on one line, cut where nobody reads on."""
    text = show(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}... ({len(text)} characters)"


def _parts(key: str, old: Any, new: Any) -> list[tuple[str, Any, Any]]:
    """The places inside a property that differ, for objects key by key and for lists item by item."""
    if key in ("*", "") or (old is None and new is None):
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        return [part for k in sorted({*old, *new}) for part in _parts(f"{key}.{k}", old.get(k), new.get(k))]
    if isinstance(old, list) and isinstance(new, list):
        longest = max(len(old), len(new))
        pad = [None] * longest
        return [
            part
            for index, (one, other) in enumerate(zip((old + pad)[:longest], (new + pad)[:longest], strict=True))
            for part in _parts(f"{key}[{index}]", one, other)
        ]
    return [] if equal(old, new) else [(key, old, new)]


def _output_lines(new: Properties, old: Properties, *, only_changed: bool) -> list[Text]:
    width = max(map(len, {*new, *old}), default=0)
    lines = []
    for key in sorted({*new, *old}):
        if key in new and key in old and (equal(new[key], old[key]) or new[key] is UNKNOWN):
            sign, colour = " ", "default"
        else:
            sign, colour = (
                ("~", "yellow") if key in new and key in old else ("+", "green") if key in new else ("-", "red")
            )
        if sign == " " and only_changed:
            continue
        first, *rest = _nested(mask(new[key] if key in new else old[key]), "    ")
        if len(rest) > _LONGEST_OUTPUT:
            first, rest = f"{first}...{rest[-1].strip()}  ({len(rest)} lines: stack output {key})", []
        lines.append(Text(f"  {sign} {key:<{width}}: {first}", style=colour if sign != " " else ""))
        lines += [Text(line, style=colour if sign != " " else "") for line in rest]
    return lines


def _nested(value: Any, indent: str) -> list[str]:
    """A masked value as the CLI shows outputs: objects and lists opened, one entry a line."""
    if isinstance(value, dict) and value:
        width = max(map(len, value))
        entries = [(f"{key:<{width}}: ", value[key]) for key in sorted(value)]
        brackets = "{}"
    elif isinstance(value, list) and value:
        entries = [(f"[{index}]: ", item) for index, item in enumerate(value)]
        brackets = "[]"
    else:
        return [value if value in ("[secret]", "[unknown]") else json.dumps(value, ensure_ascii=False)]
    lines = [brackets[0]]
    for label, item in entries:
        first, *rest = _nested(item, indent + "    ")
        lines += [f"{indent}    {label}{first}", *rest]
    return [*lines, f"{indent}{brackets[1]}"]
