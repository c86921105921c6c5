"""What was seen of a deployment, as plain data: ``verification.ask`` fills it in, ``verification.checks`` judges it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from verification.evidence.container import Container
from verification.evidence.inside import Account, Probe
from verification.evidence.url import HttpAnswer, IdleSocket, UrlEvent
from verification.evidence.valkey import Valkey


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
class Connectivity:
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
        url_event: A websocket through it, and an event for it; None when not asked.
        idle: A websocket through it that was kept silent; None when not asked.
        connectivity: What the gateway's network reaches; None when nothing is to be isolated.
        account: What the administrator's account saw.
        draining: Replicas of the same stack that are not asked for any more and still run: an update removes them last.
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
    url_event: UrlEvent | None = None
    idle: IdleSocket | None = None
    connectivity: Connectivity | None = None
    account: Account = field(default_factory=lambda: Account(problem="not-asked"))
    draining: tuple[Container, ...] = ()
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
        """Pulumi stack that the containers are of, by their labels; empty where none has one."""
        return next((container.stack for container in self.containers if container.stack), "")
