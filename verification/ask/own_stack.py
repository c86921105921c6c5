"""A replicated stack of this project's, as its own outputs describe it but for what is expected of its containers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

from verification.ask.view import FileReader
from verification.evidence.container import Container
from verification.subject import AccountFile, Isolation, Login, PublishedPort, Subject

SECRETS: Final = "/run/secrets"
VERIFY_ACCOUNT: Final = "verify"
VALKEY_CA: Final = f"{SECRETS}/valkey-ca.pem"
CADDYFILE: Final = "/etc/caddy/Caddyfile"
GATEWAY_CA: Final = "/var/tmp/caddy/pki/authorities/local/root.crt"  # noqa: S108 - a volume of the gateway's
ACME_ROOT: Final = "/etc/caddy/acme-root.pem"
ACCOUNT_FILE: Final = "/migration/account.env"
HTTPS_PORT: Final = "8443/tcp"
"""Where stacks of this project keep these things; of other containers that is not known."""


def subject_behind_gateway(
    view: FileReader, found: Subject, app: Container, valkey_url: str, gateway: Container
) -> Subject:
    """The subject as the stack's outputs describe it; what was found has the names of its containers."""
    login = _login(view, found.valkey) if found.valkey else None
    private = tuple(filter(None, (found.postgres, found.valkey)))
    edge = next(iter(gateway.networks), "")
    return replace(
        found,
        gateway=gateway.name,
        url=app.variables.get("WEBUI_URL", ""),
        door=_published_port(gateway),
        ca=_ca_file(view.read_file(gateway.name, CADDYFILE) or ""),
        valkey_login=login,
        isolation=Isolation(edge=edge, private=private) if edge and private else None,
        app_user=urlsplit(valkey_url).username or "" if login else "",
    )


def account_file(migration: Container | None) -> AccountFile | None:
    """The file that the migration reads the first account from, if it is told to."""
    reads = migration is not None and any(ACCOUNT_FILE in word for word in migration.config.get("Cmd") or [])
    return AccountFile(container=migration.name, path=ACCOUNT_FILE) if migration and reads else None


def _ca_file(caddyfile: str) -> str:
    """Where the gateway has the root of its certificates, if that is none that machines trust anyway."""
    if "tls internal" in caddyfile:
        return GATEWAY_CA
    return ACME_ROOT if ACME_ROOT in caddyfile else ""


def _login(view: FileReader, valkey: str) -> Login | None:
    if view.read_file(valkey, f"{SECRETS}/{VERIFY_ACCOUNT}") is None:
        return None
    ca = VALKEY_CA if view.read_file(valkey, VALKEY_CA) is not None else ""
    return Login(user=VERIFY_ACCOUNT, password_file=f"{SECRETS}/{VERIFY_ACCOUNT}", ca_file=ca)


def _published_port(gateway: Container) -> PublishedPort | None:
    ports: dict[str, Any] = gateway.host_config.get("PortBindings") or {}
    port = HTTPS_PORT if ports.get(HTTPS_PORT) else next((key for key, bindings in ports.items() if bindings), "")
    for binding in ports.get(port) or []:
        return PublishedPort(address=binding["HostIp"], port=int(binding["HostPort"]), tls=port == HTTPS_PORT)
    return None
