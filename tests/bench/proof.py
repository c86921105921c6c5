"""What the proof itself costs: every check of a healthy stack, with more and more replicas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.bench.target import Target
from tests.integration.deployment import Deployment
from tooling.machine.progress import say
from verification.report.terminal import Report
from verification.run import verify
from verification.subject import subject_of

RUNS: Final = 3
"""The quickest counts. More would meet Open WebUI's limit of sign-ins, 15 in 3 minutes."""
HEALTHY_SECONDS: Final = 120.0
BAR_SECONDS: Final = 2.0
BAR_PER_REPLICA_SECONDS: Final = 0.3


@dataclass(frozen=True, kw_only=True)
class Cost:
    """One proof of a healthy stack.

    Attributes:
        replicas: Containers of Open WebUI.
        passed: Checks that passed.
        unasked: Names of those that did not arise, or were not asked.
        seconds: How long all of them took, side by side.
        slowest: Name of the one that took longest, and how long.
    """

    replicas: int
    passed: int
    unasked: tuple[str, ...]
    seconds: float
    slowest: tuple[str, float]

    @property
    def bar(self) -> float:
        """How long it may take."""
        return BAR_SECONDS + BAR_PER_REPLICA_SECONDS * (self.replicas - 1)


def cost(deployment: Deployment, target: Target, replicas: int) -> Cost:
    """Give a stack that many replicas, and prove it.

    Raises:
        TimeoutError: it did not become healthy.
    """
    deployment.configure({"replicas": replicas})
    deployment.succeed("up")
    target.wait_until_healthy(HEALTHY_SECONDS)
    outputs = deployment.outputs("--show-secrets")
    subject = subject_of({**outputs["subject"], "url": outputs["url"], "expected": outputs["expected"]})
    return as_cost(min((verify(subject, say) for _ in range(RUNS)), key=lambda found: found["seconds"]), replicas)


def as_cost(found: Report, replicas: int) -> Cost:
    """The cost of a proof.

    Raises:
        AssertionError: the stack is not proved.
    """
    assert found["verdict"] == "proved", found["summary"]
    slowest = max(found["checks"], key=lambda row: row["seconds"])
    return Cost(
        replicas=replicas,
        passed=sum(row["status"] == "passed" for row in found["checks"]),
        unasked=tuple(row["id"] for row in found["checks"] if row["status"] != "passed"),
        seconds=found["seconds"],
        slowest=(slowest["id"], slowest["seconds"]),
    )
