"""Rules between settings: what cannot work together, what would have no effect, what production refuses."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from components import limits
from settings.values import (
    DEFAULT_PORTS,
    GATEWAY_TRIED,
    OPEN_WEBUI_TRIED,
    POSTGRES_TRIED,
    VALKEY_TRIED,
    floats,
    is_ip_address,
    is_slim,
)

if TYPE_CHECKING:
    from settings import Settings

ACKNOWLEDGEMENTS: Final[Mapping[str, str]] = {
    "downgrade": "the database was brought back to what the older version knows, as by restoring a backup of then",
    "embedding-change": "documents that were uploaded are embedded anew by hand, or not found any more",
    "floating-tag": "an image may change under its tag",
    "http-public-url": "passwords and tokens cross the network unencrypted",
    "local-build": "images built on this machine, which are other software, run in place of the official ones",
    "no-sign-in": "whoever reaches the URL is the administrator (topology single)",
    "open-signup": "anybody who reaches the URL may ask for an account",
    "ports-forwarded": "a router or firewall forwards port 80 or 443 of the public address to this host",
    "tls-terminated-elsewhere": "a proxy in front of this host speaks https and forwards http to it",
}
"""What can be acknowledged, and what whoever does it says."""

ONLY_REPLICATED: Final[Mapping[str, str]] = {
    "replicasMax": "8",
    "publicUrl": "",
    "tls": "off",
    "acmeEmail": "",
    "acmeDirectory": "",
    "acmeRoot": "",
    "httpPort": "0",
    "gatewayImage": GATEWAY_TRIED,
    "postgresImage": POSTGRES_TRIED,
    "postgresMaxConnections": "200",
    "edgeSubnet": "",
    "valkeyMaxClients": "10000",
    "valkeyRights": "",
    "valkeyTls": "false",
    "valkeyUrl": "",
    "adminEmail": "",
    "adminName": "Admin",
    "adminPassword": "",
    "enableSignup": "false",
    "trustedProxies": "[]",
    "corsAllowOrigin": "",
    "oidc": "{}",
    "rotated": "{}",
}
"""Keys that have no effect in ``single``, and their defaults."""

ONLY_SINGLE: Final[Mapping[str, tuple[str, str]]] = {
    "tutorialNames": ("false", "the tutorial has one container of each kind, and replicas need names of their own"),
    "networkExternal": ("false", "the gateway needs a network whose addresses it knows, with nothing else on it"),
    "openWebuiVolume": ("", "its accounts and chats are in SQLite, and replicas have Postgres"),
    "valkeyDebugPort": ("0", "Valkey is on the data network only, and publishes no port"),
}
"""Keys that ``replicated`` refuses, their defaults, and why."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Settings that do not go together.

    Attributes:
        key: The key to change.
        rule: Why it cannot stay.
        example: A value that would do; None where the key is better left out.
        also: Further keys and values that the example needs.
        about: Further keys the rule looks at: while one of those cannot be read, the rule says nothing.
        path: Place within the value of an object.
    """

    key: str
    rule: str
    example: Any
    also: Mapping[str, str] = field(default_factory=dict)
    about: tuple[str, ...] = ()
    path: str = ""


def problems(settings: Settings, given: Mapping[str, str]) -> Iterator[Problem]:
    """Everything that does not go together.

    Args:
        settings: The settings.
        given: The text of every key, to see which differ from their defaults.
    """
    yield from _ports(settings)
    yield from _limits(settings, given)
    yield from _hosts(settings)
    yield from _sign_in(settings)
    if not settings.replicated:
        yield from _single(settings, given)
        return
    for key, (default, reason) in ONLY_SINGLE.items():
        if given.get(key) != default:
            yield Problem(key=key, rule=f"topology replicated cannot have it: {reason}", example=None)
    yield from _sizes(settings)
    yield from _public_url(settings)
    yield from _proxies(settings)
    yield from _acme(settings)
    yield from _valkey(settings, given)
    yield from _people(settings, given)
    yield from _rotated(settings)
    if settings.production:
        yield from _production(settings, given)


def _ports(settings: Settings) -> Iterator[Problem]:
    for key, port, example in (
        ("valkeyDebugPort", settings.valkey_debug_port, "6379"),
        ("httpPort", settings.http_port, "8080"),
    ):
        if port == settings.ui_port:
            free = example if str(port) != example else "0"
            yield Problem(key=key, rule="the UI is published on this port", example=free, about=("uiPort",))


def _hosts(settings: Settings) -> Iterator[Problem]:
    services = {"redis": not settings.valkey_url, "postgres": settings.replicated}
    needed = {"localhost", *settings.containers, *(name for name, there in services.items() if there)}
    for name in sorted(needed & settings.extra_hosts.keys()):
        others = [f"{host}:{address}" for host, address in settings.extra_hosts.items() if host != name]
        yield Problem(
            key="extraHosts",
            rule=f"{name} is a name that this stack needs itself, and would lead elsewhere",
            example=others,
            about=("topology", "tutorialNames", "valkeyUrl"),
        )


def _single(settings: Settings, given: Mapping[str, str]) -> Iterator[Problem]:
    wanted = "It needs topology: replicated"
    if settings.replicas > 1:
        yield Problem(
            key="replicas",
            rule="topology single has SQLite and Chroma, which have one writer each, so replicas would corrupt the "
            f"data. {wanted}, which has Postgres and a gateway",
            example="1",
            about=("topology",),
        )
    if settings.production:
        yield Problem(
            key="production",
            rule=f"topology single has no TLS, no gateway and a Valkey without password. {wanted}",
            example="false",
            about=("topology",),
        )
    for key, default in ONLY_REPLICATED.items():
        if given.get(key) != default:
            rule = f"it would have no effect in topology single. {wanted}"
            yield Problem(key=key, rule=rule, example=None, about=("topology",))
    for name in settings.identity_headers:
        yield Problem(
            key="extraEnvironment",
            path=name,
            rule="whoever reaches the port could send that header and be anybody: topology single has no gateway that "
            f"takes it from strangers. {wanted}",
            example=None,
            about=("topology",),
        )


def _sizes(settings: Settings) -> Iterator[Problem]:
    if settings.replicas > settings.replicas_max:
        yield Problem(
            key="replicasMax",
            rule=f"replicas is {settings.replicas}; the pools of database connections are sized for replicasMax",
            example=str(settings.replicas),
            about=("replicas",),
        )
    try:
        limits.database_pools(settings.replicas_max, settings.postgres_max_connections)
    except limits.LimitsError as error:
        yield Problem(
            key="postgresMaxConnections",
            rule=f"{error}; see replicasMax",
            example=str(error.least),
            about=("replicasMax",),
        )
    addresses = ipaddress.IPv4Network(settings.edge_subnet).num_addresses // 2 - 1
    if settings.replicas_max > addresses:
        yield Problem(
            key="edgeSubnet",
            rule=f"its upper half has {addresses} addresses for replicas, and replicasMax is {settings.replicas_max}",
            example=str(ipaddress.IPv4Network(settings.edge_subnet).supernet(new_prefix=24)),
            about=("replicasMax",),
        )


def _limits(settings: Settings, given: Mapping[str, str]) -> Iterator[Problem]:
    for role, of_role in settings.limits.by_role.items():
        for one in limits.contradictions(
            role,
            of_role,
            max_clients=settings.valkey_max_clients,
            max_connections=settings.postgres_max_connections,
            replicas_max=settings.replicas_max if settings.replicated else 1,
            slim=is_slim(settings.open_webui_image),
        ):
            is_given = one.field in json.loads(given["limits"]).get(role, {})
            default = "" if is_given else f"its default, {getattr(of_role, one.field):g}, does not do: "
            yield Problem(
                key="limits",
                path=f"{role}.{one.field}",
                rule=f"{default}{one.rule}",
                example=one.least,
                about=("valkeyMaxClients", "postgresMaxConnections", "replicasMax"),
            )


def _public_url(settings: Settings) -> Iterator[Problem]:
    scheme, elsewhere = urlsplit(settings.public_url).scheme, "tls-terminated-elsewhere"
    if scheme == "http" and settings.tls.mode != "off":
        yield Problem(
            key="publicUrl",
            rule=f"tls is {settings.tls.mode}, so the gateway speaks https",
            example=settings.public_url.replace("http:", "https:", 1),
            about=("tls", "uiPort", "uiBindAddress"),
        )
    if scheme == "https" and settings.tls.mode == "off" and elsewhere not in settings.acknowledged:
        yield Problem(
            key="tls",
            rule=f"publicUrl is {settings.public_url}, and nobody would speak https there. Set tls to internal or "
            f"acme, or, if a proxy in front of this host does, add {elsewhere} to acknowledged",
            example="internal",
            about=("publicUrl", "acknowledged"),
        )
    origins = settings.cors_allow_origin.split(";")
    if settings.public_url not in origins and "*" not in origins:
        yield Problem(
            key="corsAllowOrigin",
            rule=f"publicUrl {settings.public_url} is not among them, so the UI itself could not connect",
            example=";".join([settings.public_url, *origins]),
            about=("publicUrl", "uiPort", "uiBindAddress", "tls"),
        )


def _proxies(settings: Settings) -> Iterator[Problem]:
    bound = ipaddress.ip_address(settings.ui_bind_address)
    for network in map(ipaddress.ip_network, settings.trusted_proxies):
        if network.is_loopback and not bound.is_loopback:
            yield Problem(
                key="uiBindAddress",
                rule=f"trustedProxies has {network}, a proxy on this host. On any other address than a loopback one, "
                "whoever Docker forwards by itself could not be told from it",
                example="127.0.0.1",
                about=("trustedProxies",),
            )
        if network.version == 4 and network.overlaps(ipaddress.ip_network(settings.edge_subnet)):  # noqa: PLR2004 - IPv4
            yield Problem(
                key="trustedProxies",
                rule=f"{network} overlaps with {settings.edge_subnet}, where Docker itself and the replicas are "
                "(edgeSubnet). Name the proxies' own addresses, and 127.0.0.1 for one on this host",
                example=["192.0.2.7"],
                about=("edgeSubnet",),
            )
    for name, header in settings.identity_headers.items():
        if not re.fullmatch(r"[A-Za-z0-9-]+", header):
            # Tried with Caddy 2.11.7: what has an underscore comes from nobody, a trusted proxy neither.
            rule = "the name of a header is wanted, with letters, digits and - only; the gateway passes none with _"
            yield Problem(key="extraEnvironment", path=name, rule=rule, example="X-Email")
        if not settings.trusted_proxies:
            yield Problem(
                key="trustedProxies",
                rule=f"{name} (extraEnvironment) lets a proxy say who somebody is. Without a proxy that is trusted "
                "anybody could, so the gateway takes that header from all",
                example=["192.0.2.7"],
                about=("extraEnvironment",),
            )


def _acme(settings: Settings) -> Iterator[Problem]:
    """A public CA's demands: https://caddyserver.com/docs/automatic-https#acme-challenges."""
    tls = settings.tls
    if tls.mode == "off" and settings.http_port:
        rule = "it redirects to https, and tls is off. Without TLS the UI is on uiPort"
        yield Problem(key="httpPort", rule=rule, example=None, about=("tls",))
    if tls.mode != "acme":
        for key, value in (("acmeEmail", tls.email), ("acmeDirectory", tls.directory), ("acmeRoot", tls.root)):
            if value:
                rule = f"it would have no effect, for tls is {tls.mode}; it needs tls: acme"
                yield Problem(key=key, rule=rule, example=None, about=("tls",))
        return
    if tls.root and not tls.directory:
        rule = "it is a private CA's, and acmeDirectory names none, so that a public one is asked"
        yield Problem(key="acmeRoot", rule=rule, example=None, about=("acmeDirectory",))
    if not tls.email:
        rule = "tls is acme, and the CA writes there before a certificate ends that could not be renewed"
        yield Problem(key="acmeEmail", rule=rule, example="admin@example.com", about=("tls",))
    host = urlsplit(settings.public_url).hostname or ""
    if is_ip_address(host) or host.endswith("localhost") or (not tls.directory and not _public(host)):
        yield Problem(
            key="publicUrl",
            rule=f"tls is acme, and a CA gives no certificate for {host}. Name the host as people on the internet do, "
            "or set tls: internal",
            example="https://chat.example.org",
            about=("tls", "acmeDirectory", "uiBindAddress"),
        )
    loopback = ipaddress.ip_address(settings.ui_bind_address).is_loopback
    reachable = not loopback and (
        settings.ui_port == DEFAULT_PORTS["https"] or settings.http_port == DEFAULT_PORTS["http"]
    )
    if not tls.directory and not reachable and "ports-forwarded" not in settings.acknowledged:
        yield Problem(
            key="uiBindAddress" if loopback else "uiPort",
            rule="tls is acme, and the CA connects from the internet to port 443 (uiPort) or 80 (httpPort). If "
            "something forwards one of them here, add ports-forwarded to acknowledged",
            example="0.0.0.0" if loopback else "443",  # noqa: S104 - a setting
            about=("tls", "httpPort", "acmeDirectory", "acknowledged", "uiPort", "uiBindAddress"),
        )


