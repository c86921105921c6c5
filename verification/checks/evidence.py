"""What was seen of a deployment, as plain data: the observer fills it in, the checks judge it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from docker_access import labels

SOCKETIO_CHANNEL: Final = "socketio"
"""Channel python-socketio shares between all processes; neither key prefix nor database number changes it."""

WEBSOCKET_URL: Final = "WEBSOCKET_REDIS_URL"
STATE_URL: Final = "REDIS_URL"

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Image:
    """The image a container was made from.

    Attributes:
        reference: The reference the container was asked for, for example ``docker.io/valkey/valkey:8.0.1-alpine``.
        id: Docker's image id.
        version: Version of the software in it; empty when the image does not say.
        origin: ``built locally from ...`` or ``not built here``.
    """

    reference: str
    id: str
    version: str
    origin: str


@dataclass(frozen=True, kw_only=True)
class Container:
    """One container as ``docker inspect`` shows it.

    Attributes:
        name: Its name, as asked for.
        inspect: Docker's answer; empty when the container is gone. It holds secrets: never print it.
        log_tail: Its last log lines, read only when it does not run or is not healthy.
        image: Its image, if that could be read.
        unsteady: Docker started it again while the questions were asked.
        last_exit: Exit code of the run before the present one; read only when Docker has started it again.
    """

    name: str
    inspect: dict[str, Any] = field(default_factory=dict)
    log_tail: tuple[str, ...] = ()
    image: Image | None = None
    unsteady: bool = False
    last_exit: int | None = None

    @property
    def state(self) -> dict[str, Any]:
        """Docker's ``State``."""
        return self.inspect.get("State") or {}

    @property
    def status(self) -> str:
        """``running``, ``exited``, ``paused``, ``restarting``, ``created``, ``dead`` or ``missing``."""
        return str(self.state.get("Status", "missing"))

    @property
    def health(self) -> str:
        """``healthy``, ``starting``, ``unhealthy``, or ``none`` without a healthcheck."""
        return str((self.state.get("Health") or {}).get("Status", "none"))

    @property
    def healthcheck_seconds(self) -> float:
        """How long a stale verdict can stand: one interval and one timeout, 30 s each where the image says nothing.

        Source: https://docs.docker.com/reference/dockerfile/#healthcheck
        """
        healthcheck = (self.inspect.get("Config") or {}).get("Healthcheck") or {}
        return sum((healthcheck.get(key) or 30e9) / 1e9 for key in ("Interval", "Timeout"))

    @property
    def exit_code(self) -> int:
        """Exit code of the last run, 0 while it runs: Docker forgets the last one as soon as it starts it again."""
        return int(self.state.get("ExitCode", 0))

    @property
    def restarts(self) -> int:
        """How often Docker's restart policy has started it again."""
        return int(self.inspect.get("RestartCount", 0))

    @property
    def stack(self) -> str:
        """Pulumi stack that made it, by its label; empty where somebody else did, or it is gone."""
        return str(((self.inspect.get("Config") or {}).get("Labels") or {}).get(labels.STACK, ""))

    @property
    def follows_a_migration(self) -> bool:
        """Whether it is one of ours that is started only after a migration that succeeded, by its label."""
        return labels.SCHEMA_ID in ((self.inspect.get("Config") or {}).get("Labels") or {})

    @property
    def networks(self) -> dict[str, dict[str, Any]]:
        """What Docker tells of it on each of its networks, by the network's name."""
        return (self.inspect.get("NetworkSettings") or {}).get("Networks") or {}

    @property
    def addresses(self) -> frozenset[str]:
        """Its addresses on all of its networks."""
        return self.addresses_on(self.networks)

    def addresses_on(self, networks: Iterable[str]) -> frozenset[str]:
        """Its addresses on some networks."""
        found = (
            self.networks.get(network, {}).get(key)
            for network in networks
            for key in ("IPAddress", "GlobalIPv6Address")
        )
        return frozenset(address for address in found if address)

    def listens_at(self, host: str, port: int) -> bool:
        """Whether that is where this host leads to it, or where it is itself."""
        itself = host in self.addresses or (self.inspect.get("HostConfig") or {}).get("NetworkMode") == "host"
        return itself or any(address.endswith(f":{port}") for address in self.published)

    @property
    def published(self) -> list[str]:
        """Addresses of this host that lead to it, for example ``0.0.0.0:6379``."""
        ports = (self.inspect.get("NetworkSettings") or {}).get("Ports") or {}
        return sorted(f"{it['HostIp']}:{it['HostPort']}" for bindings in ports.values() for it in bindings or [])

    def port_behind(self, port: int) -> int | None:
        """Its own TCP port that a port of this host leads to; None where it leads to none of its."""
        ports = (self.inspect.get("NetworkSettings") or {}).get("Ports") or {}
        found = (own for own, bindings in ports.items() if any(it["HostPort"] == str(port) for it in bindings or []))
        return next((int(own.removesuffix("/tcp")) for own in found if own.endswith("/tcp")), None)


