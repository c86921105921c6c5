"""`make rotate`: a new secret in place of one the stack generated, by one line in its stack file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from settings import Settings
from settings.rules import absent_secrets
from tooling.errors import ToolError
from tooling.pulumi_files.stack import Stack
from tooling.pulumi_files.stack_file import set_value


@dataclass(frozen=True, kw_only=True)
class Rotatable:
    """A secret that a stack generates: what it is, what is re-created with it, and what people notice."""

    what: str
    recreates: str


_APP: Final = "the migration, then all replicas at once"
SECRETS: Final = {
    "secret-key": Rotatable(what="signs Open WebUI's sessions", recreates=f"{_APP}; everybody has to sign in again"),
    "postgres-password": Rotatable(
        what="Open WebUI's password at Postgres", recreates=f"{_APP}; Postgres keeps running"
    ),
    "valkey-openwebui": Rotatable(what="Open WebUI's password at Valkey", recreates=f"Valkey, {_APP}"),
    "valkey-verify": Rotatable(what="the verification's password at Valkey", recreates="Valkey"),
    "valkey-health": Rotatable(what="the health check's password at Valkey", recreates="Valkey"),
    "valkey-tls": Rotatable(what="Valkey's authority and certificate", recreates=f"Valkey, {_APP}"),
    "admin-password": Rotatable(what="the administrator's password", recreates=_APP),
}


def secrets_of(settings: Settings) -> list[str]:
    """Names of the secrets that a stack with these settings can replace."""
    if not settings.replicated:
        return []
    absent = absent_secrets(settings)
    return [name for name in SECRETS if name not in absent]


def listing(settings: Settings) -> str:
    """The stack's secrets: what each is, what is re-created when it is replaced, and when it was rotated.

    Raises:
        ToolError: The stack has none.
    """
    names = secrets_of(settings)
    if not names:
        raise ToolError(_no_secrets(settings))
    widths = max(map(len, names)), max(len(SECRETS[name].what) for name in names)
    lines = [
        f"  {name:<{widths[0]}}  {SECRETS[name].what:<{widths[1]}}  rotated: {settings.rotated.get(name, 'never')}\n"
        f"  {'':<{widths[0]}}  re-created: {SECRETS[name].recreates}"
        for name in names
    ]
    command = f"make rotate STACK={settings.stack} SECRET=NAME"
    return "\n".join([f"secrets that stack {settings.stack} generated; one is replaced with {command}:", *lines])


def rotate(stack: Stack, settings: Settings, name: str) -> str:
    """Have the next update replace a secret; one line for people.

    The stack file is what says so, as after ``pulumi config set --path rotated.NAME DATE``.

    Raises:
        ToolError: The stack has no such secret.
    """
    if not secrets_of(settings):
        raise ToolError(_no_secrets(settings))
    if name not in secrets_of(settings):
        there_are = ", ".join(secrets_of(settings))
        raise ToolError(f"stack {settings.stack} generates no secret {name!r}. SECRET is one of: {there_are}.")
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    set_value(stack, "rotated", now, within=[name])
    return f"rotate: {name} is replaced ({now}); re-created with it: {SECRETS[name].recreates}"


def _no_secrets(settings: Settings) -> str:
    return f"stack {settings.stack} has topology {settings.topology}, and rotated is for topology: replicated."
