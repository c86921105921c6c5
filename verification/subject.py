"""What is to be verified: names of containers, and how to ask them. Said by a stack's inputs or on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

DEFAULT_WAIT_SECONDS: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class PublishedPort:
    """Where the gateway's published port really is; host name and SNI still come from the URL.

    Attributes:
        address: IP address on this host, for example ``127.0.0.1``.
        port: TCP port.
        tls: False where http is spoken there although the URL is https, because a proxy in front speaks that.
    """

    address: str
    port: int
    tls: bool = True


@dataclass(frozen=True, kw_only=True)
class Login:
    """An account of Valkey's that may ask how it is. Its password is read inside the container and nowhere else.

    Attributes:
        user: Its name.
        password_file: File inside Valkey's container.
        ca_file: File inside Valkey's container with the CA of its certificate; empty where Valkey speaks no TLS.
    """

    user: str
    password_file: str
    ca_file: str = ""


@dataclass(frozen=True, kw_only=True)
class Isolation:
    """What the gateway's network must not reach.

    Attributes:
        edge: Name of the network of the gateway and the replicas.
        private: Names of the containers that must not answer from there.
    """

    edge: str
    private: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AccountFile:
    """Where an administrator's e-mail and password stand as shell lines, ``WEBUI_ADMIN_EMAIL=...``.

    Attributes:
        container: Name of the container, which need not run.
        path: Absolute path of the file in it.
    """

    container: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is to be verified.

    What is not listed here is an input of :class:`verification.resource.VerificationArgs`, which says what it is. Empty
    text stands for None there.

    Attributes:
        valkey_url: URL to ask a Valkey by that is none of this Docker's containers, a secret; empty to ask it through
            the apps alone.
        door: Where the URL is connected to; None for the URL's own host and port. Named as the resource's input, which
            deployed states have.
        proved_at: When the last proof began, in seconds since the epoch: what was denied before does not count. None
            where there was no proof, or none is known.
        wait_seconds: How long the containers may take to answer.
        idle: Whether to keep a websocket through the URL silent until the app's first ping, 25 s as a rule; None for
            where something stands between the URL and the apps.
    """

    apps: tuple[str, ...]
    valkey: str = ""
    valkey_url: str = field(default="", repr=False)
    postgres: str = ""
    gateway: str = ""
    migration: str = ""
    url: str = ""
    door: PublishedPort | None = None
    ca: str = ""
    valkey_login: Login | None = None
    isolation: Isolation | None = None
    app_user: str = ""
    proved_at: float | None = None
    account: AccountFile | None = None
    expected: dict[str, dict[str, Any]] = field(default_factory=dict)
    wait_seconds: float = DEFAULT_WAIT_SECONDS
    idle: bool | None = False

    @property
    def services(self) -> tuple[str, ...]:
        """Names of all containers that must run."""
        return tuple(filter(None, (*self.apps, self.valkey, self.postgres, self.gateway)))


def subject_of(inputs: Mapping[str, Any], *, wait_seconds: float = DEFAULT_WAIT_SECONDS) -> Subject:
    """The subject from a resource's inputs; those that an older program did not know may be missing.

    Args:
        inputs: As :class:`verification.resource.VerificationArgs` passes them; beside them the last proof's ``report``.
        wait_seconds: Used where ``wait_timeout_seconds`` is missing.
    """
    door, login, isolation, account = (inputs.get(name) for name in ("door", "valkey_login", "isolation", "account"))
    words = ("valkey", "postgres", "gateway", "migration", "url", "ca", "app_user")
    given: dict[str, Any] = {name: inputs.get(name) or "" for name in words}
    return Subject(
        **given,
        apps=tuple(inputs.get("apps") or ()),
        door=PublishedPort(address=door["address"], port=int(door["port"]), tls=door.get("tls", True))
        if door
        else None,
        valkey_login=Login(user=login["user"], password_file=login["password_file"], ca_file=login.get("ca_file") or "")
        if login
        else None,
        isolation=Isolation(edge=isolation["edge"], private=tuple(isolation["private"])) if isolation else None,
        proved_at=_begin_of_proof(inputs.get("report")),
        account=AccountFile(container=account["container"], path=account["path"]) if account else None,
        expected=inputs.get("expected") or {},
        wait_seconds=float(inputs.get("wait_timeout_seconds") or wait_seconds),
    )


def _begin_of_proof(report: Any) -> float | None:
    """When a proof began, by its report; None where that is none."""
    if not isinstance(report, Mapping) or report.get("verdict") != "proved":
        return None
    ended = datetime.fromisoformat(report["asked_at"])
    return ended.timestamp() - float(report["seconds"])