@dataclass(frozen=True, kw_only=True)
class HttpAnswer:
    """Answer to one GET request.

    Attributes:
        status: HTTP status; 0 when there was no answer.
        body: First 500 characters of the body; after an upgrade the first message.
        location: Where a redirection points to.
        error: Why there was no answer.
        untrusted: The certificate is not one that the CA at hand vouches for.
        out_of_reach: It could not be asked from here, which says nothing of whether it answers.
        seconds: How long it took.
    """

    status: int = 0
    body: str = ""
    location: str = ""
    error: str = ""
    untrusted: bool = False
    out_of_reach: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class IdleSocket:
    """A websocket that was kept silent, as a browser's is, until Open WebUI's first ping.

    Attributes:
        ping_interval: Seconds of silence after which the app said it would ping; 0 when it opened no websocket.
        ping_after: Seconds from its opening to the first ping; None when none arrived.
        open: It was still open a moment after the answer to that ping.
        silence: Seconds without anything from the app when the question ended.
        error: What ended it, or why it did not open.
        seconds: How long it took in all.
    """

    ping_interval: float = 0.0
    ping_after: float | None = None
    open: bool = False
    silence: float = 0.0
    error: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Page:
    """Websockets through the URL, as a page has them, and for each an event published on Valkey for it alone.

    Attributes:
        count: How many.
        joined: Each was taken into its app's main namespace.
        receivers: How many subscribers Valkey delivered an event to, the fewest of all; None when it was not published.
        rooms: They were published on the sockets' own channels, to which none but the app of each listens.
        arrived: Each came through the URL.
        error: Why they were not published, or what ended a websocket.
        seconds: How long it took in all.
    """

    count: int = 1
    joined: bool = False
    receivers: int | None = None
    rooms: bool = True
    arrived: bool = False
    error: str = ""
    seconds: float = 0.0


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
    seconds: float = 0.0

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
        return cls(
            process=str(answer.get("process", "")),
            environment=dict(answer.get("environment", {})),
            digests=dict(answer.get("digests", {})),
            connections={
                name: _from_json(Connection, value | {"addresses": tuple(value.get("addresses", ()))})
                for name, value in answer.get("connections", {}).items()
            },
            http={path: _from_json(HttpAnswer, value) for path, value in answer.get("http", {}).items()},
            upgrade=_from_json(HttpAnswer, answer["upgrade"]) if "upgrade" in answer else None,
            live=_from_json(Live, answer.get("live", {})),
            subscribers=answer.get("subscribers"),
            schema=_from_json(Schema, _with_tuples(answer.get("schema", {"error": "no answer"}))),
            seconds=float(answer.get("seconds", 0.0)),
        )


def _with_tuples(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in answer.items()}


def _from_json(kind: type[_T], values: dict[str, Any]) -> _T:
    known = {item.name for item in dataclasses.fields(kind)}  # type: ignore[arg-type]  # only dataclasses come
    return kind(**{name: value for name, value in values.items() if name in known})


@dataclass(frozen=True, kw_only=True)
class App:
    """One replica of Open WebUI.

    Attributes:
        container: Its container.
        probe: What was answered from inside it.
        log_line: The log holds the tutorial's line; None when the log could not be read.
    """

    container: Container
    probe: Probe
    log_line: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Denial:
    """An entry of Valkey's ACL LOG.

    Attributes:
        user: Who was denied.
        reason: ``command``, ``key``, ``channel`` or ``auth``.
        what: The command, key or channel; for ``auth`` the user again.
        count: How often.
        age_seconds: How long ago the last time was.
        address: Where the client was, as Valkey saw it; empty when not told.

    Source: https://valkey.io/commands/acl-log/
    """

    user: str
    reason: str
    what: str
    count: int
    age_seconds: float
    address: str = ""

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Denial:
        """Read an entry as a client tells it: with the client's own description as text or as an object.

        Raises:
            KeyError: It lacks something.
            ValueError: A number is none.
        """
        client = entry.get("client-info", "")
        address = client.get("addr", "") if isinstance(client, dict) else _word(client, "addr")
        return cls(
            user=entry["username"],
            reason=entry["reason"],
            what=entry["object"],
            count=int(entry["count"]),
            age_seconds=float(entry["age-seconds"]),
            address=address.rpartition(":")[0].strip("[]"),
        )


def _word(text: str, name: str) -> str:
    """One of the ``name=value`` words by which Valkey describes a client."""
    return dict(word.partition("=")[::2] for word in text.split()).get(name, "")


