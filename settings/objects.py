"""Settings that are objects: limits, OIDC, extra environment, rotated secrets; each read into its own type."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any, Final

from components import accounts, limits
from components.limits import Limits
from settings.values import is_web_url, scalar_text

Refuse = Callable[[str, str, Any], None]
"""Notes a problem: path within the object, the rule, and a value for that path that works (None: leave it out)."""

SECRET_NAMES: Final = (
    "secret-key",
    "valkey-openwebui",
    "valkey-verify",
    "valkey-health",
    "postgres-password",
    "valkey-tls",
    "admin-password",
)
"""Secrets that ``rotated`` can make anew."""


@dataclass(frozen=True, kw_only=True)
class RoleLimits:
    """Limits of each container by its role; None where the stack has no such container."""

    open_webui: Limits | None = None
    valkey: Limits | None = None
    postgres: Limits | None = None
    gateway: Limits | None = None

    @property
    def by_role(self) -> dict[str, Limits]:
        """The limits there are, by the role's name in the configuration."""
        return {role.replace("_", "-"): found for role, found in vars(self).items() if found}


@dataclass(frozen=True, kw_only=True)
class Oidc(accounts.Oidc):
    """Sign-in by an OpenID Connect provider, with the secret of its client: OAUTH_CLIENT_SECRET."""

    client_secret: str = field(repr=False)


def read_limits(found: Mapping[str, Any], refuse: Refuse, *, of_topology: Mapping[str, Limits]) -> dict[str, Limits]:
    """Limits by role: the topology's defaults, with what is given in their place."""
    result = dict(of_topology)
    for role, given in _known(found, of_topology, "", "a container of this topology", refuse):
        defaults = limits.DEFAULTS[role]
        if not isinstance(given, dict):
            refuse(role, "some of memory, cpus, pids, nofile are wanted", {"memory": defaults.memory})
            continue
        for name, value in _known(given, vars(defaults), f"{role}.", "a limit", refuse):
            default = getattr(defaults, name)
            number = _number(value)
            if not 0 < number < LARGEST or (name != "cpus" and not number.is_integer()):
                unit = {"memory": "a whole number of MiB", "cpus": "a number of CPUs"}.get(name, "a whole number")
                refuse(f"{role}.{name}", f"{unit} above 0 is wanted", default)
            else:
                result[role] = replace(result[role], **{name: type(default)(number)})
    return result


LARGEST: Final = 1e9
"""No limit is larger: what is, was written in another unit."""


def _number(value: Any) -> float:
    """A number, also where it was written as text, 0 for what is none."""
    return float(value) if re.fullmatch(r"\d+(\.\d+)?", scalar_text(value) or "", re.ASCII) else 0.0


def read_oidc(found: Mapping[str, Any], refuse: Refuse) -> Oidc | None:
    """The OIDC block, None where it is empty."""
    if not found:
        return None
    values: dict[str, Any] = {}
    for key, given in _known(found, _OIDC, "", "a key of oidc", refuse):
        name, kind, example = _OIDC[key]
        value = {"true": True, "false": False}.get(given, given) if kind is bool and isinstance(given, str) else given
        if not isinstance(value, kind) or (kind is str and not value):
            refuse(key, "true or false is wanted" if kind is bool else "text is wanted", example)
        else:
            values[name] = value
    for key in ("providerUrl", "clientId", "clientSecret"):
        name, _, example = _OIDC[key]
        if key not in found:
            refuse(key, "it is missing; the provider gives it to who registers a client there", example)
        values.setdefault(name, example)
    url = values["provider_url"]
    if not is_web_url(url) or not url.endswith(DISCOVERY):
        better = url.rstrip("/") + DISCOVERY if is_web_url(url) else _OIDC["providerUrl"][2]
        refuse("providerUrl", f"the URL of the discovery document is wanted, it ends with {DISCOVERY}", better)
    if "scopes" in values and "openid" not in values["scopes"].split():
        refuse("scopes", "OpenID Connect needs the scope openid", f"openid {values['scopes']}")
    return Oidc(**values)


