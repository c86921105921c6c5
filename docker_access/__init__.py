"""The Docker daemon that ``DOCKER_HOST`` names: the one way to a client of it, and to the ports its host publishes.

``ssh://`` goes through the OpenSSH client, as Docker's own command line and Pulumi's plugin do: keys, agent and
``~/.ssh/config`` count for all three. docs/adr/0014-remote-docker-hosts.md says why.
"""

from __future__ import annotations

import ipaddress
import json
import os
import socket
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import urlsplit

from docker_access.surroundings import home

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import docker

SECONDS: Final = 60
"""Timeout of one call, the SDK's own."""
SSH_SECONDS: Final = 15
"""How much longer a first answer may take where ssh has to connect first."""

WITHOUT_DOCKER: Final = "WITHOUT_DOCKER"
"""Environment variable: with any text, the program declares what it declares, and looks at no Docker."""

Kind = Literal["local", "ssh", "tcp"]


class OutOfReach(OSError):  # noqa: N818 - it is an outcome, not a programming error
    """A port of the Docker host cannot be asked from here; nothing is known of whoever listens on it."""


def address() -> str:
    """``DOCKER_HOST``, empty where it is not set; a password in it, which ssh would not take, is masked."""
    text = os.environ.get("DOCKER_HOST", "").strip()
    with suppress(ValueError):
        if password := urlsplit(text).password:
            return text.replace(f":{password}@", ":***@", 1)
    return text


def kind() -> Kind:
    """How the daemon is reached: a socket of this machine, ssh, or TCP, which may lead anywhere."""
    scheme = os.environ.get("DOCKER_HOST", "").strip().partition("://")[0].lower()
    if scheme == "ssh":
        return "ssh"
    return "tcp" if scheme in {"tcp", "http", "https"} else "local"


def is_this_machine(info: Mapping[str, Any]) -> bool:
    """Whether the daemon's host is this machine, so that its folders and rights are seen from here.

    A socket may lead out of it: into a virtual machine (Docker Desktop, Colima), or from a container to its host. Those
    have another host name.

    Args:
        info: What the daemon answers to ``GET /info``.
    """
    return kind() == "local" and info.get("Name") == socket.gethostname()


def name() -> str:
    """Host name or address of the daemon's machine, as ``DOCKER_HOST`` has it; empty for this one."""
    if kind() == "local":
        return ""
    with suppress(ValueError):
        return urlsplit(address()).hostname or ""
    return ""


def context_in_use() -> str:
    """The context that ``docker`` follows and nothing here does; empty where there is none, or ``DOCKER_HOST`` is set.

    Source: https://docs.docker.com/engine/manage-resources/contexts/
    """
    if address():
        return ""
    chosen = os.environ.get("DOCKER_CONTEXT", "")
    if not chosen:
        folder = Path(os.environ.get("DOCKER_CONFIG") or home() / ".docker")
        with suppress(OSError, ValueError, AttributeError):
            chosen = str(json.loads((folder / "config.json").read_text(encoding="utf-8")).get("currentContext") or "")
    return "" if chosen == "default" else chosen


def reason(error: BaseException) -> str:
    """Why Docker does not answer: the operating system's words, or ssh's, if they are in there, else the SDK's."""
    inner = [error.__cause__, error.__context__, getattr(error, "reason", None), *error.args]
    found = (reason(one) for one in inner if isinstance(one, BaseException))
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
    # These imports take 0.2 s, which an update without Docker resources need not pay.
    import requests  # noqa: PLC0415
    from docker.constants import MINIMUM_DOCKER_API_VERSION  # noqa: PLC0415
    from docker.errors import APIError, DockerException  # noqa: PLC0415

    from docker_access.versions import TooNewError, api_to_ask_in  # noqa: PLC0415

    seconds += SSH_SECONDS if kind() == "ssh" else 0
    settings, adapter = _settings(), _ssh_adapter(seconds) if kind() == "ssh" else None
    first = _client(settings, adapter, seconds, MINIMUM_DOCKER_API_VERSION)
    try:
        version = api_to_ask_in(first.version(api_version=False))
    except TooNewError:
        first.close()
        raise
    except (APIError, requests.RequestException, KeyError, ValueError) as error:
        first.close()
        raise DockerException(f"Docker does not tell its version: {error}") from error
    if adapter is None:  # over ssh its connection serves the next one
        first.close()
    return _client(settings, adapter, seconds, version)


