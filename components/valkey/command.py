"""Valkey's command lines and health probes; pure.

Source: https://valkey.io/topics/valkey.conf/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from components.building.files import SECRETS_PATH
from components.building.spec import Healthcheck
from components.limits import pubsub_output_buffer, valkey_maxmemory_mib
from components.valkey.acl import HEALTH_ACCOUNT
from components.valkey.args import Lockdown

PORT: Final = 6379
"""TCP port Valkey listens on in its container."""

CA_FILE: Final = "valkey-ca.pem"
"""Name of the file with the authority's certificate, in each container that connects over TLS."""

IDLE_SECONDS: Final = 1800
"""Valkey closes connections that were idle for so long. Open WebUI's REDIS_HEALTH_CHECK_INTERVAL is far below it, and
subscribers are not closed: https://valkey.io/topics/clients/"""

HEALTHCHECK: Final = Healthcheck(
    test=("CMD-SHELL", "[ $(valkey-cli ping) = PONG ]"),
    interval="1s",
    timeout="3s",
    start_period="5s",
    retries=5,
)
"""The tutorial's. It compares the answer, because ``valkey-cli ping`` also exits 0 on an error."""


def valkey_command(save: Sequence[tuple[int, int]]) -> list[str]:
    """The command line of an open server, which saves after so many seconds if so many keys changed.

    Source: https://valkey.io/topics/persistence/
    """
    words = [str(number) for pair in save for number in pair]
    return ["valkey-server", "--save", *(words or [""])]


def locked_command(save: Sequence[tuple[int, int]], lockdown: Lockdown) -> list[str]:
    """The command line of a server that is locked down.

    Nothing is ever evicted: Open WebUI keeps revoked tokens here, and one that is dropped is valid again.

    Source: https://docs.openwebui.com/tutorials/integrations/redis and https://valkey.io/topics/encryption/
    """
    hard, soft, seconds = pubsub_output_buffer(lockdown.limits, lockdown.replicas_max)
    command = [
        *valkey_command(save),
        "--aclfile", f"{SECRETS_PATH}/users.acl",
        "--appendonly", "yes",
        "--appendfsync", "everysec",
        "--maxmemory", f"{valkey_maxmemory_mib(lockdown.limits)}mb",
        "--maxmemory-policy", "noeviction",
        "--maxclients", str(lockdown.max_clients),
        "--timeout", str(IDLE_SECONDS),
        "--tcp-keepalive", "60",
        "--client-output-buffer-limit", f"pubsub {hard}kb {soft}kb {seconds}",
    ]  # fmt: skip
    if not lockdown.tls:
        return command
    return [
        *command,
        "--port", "0",
        "--tls-port", str(PORT),
        "--tls-cert-file", f"{SECRETS_PATH}/cert.pem",
        "--tls-key-file", f"{SECRETS_PATH}/key.pem",
        "--tls-ca-cert-file", f"{SECRETS_PATH}/{CA_FILE}",
        "--tls-auth-clients", "no",
    ]  # fmt: skip


def locked_healthcheck(*, tls: bool) -> Healthcheck:
    """A probe by an account that may do nothing but PING. Without ``-e``, ``valkey-cli`` exits 0 when it is refused."""
    encrypted = f" --tls --cacert {SECRETS_PATH}/{CA_FILE}" if tls else ""
    line = (
        f"REDISCLI_AUTH=$(cat {SECRETS_PATH}/health) valkey-cli -e --user {HEALTH_ACCOUNT}{encrypted} ping"
        " | grep -qx PONG"
    )
    return Healthcheck(test=("CMD-SHELL", line), interval="2s", timeout="3s", start_period="10s", retries=5)
