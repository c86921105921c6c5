"""Finds what there is to verify: each Open WebUI among the containers, and its Valkey, by what Docker shows of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from docker_access import daemon, labels
from docker_access.ports import connected
from verification.ask.containers import app_port, deployer_of, image_name, is_open_webui
from verification.ask.docker_view import CouldNotAsk
from verification.ask.own_stack import account_file, subject_behind_gateway
from verification.ask.view import ContainerView
from verification.checks.name_resolution import is_loopback
from verification.evidence.container import Container
from verification.evidence.inside import STATE_URL, WEBSOCKET_URL, port_of
from verification.inside.runner import source
from verification.subject import Subject

VALKEYS: Final = frozenset({"valkey", "valkey-bundle", "redis", "redis-stack", "redis-stack-server", "keydb"})
"""Last part of the names of images that answer as Valkey does."""

NO_NETWORK: Final = frozenset({"none"})
HOST_NETWORK: Final = "host"
ANY_ADDRESS: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - what Docker tells, nothing listens here

ASK_SECONDS: Final = 8.0
TRY_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Found:
    """A deployment that was found.

    Attributes:
        subject: What is to be verified of it.
        deployer: Who deployed it, for example ``stack staging`` or ``compose project chat``; empty when made by hand.
        host: Host in the app's Valkey URL; empty when it has none.
        note: What could not be told, in words; empty when nothing.
    """

    subject: Subject
    deployer: str
    host: str
    note: str = ""

    def __str__(self) -> str:
        """In one line, what was found."""
        subject = self.subject
        valkey = f"Valkey {subject.valkey}" if subject.valkey else f"Valkey at {self.host or '(no URL)'}"
        others = [f"{role} {name}" for role in ("postgres", "gateway") if (name := getattr(subject, role))]
        where = f" at {subject.url}" if subject.url else ""
        deployer = f" ({self.deployer})" if self.deployer else ""
        note = f"; {self.note}" if self.note else ""
        return f"{', '.join(subject.apps)} with {', '.join([valkey, *others])}{where}{deployer}{note}"


def detect(
    view: ContainerView, apps: Sequence[str] = (), *, connects: Callable[[str, int], bool] | None = None
) -> list[Found]:
    """Every deployment of Open WebUI among the containers.

    Args:
        view: Docker.
        apps: Containers to look for what belongs to them, as replicas of one another; empty for all.
        connects: Whether a TCP port answers; None tries it.

    Raises:
        CouldNotAsk: There is none, or Docker does not answer.
    """
    containers = [view.container(name) for name in view.names() if "/" not in name]  # `app/redis` is a link's alias
    urls: dict[str, str] = {}
    groups: dict[tuple[str, str], list[Container]] = {}
    for app in containers:
        if app.name in apps if apps else is_open_webui(app):
            urls[app.name] = valkey_url(view, app)
            valkey = find_valkey(app, urls[app.name], containers)
            place = "" if app.is_own else valkey.name if valkey else host_of(urls[app.name])
            groups.setdefault(("", "") if apps else (deployer_of(app), place), []).append(app)
    if not groups:
        raise CouldNotAsk(
            "container-missing",
            f"no Open WebUI was found among the containers: {', '.join(item.name for item in containers) or '(none)'}",
            "name it: --app CONTAINER --valkey CONTAINER, or start it first",
        )
    asked = connects or _connects
    return [
        _describe(view, group if apps else _without_leftovers(group), containers, urls, asked)
        for group in groups.values()
    ]


def _without_leftovers(group: list[Container]) -> list[Container]:
    """Without what an upgrade by hand or a job has left behind; where nothing runs, all of them."""
    here = [item for item in group if item.status not in {"exited", "created", "dead"} or _is_kept(item)]
    return here or group


def _is_kept(container: Container) -> bool:
    """Somebody deployed it as one of several, and it is meant to run."""
    policy = container.host_config.get("RestartPolicy") or {}
    return bool(deployer_of(container)) and (policy.get("Name") not in {"", "no", None} or container.exit_code != 0)


def _describe(
    view: ContainerView,
    apps: list[Container],
    containers: list[Container],
    urls: Mapping[str, str],
    connects: Callable[[str, int], bool],
) -> Found:
    first, url = apps[0], urls[apps[0].name]
    postgres, gateway, migration = (
        _with_role(first, role, containers) for role in ("postgres", "gateway", "migration")
    )
    subject = Subject(
        apps=tuple(app.name for app in apps),
        valkey=_name(find_valkey(first, url, containers)),
        postgres=_name(postgres),
        migration=_name(migration),
    )
    note = ""
    if gateway:
        described = subject_behind_gateway(view, subject, first, url, gateway)
        subject = replace(described, account=account_file(migration))
    else:
        database, address = host_of(first.variables.get("DATABASE_URL", "")), published_url(first)
        place = urlsplit(address)
        silent = bool(address) and not connects(place.hostname or "", place.port or 80)
        note = f"{address} is left out: nothing answers there from here" if silent else ""
        named = next(_containers_named(first, database, containers), None) if database else None
        subject = replace(subject, postgres=_name(postgres or named), url="" if silent else address)
    return Found(subject=subject, deployer=deployer_of(first), host=host_of(url), note=note)


def _name(container: Container | None) -> str:
    return container.name if container else ""


def _with_role(app: Container, role: str, containers: list[Container]) -> Container | None:
    """The container with a role in the app's stack, where that is one of this project's."""
    same = (item for item in containers if app.is_own and item.is_own and deployer_of(item) == deployer_of(app))
    return next((item for item in same if item.labels[labels.ROLE] == role), None)


# --- its Valkey -------------------------------------------------------------------------------------------------------


def valkey_url(view: ContainerView, app: Container) -> str:
    """The URL that carries the app's live events, its password masked or not; empty when there is none.

    Where Docker was not given it, the app's own process is asked: its entrypoint may have read it from a file.
    """
    found = app.variables
    if not (found.get(WEBSOCKET_URL) or found.get(STATE_URL)) and app.status == "running":
        command = ["python3", "-c", source("app_valkey_urls"), "{}"]
        try:
            found = view.execute(app.name, command, seconds=ASK_SECONDS).answer()
        except ValueError:
            return ""
    return found.get(WEBSOCKET_URL) or found.get(STATE_URL, "")


def host_of(url: str) -> str:
    """Host in a URL; empty when it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def find_valkey(app: Container, url: str, containers: list[Container]) -> Container | None:
    """The Valkey an app is meant to use: that of its stack, the one its URL names, or the only one beside it."""
    own = _with_role(app, "valkey", containers)
    host = host_of(url)
    if own or (host and not is_loopback(host)):
        return own or next(_containers_named(app, host, containers), None)
    beside = [item for item in containers if image_name(item) in VALKEYS and _is_beside(app, item, url)]
    same = [item for item in beside if deployer_of(item) == deployer_of(app)] or beside
    return same[0] if len(same) == 1 else None