def client(seconds: int = SECONDS) -> docker.DockerClient:
    """The same, as the SDK's client of objects."""
    import docker  # noqa: PLC0415 - takes 0.2 s
    from docker.constants import MINIMUM_DOCKER_API_VERSION  # noqa: PLC0415

    api = api_client(seconds)
    found = docker.DockerClient(base_url="unix:///dev/null", version=MINIMUM_DOCKER_API_VERSION)
    found.api.close()
    found.api = api
    return found


def _client(settings: dict[str, Any], adapter: Any, seconds: int, version: str) -> docker.APIClient:
    import docker  # noqa: PLC0415 - takes 0.2 s
    import requests.utils  # noqa: PLC0415
    from docker.errors import InvalidConfigFile  # noqa: PLC0415

    from docker_access.logins import unreadable  # noqa: PLC0415

    try:
        made = docker.APIClient(**settings, version=version, timeout=seconds)
    except (InvalidConfigFile, ValueError) as error:  # it reads the logins for registries too
        raise unreadable(error) from error
    if adapter:
        made.mount("http+docker://", adapter)
    elif not made.base_url.startswith("http+docker:") and not is_loopback(name()):
        made.proxies.update(requests.utils.get_environ_proxies(made.base_url))
    # Looked at in each request, the environment's REQUESTS_CA_BUNDLE would displace the CA of DOCKER_CERT_PATH.
    made.trust_env = False
    return made


def _settings() -> dict[str, Any]:
    from docker.errors import DockerException  # noqa: PLC0415 - takes 0.2 s
    from docker.utils import kwargs_from_env  # noqa: PLC0415

    if kind() == "local":
        # TLS is of TCP alone, as for `docker`.
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
    """The SDK says neither which file it misses nor what names it."""
    from docker.errors import DockerException  # noqa: PLC0415 - takes 0.2 s

    if not (os.environ.get("DOCKER_CERT_PATH") or os.environ.get("DOCKER_TLS_VERIFY")):
        return
    folder = Path(os.environ.get("DOCKER_CERT_PATH") or home() / ".docker")
    missing = [item for item in ("ca.pem", "cert.pem", "key.pem") if not (folder / item).is_file()]
    if missing:
        absent = " and no ".join(missing)
        raise DockerException(f"{folder} holds no {absent}; put them there, or correct DOCKER_CERT_PATH")


def _ssh_adapter(seconds: int) -> Any:
    from docker_access.transport import SshAdapter  # noqa: PLC0415 - for this kind of daemon only

    return SshAdapter(address(), seconds)


# --- ports of the daemon's host ---------------------------------------------------------------------------------------


def is_name(host: str) -> bool:
    """Whether a host is a name that means the same everywhere, not an IP address or ``localhost``."""
    with suppress(ValueError):
        ipaddress.ip_address(host)
        return False
    return host != "localhost"


def is_loopback(host: str) -> bool:
    """Whether a host is a machine for itself: `docker` asks no proxy for it either.

    Source: https://pkg.go.dev/net/http#ProxyFromEnvironment
    """
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


@contextmanager
def connected(host: str, port: int, seconds: float) -> Iterator[socket.socket]:
    """A TCP connection to where a port of the Docker host is published, as that host itself sees it.

    Over ssh it is made from there, so that 127.0.0.1 is the Docker host's own and never this machine's. A name is
    connected to from here, as people do.

    Args:
        host: IP address or name.
        port: TCP port.
        seconds: How long connecting, and each answer, may take.

    Raises:
        OutOfReach: The Docker host publishes it where nobody gets to from here.
        OSError: It cannot be connected to.
    """
    if kind() == "ssh" and not is_name(host):
        from docker_access.ssh import through  # noqa: PLC0415 - for this kind of daemon only

        with through(address(), host, port) as connection:
            connection.settimeout(seconds + SSH_SECONDS)
            yield connection
        return
    place = (_seen_from_here(host), port)
    try:
        connection = socket.create_connection(place, timeout=seconds)
    except OSError as error:
        if kind() == "tcp" and not is_name(host):
            raise OutOfReach(f"{place[0]}:{port} from here: {error.strerror or error}; {_over_ssh()}") from error
        raise
    with connection:
        yield connection


def _over_ssh() -> str:
    return f"{address()} may lead elsewhere: with DOCKER_HOST=ssh://{name()} it is asked from there"


def _seen_from_here(host: str) -> str:
    """Where an address of a daemon's host is, on the way to a daemon that TCP leads to."""
    if kind() != "tcp" or is_name(host) or not name():
        return host
    own = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    if own.is_loopback and not is_loopback(name()):
        raise OutOfReach(f"{host} is the Docker host's own address, out of reach from here; {_over_ssh()}")
    return name() if own.is_unspecified or own.is_loopback else host
