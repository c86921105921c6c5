"""`make rotate`: a new secret in place of one the stack generated, by one line in its stack file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from settings.rules import no_secret
from tooling.errors import ToolError
from tooling.pulumi_files.stack import find_stack
from tooling.pulumi_files.stack_file import set_value

if TYPE_CHECKING:
    from settings import Settings
    from tooling.pulumi_files.project import Project


@dataclass(frozen=True, kw_only=True)
class Rotatable:
    """A secret that a stack generates.

    Attributes:
        what: What it is.
        renews: What starts anew for another one, and what people notice.
    """

    what: str
    renews: str


_APP: Final = "migration, then all Open WebUI at once"
SECRETS: Final = {
    "secret-key": Rotatable(what="signs Open WebUI's sessions", renews=f"{_APP}; everybody signs in anew"),
    "postgres-password": Rotatable(what="Open WebUI's password at Postgres", renews=f"{_APP}; Postgres goes on"),
    "valkey-openwebui": Rotatable(what="Open WebUI's password at Valkey", renews=f"Valkey, {_APP}"),
    "valkey-verify": Rotatable(what="the verification's password at Valkey", renews="Valkey"),
    "valkey-health": Rotatable(what="the health check's password at Valkey", renews="Valkey"),
    "valkey-tls": Rotatable(what="Valkey's authority and certificate", renews=f"Valkey, {_APP}"),
    "admin-password": Rotatable(what="the administrator's password", renews=_APP),
}


def secrets_of(settings: Settings) -> list[str]:
    """Names of the secrets that a stack with these settings can make anew."""
    if not settings.replicated:
        return []
    absent = no_secret(settings)
    return [name for name in SECRETS if name not in absent]


def listing(settings: Settings) -> str:
    """The stack's secrets: what each is, what starts anew with another one, and when it was rotated.

    Raises:
        ToolError: The stack has none.
    """
    names = secrets_of(settings)
    if not names:
        raise ToolError(_none(settings))
    widths = max(map(len, names)), max(len(SECRETS[name].what) for name in names)
    lines = [
        f"  {name:<{widths[0]}}  {SECRETS[name].what:<{widths[1]}}  rotated: {settings.rotated.get(name, 'never')}\n"
        f"  {'':<{widths[0]}}  starts anew: {SECRETS[name].renews}"
        for name in names
    ]
    command = f"make rotate STACK={settings.stack} SECRET=NAME"
    return "\n".join([f"secrets that stack {settings.stack} generated; one is replaced with {command}:", *lines])


def rotate(project: Project, settings: Settings, name: str) -> str:
    """Have the next update make another secret; one line for people.

    The stack file is what says so, as after ``pulumi config set --path rotated.NAME DATE``.

    Raises:
        ToolError: The stack has no such secret.
    """
    if not secrets_of(settings):
        raise ToolError(_none(settings))
    if name not in secrets_of(settings):
        there_are = ", ".join(secrets_of(settings))
        raise ToolError(f"stack {settings.stack} generates no secret {name!r}. SECRET is one of: {there_are}.")
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    set_value(find_stack(project, settings.stack), "rotated", now, within=[name])
    return f"rotate: {name} is made anew ({now}); what starts anew: {SECRETS[name].renews}"


def _none(settings: Settings) -> str:
    return f"stack {settings.stack} has topology {settings.topology}, and rotated is for topology: replicated."
