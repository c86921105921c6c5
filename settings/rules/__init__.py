"""Rules between settings: what cannot work together, what would have no effect, what production refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from settings.models import ONLY_REPLICATED
from settings.rules import entry, production, sizes
from settings.rules.problem import Problem
from settings.stack import StackSettings
from settings.variables import why_owned

NOT_REPLICATED: Final[Mapping[str, str]] = {
    "tutorialNames": "the tutorial has one container of each kind, and replicas need names of their own",
    "networkExternal": "the gateway needs a network whose addresses it knows, with nothing else on it",
    "openWebuiVolume": "its accounts and chats are in SQLite, and replicas have Postgres",
    "valkeyDebugPort": "Valkey is on the data network only, and publishes no port",
}
"""Why topology ``replicated`` cannot have the settings of ``single``."""


def problems(settings: StackSettings) -> Iterator[Problem]:
    """Everything that does not go together."""
    yield from entry.port_problems(settings)
    yield from sizes.limit_problems(settings)
    yield from _hosts(settings)
    yield from _variables(settings)
    yield from _sign_in(settings)
    if not settings.replicated:
        yield from _single(settings)
        return
    for key, reason in NOT_REPLICATED.items():
        if not settings.is_default(key):
            yield Problem(key=key, rule=f"topology replicated cannot have it: {reason}", example=None)
    yield from sizes.problems(settings)
    yield from entry.problems(settings)
    yield from _valkey(settings)
    yield from _people(settings)
    yield from _rotated(settings)
    if settings.production:
        yield from production.problems(settings)


def _variables(settings: StackSettings) -> Iterator[Problem]:
    for name in settings.extra_environment:
        reason = why_owned(name, replicated=settings.replicated)
        if settings.ollama and name in {"ENABLE_OLLAMA_API", "OLLAMA_BASE_URL", "OLLAMA_BASE_URLS"}:
            reason = "ollama says it"
        if reason:
            yield Problem(key="extraEnvironment", path=(name,), rule=reason, example=None, about=("topology", "ollama"))


def _hosts(settings: StackSettings) -> Iterator[Problem]:
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


def _single(settings: StackSettings) -> Iterator[Problem]:
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
    for key in ONLY_REPLICATED:
        if not settings.is_default(key):
            rule = f"it would have no effect in topology single. {wanted}"
            yield Problem(key=key, rule=rule, example=None, about=("topology",))
    for name in settings.identity_headers:
        yield Problem(
            key="extraEnvironment",
            path=(name,),
            rule="whoever reaches the port could send that header and be anybody: topology single has no gateway that "
            f"takes it from strangers. {wanted}",
            example=None,
            about=("topology",),
        )


def _valkey(settings: StackSettings) -> Iterator[Problem]:
    if not settings.valkey_url:
        return
    elsewhere = "valkeyUrl names a Valkey elsewhere, which this stack does not set up"
    if settings.valkey_tls:
        rule = f"{elsewhere}. For TLS there, begin valkeyUrl with rediss://"
        yield Problem(key="valkeyTls", rule=rule, example=None, about=("valkeyUrl",))
    for key in ("valkeyMaxClients", "valkeyRights"):
        if not settings.is_default(key):
            yield Problem(key=key, rule=elsewhere, example=None, about=("valkeyUrl",))


def _people(settings: StackSettings) -> Iterator[Problem]:
    oidc_signup = settings.oidc is not None and settings.oidc.enable_signup
    if settings.admin is None:
        for key in ("adminName", "adminPassword"):
            if not settings.is_default(key):
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


def _sign_in(settings: StackSettings) -> Iterator[Problem]:
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
            yield Problem(key="extraEnvironment", path=(name,), rule=rule, example=example, about=about)


def absent_secrets(settings: StackSettings) -> dict[str, str]:
    """Secrets that a stack does not generate, of those that ``rotated`` can replace, and why."""
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


def _rotated(settings: StackSettings) -> Iterator[Problem]:
    for name, reason in absent_secrets(settings).items():
        if name in settings.rotated:
            yield Problem(
                key="rotated",
                path=(name,),
                rule=f"it would have no effect: {reason}",
                example=None,
                about=("valkeyUrl", "valkeyTls", "adminEmail", "adminPassword"),
            )
