"""Rules about where people reach Open WebUI: ports, public URL, proxies, certificates."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from settings.rules.problem import Problem
from settings.stack import StackSettings
from settings.values import DEFAULT_PORTS, is_ip_address


def problems(settings: StackSettings) -> Iterator[Problem]:
    """What does not go together in topology ``replicated``."""
    yield from _public_url(settings)
    yield from _proxies(settings)
    yield from _acme(settings)


def port_problems(settings: StackSettings) -> Iterator[Problem]:
    """Ports that are published twice."""
    for key, port, example in (
        ("valkeyDebugPort", settings.valkey_debug_port, "6379"),
        ("httpPort", settings.http_port, "8080"),
    ):
        if port == settings.ui_port:
            free = example if str(port) != example else "0"
            yield Problem(key=key, rule="the UI is published on this port", example=free, about=("uiPort",))


def _public_url(settings: StackSettings) -> Iterator[Problem]:
    scheme, elsewhere = urlsplit(settings.public_url).scheme, "tls-terminated-elsewhere"
    if scheme == "http" and settings.tls != "off":
        yield Problem(
            key="publicUrl",
            rule=f"tls is {settings.tls}, so the gateway speaks https",
            example=settings.public_url.replace("http:", "https:", 1),
            about=("tls", "uiPort", "uiBindAddress"),
        )
    if scheme == "https" and settings.tls == "off" and elsewhere not in settings.acknowledged:
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


def _proxies(settings: StackSettings) -> Iterator[Problem]:
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
            yield Problem(key="extraEnvironment", path=(name,), rule=rule, example="X-Email")
        if not settings.trusted_proxies:
            yield Problem(
                key="trustedProxies",
                rule=f"{name} (extraEnvironment) lets a proxy say who somebody is. Without a proxy that is trusted "
                "anybody could, so the gateway takes that header from all",
                example=["192.0.2.7"],
                about=("extraEnvironment",),
            )


def _acme(settings: StackSettings) -> Iterator[Problem]:
    """A public CA's demands: https://caddyserver.com/docs/automatic-https#acme-challenges."""
    tls, directory = settings.tls, settings.acme_directory
    if tls == "off" and settings.http_port:
        rule = "it redirects to https, and tls is off. Without TLS the UI is on uiPort"
        yield Problem(key="httpPort", rule=rule, example=None, about=("tls",))
    if tls != "acme":
        for key in ("acmeEmail", "acmeDirectory", "acmeRoot"):
            if not settings.is_default(key):
                rule = f"it would have no effect, for tls is {tls}; it needs tls: acme"
                yield Problem(key=key, rule=rule, example=None, about=("tls",))
        return
    if settings.acme_root and not directory:
        rule = "it is a private CA's, and acmeDirectory names none, so that a public one is asked"
        yield Problem(key="acmeRoot", rule=rule, example=None, about=("acmeDirectory",))
    if not settings.acme_email:
        rule = "tls is acme, and the CA writes there before a certificate ends that could not be renewed"
        yield Problem(key="acmeEmail", rule=rule, example="admin@example.com", about=("tls",))
    host = urlsplit(settings.public_url).hostname or ""
    if is_ip_address(host) or host.endswith("localhost") or (not directory and not _public(host)):
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
    if not directory and not reachable and "ports-forwarded" not in settings.acknowledged:
        # A proxy on this host that is trusted needs the loopback address: it forwards, or nothing does.
        by_proxy = any(ipaddress.ip_network(one).is_loopback for one in settings.trusted_proxies)
        key, example = ("uiBindAddress", "0.0.0.0") if loopback else ("uiPort", "443")  # noqa: S104 - a setting
        yield Problem(
            key="acknowledged" if by_proxy else key,
            rule="tls is acme, and the CA connects from the internet to port 443 (uiPort) or 80 (httpPort). If "
            "something forwards one of them here, add ports-forwarded to acknowledged",
            example=sorted({*settings.acknowledged, "ports-forwarded"}) if by_proxy else example,
            about=("tls", "httpPort", "acmeDirectory", "acknowledged", "uiPort", "uiBindAddress", "trustedProxies"),
        )


_NOT_PUBLIC: Final = (".local", ".internal", ".test", ".invalid", ".lan", ".home.arpa", ".localdomain")
"""Ends of names no public CA knows: RFC 6761, RFC 6762, RFC 8375, and what routers use."""


def _public(host: str) -> bool:
    return "." in host and not host.endswith(_NOT_PUBLIC)
