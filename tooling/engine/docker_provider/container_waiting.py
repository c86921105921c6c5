"""Waiting for a container: until it is made, is healthy (``wait``), has ended by itself (``attach``) or when stopped.

The plugin sits out the whole time limit; this ends once the container has, or restarts in vain.

Source: https://github.com/kreuzwerker/terraform-provider-docker/blob/master/internal/provider/resource_docker_container_funcs.go
"""

from __future__ import annotations

import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final

from docker_access.one_shots import last_line, progress, refusal
from docker_access.polling import poll
from tooling.engine.docker_provider.client import Call, docker_errors, look
from tooling.engine.docker_provider.properties import DEFAULT_TIMEOUT_SECONDS
from tooling.engine.provider import ProviderError
from tooling.pulumi_files.values import Properties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import APIClient

POLL_SECONDS: Final = 0.1
PROGRESS_SECONDS: Final = 5.0
"""Time between two progress lines."""
MADE_SECONDS: Final = 300.0
"""How long Docker may take to make a container; it copies what the image has where a volume goes."""
ENDING_SECONDS: Final = 5.0
"""How long a container that ends by itself is waited for, before what would remove it is refused."""
WATCH_SECONDS: Final = 30
"""How long beyond its grace the end of a container is listened for."""
LOG_LINES: Final = 20
"""How much of a failed container's log its error shows."""
RESTARTS: Final = 3
"""So many restarts, and a container will not come up by itself."""


def _poll(limit_seconds: float, tell: Callable[[float], None] = lambda _: None) -> Iterator[None]:
    return poll(limit_seconds, every_seconds=POLL_SECONDS, tell=tell, tell_every_seconds=PROGRESS_SECONDS)


def await_made(api: APIClient, name: str, log: Callable[[str], None]) -> dict[str, Any] | None:
    """What ``docker inspect`` shows of the container of that name; None where there is none.

    Docker finishes making a container for a run that was killed meanwhile. Until then its name is taken, it is listed,
    and it can be neither inspected nor removed: that is waited for.

    Raises:
        ProviderError: It took longer than five minutes.
    """

    def tell(seconds: float) -> None:
        log(f"waiting for Docker to have made the container {name} ({seconds:.0f} s)")

    with docker_errors(f"look for the container {name}"):
        for _ in _poll(MADE_SECONDS, tell):
            found = look(f"inspect the container {name}", lambda: api.inspect_container(name))
            if found is not None or not api.containers(all=True, filters={"name": f"^/{name}$"}):
                return found
    raise ProviderError(
        f"Docker has been making the container {name}, for a run that is gone, for over {MADE_SECONDS:.0f} s. "
        "See its log; restarting Docker gives the name up."
    )


def await_healthy(call: Call, container_id: str, inputs: Properties) -> None:
    """Return once the healthcheck has passed.

    Unlike the plugin, which sits out ``waitTimeout``, it gives up as soon as nothing can come of it.

    Raises:
        ProviderError: The container has exited, keeps restarting, is unhealthy, has no healthcheck, or took
            longer than ``waitTimeout`` seconds.
    """
    name, limit = inputs["name"], float(inputs["waitTimeout"])

    def tell(seconds: float) -> None:
        call.log(f"waiting for container {name} to be healthy ({seconds:.0f} s)")

    with docker_errors(f"wait for the container {name}"):
        for _ in _poll(limit, tell):
            found = call.docker.api.inspect_container(container_id)
            if _health(found).get("Status") == "healthy":
                return
            if reason := hopeless(found):
                break
        else:
            reason = f"is not healthy after {limit:.0f} s (waitTimeout)"
        raise ProviderError(_report(call, container_id, f"container {name} {reason}", found))


def await_exit(call: Call, container_id: str, inputs: Properties) -> Properties:
    """Return once the container has ended, with ``containerLogs`` if ``logs`` asks for them.

    Tells every few seconds what its log says.

    Raises:
        ProviderError: It took longer than its create may take; it goes on.
    """
    name, limit = inputs["name"], call.timeout_seconds or DEFAULT_TIMEOUT_SECONDS

    def tell(seconds: float) -> None:
        said = last_line(call.docker.api, container_id) or "(its log is empty so far)"
        call.log(f"waiting for its end ({seconds:.0f} s): {said}")

    with docker_errors(f"wait for the end of the container {name}"):
        for _ in _poll(limit, tell):
            found = call.docker.api.inspect_container(container_id)
            if not found["State"]["Running"]:
                break
        else:
            summary = f"container {name} has not ended after {limit:.0f} s (customTimeouts)"
            raise ProviderError(_report(call, container_id, summary, found, "Nothing replaces it while it runs."))
        if found["State"]["ExitCode"]:
            call.log(f"container {name} ended with exit code {found['State']['ExitCode']}")
        if not inputs.get("logs"):
            return {}
        return {"containerLogs": call.docker.api.logs(container_id).decode(errors="replace")}


