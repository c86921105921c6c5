"""What a fault of the catalogue is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal

from tests.integration.hand_made import Labs
from verification.checks.causes import Cause
from verification.checks.verdict import Verdict
from verification.subject import Subject

Inject = Callable[[Labs], AbstractContextManager[Subject]]
"""Brings a fault about, gives what to verify, and undoes it."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One way in which a deployment breaks, and what is said of it.

    Attributes:
        name: The fault in words, as docs/faults.md shows it.
        inject: Brings it about; apps have booted when it gives what to verify.
        check: The check that names it.
        cause: The cause it names.
        status: What that check says.
        verdict: What the whole verification says.
        first: The cause in the summary; empty where it is ``cause``, or where the verdict is ``proved``.
        also: Causes of other checks, by check, that follow from it.
        own: Open WebUI's own ``/health`` and ``/ready`` meanwhile: a status, ``none`` for no answer, ``-`` where no
            Open WebUI is there to be asked; ``503 or none`` where both are seen.
        real: Whether `make test` judges it on Open WebUI itself too, because its own reaction is what it is about; the
            others are judged on what stands in for it.
    """

    name: str
    inject: Inject
    check: str
    cause: Cause
    status: Literal["failed", "unknown"] = "failed"
    verdict: Verdict = "failed"
    first: Cause | Literal[""] = ""
    also: Mapping[str, Cause] = field(default_factory=dict)
    own: str = "200/200"
    real: bool = False

    @property
    def causes(self) -> dict[str, Cause]:
        """Every cause it produces, by check."""
        return {self.check: self.cause, **self.also}

    @property
    def own_answers(self) -> dict[str, list[str]]:
        """What is expected of each of Open WebUI's own answers."""
        health, _, ready = self.own.partition("/")
        return {"/health": health.split(" or "), "/ready": ready.split(" or ")}