DISCOVERY: Final = "/.well-known/openid-configuration"
"""End of a discovery document's URL: https://openid.net/specs/openid-connect-discovery-1_0.html, section 4."""

_OIDC: Final[Mapping[str, tuple[str, type, Any]]] = {
    "providerUrl": ("provider_url", str, f"https://id.example.com{DISCOVERY}"),
    "clientId": ("client_id", str, "open-webui"),
    "clientSecret": ("client_secret", str, "CLIENT-SECRET"),
    "providerName": ("provider_name", str, "SSO"),
    "scopes": ("scopes", str, "openid email profile"),
    "enableSignup": ("enable_signup", bool, True),
    "mergeAccountsByEmail": ("merge_accounts_by_email", bool, True),
}


def read_rotated(found: Mapping[str, Any], refuse: Refuse) -> dict[str, str]:
    """Secret names to the text that, changed, makes the secret anew."""
    result = {}
    for name, value in _known(found, SECRET_NAMES, "", "a secret", refuse):
        written = scalar_text(value) or ""
        # A date without quotes reaches the program so from the Pulumi CLI, and as it is written from the other engine.
        written = re.sub(r" 00:00:00 \+0000 UTC$", "", written)
        if not re.fullmatch(r"[\w.-]+", written, re.ASCII):
            refuse(name, "a word without spaces, such as a date, is wanted", "2026-01-31")
        result[name] = written
    return result


def read_environment(found: Mapping[str, Any], refuse: Refuse, *, replicated: bool) -> dict[str, str]:
    """Extra variables for Open WebUI, none of which this project sets itself in that topology."""
    result = {}
    for name, value in found.items():
        written = scalar_text(value)
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            better = re.sub(r"[^A-Za-z0-9_]", "_", re.sub(r"^[^A-Za-z_]+", "", name)) or "NAME"
            refuse(name, f"the name of a variable has letters, digits and _ only: {better}", None)
        elif reason := owned(name, replicated=replicated):
            refuse(name, reason, None)
        elif written is None or "\0" in written:
            refuse(name, "text, a number, true or false is wanted", "TEXT")
        else:
            result[name] = written
    return result


_OWNED: Final = (
    (
        r"WEBSOCKET_(?!SERVER_PING_(INTERVAL|TIMEOUT)$)\w+|ENABLE_WEBSOCKET_SUPPORT",
        "live events travel through this stack's Valkey, which is proved",
    ),
    (r"REDIS_\w+", "sessions and revoked tokens lie in this stack's Valkey"),
    (r"WEBUI_SECRET_KEY(_FILE)?", "it is generated once and kept encrypted in the state"),
    (
        r"ENABLE_DB_MIGRATIONS",
        "a container of its own migrates before any replica starts; two at once break the schema",
    ),
    (r"GLOBAL_LOG_LEVEL", "set logLevel"),
    (r"PORT|HOST", "where Open WebUI listens in its container is fixed; set uiPort and uiBindAddress"),
    (r"UVICORN_WORKERS", "one process a container can be proved"),
    (r"DATA_DIR", "the data volume is mounted there"),
    (r"SSL_CERT_FILE|REQUESTS_CA_BUNDLE", "set caFile, whose authorities are trusted besides the public ones"),
)
"""Variables that are no stack file's to set, and why."""

_OWNED_IN_SINGLE: Final = (
    (r"DATABASE_(URL|TYPE|HOST|PORT|NAME|USER|PASSWORD|CRED|SCHEMA)", "accounts and chats are in the data volume"),
)