@dataclass(frozen=True, kw_only=True)
class Valkey:
    """Valkey, asked with the command line client in its own container, or by a URL.

    Attributes:
        container: Its container; None where it is none of this Docker's containers.
        url: The URL it was asked by, with its password masked; empty where it was asked in its container.
        client: ``redis-cli`` or ``valkey-cli``, empty when there is neither; by URL, where it was asked from.
        login: Account it was asked with; empty for none.
        answer: What PING was answered.
        problem: Empty, or why it was not asked: ``not-running``, ``paused``, ``timeout``, ``no-client``, ``failed``;
            by URL as :attr:`Connection.problem`.
        version: Version of the server; empty when not told.
        info: Lines of INFO, by name; empty when refused.
        subscribers: ``PUBSUB NUMSUB socketio``; None when refused.
        subscriber_addresses: Addresses of the clients that subscribe to something; None when refused.
        listening: Addresses it listens on, for example ``127.0.0.1:6379``; None when they could not be read.
        denials: Entries of the ACL LOG; None when refused.
        nobody: What PING was answered to a client without an account; empty when not asked.
        found: Which of the keys that the apps left (:attr:`Connection.left`) are here; None when not asked or refused.
        seconds: How long PING took, exec included.
    """

    container: Container | None = None
    url: str = ""
    client: str = ""
    login: str = ""
    answer: str = ""
    problem: str = ""
    version: str = ""
    info: Mapping[str, str] = field(default_factory=dict)
    subscribers: int | None = None
    subscriber_addresses: tuple[str, ...] | None = None
    listening: tuple[str, ...] | None = None
    denials: tuple[Denial, ...] | None = None
    nobody: str = ""
    found: frozenset[str] | None = None
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """Name of its container, or the URL it was asked by."""
        return self.container.name if self.container else self.url


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What was tried from the gateway's network.

    Attributes:
        edge: Name of that network.
        private: The containers that must not answer from there.
        answered: What of them answered, for example ``valkey 172.20.0.2:6379``.
        tried: How many addresses and names were tried.
        control: Replicas that answered, to show that trying works.
        missed: Replicas that did not answer, or are not on that network.
        internal: By network of the private containers: whether Docker calls it internal.
        error: Why nothing could be tried; empty when it was.
        seconds: How long it took.
    """

    edge: str
    private: tuple[Container, ...] = ()
    answered: tuple[str, ...] = ()
    tried: int = 0
    control: tuple[str, ...] = ()
    missed: tuple[str, ...] = ()
    internal: dict[str, bool] = field(default_factory=dict)
    error: str = ""
    seconds: float = 0.0


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
        return _from_json(cls, _with_tuples(answer))


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Everything the checks read.

    Attributes:
        apps: The replicas.
        valkey: Valkey; None where only the apps can ask it.
        postgres: Postgres' container, if there is one.
        gateway: The gateway's container, if there is one.
        migration: The one-shot migration container, if one is expected.
        url: The address people open; empty when not given.
        url_asked: From where it was asked, and why, where no way leads to it from here; else empty.
        url_answers: Answers to GET through it, by path.
        upgrade: Answer to a websocket upgrade through it, from its own origin; None when not asked.
        foreign_upgrade: The same from another origin.
        page: A websocket through it, and an event for it; None when not asked.
        idle: A websocket through it that was kept silent; None when not asked.
        reach: What the gateway's network reaches; None when nothing is to be isolated.
        account: What the administrator's account saw.
        leaving: Replicas of the same stack that are not asked for any more and still run: an update removes them last.
        app_user: Account of the apps in Valkey, as asked for; empty where it has no name.
        secrets: What stands in the containers' files with secrets: no report shows it.
        proved_ago: Seconds since the last proof began; None where there was none, or none is known.
        expected: By container name: dotted ``docker inspect`` path to the value asked for.
        salt: Salt of the digests in :attr:`Probe.digests`.
    """

    apps: tuple[App, ...]
    valkey: Valkey | None
    postgres: Container | None = None
    gateway: Container | None = None
    migration: Container | None = None
    url: str = ""
    url_asked: str = ""
    url_answers: dict[str, HttpAnswer] = field(default_factory=dict)
    upgrade: HttpAnswer | None = None
    foreign_upgrade: HttpAnswer | None = None
    page: Page | None = None
    idle: IdleSocket | None = None
    reach: Reach | None = None
    account: Account = field(default_factory=lambda: Account(problem="not-asked"))
    leaving: tuple[Container, ...] = ()
    app_user: str = ""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    proved_ago: float | None = None
    expected: dict[str, dict[str, Any]] = field(default_factory=dict)
    salt: str = ""

    @property
    def containers(self) -> list[Container]:
        """Every container that was looked at."""
        valkey = self.valkey.container if self.valkey else None
        found = (*(app.container for app in self.apps), valkey, self.postgres, self.gateway, self.migration)
        return [container for container in found if container]

    @property
    def stack(self) -> str:
        """Pulumi stack that the containers are of, by their labels; empty where none tells."""
        return next((container.stack for container in self.containers if container.stack), "")
