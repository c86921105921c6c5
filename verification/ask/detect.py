"""Finds what there is to verify: each Open WebUI among the containers, and its Valkey, as Docker tells of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

from docker_access import daemon, labels
from docker_access.ports import connected
from verification.ask.docker_view import CouldNotAsk, Executed
from verification.checks.evidence import STATE_URL, WEBSOCKET_URL, Container
from verification.checks.valkey import is_loopback
from verification.inside.runner import source
from verification.subject import AccountFile, Door, Isolation, Login, Subject

COMPOSE_PROJECT: Final = "com.docker.compose.project"
COMPOSE_ONE_OFF: Final = "com.docker.compose.oneoff"
"""Labels of Docker Compose; ``docker compose run`` makes one-off containers.

Source: https://github.com/docker/compose/blob/v2.40.0/pkg/api/labels.go
"""

IMAGE_TITLE: Final = "org.opencontainers.image.title"
OPEN_WEBUI: Final = "open-webui"
VALKEYS: Final = frozenset({"valkey", "valkey-bundle", "redis", "redis-stack", "redis-stack-server", "keydb"})
"""Last part of the names of images that answer as Valkey does."""

PORT: Final = "8080"
VALKEY_PORT: Final = 6379
NO_NETWORK: Final = frozenset({"none"})
HOST_NETWORK: Final = "host"
ANY_ADDRESS: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - what Docker tells, nothing listens here

SECRETS: Final = "/run/secrets"
VERIFY_ACCOUNT: Final = "verify"
VALKEY_CA: Final = f"{SECRETS}/valkey-ca.pem"
CADDYFILE: Final = "/etc/caddy/Caddyfile"
GATEWAY_CA: Final = "/var/tmp/caddy/pki/authorities/local/root.crt"  # noqa: S108 - a volume of the gateway's
ACME_ROOT: Final = "/etc/caddy/acme-root.pem"
ACCOUNT_FILE: Final = "/migration/account.env"
HTTPS_PORT: Final = "8443/tcp"
"""Where this project's own stacks keep what is asked for: of another's container nobody knows."""

ASK_SECONDS: Final = 8.0
TRY_SECONDS: Final = 1.0

# The probe knows which process is the app and how to hide a password; its own questions are not asked.
ENVIRONMENT: Final = """\
import json, sys
probe = {"__name__": "probe"}
exec(sys.argv[1], probe)
found = probe["app_environment"]()[1]
print(json.dumps({name: probe["mask"](found[name]) for name in probe["URLS"] if name in found}))
"""


class View(Protocol):
    """What is asked of Docker here."""

    def names(self) -> list[str]:
        """Names of all containers."""

    def container(self, name: str) -> Container:
        """One container."""

    def read_file(self, name: str, path: str) -> str | None:
        """Text of a file in a container."""

    def execute(self, name: str, command: list[str], *, seconds: float) -> Executed:
        """Run a command in it."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A deployment that was found.

    Attributes:
        subject: What is to be verified of it.
        origin: Who deployed it, for example ``stack staging`` or ``compose project chat``; empty when made by hand.
        host: Host in the app's Valkey URL; empty when it has none.
        note: What could not be told, in words; empty when nothing.
    """

    subject: Subject
    origin: str
    host: str
    note: str = ""

    def __str__(self) -> str:
        """In one line, what was found."""
        subject = self.subject
        valkey = f"Valkey {subject.valkey}" if subject.valkey else f"Valkey at {self.host or '(no URL)'}"
        others = [f"{role} {name}" for role in ("postgres", "gateway") if (name := getattr(subject, role))]
        where = f" at {subject.url}" if subject.url else ""
        origin = f" ({self.origin})" if self.origin else ""
        note = f"; {self.note}" if self.note else ""
        return f"{', '.join(subject.apps)} with {', '.join([valkey, *others])}{where}{origin}{note}"


def detect(view: View, apps: Sequence[str] = (), *, connects: Callable[[str, int], bool] | None = None) -> list[Found]:
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
            valkey = valkey_of(app, urls[app.name], containers)
            place = "" if ours(app) else valkey.name if valkey else host_of(urls[app.name])
            groups.setdefault(("", "") if apps else (origin_of(app), place), []).append(app)
    if not groups:
        raise CouldNotAsk(
            "container-missing",
            f"no Open WebUI was found among the containers: {', '.join(item.name for item in containers) or '(none)'}",
            "name it: --app CONTAINER --valkey CONTAINER, or start it first",
        )
    asked = connects or _connects
    return [_found(view, group if apps else _present(group), containers, urls, asked) for group in groups.values()]


def _present(group: list[Container]) -> list[Container]:
    """Without what an upgrade by hand or a job has left behind; where nothing runs, all of them."""
    here = [item for item in group if item.status not in {"exited", "created", "dead"} or _is_kept(item)]
    return here or group


def _is_kept(container: Container) -> bool:
    """Somebody deployed it as one of several, and it is meant to run."""
    policy = (container.inspect.get("HostConfig") or {}).get("RestartPolicy") or {}
    return bool(origin_of(container)) and (policy.get("Name") not in {"", "no", None} or container.exit_code != 0)


def _found(
    view: View,
    apps: list[Container],
    containers: list[Container],
    urls: Mapping[str, str],
    connects: Callable[[str, int], bool],
) -> Found:
    first, names = apps[0], tuple(app.name for app in apps)
    url, origin = urls[first.name], origin_of(first)
    valkey = valkey_of(first, url, containers)
    name = valkey.name if valkey else ""
    roles = {role: _of_role(first, role, containers) for role in ("postgres", "gateway", "migration")}
    if roles["gateway"]:
        return Found(subject=_behind_gateway(view, names, name, url, first, roles), origin=origin, host=host_of(url))
    if not roles["postgres"]:
        database = host_of(environment(first).get("DATABASE_URL", ""))
        roles["postgres"] = next(_named(first, database, containers), None) if database else None
    address = published_url(first)
    silent = bool(address) and not connects(*_place(address))
    subject = Subject(
        apps=names,
        valkey=name,
        postgres=_name(roles["postgres"]),
        migration=_name(roles["migration"]),
        url="" if silent else address,
    )
    note = f"{address} is left out: nothing answers there from here" if silent else ""
    return Found(subject=subject, origin=origin, host=host_of(url), note=note)


def _name(container: Container | None) -> str:
    return container.name if container else ""


# --- whose a container is ---------------------------------------------------------------------------------------------


def marks(container: Container) -> dict[str, str]:
    """Its labels."""
    return (container.inspect.get("Config") or {}).get("Labels") or {}


def ours(container: Container) -> bool:
    """A stack of this project's has made it."""
    return all(marks(container).get(key) for key in (labels.PROJECT, labels.STACK, labels.ROLE))