_OWNED_IN_REPLICATED: Final = (
    (r"REDIS_\w+", "sessions and revoked tokens lie in this stack's Valkey; see valkeyUrl for one elsewhere"),
    (r"WEBUI_SECRET_KEY(_FILE)?", "it is generated once and kept encrypted in the state; see rotated"),
    (r"UVICORN_WORKERS", "one process a container can be proved; set replicas"),
    (r"DATABASE_\w+", "replicas share this stack's Postgres, for SQLite has one writer; see postgresMaxConnections"),
    (r"VECTOR_DB", "replicas share pgvector, for Chroma has one writer"),
    (r"PGVECTOR_\w+", "they lie in this stack's Postgres; see postgresMaxConnections"),
    (r"WEBUI_URL", "set publicUrl"),
    (r"CORS_ALLOW_ORIGIN", "set corsAllowOrigin"),
    (r"ENABLE_PERSISTENT_CONFIG", "what was saved in the admin panel would outlive this file and override it"),
    (r"ENABLE_SIGNUP", "set enableSignup"),
    (r"WEBUI_ADMIN_\w+", "set adminEmail, adminName, adminPassword"),
    (r"(OMP|OPENBLAS)_NUM_THREADS|TOKENIZERS_PARALLELISM", "it follows from limits.open-webui.cpus"),
    (r"FORWARDED_ALLOW_IPS", "only the gateway's forwarded headers are believed"),
    (r"STATIC_DIR|HOME", "the root file system is read-only, and this is one of the places that are not"),
    (r"WEBUI_(SESSION|AUTH)_COOKIE_(SECURE|SAME_SITE)", "it follows from publicUrl"),
    (r"ENABLE_PIP_INSTALL_FRONTMATTER_REQUIREMENTS", "replicas would differ in what they install"),
    (r"OPENID_(PROVIDER_URL|REDIRECT_URI)|ENABLE_OAUTH_SIGNUP", "set oidc"),
    (r"OAUTH_(CLIENT_ID|CLIENT_SECRET|PROVIDER_NAME|SCOPES|MERGE_ACCOUNTS_BY_EMAIL)", "set oidc"),
    (r"OAUTH_SESSION_TOKEN_ENCRYPTION_KEY", "it is the same on all replicas, as WEBUI_SECRET_KEY is"),
)


_SECRET_VARIABLE: Final = re.compile(
    r"(?!ENABLE_|DISABLE_|USER_PERMISSIONS_|GOOGLE_APPLICATION_CREDENTIALS$)"
    r"\w*(API_KEYS|(?<!PUBLIC_)KEY|TOKEN|SECRETS?|PASSWORD|PASSWD|CREDENTIALS(_JSON)?|API_AUTH)"
)
_SECRET_IN_JSON: Final = re.compile(r'\s*[\[{].*"(api_)?(key|token|secret|password)"\s*:\s*"[^"]', re.DOTALL)
_PASSWORD_IN_URL: Final = re.compile(r"://[^/@\s]*:[^/@\s]+@")


def is_secret(name: str, value: Any) -> bool:
    """Whether a variable of Open WebUI holds a secret: by its name, a password in a URL, or a member's name in JSON."""
    text = value if isinstance(value, str) else ""
    inside = _PASSWORD_IN_URL.search(text) or _SECRET_IN_JSON.match(text)
    return bool(text and (_SECRET_VARIABLE.fullmatch(name) or inside))


def owned(name: str, *, replicated: bool) -> str:
    """Why a variable is not the stack file's to set; empty if it is."""
    for pattern, reason in (*(_OWNED_IN_REPLICATED if replicated else _OWNED_IN_SINGLE), *_OWNED):
        if re.fullmatch(pattern, name):
            return f"this project sets it: {reason}"
    return ""


def _known(
    found: Mapping[str, Any], known: Iterable[str], prefix: str, what: str, refuse: Refuse
) -> list[tuple[str, Any]]:
    """The items of an object whose keys there are; the others are refused with the key that was meant."""
    choices = list(known)
    for key in found.keys() - set(choices):
        close = get_close_matches(key, choices, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(choices)}"
        refuse(f"{prefix}{key}", f"this is not {what}; {hint}", None)
    return [(key, found[key]) for key in choices if key in found]
