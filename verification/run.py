"""One whole verification: wait, observe, judge, report."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import closing

from docker_access.polling import Clock
from verification.ask.docker_view import CouldNotAsk, DockerView
from verification.ask.observe import observe
from verification.ask.readiness import require, wait_until_ready
from verification.ask.view import Progress, View
from verification.checks import judge
from verification.report.terminal import Report, report, report_unasked
from verification.subject import Subject


def verify(
    subject: Subject,
    progress: Progress,
    *,
    only: Collection[str] = (),
    connect: Callable[[], View] = DockerView,
    clock: Clock | None = None,
) -> Report:
    """Verify a deployment.

    Args:
        subject: What to verify.
        progress: Told in one line at a time what is being waited for.
        only: Ids of the checks to report and to judge by; empty for all.
        connect: Connects to Docker.
        clock: Time; None takes the real one.

    Returns:
        The report; its verdict is ``unknown`` when Docker does not answer or a container does not exist.
    """
    clock = clock or Clock()
    start = clock.now()
    try:
        with closing(connect()) as view:
            require(view, subject)
            wait_until_ready(view, subject, progress, clock)
            evidence = observe(view, subject, progress, clock)
    except CouldNotAsk as reason:
        return report_unasked(subject, reason, clock.now() - start)
    return report(evidence, judge(evidence, only), clock.now() - start)