def origin_of(container: Container) -> str:
    """Who deployed it, in words; empty when it was made by hand."""
    found = marks(container)
    if ours(container):
        return f"{found[labels.PROJECT]}, stack {found[labels.STACK]}"
    return f"compose project {found[COMPOSE_PROJECT]}" if found.get(COMPOSE_PROJECT) else ""


def _of_role(app: Container, role: str, containers: list[Container]) -> Container | None:
    """The container of a role in the stack of an app of ours."""
    same = (item for item in containers if ours(app) and ours(item) and origin_of(item) == origin_of(app))
    return next((item for item in same if marks(item)[labels.ROLE] == role), None)


def environment(container: Container) -> dict[str, str]:
    """The variables Docker was given."""
    pairs = (container.inspect.get("Config") or {}).get("Env") or []
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def is_open_webui(container: Container) -> bool:
    """Whether it is Open WebUI, by our labels, its image or its environment; no job of ours or of Compose's."""
    found = marks(container)
    if ours(container):
        return found[labels.ROLE] == OPEN_WEBUI
    if found.get(COMPOSE_ONE_OFF) == "True":
        return False
    title = found.get(IMAGE_TITLE, "").lower().replace(" ", "-")
    named = OPEN_WEBUI in {image_name(container), title}
    return named or not {"WEBSOCKET_MANAGER", WEBSOCKET_URL}.isdisjoint(environment(container))


def image_name(container: Container) -> str:
    """Last part of its image's name, without registry, tag and digest."""
    reference = str((container.inspect.get("Config") or {}).get("Image", ""))
    return reference.partition("@")[0].rpartition("/")[2].partition(":")[0]


# --- its Valkey -------------------------------------------------------------------------------------------------------


def valkey_url(view: View, app: Container) -> str:
    """The URL that carries the app's live events, its password masked or not; empty when there is none.

    Where Docker was not given it, the app's own process is asked: its entrypoint may have read it from a file.
    """
    found = environment(app)
    if not (found.get(WEBSOCKET_URL) or found.get(STATE_URL)) and app.status == "running":
        executed = view.execute(app.name, ["python3", "-c", ENVIRONMENT, source()], seconds=ASK_SECONDS)
        try:
            found = executed.answer()
        except ValueError:
            return ""
    return found.get(WEBSOCKET_URL) or found.get(STATE_URL, "")


