"""Pulls an image, with the login there is, and gives up on a registry that sends nothing."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import docker
import docker.errors
import requests.exceptions

from docker_access import logins
from docker_access.pulls import Layers, error_of, is_unreachable
from settings.references import Reference
from tooling.images.disk import shortage, to_pull
from tooling.images.errors import ImageError
from tooling.machine.negative_cache import remember_failure
from tooling.machine.progress import progress, say

PULL_STALL_SECONDS: Final = 60
"""How long a registry may send nothing."""
UNPACK_STALL_SECONDS: Final = 600
"""How long Docker may say nothing while it unpacks what has come."""


@dataclass(frozen=True)
class Pulled:
    """How a pull ended.

    Attributes:
        failure: Why the image is not there; empty where it is.
        seconds: How long it took.
        unreachable: The registry was not reached, or did not answer as one.
    """

    failure: str
    seconds: float = 0
    unreachable: bool = False


def pull(client: docker.DockerClient, reference: Reference) -> Pulled:
    """Pull with the login there is; where that one does not work, without: a public image needs none."""
    registry, login, trouble = reference.registry, {}, ""
    try:
        login = logins.login(registry)
    except logins.LoginError as error:
        trouble = str(error)
    else:
        pulled = _pull_as(login, client, reference)
        if not (login and logins.is_refusal(pulled.failure)):
            return pulled
        trouble = logins.refused(registry, pulled.failure)
    say(f"{reference}: {trouble}; asking for the image without a login")
    return _pull_as({}, client, reference)


def _pull_as(login: Mapping[str, Any], client: docker.DockerClient, reference: Reference) -> Pulled:
    began = time.monotonic()
    failure, unreachable = "", False
    layers = Layers()
    with (
        progress(f"pulling {reference}") as stage,
        contextlib.closing(_events(client, reference, login, layers)) as events,
    ):
        try:
            for event in events:
                if failure := error_of(event):
                    break
                first = not layers.wanted
                layers.take(event)
                # Now the registry has answered, and has more than is here.
                if first and layers.wanted and (lacking := shortage(client, reference, to_pull(reference))):
                    raise ImageError(lacking)
                stage.text = f"{layers.complete} of {layers.total} layers complete"
            unreachable = is_unreachable(failure)
        except docker.errors.APIError as error:
            failure = str(error.explanation or error)
            unreachable = is_unreachable(failure)
        except queue.Empty:
            if layers.unpacking:
                failure = f"Docker reported nothing for {UNPACK_STALL_SECONDS} s while it unpacked the layers"
            else:
                failure, unreachable = f"the registry sent nothing for {PULL_STALL_SECONDS} s", True
    # A registry that named the layers was reached, whatever became of them.
    unreachable = unreachable and not layers.total
    if unreachable:
        remember_failure(reference.registry)
    return Pulled(failure, time.monotonic() - began, unreachable)


def _events(
    client: docker.DockerClient, reference: Reference, login: Mapping[str, Any], layers: Layers
) -> Generator[dict[str, Any]]:
    """What Docker says of a pull; ``queue.Empty`` when it says nothing for too long, as far as the layers are.

    The SDK waits for ever and cannot be told otherwise, so somebody else does the waiting.
    """
    events: queue.Queue[dict[str, Any] | docker.errors.APIError | None] = queue.Queue()
    over = threading.Event()

    def listen() -> None:
        try:
            tag = reference.digest or reference.tag
            # Without `auth_config` the SDK looks for a login by itself.
            pulled = client.api.pull(reference.repository, tag=tag, stream=True, decode=True, auth_config=dict(login))
            for event in pulled:
                if over.is_set():  # hanging up ends the pull
                    return
                events.put(event)
            events.put(None)
        except docker.errors.APIError as error:
            events.put(error)
        except (docker.errors.DockerException, requests.exceptions.RequestException) as error:
            events.put(docker.errors.APIError(str(error)))

    threading.Thread(target=listen, daemon=True).start()
    try:
        while True:
            event = events.get(timeout=UNPACK_STALL_SECONDS if layers.unpacking else PULL_STALL_SECONDS)
            if event is None:
                return
            if isinstance(event, docker.errors.APIError):
                raise event
            yield event
    finally:
        over.set()