def once_ended(call: Call, container_id: str, inputs: Properties) -> dict[str, Any] | None:
    """What ``docker inspect`` shows of a container; of one that runs to its end by itself, once it has ended.

    Nothing ends such a one half-way: it may be migrating a database.

    Args:
        call: What every call has.
        container_id: Its id or name.
        inputs: What was asked for.

    Returns:
        None where there is no such container.

    Raises:
        ProviderError: It has not ended after some seconds.
    """
    for _ in _poll(ENDING_SECONDS):
        found = look(f"inspect the container {container_id}", lambda: call.docker.api.inspect_container(container_id))
        if found is None or not (inputs.get("attach") and found["State"]["Running"]):
            return found
    assert found is not None  # noqa: S101 - it runs
    raise ProviderError(refusal(found, progress(found, last_line(call.docker.api, container_id))))


def await_end(api: APIClient, container_id: str, grace_seconds: int) -> None:
    """Stop a container; returns when Docker tells that its process has ended, or could not be stopped."""
    from docker.errors import DockerException  # noqa: PLC0415 - costs 0.2 s
    from requests.exceptions import RequestException  # noqa: PLC0415 - the same

    ended = threading.Event()

    def stop() -> None:
        with suppress(DockerException, RequestException):
            api.stop(container_id, timeout=grace_seconds)
        ended.set()

    def watch() -> None:
        with suppress(DockerException, RequestException, OSError), closing(events):
            if next(events, None):
                ended.set()

    of_its_end = {"type": "container", "container": container_id, "event": "die"}
    with suppress(DockerException, RequestException):
        # It ends by itself, should the only event have come before Docker began to tell them.
        until = int(time.time()) + grace_seconds + WATCH_SECONDS
        events = api.events(filters=of_its_end, until=until, decode=True)
        threading.Thread(target=watch, daemon=True).start()
    threading.Thread(target=stop, daemon=True).start()
    ended.wait()


def hopeless(found: dict[str, Any]) -> str | None:
    """Why a container will not become healthy any more; None while it may.

    Args:
        found: The answer of ``docker inspect``.
    """
    state, health = found["State"], _health(found)
    if found["RestartCount"] >= RESTARTS:
        return f"has restarted {found['RestartCount']} times, last with exit code {state['ExitCode']}"
    if not state["Running"] and not state["Restarting"]:
        killed = " (out of memory)" if state["OOMKilled"] else ""
        return f"has exited with code {state['ExitCode']}{killed}"
    if not health or health["Status"] == "none":
        return "has no healthcheck, so `wait` has nothing to wait for: give it one, or leave out `wait`"
    # Between two restarts Docker calls a container unhealthy that was not checked yet.
    if health["Status"] == "unhealthy" and health["FailingStreak"]:
        return f"is unhealthy: its healthcheck failed {health['FailingStreak']} times in a row"
    return None


def is_healthy(found: dict[str, Any]) -> bool:
    """Whether its healthcheck says so."""
    return bool(_health(found).get("Status") == "healthy")


def _health(found: dict[str, Any]) -> dict[str, Any]:
    return found["State"].get("Health") or {}


def _report(
    call: Call, container_id: str, summary: str, found: dict[str, Any], then: str = "The next up replaces it."
) -> str:
    checks = _health(found).get("Log") or []
    last = f"\nLast healthcheck (exit code {checks[-1]['ExitCode']}): {checks[-1]['Output'].strip()}" if checks else ""
    log = call.docker.api.logs(container_id, tail=LOG_LINES).decode(errors="replace").rstrip()
    tail = f"\nLast lines of its log:\n{log}" if log else "\nIts log is empty."
    name = found["Name"].lstrip("/")
    return f"{summary}.{last}{tail}\nIt is left as it is: see `docker logs {name}`. {then}"