def host_of(url: str) -> str:
    """Host in a URL; empty when it has none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _port_of(url: str) -> int:
    try:
        return urlsplit(url).port or VALKEY_PORT
    except ValueError:
        return VALKEY_PORT


def valkey_of(app: Container, url: str, containers: list[Container]) -> Container | None:
    """The Valkey an app is meant to use: that of its stack, the one its URL names, or the only one beside it."""
    own = _of_role(app, "valkey", containers)
    host = host_of(url)
    if own or (host and not is_loopback(host)):
        return own or next(_named(app, host, containers), None)
    beside = [item for item in containers if image_name(item) in VALKEYS and _beside(app, item, url)]
    same = [item for item in beside if origin_of(item) == origin_of(app)] or beside
    return same[0] if len(same) == 1 else None


def _beside(app: Container, other: Container, url: str) -> bool:
    """They share a network, or the app is on the host's, where the other is published at the URL's port."""
    if app.networks.keys() & other.networks.keys() - NO_NETWORK:
        return True
    on_host = HOST_NETWORK in app.networks
    return on_host and any(address.endswith(f":{_port_of(url)}") for address in other.published)


def _named(app: Container, host: str, containers: list[Container]) -> Iterator[Container]:
    """The containers a host means to an app, likeliest first: by what Docker resolves, then by name alone."""
    extra = (app.inspect.get("HostConfig") or {}).get("ExtraHosts") or []
    address = dict(line.split(":", 1) for line in extra if ":" in line).get(host, host)
    known = [item for item in containers if item.name != app.name and address in _names_at(app, item)]
    alone = [item for item in containers if item.name != app.name and item.name == host]
    return iter(sorted(known, key=lambda item: (origin_of(item) != origin_of(app), item.status != "running")) + alone)


def _names_at(app: Container, other: Container) -> set[str]:
    """Names and addresses at which a container answers to an app, on the networks they share."""
    shared = app.networks.keys() & other.networks.keys() - NO_NETWORK
    found = set(other.addresses_on(shared))
    for network in shared - {"bridge"}:  # on the default one names mean nothing
        settings = other.networks[network]
        found |= {other.name, *(settings.get("Aliases") or ()), *(settings.get("DNSNames") or ())}
    links = (app.inspect.get("HostConfig") or {}).get("Links") or []
    for target, _, alias in (link.partition(":") for link in links):
        if target.lstrip("/") == other.name:
            found |= {other.name, alias.rpartition("/")[2]}
    return found


# --- where people open it ---------------------------------------------------------------------------------------------


def published_url(app: Container) -> str:
    """Address on which a container of Open WebUI is published; empty when it is not."""
    port = environment(app).get("PORT") or PORT
    # Over ssh the Docker host's own loopback is asked; over TCP nobody gets there.
    at_any = (daemon.name() if daemon.kind() == "tcp" else "") or "127.0.0.1"
    if HOST_NETWORK in app.networks:
        return f"http://{at_any}:{port}"
    ports = (app.inspect.get("NetworkSettings") or {}).get("Ports") or {}
    for binding in ports.get(f"{port}/tcp") or []:
        address = binding["HostIp"]
        host = at_any if address in ANY_ADDRESS else address
        return f"http://[{host}]:{binding['HostPort']}" if ":" in host else f"http://{host}:{binding['HostPort']}"
    return ""


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 80


def _connects(host: str, port: int) -> bool:
    try:
        with connected(host, port, TRY_SECONDS):
            return True
    except OSError:
        return False


# --- a stack of this project's behind its gateway ---------------------------------------------------------------------


def _behind_gateway(
    view: View,
    apps: tuple[str, ...],
    valkey: str,
    valkey_url: str,
    app: Container,
    roles: Mapping[str, Container | None],
) -> Subject:
    """The same as the stack's own outputs say, apart from what is expected of its containers."""
    gateway, postgres = roles["gateway"], roles["postgres"]
    login = _login(view, valkey) if valkey else None
    private = tuple(name for name in (_name(postgres), valkey) if name)
    edge = next(iter(gateway.networks), "") if gateway else ""
    return Subject(
        apps=apps,
        valkey=valkey,
        postgres=_name(postgres),
        gateway=_name(gateway),
        migration=_name(roles["migration"]),
        url=environment(app).get("WEBUI_URL", ""),
        door=_door(gateway) if gateway else None,
        ca=_authority(view.read_file(_name(gateway), CADDYFILE) or ""),
        valkey_login=login,
        isolation=Isolation(edge=edge, private=private) if edge and private else None,
        app_user=urlsplit(valkey_url).username or "" if login else "",
        account=_account(roles["migration"]),
    )


def _authority(caddyfile: str) -> str:
    """Where the gateway has the root of its certificates, if that is none that machines trust anyway."""
    if "tls internal" in caddyfile:
        return GATEWAY_CA
    return ACME_ROOT if ACME_ROOT in caddyfile else ""


def _account(migration: Container | None) -> AccountFile | None:
    """The file that the migration reads the first account from, if it is told to."""
    command = (migration.inspect.get("Config") or {}).get("Cmd") or [] if migration else []
    reads = any(ACCOUNT_FILE in word for word in command)
    return AccountFile(container=_name(migration), path=ACCOUNT_FILE) if reads else None


def _login(view: View, valkey: str) -> Login | None:
    if view.read_file(valkey, f"{SECRETS}/{VERIFY_ACCOUNT}") is None:
        return None
    ca = VALKEY_CA if view.read_file(valkey, VALKEY_CA) is not None else ""
    return Login(user=VERIFY_ACCOUNT, password_file=f"{SECRETS}/{VERIFY_ACCOUNT}", ca_file=ca)


def _door(gateway: Container) -> Door | None:
    ports: dict[str, Any] = (gateway.inspect.get("HostConfig") or {}).get("PortBindings") or {}
    port = HTTPS_PORT if ports.get(HTTPS_PORT) else next((key for key, bindings in ports.items() if bindings), "")
    for binding in ports.get(port) or []:
        return Door(address=binding["HostIp"], port=int(binding["HostPort"]), tls=port == HTTPS_PORT)
    return None
