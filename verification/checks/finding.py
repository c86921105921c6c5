"""What a check is and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from verification.checks.causes import OF_PROBE, Cause
from verification.evidence import App, Evidence
from verification.evidence.container import Container

UPDATE: Final = "make up"
DRIFT: Final = "make drift"
"""In a fix: an update of the deployment, or a look at what differs. :func:`for_stack` names the stack."""

Weight = Literal["must", "should", "unknown"]
Status = Literal["passed", "failed", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check found.

    Attributes:
        status: ``passed``, ``failed`` or ``unknown`` (could not be asked).
        cause: Cause code of a failure or of not knowing; empty when passed.
        evidence: What was seen.
        fix: The command or line that fixes it.
        seconds: How long the question took.
        applies: False when the question does not arise here; it then counts neither way.
    """

    status: Status
    cause: Cause | Literal[""] = ""
    evidence: str = ""
    fix: str = ""
    seconds: float = 0.0
    applies: bool = True


Judge = Callable[[Evidence], Finding]


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        id: Its name, kebab-case, stable.
        weight: ``must``: a failure fails the deployment; ``should``: advice.
        question: What it asks, in words.
        judge: The verdict on the evidence.
    """

    id: str
    weight: Weight
    question: str
    judge: Judge


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """A check and its :class:`Finding`, as reported. Its weight is ``unknown`` where the question does not count."""

    id: str
    question: str
    weight: Weight
    status: Status
    cause: Cause | Literal[""]
    evidence: str
    fix: str
    seconds: float


def passed(evidence: str, seconds: float = 0.0) -> Finding:
    """The question was answered as it should be."""
    return Finding(status="passed", evidence=evidence, seconds=seconds)


def failed(cause: Cause, evidence: str, fix: str, seconds: float = 0.0) -> Finding:
    """The question was answered otherwise."""
    return Finding(status="failed", cause=cause, evidence=evidence, fix=fix, seconds=seconds)


def unknown(cause: Cause, evidence: str, fix: str = "", *, applies: bool = False) -> Finding:
    """The question could not be asked. With ``applies``, nothing is proved without an answer."""
    return Finding(status="unknown", cause=cause, evidence=evidence, fix=fix, applies=applies)


def first_failure(findings: Iterable[Finding], otherwise: Finding) -> Finding:
    """The first finding that did not pass, failures before unknowns."""
    seen = list(findings)
    for status in ("failed", "unknown"):
        for finding in seen:
            if finding.status == status:
                return finding
    return otherwise


def combined(findings: Iterable[Finding], words: str = "") -> Finding:
    """The first finding that did not pass; else all as one: ``words``, what each saw, and the longest time."""
    found = list(findings)
    seen = listed(finding.evidence for finding in found if finding.evidence)
    return first_failure(found, passed(words + seen, max((finding.seconds for finding in found), default=0.0)))


def for_stack(fix: str, stack: str) -> str:
    """A fix whose commands name this stack; in words where there is none: `make up` alone updates another stack."""
    for command in (UPDATE, DRIFT):
        fix = fix.replace(command, f"{command} STACK={stack}" if stack else "deploy it again, the way it was deployed")
    return fix


def re_create_commands(containers: Iterable[Container]) -> str:
    """The commands that have an update re-create containers, each with the time it needs to stop.

    Anonymous volumes go with them, but not those of a container that somebody else made: its only data may be there.
    """
    stacks = {item.name: item.stack for item in containers}
    names, volumes = " ".join(stacks), " --volumes" if all(stacks.values()) else ""
    return f"docker stop {names} && docker rm{volumes} {names} && {UPDATE}    # re-created; data volumes stay"


def listed(words: Iterable[Any]) -> str:
    """Words with commas between."""
    return ", ".join(str(word) for word in words)


def unanswered(app: App, *, applies: bool = False) -> Finding:
    """The probe of this app has no answers; says why."""
    name, probe = app.container.name, app.probe
    if probe.problem == "not-asked":
        return unknown("not-asked", f"not asked: {probe.error}", applies=applies)
    return unknown(
        OF_PROBE.get(probe.problem, "probe-failed"),
        f"{name}: nothing could be asked inside the container: {probe.error}",
        f"docker exec {name} python3 -c 'import socketio, aiohttp, redis'    # what the probe needs",
        applies=applies,
    )
