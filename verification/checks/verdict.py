"""What decides ``proved``: the verdict over the results of all checks."""

from __future__ import annotations

from typing import Literal

from verification.checks.finding import CheckResult

Verdict = Literal["proved", "failed", "unknown"]


def verdict_of(results: list[CheckResult]) -> Verdict:
    """Failed by any failed ``must``; unknown when a ``must`` could not be asked; else proved."""
    musts = {result.status for result in results if result.weight == "must"}
    return "failed" if "failed" in musts else "unknown" if "unknown" in musts else "proved"
