"""The report: verdict, JSON shape and the table that a reader sees. No secret gets into it."""

from __future__ import annotations

import io
import re
import textwrap
import time
from dataclasses import asdict
from itertools import pairwise
from typing import Any, Final, NotRequired, TypedDict

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from docker_access import redaction
from verification.ask.docker_view import CouldNotAsk
from verification.checks import CHECKS, CheckResult, open_webui_version
from verification.checks.verdict import Verdict, verdict_of
from verification.evidence import Evidence
from verification.evidence.container import Container
from verification.inside.load import stretch
from verification.subject import Subject

SUMMARY_WIDTH: Final = 160
PLAIN_WIDTH: Final = 120
"""Columns of a report that does not go to a terminal, and the most it takes of one that is wider."""

MARKS: Final = {
    "passed": ("✓", "+", "green"),
    "failed": ("✗", "x", "red"),
    "unknown": ("?", "?", "yellow"),
    "advice": ("!", "!", "yellow"),
    "skipped": ("-", "-", "dim"),
}
SECRET_OPTION: Final = re.compile(r"^--?(requirepass|masterauth|primaryauth|pass|a)$")
HIDDEN: Final = "***"
BUILT_LOCALLY: Final = "built locally"
"""How the origin of an image begins that did not come from a registry."""


class Report(TypedDict):
    """What a verification found, as ``--json`` prints it and the stack keeps it."""

    verdict: Verdict
    summary: str
    checks: list[dict[str, Any]]
    apps: list[str]
    valkey: str
    open_webui_version: str
    valkey_version: str
    images: dict[str, dict[str, str]]
    busy: NotRequired[str]
    seconds: float
    asked_at: str


def report(evidence: Evidence, results: list[CheckResult], seconds: float) -> Report:
    """Put the results together."""
    hidden = secrets_in(evidence)
    services = [item for item in evidence.containers if item != evidence.migration]
    verdict = verdict_of(results)
    versions = sorted({version for app in evidence.apps if (version := open_webui_version(app))})
    return Report(
        verdict=verdict,
        summary=redact(_summary(verdict, results, evidence), hidden),
        checks=[_row(result, hidden) for result in results],
        apps=[app.container.name for app in evidence.apps],
        valkey=evidence.valkey.name if evidence.valkey else "",
        open_webui_version=", ".join(versions),
        valkey_version=evidence.valkey.version if evidence.valkey else "",
        images={item.name: asdict(item.image) for item in services if item.image},
        busy=_busy(evidence),
        seconds=round(seconds, 3),
        asked_at=_now(),
    )


def _busy(evidence: Evidence) -> str:
    """In words, that an answer may take longer than on an idle host; empty where it may not."""
    wanted, cpus = max((app.probe.load for app in evidence.apps), default=(0.0, 0))
    if wanted <= cpus:
        return ""
    times = stretch(wanted, cpus)
    return f"the Docker host is busy (load {wanted:.1f} on {cpus} CPUs): an answer may take {times:.1f} times as long"


def report_unasked(subject: Subject, reason: CouldNotAsk, seconds: float) -> Report:
    """The report when nothing could be asked."""
    result = CheckResult(
        id=CHECKS[0].id,
        question=CHECKS[0].question,
        weight="must",
        status="unknown",
        cause=reason.cause,
        evidence=reason.seen,
        fix=reason.fix,
        seconds=seconds,
    )
    return Report(
        verdict="unknown",
        summary=f"unknown: {reason.cause}: {reason.seen}",
        checks=[_row(result, frozenset())],
        apps=list(subject.apps),
        valkey=subject.valkey,
        open_webui_version="",
        valkey_version="",
        images={},
        seconds=round(seconds, 3),
        asked_at=_now(),
    )


def _summary(verdict: Verdict, results: list[CheckResult], evidence: Evidence) -> str:
    if verdict == "proved":
        if "live-event" not in {result.id for result in results}:
            return f"proved, as far as was asked: {', '.join(result.id for result in results)}"
        lives = (app.probe.live for app in evidence.apps)
        times = [value for live in lives for value in (live.room_milliseconds, live.shared_milliseconds) if value]
        count = len(evidence.apps)
        replicas = "replica" if count == 1 else "replicas"
        sent = any(result.id == "sending" and result.status == "passed" for result in results)
        what, more = ("sent and received", "") if sent else ("received", "; whether they are sent was not seen")
        more += "; the URL was asked from inside a container, not from here" if evidence.url_asked else ""
        time_taken = f"in {max(times, default=0):.1f} ms"
        return f"proved: live events through Valkey are {what} by each of {count} {replicas}, {time_taken}{more}"
    wrong = [result for result in results if result.weight == "must" and result.status == verdict]
    seen = textwrap.shorten(wrong[0].evidence.splitlines()[0], SUMMARY_WIDTH, placeholder=" ...")
    others = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f"{verdict}: {wrong[0].cause}: {seen}{others}"


def _row(result: CheckResult, hidden: frozenset[str]) -> dict[str, Any]:
    return {
        "id": result.id,
        "question": result.question,
        "class": result.weight,
        "status": result.status,
        "cause": result.cause,
        "evidence": redact(result.evidence, hidden),
        "fix": redact(result.fix, hidden, urls=False),
        "seconds": round(result.seconds, 3),
    }


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


