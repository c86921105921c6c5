"""The connection to Docker, and Docker's errors told in words that help.

Left out: an address, credentials and certificates given by the program; ``DOCKER_HOST`` and its like say where.

Source: https://docs.docker.com/reference/cli/docker/#environment-variables
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from docker_access import daemon, labels
from docker_access.client import api_client, failure_text
from docker_access.polling import poll
from tooling.engine.provider import OutcomeUnknownError, ProviderError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from docker import APIClient

    from tooling.pulumi_files.checkpoint import Resource

NOT_FOUND: Final = 404
CONFLICT: Final = 409
SECONDS: Final = 300
"""Timeout of a call: to make a container, Docker copies what its image has where a volume goes."""
REMOVAL_SECONDS: Final = 30
"""How long what is removed may still be in use, as in the plugin, or be removed by someone else."""
DEFAULT_ADDRESS: Final = "unix:///var/run/docker.sock"


class Docker:
    """A client that connects on first use and may be used from several threads.

    The address comes from ``DOCKER_HOST``, ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH``, else it is the
    default socket. Source: https://docs.docker.com/reference/cli/docker/#environment-variables
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._client: APIClient | None = None

    @property
    def is_connected(self) -> bool:
        """Whether Docker has been reached."""
        return self._client is not None

    @property
    def api(self) -> APIClient:
        """The low-level client.

        Raises:
            ProviderError: Docker does not answer.
        """
        with self._lock:
            if self._client is None:
                self._client = _connect()
            return self._client

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """What every call of a resource module may need.

    Attributes:
        docker: The connection.
        log: Tells the user how it goes; takes one line.
        holder: Whose, of what the state records, a real thing of some id is.
        timeout_seconds: ``customTimeouts`` of the resource.
    """

    docker: Docker
    log: Callable[[str], None]
    holder: Callable[[str], Resource | None]
    timeout_seconds: float | None = None


def _connect() -> APIClient:
    # The import takes 0.2 s, which an update without Docker resources need not pay.
    from docker.errors import DockerException  # noqa: PLC0415

    from docker_access.versions import TooNewError  # noqa: PLC0415

    try:
        return api_client(SECONDS)
    except TooNewError as error:
        raise ProviderError(str(error)) from error
    except DockerException as error:
        raise not_answering(error) from error


class NotAnsweringError(ProviderError):
    """Docker cannot be reached, or was lost in the middle of a call."""


def not_answering(error: Exception) -> NotAnsweringError:
    """The error for a Docker that cannot be reached at all."""
    address = daemon.address() or DEFAULT_ADDRESS
    reason = failure_text(error)
    if "Permission denied" in reason:
        return NotAnsweringError(
            f"Docker at {address} does not let this user in ({reason}). "
            "Add the user to the group docker and log in again, or run as root."
        )
    return NotAnsweringError(
        f"Docker does not answer at {address} ({reason}). "
        "Start Docker, as with `sudo systemctl start docker`, or set DOCKER_HOST to where it listens."
    )


class DockerRefused(ProviderError):  # noqa: N818 - it is what happened
    """Docker answered with an error.

    Attributes:
        status: HTTP status, 404 for what does not exist.
        said: The daemon's own words.
    """

    def __init__(self, message: str, status: int, said: str) -> None:
        super().__init__(message)
        self.status = status
        self.said = said


@contextmanager
def docker_errors(action: str) -> Iterator[None]:
    """Turn what the Docker SDK raises into a :class:`ProviderError` saying what was being done.

    Args:
        action: What was being done, as in "create the network edge".
    """
    from docker.errors import APIError, DockerException  # noqa: PLC0415 - costs 0.2 s
    from requests.exceptions import ConnectionError as NoConnection  # noqa: PLC0415 - the same
    from requests.exceptions import Timeout  # noqa: PLC0415 - the same

    try:
        yield
    except APIError as error:
        explanation: bytes | str = error.explanation or str(error)
        said = explanation.decode(errors="replace") if isinstance(explanation, bytes) else explanation
        said = said.strip().rstrip(".")
        raise DockerRefused(f"Docker could not {action}: {said}.", error.status_code or 0, said) from error
    except (NoConnection, Timeout) as error:
        raise not_answering(error) from error
    except DockerException as error:
        raise ProviderError(f"Docker could not {action}: {error}") from error


def look(action: str, ask: Callable[[], Any]) -> dict[str, Any] | None:
    """What Docker answers to an inspect; None for what does not exist."""
    try:
        with docker_errors(action):
            found: dict[str, Any] = ask()
    except DockerRefused as error:
        if error.status == NOT_FOUND:
            return None
        raise
    return found


@contextmanager
def once_made() -> Iterator[None]:
    """Leave the outcome open where something fails after Docker has made a thing, which no record has yet."""
    try:
        yield
    except ProviderError as error:
        raise OutcomeUnknownError(f"{error} What became of it is looked at by the next update.") from error


def is_removed(what: str, remove: Callable[[], object], in_use: str) -> bool:
    """Remove a thing, waiting as long as the plugin does where Docker says that it is in use; False where it stays so.

    Args:
        what: The thing, as in "network edge".
        remove: Asks Docker to.
        in_use: What Docker says of one in use.
    """
    for _ in poll(REMOVAL_SECONDS, every_seconds=0.2):
        try:
            with docker_errors(f"remove the {what}"):
                remove()
        except DockerRefused as error:
            if error.status == NOT_FOUND:
                return True
            if in_use not in error.said:
                raise
        else:
            return True
    return False


def labels_of(inputs: dict[str, Any]) -> dict[str, str]:
    """The ``labels`` of inputs as a plain map."""
    return {entry["label"]: entry["value"] for entry in inputs.get("labels") or []}


def is_the_stacks(inputs: dict[str, Any], found: dict[str, str] | None) -> bool:
    """Whether labels found on an object name the project and the stack that the inputs would write on it."""
    asked = labels_of(inputs)
    names = (labels.PROJECT, labels.STACK)
    return all(name in asked and (found or {}).get(name) == asked[name] for name in names)


def is_ours(inputs: dict[str, Any], found: dict[str, str] | None) -> bool:
    """Whether they name the same state too. An object that names none is older than these labels."""
    states = {one[labels.STATE] for one in (labels_of(inputs), found or {}) if labels.STATE in one}
    return is_the_stacks(inputs, found) and len(states) <= 1


def is_lost(call: Call, inputs: dict[str, Any], found: dict[str, Any], labels_found: dict[str, str] | None) -> bool:
    """Whether this stack made an object and its state knows nothing of it."""
    return is_ours(inputs, labels_found) and not call.holder(found["Id"])


def ownership(call: Call, object_id: str, found: dict[str, str] | None) -> str:
    """Whose an object is, for a message."""
    if call.holder(object_id):
        return (
            "is another resource of this stack, or was until now and is kept; if it is this one under a former name or "
            "parent, say so in `aliases`"
        )
    project, stack, origin = ((found or {}).get(name) for name in (labels.PROJECT, labels.STACK, labels.ORIGIN))
    whose = f"belongs to project {project}, stack {stack}" if project or stack else "carries no label of ours"
    return f"{whose}, of the state in {origin}" if origin else whose