def _is_beside(app: Container, other: Container, url: str) -> bool:
    """They share a network, or the app is on the host's, where the other is published at the URL's port."""
    if app.networks.keys() & other.networks.keys() - NO_NETWORK:
        return True
    on_host = HOST_NETWORK in app.networks
    return on_host and any(address.endswith(f":{port_of(url)}") for address in other.published)


def _containers_named(app: Container, host: str, containers: list[Container]) -> Iterator[Container]:
    """The containers a host means to an app, likeliest first: by what Docker resolves, then by name alone."""
    extra = app.host_config.get("ExtraHosts") or []
    address = dict(line.split(":", 1) for line in extra if ":" in line).get(host, host)
    known = [item for item in containers if item.name != app.name and address in _names_seen_by(app, item)]
    alone = [item for item in containers if item.name != app.name and item.name == host]
    return iter(
        sorted(known, key=lambda item: (deployer_of(item) != deployer_of(app), item.status != "running")) + alone
    )


def _names_seen_by(app: Container, other: Container) -> set[str]:
    """Names and addresses at which a container answers to an app, on the networks they share."""
    shared = app.networks.keys() & other.networks.keys() - NO_NETWORK
    found = set(other.addresses_on(shared))
    for network in shared - {"bridge"}:  # on the default one names mean nothing
        settings = other.networks[network]
        found |= {other.name, *(settings.get("Aliases") or ()), *(settings.get("DNSNames") or ())}
    links = app.host_config.get("Links") or []
    for target, _, alias in (link.partition(":") for link in links):
        if target.lstrip("/") == other.name:
            found |= {other.name, alias.rpartition("/")[2]}
    return found


# --- where people open it ---------------------------------------------------------------------------------------------


def published_url(app: Container) -> str:
    """Address on which a container of Open WebUI is published; empty when it is not."""
    port = app_port(app)
    # Over ssh the Docker host's own loopback is asked; over TCP nobody gets there.
    at_any = (daemon.name() if daemon.kind() == "tcp" else "") or "127.0.0.1"
    if HOST_NETWORK in app.networks:
        return f"http://{at_any}:{port}"
    for binding in app.ports.get(f"{port}/tcp") or []:
        address = binding["HostIp"]
        host = at_any if address in ANY_ADDRESS else address
        return f"http://[{host}]:{binding['HostPort']}" if ":" in host else f"http://{host}:{binding['HostPort']}"
    return ""


def _connects(host: str, port: int) -> bool:
    try:
        with connected(host, port, TRY_SECONDS):
            return True
    except OSError:
        return False
