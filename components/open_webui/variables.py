"""Open WebUI's variables whose values are secrets, or known only once something exists.

The others are in ``environment``.
"""

from __future__ import annotations

from collections.abc import Mapping

import pulumi

from components.accounts import Admin
from components.embedding import DEFAULTS as EMBEDDING
from components.embedding import embedding
from components.open_webui.args import Addressed, OpenWebUIArgs, Replication
from components.open_webui.environment import as_shell


def valkey_addresses(valkey: Addressed, *, secret: bool) -> dict[str, pulumi.Input[str]]:
    """The variables with Valkey's addresses: those that hold a secret, which are outputs, or those that do not."""
    addresses = {"WEBSOCKET_REDIS_URL": valkey.url(1), "REDIS_URL": valkey.url(0)}
    return {name: url for name, url in addresses.items() if isinstance(url, str) != secret}


def embedding_label(extra: Mapping[str, pulumi.Input[str]]) -> pulumi.Output[str]:
    """Engine and model that embed documents. They are no secret, although other further variables may be."""
    chosen = {name: extra.get(name, default) for name, default in EMBEDDING.items()}
    return pulumi.Output.unsecret(pulumi.Output.all(**chosen).apply(embedding))


def secret_variables(
    args: OpenWebUIArgs, replication: Replication, secret_key: pulumi.Output[str]
) -> pulumi.Output[str]:
    """The file that the migration and every replica read at their start, as shell lines."""
    variables: dict[str, pulumi.Input[str]] = {
        **args.extra_environment,
        "WEBUI_SECRET_KEY": secret_key,
        "WEBSOCKET_REDIS_URL": args.valkey.url(1),
        "REDIS_URL": args.valkey.url(0),
        "DATABASE_URL": replication.postgres.url,
    }
    if replication.oidc:
        variables["OAUTH_CLIENT_SECRET"] = replication.oidc_client_secret
    return pulumi.Output.secret(pulumi.Output.all(**variables).apply(as_shell))


def account_variables(admin: Admin, password: pulumi.Output[str]) -> pulumi.Output[str]:
    """The file that only the migration reads, as shell lines: the first account, which it creates."""
    account: dict[str, pulumi.Input[str]] = {
        "WEBUI_ADMIN_EMAIL": admin.email,
        "WEBUI_ADMIN_NAME": admin.name,
        "WEBUI_ADMIN_PASSWORD": password,
    }
    return pulumi.Output.secret(pulumi.Output.all(**account).apply(as_shell))
