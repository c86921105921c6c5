"""Variables of Open WebUI: which are the stack file's to set, and which hold secrets."""

from __future__ import annotations

import re
from typing import Any, Final

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
    (r"ENABLE_PERSISTENT_CONFIG|RESET_CONFIG_ON_START", "set panelSettings"),
    (r"STACK_FILE_VARIABLES", "it names what this file says"),
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


def why_owned(name: str, *, replicated: bool) -> str:
    """Why a variable is not the stack file's to set; empty if it is."""
    for pattern, reason in (*(_OWNED_IN_REPLICATED if replicated else _OWNED_IN_SINGLE), *_OWNED):
        if re.fullmatch(pattern, name):
            return f"this project sets it: {reason}"
    return ""
