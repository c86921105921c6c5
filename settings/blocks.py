"""Settings with parts or words of their own: limits, sign-in through OpenID Connect, rotated secrets, risks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from difflib import get_close_matches
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, WithJsonSchema

from components import limits
from settings import values
from settings.field_types import Block, Flag, Secret

LARGEST: Final = 1e9
"""No limit is larger: what is, was written in another unit."""


class ContainerLimits(Block):
    """What a container may use."""

    memory: int | None = Field(
        None,
        ge=0,
        le=10**9,
        description="Memory.",
        json_schema_extra={"x-unit": "MiB", "x-zero": "0, in single, is no limit"},
    )
    cpus: float | None = Field(
        None, gt=0, lt=LARGEST, allow_inf_nan=False, description="CPU time.", json_schema_extra={"x-unit": "CPUs"}
    )
    pids: int | None = Field(None, gt=0, lt=LARGEST, description="Processes and threads.")
    nofile: int | None = Field(None, gt=0, lt=LARGEST, description="Open files and sockets of one process.")


def _of_role(role: str, description: str) -> Any:
    return Field(None, description=description, examples=[asdict(limits.DEFAULTS[role])])


class LimitsBlock(Block):
    """What containers may use, by role; what is not given keeps its default."""

    model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"))

    open_webui: ContainerLimits | None = _of_role("open-webui", "Each replica of Open WebUI.")
    valkey: ContainerLimits | None = _of_role("valkey", "Valkey.")
    postgres: ContainerLimits | None = _of_role("postgres", "Postgres (topology replicated).")
    gateway: ContainerLimits | None = _of_role("gateway", "The gateway (topology replicated).")

    @property
    def by_role(self) -> dict[str, dict[str, Any]]:
        """The limits that are given, by role."""
        return self.model_dump(by_alias=True, exclude_none=True)


class OidcBlock(Block):
    """Sign-in through an OpenID Connect provider.

    Source: https://docs.openwebui.com/features/auth/sso
    """

    provider_url: Annotated[str, AfterValidator(values.discovery_url)] = Field(
        description="URL of the provider's discovery document.", examples=[f"https://id.example.com{values.DISCOVERY}"]
    )
    client_id: str = Field(
        min_length=1, description="Id of the client that you registered at the provider.", examples=["open-webui"]
    )
    client_secret: Secret[str] = Field(
        min_length=1, description="Secret of the client that you registered at the provider.", examples=["SECRET"]
    )
    provider_name: str = Field("SSO", min_length=1, description="What the button on the sign-in page says.")
    scopes: Annotated[str, AfterValidator(values.scopes)] = Field(
        "openid email profile", description="Scopes to ask for, with spaces between."
    )
    enable_signup: Flag = Field(
        default=False, description="Whoever signs in for the first time gets an account.", examples=[True]
    )
    merge_accounts_by_email: Flag = Field(
        default=False,
        description="Whoever has an account of the same e-mail address signs in to that.",
        examples=[True],
    )


OidcOrNone = Annotated[OidcBlock | None, BeforeValidator(lambda value: None if value == {} else value)]

SECRET_NAMES: Final = (
    "secret-key", "valkey-openwebui", "valkey-verify", "valkey-health", "postgres-password", "valkey-tls",
    "admin-password",
)  # fmt: skip
"""Secrets that ``rotated`` can replace by new ones."""


def _secret_name(name: str) -> str:
    if name not in SECRET_NAMES:
        raise ValueError
    return name


_WORD: Final = {"type": ["string", "number"], "examples": ["2026-01-31"]}
Rotated = Annotated[
    dict[Annotated[str, AfterValidator(_secret_name)], Annotated[str, BeforeValidator(values.rotation_word)]],
    WithJsonSchema({"type": "object", "properties": dict.fromkeys(SECRET_NAMES, _WORD), "additionalProperties": False}),
]

ACKNOWLEDGEMENTS: Final[Mapping[str, str]] = {
    "downgrade": "the database was brought back to what the older version knows, as by restoring a backup of then",
    "embedding-change": "documents that were uploaded are embedded again by hand, or not found any more",
    "floating-tag": "an image may change under its tag",
    "http-public-url": "passwords and tokens cross the network unencrypted",
    "local-build": "images built on this machine, which are other software, run in place of the official ones",
    "no-sign-in": "whoever reaches the URL is the administrator (topology single)",
    "open-signup": "anybody who reaches the URL may ask for an account",
    "ports-forwarded": "a router or firewall forwards port 80 or 443 of the public address to this host",
    "tls-terminated-elsewhere": "a proxy in front of this host speaks https and forwards http to it",
}
"""What can be acknowledged, and what is so of a stack that does."""


def _acknowledgements(words: frozenset[str]) -> frozenset[str]:
    unknown = sorted(words - ACKNOWLEDGEMENTS.keys())
    if unknown:
        close = {one for word in unknown for one in get_close_matches(word, ACKNOWLEDGEMENTS, n=1)}
        there_are = "; ".join(f"{one} ({meaning})" for one, meaning in ACKNOWLEDGEMENTS.items())
        rule = f"there is no {', '.join(map(repr, unknown))}; there are {there_are}"
        raise values.Invalid(rule, sorted({*words, *close} & ACKNOWLEDGEMENTS.keys()))
    return words


Acknowledged = Annotated[
    frozenset[str],
    AfterValidator(_acknowledgements),
    WithJsonSchema({"type": "array", "items": {"enum": [*ACKNOWLEDGEMENTS]}}),
]