_NOT_PUBLIC: Final = (".local", ".internal", ".test", ".invalid", ".lan", ".home.arpa", ".localdomain")
"""Ends of names no public CA knows: RFC 6761, RFC 6762, RFC 8375, and what routers use."""


def _public(host: str) -> bool:
    return "." in host and not host.endswith(_NOT_PUBLIC)


def _valkey(settings: Settings, given: Mapping[str, str]) -> Iterator[Problem]:
    if not settings.valkey_url:
        return
    elsewhere = "valkeyUrl names a Valkey elsewhere, which this stack does not set up"
    if settings.valkey_tls:
        rule = f"{elsewhere}. For TLS there, begin valkeyUrl with rediss://"
        yield Problem(key="valkeyTls", rule=rule, example=None, about=("valkeyUrl",))
    default = ONLY_REPLICATED["valkeyMaxClients"]
    if given.get("valkeyMaxClients") != default:
        yield Problem(key="valkeyMaxClients", rule=elsewhere, example=None, about=("valkeyUrl",))
    if settings.valkey_rights:
        yield Problem(key="valkeyRights", rule=elsewhere, example=None, about=("valkeyUrl",))
    if "valkey" in json.loads(given.get("limits", "{}")):
        yield Problem(key="limits", path="valkey", rule=elsewhere, example=None, about=("valkeyUrl",))


