"""Commands that Docker runs inside a container."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import docker

HEADER_BYTES: Final = 8
"""In front of each piece of output: which stream it is of, three zeros, and its length."""


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
    """Run a command inside a container that runs; waits for its end, however long that takes.

    Not by ``exec_start``, which has the connection upgraded and reads on from the bare socket: what has come with the
    answer's headers is in a buffer by then, and lost. That is all a quick command prints, one time in some thousands.

    Args:
        client: A client of Docker.
        container: Name or id of the container.
        command: The command; everybody on this host can read it.
        user: User, and group after a colon, that it runs as; empty for the container's own.
        environment: Variables on top of the container's: the place for secrets, which Docker does not show.

    Raises:
        docker.errors.APIError: There is no such container, or it does not run.
        requests.RequestException: Docker does not answer, or breaks off.

    Source: https://docs.docker.com/reference/api/engine/version/v1.41/#tag/Exec/operation/ExecStart
    """
    import requests  # noqa: PLC0415 - 0.1 s that whoever runs nothing saves
    from docker.errors import create_api_error_from_http_exception  # noqa: PLC0415

    identity = client.exec_create(container, list(command), user=user, environment=dict(environment or {}))["Id"]
    response = client.post(
        f"{client.base_url}/v{client.api_version}/exec/{identity}/start",
        json={"Detach": False, "Tty": False},
        timeout=(client.timeout, None),
    )
    try:
        response.raise_for_status()
    except requests.HTTPError as error:
        create_api_error_from_http_exception(error)  # raises
    code = client.exec_inspect(identity)["ExitCode"]
    return Ran(code or 0, *(text.decode(errors="replace") for text in _streams(response.content)))


def _streams(content: bytes) -> tuple[bytes, bytes]:
    """Standard output and standard error, out of what Docker sends of both in turns."""
    pieces: dict[int, list[bytes]] = {1: [], 2: []}
    while content:
        stream, length = struct.unpack(">BxxxL", content[:HEADER_BYTES])
        pieces[stream].append(content[HEADER_BYTES : HEADER_BYTES + length])
        content = content[HEADER_BYTES + length :]
    return b"".join(pieces[1]), b"".join(pieces[2])
