"""A client of the daemon that ``DOCKER_HOST`` names: Docker's SDK, over a socket, TCP or ssh."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from docker_access.daemon import address, is_loopback, kind, name
from docker_access.surroundings import home

if TYPE_CHECKING:
    import docker

SECONDS: Final = 60
"""Timeout of one call, the SDK's own."""
SSH_SECONDS: Final = 15
"""How much longer an answer may take where ssh has to connect first."""


def failure_text(error: BaseException) -> str:
    """Why Docker does not answer: in the words of the system or of ssh where the error has any, else in the SDK's."""
    inner = [error.__cause__, getattr(error, "reason", None), *error.args]
    found = (failure_text(one) for one in inner if isinstance(one, BaseException))
    return getattr(error, "strerror", None) or next(found, None) or str(error)


def api_client(seconds: int = SECONDS) -> docker.APIClient:
    """A client of the daemon that ``DOCKER_HOST``, ``DOCKER_TLS_VERIFY`` and ``DOCKER_CERT_PATH`` name.

    Args:
        seconds: Timeout of each call.

    Raises:
        docker.errors.DockerException: It does not answer, or the variables make no sense.
        docker_access.versions.TooNewError: It answers, in versions of its API that were not tried; one of the former.
        docker_access.logins.LoginError: The SDK cannot read the file of logins, and asks nobody; one of the former.

    Source: https://docs.docker.com/reference/cli/docker/#environment-variables
    """
    # These imports take 0.2 s. An update without Docker resources does without them.
    import requests  # noqa: PLC0415
    from docker.constants import MINIMUM_DOCKER_API_VERSION  # noqa: PLC0415
    from docker.errors import APIError, DockerException  # noqa: PLC0415

    from docker_access.versions import TooNewError, api_to_ask_in  # noqa: PLC0415

    seconds += SSH_SECONDS if kind() == "ssh" else 0
    settings, adapter = _settings(), None
    if kind() == "ssh":
        from docker_access.transport import SshAdapter  # noqa: PLC0415 - for this kind of daemon only

        adapter = SshAdapter(address(), seconds)
    first = _client(settings, adapter, seconds, MINIMUM_DOCKER_API_VERSION)
    try:
        version = api_to_ask_in(first.version(api_version=False))
    except TooNewError:
        first.close()
        raise
    except (APIError, requests.RequestException, KeyError, ValueError) as error:
        first.close()
        raise DockerException(f"Docker does not tell its version: {error}") from error
    if adapter is None:  # over ssh, the next client takes over its connection
        first.close()
    return _client(settings, adapter, seconds, version)


def docker_client(seconds: int = SECONDS) -> docker.DockerClient:
    """The SDK's client with objects (``client.containers``); arguments and errors are those of :func:`api_client`."""
    import docker  # noqa: PLC0415 - takes 0.2 s

    # All that its constructor does is to make an APIClient of its own.
    client = docker.DockerClient.__new__(docker.DockerClient)
    client.api = api_client(seconds)
    return client


def _client(settings: dict[str, Any], adapter: Any, seconds: int, version: str) -> docker.APIClient:
    import docker  # noqa: PLC0415 - takes 0.2 s
    import requests.utils  # noqa: PLC0415
    from docker.errors import InvalidConfigFile  # noqa: PLC0415

    from docker_access.logins import unreadable  # noqa: PLC0415

    try:
        made = docker.APIClient(**settings, version=version, timeout=seconds)
    except (InvalidConfigFile, ValueError) as error:  # the SDK reads the logins for registries too
        raise unreadable(error) from error
    if adapter:
        made.mount("http+docker://", adapter)
    elif not made.base_url.startswith("http+docker:") and not is_loopback(name()):
        made.proxies.update(requests.utils.get_environ_proxies(made.base_url))
    # With it, the environment's REQUESTS_CA_BUNDLE would take the place of the CA in DOCKER_CERT_PATH.
    made.trust_env = False
    return made


def _settings() -> dict[str, Any]:
    from docker.errors import DockerException  # noqa: PLC0415 - takes 0.2 s
    from docker.utils import kwargs_from_env  # noqa: PLC0415

    if kind() == "local":
        # TLS is for TCP alone, as with the `docker` command.
        return {"base_url": address()} if address() else {}
    example = "ssh://user@host or ssh://user@host:port" if kind() == "ssh" else "tcp://host:port"
    try:
        parts = urlsplit(address())
        unusable = "" if parts.hostname or kind() == "tcp" else "it names no host"
        unusable = "a password is not taken, a key is" if parts.password and kind() == "ssh" else unusable
        _ = parts.port
    except ValueError as error:
        unusable = str(error)
    if unusable:
        raise DockerException(f"{unusable}; it should look like {example}")
    if kind() == "ssh":
        return {}
    _require_certificates()
    return dict(kwargs_from_env())


def _require_certificates() -> None:
    """Refuse certificates that are not there. The SDK's own error names neither the file nor the variable."""
    from docker.errors import DockerException  # noqa: PLC0415 - takes 0.2 s

    if not (os.environ.get("DOCKER_CERT_PATH") or os.environ.get("DOCKER_TLS_VERIFY")):
        return
    folder = Path(os.environ.get("DOCKER_CERT_PATH") or home() / ".docker")
    missing = [item for item in ("ca.pem", "cert.pem", "key.pem") if not (folder / item).is_file()]
    if missing:
        absent = " and no ".join(missing)
        raise DockerException(f"{folder} holds no {absent}; put them there, or correct DOCKER_CERT_PATH")
