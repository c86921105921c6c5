"""Valkey's ACL file: its accounts, and what each may do; pure.

Source: https://valkey.io/topics/acl/
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

APP_ACCOUNT: Final = "openwebui"
VERIFY_ACCOUNT: Final = "verify"
HEALTH_ACCOUNT: Final = "health"
ACCOUNTS: Final = (APP_ACCOUNT, VERIFY_ACCOUNT, HEALTH_ACCOUNT)

KEY_PREFIX: Final = "open-webui"
"""Open WebUI's REDIS_KEY_PREFIX, its default."""

RIGHTS: Final = {
    APP_ACCOUNT: (
        f"~{KEY_PREFIX}:* &socketio &socketio#* &{KEY_PREFIX}:tasks:commands &{KEY_PREFIX}:direct_completion "
        "-@all +ping +select +client|setinfo "
        "+get +set +del +exists +expire +incrby +decrby +strlen +append +mget "
        "+hset +hget +hdel +hexists +hlen +hkeys +hvals +hgetall +hscan +hmget +hincrby "
        "+sadd +srem +smembers +scard +rpush +lrange +llen +zadd +zrem +zcount "
        "+eval +evalsha +script|load +multi +exec +publish +subscribe +unsubscribe +psubscribe"
    ),
    VERIFY_ACCOUNT: "-@all +ping +info +pubsub|numsub +acl|log +client|list",
    HEALTH_ACCOUNT: "-@all +ping",
}
"""Everything that each account may do. Open WebUI's has the commands of 0.12: tasks, sockets, sign-outs, rate limits.

``tests/redis_calls.py`` reads them from an installed Open WebUI, those of its Lua scripts included. 0.12.0 also tries
``HEXPIRE``, and goes on without it. Valkey has that command from 9.0 on, and an older one would not start with an ACL
that names it.

0.12.0 subscribes to all rooms by one pattern, 0.12.4 to those of its sockets by name. ``PSUBSCRIBE`` is allowed for no
pattern but those that stand here.
"""


def accounts_file(passwords: Mapping[str, str], rights: Sequence[str] = ()) -> str:
    """The ACL file: nobody gets in without the account's password, and the file holds the SHA-256 of each.

    The rights are further ones of Open WebUI's account; see :class:`Lockdown`.
    """
    lines = ["user default off resetpass resetkeys resetchannels -@all"]
    for account in ACCOUNTS:
        digest = hashlib.sha256(passwords[account].encode()).hexdigest()
        granted = " ".join([RIGHTS[account], *(rights if account == APP_ACCOUNT else ())])
        lines.append(f"user {account} on #{digest} resetkeys resetchannels {granted}")
    return "\n".join(lines) + "\n"
