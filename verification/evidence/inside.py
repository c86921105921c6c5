"""What the programs of :mod:`verification.inside` answer from inside the apps' containers."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from verification.evidence.url import HttpAnswer

WEBSOCKET_URL: Final = "WEBSOCKET_REDIS_URL"
STATE_URL: Final = "REDIS_URL"
VALKEY_PORT: Final = 6379

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Connection:
    """One of the app's Valkey URLs, tried from inside its container with its own library.

    Attributes:
        url: The URL with its password masked.
        host: Host in it.
        addresses: What the host resolves to inside the app container.
        problem: Empty when Valkey answered PONG, else one of ``unset``, ``scheme``, ``unsupported``, ``resolve``,
            ``refused``, ``timeout``, ``auth``, ``acl``, ``tls``, ``loading``, ``clients``, ``readonly``,
            ``persistence``, ``protected``, ``sentinel`` (none answers), ``no-primary`` (none knows it), ``other``.
        error: The library's words.
        seconds: How long it took.
        write_problem: Empty when Valkey took a key and deleted it, ``not-asked``, or as ``problem``, or ``oom``.
        write_error: Command, key and the library's words.
        write_seconds: How long it took.
        left: Key that was left in Valkey for whoever asks it by a URL of his own; empty for none.
        primary: Where Sentinel says that Valkey is, for example ``172.20.0.2:6379``; empty where none was asked.
        server: ``run_id`` of the server that answered; asked only where its address is not Valkey's, empty if refused.
    """

    url: str = ""
    host: str = ""
    addresses: tuple[str, ...] = ()
    problem: str = ""
    error: str = ""
    seconds: float = 0.0
    write_problem: str = "not-asked"
    write_error: str = ""
    write_seconds: float = 0.0
    left: str = ""
    primary: str = ""
    server: str = ""

    @property
    def user(self) -> str:
        """Account in Valkey that the URL names; ``default`` where it names none."""
        return urlsplit(self.url).username or "default"

    @property
    def database(self) -> str:
        """Number of the database that the URL names, ``0`` where it names none."""
        return urlsplit(self.url).path.lstrip("/") or "0"

    @property
    def port(self) -> int:
        """TCP port that it leads to."""
        return port_of(f"//{self.primary}" if self.primary else self.url)


@dataclass(frozen=True, kw_only=True)
class Live:
    """What a socket.io client connected to the app received.

    Attributes:
        connected: The client's namespace connected.
        error: Why it did not, or why nothing could be published.
        room_expected: The app subscribes to one channel per room (``WEBSOCKET_REDIS_ROOM_CHANNELS``).
        room_milliseconds: From PUBLISH on the room's channel to receipt; None when not received.
        shared_milliseconds: The same over the shared channel.
        room_receivers: How many subscribers Valkey delivered the last room event to.
        shared_receivers: How many it delivered the last shared event to.
        decoy_received: An event arrived that was published on a channel nobody should listen to, or to a room that
            nobody has.
        denied: Valkey's refusal of a channel or command, empty when there was none.
        attempts: How many rounds of events were published.
        sent_milliseconds: From what made the app's own process publish to its message on Valkey; None where none was
            seen.
        sending_error: Why it could not be looked for.
        seconds: How long it took in all.
    """

    connected: bool = False
    error: str = ""
    room_expected: bool = True
    room_milliseconds: float | None = None
    shared_milliseconds: float | None = None
    room_receivers: int | None = None
    shared_receivers: int | None = None
    decoy_received: bool = False
    denied: str = ""
    attempts: int = 0
    sent_milliseconds: float | None = None
    sending_error: str = ""
    seconds: float = 0.0

    @property
    def received(self) -> bool:
        """Every expected path delivered, and nothing else did."""
        room = self.room_milliseconds is not None or not self.room_expected
        return room and self.shared_milliseconds is not None and not self.decoy_received


@dataclass(frozen=True, kw_only=True)
class Schema:
    """How far an app's database is migrated, by alembic's revisions.

    Attributes:
        revisions: What the database is at.
        heads: What the migrations in the app's image lead to; empty where none were found.
        known: The image has a migration for each of ``revisions``.
        error: Why the database could not be asked; empty when it was.
    """

    revisions: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    known: bool = True
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class PanelSettings:
    """What the stack file of this project says of the admin panel's settings, as an app's database has them.

    Attributes:
        said: How many it says; 0 where the app is no stack's of this project.
        otherwise: Keys of those that the database has otherwise by now.
        error: Why the database could not be asked; empty when it was, or needed not.
    """

    said: int = 0
    otherwise: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class ModelsEndpoint:
    """One of the app's endpoints for models, asked for its list.

    Attributes:
        url: Its address, a password in it masked.
        models: Ids of its models.
        error: Why it did not tell them; empty when it did.
    """

    url: str
    models: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What :mod:`verification.inside.probe` answered from inside one app container.

    Attributes:
        problem: Empty, or why there is no answer: ``not-asked``, ``not-running``, ``paused``,
            ``timeout``, ``failed``.
        error: The same in words.
        process: The process whose environment was read, for example ``process 1 (python3 -m uvicorn ...)``.
        environment: Variables that hold no secret, URLs with their passwords masked.
        digests: Salted digest of every variable, to compare without carrying values about.
        connections: By variable name, :data:`WEBSOCKET_URL` and :data:`STATE_URL`.
        http: By path.
        upgrade: Answer to a websocket upgrade from the URL's own origin; None when not asked.
        live: The live events.
        subscribers: ``PUBSUB NUMSUB socketio`` asked with the app's own account; None when refused.
        schema: How far its database is migrated.
        panel: Settings of its admin panel that a stack file says.
        models: Its endpoints for models; None where this app was not to ask, or had not asked in time.
        load: What wants a CPU of the host, and how many there are, when the probe began; zeros where it did not.
        seconds: How long the probe took.
    """

    problem: str = ""
    error: str = ""
    process: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    connections: dict[str, Connection] = field(default_factory=dict)
    http: dict[str, HttpAnswer] = field(default_factory=dict)
    upgrade: HttpAnswer | None = None
    live: Live = field(default_factory=Live)
    subscribers: int | None = None
    schema: Schema = field(default_factory=lambda: Schema(error="not asked"))
    panel: PanelSettings = field(default_factory=PanelSettings)
    models: tuple[ModelsEndpoint, ...] | None = None
    load: tuple[float, int] = (0.0, 0)
    seconds: float = 0.0

    def connection(self, variable: str) -> Connection:
        """The URL in a variable, as it was tried; ``unset`` where the app has none."""
        return self.connections.get(variable, Connection(problem="unset"))

    @property
    def workers(self) -> int:
        """Number of app processes in the container (``UVICORN_WORKERS``, default 1)."""
        try:
            return max(int(self.environment.get("UVICORN_WORKERS", "1")), 1)
        except ValueError:
            return 1

    @classmethod
    def from_json(cls, answer: dict[str, Any]) -> Probe:
        """Read what the probe printed; keys that this version does not know are left out."""
        wanted, cpus = answer.get("load", (0.0, 0))
        return cls(
            process=str(answer.get("process", "")),
            environment=dict(answer.get("environment", {})),
            digests=dict(answer.get("digests", {})),
            connections={name: _from_json(Connection, it) for name, it in answer.get("connections", {}).items()},
            http={path: _from_json(HttpAnswer, value) for path, value in answer.get("http", {}).items()},
            upgrade=_from_json(HttpAnswer, answer["upgrade"]) if "upgrade" in answer else None,
            live=_from_json(Live, answer.get("live", {})),
            subscribers=answer.get("subscribers"),
            schema=_from_json(Schema, answer.get("schema", {"error": "no answer"})),
            panel=_from_json(PanelSettings, answer.get("panel", {})),
            models=tuple(_from_json(ModelsEndpoint, it) for it in answer["models"]) if "models" in answer else None,
            load=(float(wanted), int(cpus)),
            seconds=float(answer.get("seconds", 0.0)),
        )