def _people(settings: Settings, given: Mapping[str, str]) -> Iterator[Problem]:
    oidc_signup = settings.oidc is not None and settings.oidc.enable_signup
    if settings.admin is None:
        for key in ("adminName", "adminPassword"):
            if given.get(key) != ONLY_REPLICATED[key]:
                rule = "it would have no effect without adminEmail"
                yield Problem(key=key, rule=rule, example=None, about=("adminEmail",))
        if not settings.enable_signup and not oidc_signup:
            yield Problem(
                key="adminEmail",
                rule="nobody could sign in. Name an administrator here (a password is generated), or set enableSignup: "
                "true, or let people in with oidc and its enableSignup",
                example="admin@example.com",
                about=("enableSignup", "oidc"),
            )


def _sign_in(settings: Settings) -> Iterator[Problem]:
    """Variables that make whoever comes an administrator.

    Source: https://docs.openwebui.com/getting-started/env-configuration
    """
    for name, value in settings.extra_environment.items():
        rule, example = "", None
        # Open WebUI takes every word but this one for no.
        if name == "WEBUI_AUTH" and value.lower() != "true":
            if not settings.replicated and "no-sign-in" in settings.acknowledged:
                continue
            rule = f"it is {value!r}: without sign-in whoever reaches the URL is the administrator"
            if not settings.replicated:
                rule += ". If that is meant, add no-sign-in to acknowledged"
        elif name == "DEFAULT_USER_ROLE" and value.lower() == "admin":
            rule, example = f"it is {value!r}: every new account would be an administrator's", "user"
        if rule:
            about = ("topology", "acknowledged")
            yield Problem(key="extraEnvironment", path=name, rule=rule, example=example, about=about)