# --- secrets ----------------------------------------------------------------------------------------------------------


def secrets_in(evidence: Evidence) -> frozenset[str]:
    """Values that no report may show: of the containers' variables, options and files, passwords, keys and tokens."""
    found = evidence.secrets.union(*map(_secrets_of, evidence.containers))
    # What is a name as well is shown everywhere.
    names = " ".join(container.name for container in evidence.containers)
    return frozenset(value for value in found if value not in names)


def _secrets_of(container: Container) -> set[str]:
    config = container.inspect.get("Config") or {}
    words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
    options = {value for option, value in pairwise(words) if SECRET_OPTION.match(option)}
    return redaction.values_within(config.get("Env") or []).union(*map(redaction.values, options))


def redact(text: str, hidden: frozenset[str], *, urls: bool = True) -> str:
    """The text without secrets, known by value or, with ``urls``, seen as a URL's password."""
    text = redaction.redact(text, hidden, HIDDEN)
    if not urls:
        return text
    return re.sub(r"(://[^/@\s:]*):[^@\s]+@", r"\1:***@", text)


# --- for readers ------------------------------------------------------------------------------------------------------


def print_report(found: Report, console: Console) -> None:
    """For each check what was asked, what was seen and how long it took; failures in detail; the verdict last."""
    for line in local_builds(found):
        console.print(Text(line, style="yellow"), soft_wrap=True)
    if busy := found.get("busy"):
        console.print(Text(busy, style="dim"), soft_wrap=True)
    plain = (console.encoding or "").lower().replace("-", "") not in {"utf8", "utf16"}
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(width=1)
    table.add_column(ratio=1, overflow="fold")
    table.add_column(justify="right", no_wrap=True)
    for row in found["checks"]:
        mark, ascii_mark, colour = MARKS[display_status(row)]
        question = Text.assemble((row["id"], "bold"), "  ", (row["question"], "dim"))
        table.add_row(Text(ascii_mark if plain else mark, style=colour), question, Text(duration(row), style="dim"))
        seen = Text(summary_line(row), style="dim" if row["class"] == "unknown" else "")
        table.add_row("", Padding(seen, (0, 0, 0, 2)), "")
    console.print(table, width=min(console.width, PLAIN_WIDTH))
    for row in detailed(found):
        console.print()
        style = "bold red" if row["class"] == "must" else "bold yellow"
        console.print(Text(f"{row['id']}: {row['cause']}", style=style))
        console.print(Text(f"  seen: {row['evidence']}"), soft_wrap=True)
        if row["fix"]:
            console.print(Text("  fix:  ").append(row["fix"], style="cyan"), soft_wrap=True)
        console.print(Text(f"  more: {explanation(row)}", style="dim"), soft_wrap=True)
    console.print()
    colour = {"proved": "bold green", "failed": "bold red", "unknown": "bold yellow"}[found["verdict"]]
    console.print(Text(found["summary"], style=colour), soft_wrap=True)


def local_builds(found: Report) -> list[str]:
    """A line for each image that was built on the machine it runs on, with the containers that run it."""
    users: dict[tuple[str, str], list[str]] = {}
    for name, image in sorted(found["images"].items()):
        if image["origin"].startswith(BUILT_LOCALLY):
            users.setdefault((image["reference"], image["origin"]), []).append(name)
    return [f"{', '.join(names)}: {reference} is {origin}" for (reference, origin), names in users.items()]


def display_status(row: dict[str, Any]) -> str:
    """A check's status; ``skipped`` where it does not count, ``advice`` where its failure fails nothing."""
    if row["class"] == "unknown":
        return "skipped"
    return "advice" if row["class"] == "should" and row["status"] == "failed" else str(row["status"])


def summary_line(row: dict[str, Any]) -> str:
    """What a check saw, in one line; the cause first where the check counts."""
    seen = (row["evidence"].splitlines() or [""])[0]
    return f"{row['cause']}: {seen}" if row["cause"] and row["class"] != "unknown" else seen


def duration(row: dict[str, Any]) -> str:
    """How long a check's question took; empty where it took no time of its own."""
    seconds = row["seconds"]
    return "" if not seconds else f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def detailed(found: Report) -> list[dict[str, Any]]:
    """The checks to show in detail: the failed ones, and those that make the verdict unknown."""
    verdict = found["verdict"]
    return [
        row
        for row in found["checks"]
        if row["status"] == "failed" or (row["status"] == verdict != "proved" and row["class"] == "must")
    ]


def explanation(row: dict[str, Any]) -> str:
    """Where a cause is explained."""
    return f"docs/troubleshooting.md#{row['cause']}"


def as_text(found: Report, encoding: str = "utf-8") -> str:
    """The printed report without colours, for logs, error messages and files, in characters that an encoding has."""
    sink = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="replace")
    print_report(found, Console(file=sink, width=PLAIN_WIDTH, color_system=None, legacy_windows=False))
    sink.seek(0)
    return "\n".join(line.rstrip() for line in sink.read().splitlines())
