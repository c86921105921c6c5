"""One-shot containers: they run to their end, and what follows waits for their success."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_docker as docker

from docker_access import redaction
from docker_access.last_words import host_fault


def succeeded(container: docker.Container, *, name: str, secrets: Sequence[pulumi.Input[Any]]) -> pulumi.Output[str]:
    """The id of a one-shot container, once it has succeeded.

    Args:
        container: The container.
        name: Its name in Docker.
        secrets: Texts that it was given, which its log may show and its error must not. They are waited for, and so is
            anything else in the list.
    """
    outcome = pulumi.Output.all(container.id, container.exit_code, container.container_logs, *secrets)
    # The log is a secret. The id is not.
    return pulumi.Output.unsecret(
        outcome.apply(lambda found: one_shot_result(*found[:3], name=name, secrets=found[3:]))
    )


def one_shot_result(
    container_id: str, exit_code: int | None, logs: str | None, *, name: str, secrets: Sequence[Any] = ()
) -> str:
    """The id of a one-shot container that succeeded.

    Raises:
        pulumi.RunError: it failed; with its exit code and the end of its log, without secrets.
    """
    if exit_code:
        stack = pulumi.get_stack()
        hidden = {value for secret in secrets if isinstance(secret, str) for value in redaction.values(secret)}
        log = redaction.redact(logs or "", hidden)
        tail = "\n".join(f"    {line}" for line in log.strip().splitlines()[-20:])
        why = host_fault(log)
        host = f"  That is, {why}.\n" if why else ""
        raise pulumi.RunError(
            f"container {name} exited with code {exit_code}. Its last lines:\n{tail or '    (it wrote none)'}\n{host}"
            f"  Way out: fix what it says, then run it again: docker rm --volumes {name}, then "
            f"`make up STACK={stack}` or `pulumi up --stack {stack}`"
        )
    return container_id
