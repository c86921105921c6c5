"""The environment that the migration and every replica of Open WebUI share; pure.

What the source does with each variable is in docs/environment.md.

Source: https://docs.openwebui.com/getting-started/env-configuration
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from components import embedding
from components.accounts import Oidc
from components.limits import Pools

SAID_VARIABLES: Final = "STACK_FILE_VARIABLES"
"""Names the variables that win over the admin panel; ``panel_fill`` reads it."""

DATA_PATH: Final = "/app/backend/data"
"""Where Open WebUI keeps its uploads, and its database where that is SQLite."""

STATIC_PATH: Final = "/app/static"
"""Where it copies its assets at its start: in memory, where the root file system is read-only."""

CONNECT_SECONDS: Final = 5
"""How long a connection to Valkey may take; without a bound requests wait for minutes when it is gone."""

HEALTH_CHECK_SECONDS: Final = 60
"""Idle connections to Valkey are tried after so long; below the time after which Valkey closes them."""


def ca_environment(path: str) -> dict[str, str]:
    """What has every library trust the authorities in a file, and no others.

    OpenSSL's own variable is aiohttp's and httpx's too, and so that of models and of OpenID Connect; the other one is
    that of requests and of botocore (S3).
    """
    return {"SSL_CERT_FILE": path, "REQUESTS_CA_BUNDLE": path}


def base_environment(*, log_level: str) -> dict[str, str]:
    """What makes Valkey the websocket manager, wherever it is."""
    return {
        "ENABLE_WEBSOCKET_SUPPORT": "true",
        "WEBSOCKET_MANAGER": "redis",
        # The one-shot container has migrated; two that migrate at once corrupt the schema.
        "ENABLE_DB_MIGRATIONS": "false",
        "GLOBAL_LOG_LEVEL": log_level,
        # No image is to change it under the vectors there are.
        **embedding.DEFAULTS,
        # Each boot would ask huggingface.co first, and wait for minutes where a firewall drops what it sends.
        "RAG_EMBEDDING_MODEL_AUTO_UPDATE": "false",
        "RAG_RERANKING_MODEL_AUTO_UPDATE": "false",
    }


def replicated_environment(
    *,
    log_level: str,
    public_url: str,
    cors_allow_origin: str,
    enable_signup: bool,
    panel_settings: bool,
    pools: Pools,
    oidc: Oidc | None,
    compute_threads: int,
) -> dict[str, str]:
    """The environment of replicas behind a gateway, without its secrets, from what :class:`Replication` says of each.

    Cookies are marked secure where the public URL is https. Each library that computes starts ``compute_threads``.
    """
    secure = "true" if public_url.startswith("https://") else "false"
    environment = {
        **base_environment(log_level=log_level),
        "WEBUI_URL": public_url,
        "CORS_ALLOW_ORIGIN": cors_allow_origin,
        "WEBUI_SESSION_COOKIE_SECURE": secure,
        "WEBUI_AUTH_COOKIE_SECURE": secure,
        # With false, what is saved in the admin panel holds in one replica, and until it restarts.
        "ENABLE_PERSISTENT_CONFIG": "true" if panel_settings else "false",
        # Its default is true.
        "ENABLE_SIGNUP": "true" if enable_signup else "false",
        "VECTOR_DB": "pgvector",
        # Postgres' superuser has made the extension; the role may not.
        "PGVECTOR_CREATE_EXTENSION": "false",
        "DATABASE_POOL_SIZE": str(pools.size),
        "DATABASE_POOL_MAX_OVERFLOW": str(pools.overflow),
        "PGVECTOR_POOL_SIZE": str(pools.vector_size),
        "PGVECTOR_POOL_MAX_OVERFLOW": str(pools.vector_overflow),
        "REDIS_SOCKET_CONNECT_TIMEOUT": str(CONNECT_SECONDS),
        "REDIS_SOCKET_KEEPALIVE": "true",
        "REDIS_HEALTH_CHECK_INTERVAL": str(HEALTH_CHECK_SECONDS),
        "UVICORN_WORKERS": "1",
        # Nothing is installed at run time: the root file system is read-only, and replicas would differ.
        "ENABLE_PIP_INSTALL_FRONTMATTER_REQUIREMENTS": "false",
        # One for each core of the host would be throttled to the limit, and not answer meanwhile.
        "OMP_NUM_THREADS": str(compute_threads),
        "OPENBLAS_NUM_THREADS": str(compute_threads),
        "TOKENIZERS_PARALLELISM": "false",
        "DATA_DIR": DATA_PATH,
        "STATIC_DIR": STATIC_PATH,
        "HOME": "/tmp",  # noqa: S108 - in the container, in memory
    }
    if oidc:
        environment |= {
            "OPENID_PROVIDER_URL": oidc.provider_url,
            "OAUTH_CLIENT_ID": oidc.client_id,
            "OAUTH_PROVIDER_NAME": oidc.provider_name,
            "OAUTH_SCOPES": oidc.scopes,
            "ENABLE_OAUTH_SIGNUP": "true" if oidc.enable_signup else "false",
            "OAUTH_MERGE_ACCOUNTS_BY_EMAIL": "true" if oidc.merge_accounts_by_email else "false",
            "OPENID_REDIRECT_URI": f"{public_url}/oauth/oidc/callback",
        }
    return environment


def migration_environment(environment: Mapping[str, str], said: Sequence[str] = ()) -> dict[str, str]:
    """The one-shot container's environment: the application's, with migrations on and a log that holds no debugging.

    ``said`` names the variables that win over the admin panel.
    """
    return {
        **environment,
        "ENABLE_DB_MIGRATIONS": "true",
        "GLOBAL_LOG_LEVEL": "INFO",
        **({SAID_VARIABLES: " ".join(said)} if said else {}),
    }


def as_shell(variables: Mapping[str, str]) -> str:
    """Variables as lines a POSIX shell reads."""
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in sorted(variables.items()))
