"""A migration at work: an update that would end it is refused, and one that waits for it shows the end of its log.

Docker's plugin waits without a word. Meanwhile the Pulumi CLI shows what the program logs.
"""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import Final

import grpc
import pulumi
import requests.exceptions
from docker.errors import DockerException

from docker_access.client import api_client
from docker_access.one_shots import at_work, current_progress, refusal

TELL_SECONDS: Final = 4.0
"""Time between two lines."""
TIMEOUT_SECONDS: Final = 10
"""How long Docker may take for one answer."""


def refuse_at_work(stack_labels: Mapping[str, str]) -> None:
    """Refuse to run beside a one-shot that an update which is gone has left at work; a preview only warns.

    Raises:
        pulumi.RunError: An update would end it.
    """
    with closing(api_client(TIMEOUT_SECONDS)) as client:
        found = [refusal(one, current_progress(client, one)) for one in at_work(client, stack_labels)]
    if found and not pulumi.runtime.is_dry_run():
        raise pulumi.RunError("nothing was changed:\n" + "\n".join(f"  {problem}" for problem in found))
    for problem in found:
        pulumi.log.warn(problem)


def tell_of_one_shots(stack_labels: Mapping[str, str]) -> None:
    """Have the engine show every few seconds how far a one-shot is, from now until this process ends."""
    if not pulumi.runtime.is_dry_run():
        # Pulumi's SDK knows the engine by the context.
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(_tell, stack_labels, threading.Event()), daemon=True).start()


def _tell(stack_labels: Mapping[str, str], over: threading.Event) -> None:
    secrets: dict[str, frozenset[str]] = {}
    while not over.wait(TELL_SECONDS):
        with suppress(DockerException, requests.exceptions.RequestException, grpc.RpcError):
            with closing(api_client(TIMEOUT_SECONDS)) as client:
                lines = [current_progress(client, one, secrets) for one in at_work(client, stack_labels)]
            for line in lines:
                # Shown only for the moment: it is no diagnostic of the update.
                pulumi.log.info(line, ephemeral=True)
