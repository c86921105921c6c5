"""A migration at work: an update that would end it is refused, and one that waits for its own tells what its log says.

Docker's plugin waits in silence; what the program logs, the Pulumi CLI shows while it waits.
"""

from __future__ import annotations

import contextvars
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Final

import grpc
import pulumi
import requests.exceptions
from docker.errors import DockerException

from docker_access.client import api_client
from docker_access.one_shots import at_work, refusal, told

if TYPE_CHECKING:
    from collections.abc import Mapping

TELL_SECONDS: Final = 4.0
"""Time between two lines."""
TIMEOUT_SECONDS: Final = 10
"""How long Docker may take for one answer."""


def refuse_at_work(marks: Mapping[str, str]) -> None:
    """Refuse, or in a preview say, what an update that is gone has left at work.

    Args:
        marks: Labels of what is the stack's.

    Raises:
        pulumi.RunError: An update would end it.
    """
    with closing(api_client(TIMEOUT_SECONDS)) as client:
        found = [refusal(one, told(client, one)) for one in at_work(client, marks)]
    if found and not pulumi.runtime.is_dry_run():
        raise pulumi.RunError("nothing was changed:\n" + "\n".join(f"  {words}" for words in found))
    for words in found:
        pulumi.log.warn(words)


def tell_of_one_shots(marks: Mapping[str, str]) -> None:
    """Have the engine show every few seconds how far a one-shot is, from now until this process ends.

    Args:
        marks: Labels of what is the stack's.
    """
    if not pulumi.runtime.is_dry_run():
        # Who the engine is, Pulumi's SDK knows by the context.
        told_to = contextvars.copy_context()
        threading.Thread(target=told_to.run, args=(_tell, marks, threading.Event()), daemon=True).start()


def _tell(marks: Mapping[str, str], over: threading.Event) -> None:
    while not over.wait(TELL_SECONDS):
        with suppress(DockerException, requests.exceptions.RequestException, grpc.RpcError):
            with closing(api_client(TIMEOUT_SECONDS)) as client:
                lines = [told(client, one) for one in at_work(client, marks)]
            for line in lines:
                # Shown while it is so, and no diagnostic of the update's.
                pulumi.log.info(line, ephemeral=True)