def no_secret(settings: Settings) -> dict[str, str]:
    """Secrets that a stack does not generate, of those that ``rotated`` can make anew, and why."""
    absent = {}
    if settings.valkey_url:
        elsewhere = "valkeyUrl names a Valkey elsewhere, which has passwords of its own"
        absent = dict.fromkeys(("valkey-openwebui", "valkey-verify", "valkey-health", "valkey-tls"), elsewhere)
    elif not settings.valkey_tls:
        absent["valkey-tls"] = "valkeyTls is off, so Valkey has no certificate"
    if settings.admin is None:
        absent["admin-password"] = "there is no adminEmail, so no account is made"
    elif settings.admin.password:
        absent["admin-password"] = "adminPassword is set, so none is generated; set another there"
    return absent


def _rotated(settings: Settings) -> Iterator[Problem]:
    for name, reason in no_secret(settings).items():
        if name in settings.rotated:
            yield Problem(
                key="rotated",
                path=name,
                rule=f"it would have no effect: {reason}",
                example=None,
                about=("valkeyUrl", "valkeyTls", "adminEmail", "adminPassword"),
            )


def _production(settings: Settings, given: Mapping[str, str]) -> Iterator[Problem]:
    if "*" in settings.cors_allow_origin:
        rule = "production allows no web site of the world to act for who is signed in; name the origins"
        yield Problem(key="corsAllowOrigin", rule=rule, example=settings.public_url, about=("publicUrl",))
    if settings.verification == "off":
        rule = "production is proved; without it live events may be lost unseen"
        yield Problem(key="verification", rule=rule, example="on")
    if settings.data_on_destroy == "delete":
        rule = "production keeps its data when the stack is destroyed"
        yield Problem(key="dataOnDestroy", rule=rule, example="keep")
    yield from _floating_tags(settings)
    plain = settings.public_url.startswith("http:") and settings.tls.mode == "off"
    if plain and "http-public-url" not in settings.acknowledged:
        yield Problem(
            key="tls",
            rule=f"production is not reached by {settings.public_url}: {ACKNOWLEDGEMENTS['http-public-url']}. Set tls "
            "to internal or acme, or add http-public-url to acknowledged",
            example="internal",
            also={"publicUrl": settings.public_url.replace("http:", "https:", 1)} if given["publicUrl"] else {},
            about=("publicUrl", "acknowledged", "uiPort", "uiBindAddress"),
        )
    if settings.tls.mode == "off" and ipaddress.ip_address(settings.ui_bind_address).is_unspecified:
        yield Problem(
            key="uiBindAddress",
            rule="production does not offer http without TLS on every address. Set tls, or bind to the one address the "
            "proxy in front uses",
            example="127.0.0.1",
            about=("tls",),
        )
    if settings.enable_signup and "open-signup" not in settings.acknowledged:
        rule = f"{ACKNOWLEDGEMENTS['open-signup']}. If that is meant, add open-signup to acknowledged"
        yield Problem(key="enableSignup", rule=rule, example="false", about=("acknowledged",))


def _floating_tags(settings: Settings) -> Iterator[Problem]:
    if "floating-tag" in settings.acknowledged:
        return
    tried = {
        "openWebuiImage": OPEN_WEBUI_TRIED,
        "valkeyImage": VALKEY_TRIED,
        "postgresImage": POSTGRES_TRIED,
        "gatewayImage": GATEWAY_TRIED,
    }
    for key, image in (
        ("openWebuiImage", settings.open_webui_image),
        ("valkeyImage", settings.valkey_image),
        ("postgresImage", settings.postgres_image),
        ("gatewayImage", settings.gateway_image),
    ):
        if floats(image):
            yield Problem(
                key=key,
                rule="production takes no tag that names another image tomorrow. Name a full version or a digest (make "
                f"pin STACK={settings.stack} writes it), or add floating-tag to acknowledged",
                example=tried[key],
                about=("acknowledged",),
            )
