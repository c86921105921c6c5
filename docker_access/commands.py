"""Commands that Docker runs inside a container."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import docker


class Ran(NamedTuple):
    """How a command ended, and what it printed.

    Attributes:
        exit_code: Its exit code.
        output: Standard output.
        error: Standard error.
    """

    exit_code: int
    output: str
    error: str


def run_inside(
    client: docker.APIClient,
    container: str,
    command: Sequence[str],
    *,
    user: str = "",
    environment: Mapping[str, str] | None = None,
) -> Ran:
    """Run a command inside a container that runs.

    Docker now and then loses what a command printed, under load one time in some thousands, and calls its exit code 0:
    https://github.com/moby/moby/issues/27289. What succeeds without a word is therefore run once more.

    Args:
        client: A client of Docker; its timeout bounds what is waited for each piece of output.
        container: Name or id of the container.
        command: The command, which may be run twice and prints something when it succeeds; everybody on this host can
            read it.
        user: User, and group after a colon, that it runs as; empty for the container's own.
        environment: Variables on top of the container's: the place for secrets, which Docker does not show.

    Raises:
        docker.errors.APIError: There is no such container, or it does not run.
        requests.RequestException: Docker does not answer.
    """
    ran = _run(client, container, command, user, environment)
    return _run(client, container, command, user, environment) if ran == Ran(0, "", "") else ran


def _run(
    client: docker.APIClient, container: str, command: Sequence[str], user: str, environment: Mapping[str, str] | None
) -> Ran:
    identity = client.exec_create(container, list(command), user=user, environment=dict(environment or {}))["Id"]
    output, error = client.exec_start(identity, demux=True)
    code = client.exec_inspect(identity)["ExitCode"]
    return Ran(code or 0, (output or b"").decode(errors="replace"), (error or b"").decode(errors="replace"))