@dataclass(frozen=True, kw_only=True)
class Account:
    """What the administrator's account saw, signed in at one replica and connected to all.

    Attributes:
        problem: Empty, or why not everything was asked: ``none`` (no account is configured), ``refused``,
            ``rate-limited``, ``out-of-reach``, ``api`` (Open WebUI answered otherwise than a sound one does), or as in
            :attr:`Probe.problem`.
        error: The same in words.
        at: The replica it signed in to and out of.
        strangers: Replicas that do not take the token, or let its socket not into the account's rooms.
        pairs: How many ways there are from a replica to another one, or from the only one to itself.
        silent: Those on which no posted event arrived, for example ``app-1 to app-2``.
        milliseconds: From the request that posted it to the socket, the slowest event.
        accepting: Replicas that still take the token after the sign-out.
        connected: Replicas whose socket of the account's stayed connected after it.
        left: Title of the chat that could not be deleted; empty when it was.
        seconds: How long it took.
    """

    problem: str = ""
    error: str = ""
    at: str = ""
    strangers: tuple[str, ...] = ()
    pairs: int = 0
    silent: tuple[str, ...] = ()
    milliseconds: float = 0.0
    accepting: tuple[str, ...] = ()
    connected: tuple[str, ...] = ()
    left: str = ""
    seconds: float = 0.0

    @property
    def sound(self) -> bool:
        """Everything was asked, and answered as it should be."""
        return not (self.problem or self.strangers or self.silent or self.accepting or self.connected or self.left)

    @property
    def worth_another(self) -> bool:
        """What went wrong may have been a passing thing: once events arrive, so does a sign-out."""
        return bool(self.silent) or self.problem == "api"

    @classmethod
    def from_json(cls, answer: dict[str, Any]) -> Account:
        """Read what the probe printed; keys that this version does not know are left out."""
        return _from_json(cls, answer)


def port_of(url: str) -> int:
    """TCP port in a URL of Valkey, by default 6379."""
    try:
        return urlsplit(url).port or VALKEY_PORT
    except ValueError:
        return VALKEY_PORT


def _from_json(kind: type[_T], values: dict[str, Any]) -> _T:
    known = {item.name for item in dataclasses.fields(kind)}  # type: ignore[arg-type]  # only dataclasses come
    found = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return kind(**{name: value for name, value in found.items() if name in known})
