"""What Valkey says of itself when it refuses, and what helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from verification.checks.causes import Cause
from verification.checks.finding import UPDATE
from verification.evidence.valkey import Valkey

REFUSED: Final[Mapping[str, Cause]] = {
    "readonly": "valkey-read-only",
    "oom": "valkey-out-of-memory",
    "persistence": "valkey-persistence-failing",
    "clients": "valkey-clients-exhausted",
}
"""By the problem of a connection, or of writing over it, that is Valkey's own."""


def own_refusal(valkey: Valkey) -> tuple[Cause, str] | None:
    """Cause and fix when Valkey itself says why it answers no PONG."""
    causes: dict[str, Cause] = {
        "LOADING": "valkey-loading",
        "MISCONF": "valkey-persistence-failing",
        "MASTERDOWN": "valkey-read-only",
        "max number of clients": "valkey-clients-exhausted",
    }
    cause = next((cause for sign, cause in causes.items() if sign in valkey.answer), None)
    return (cause, refusal_fix(cause, valkey)) if cause else None


def refusal_fix(cause: Cause, valkey: Valkey) -> str:
    """What to do about a Valkey that answers and refuses."""
    name, info = valkey.name, valkey.info
    cli = f"docker exec {name} valkey-cli" if valkey.container else f"at {name}: valkey-cli"
    primary = f"{info['master_host']}:{info.get('master_port', 6379)}" if info.get("master_host") else ""
    limit = f"raise the memory of valkey (limits of the stack), then {UPDATE}"
    if not valkey.login:
        twice = 2 * int(info.get("maxmemory", 0))
        limit = f"{cli} config set maxmemory {twice}    # and in its configuration"
    fixes: dict[Cause, str] = {
        "valkey-loading": f"docker logs -f {name}    # until its data is loaded"
        if valkey.container
        else "wait until its data is loaded",
        "valkey-read-only": f"point the URLs at its primary{primary and f' {primary}'}, "
        f"or make it one: {cli} replicaof no one",
        "valkey-out-of-memory": limit,
        "valkey-persistence-failing": f"docker exec {name} df -h /data; docker logs {name}    "
        "# give it room and a directory it may write to"
        if valkey.container
        else f"give the Valkey at {name} room on its disk and a directory it may write to",
        # Its own client gets no connection either.
        "valkey-clients-exhausted": f"docker restart {name}    # closes them all; then raise its maxclients "
        "(valkeyMaxClients of the stack)"
        if valkey.container
        else f"close connections to the Valkey at {name}, or raise its maxclients",
    }
    return fixes[cause]


def info_words(valkey: Valkey | None, cause: Cause) -> str:
    """What INFO says about a refusal; empty where it says nothing."""
    info = valkey.info if valkey else {}
    if not info:
        return ""
    words: dict[Cause, str] = {
        "valkey-read-only": f"role {info.get('role')}, primary {info.get('master_host', '(none)')} "
        f"{info.get('master_link_status', '')}".rstrip(),
        "valkey-out-of-memory": f"{info.get('used_memory_human')} used, maxmemory {info.get('maxmemory_human')}, "
        f"policy {info.get('maxmemory_policy')}",
        "valkey-persistence-failing": f"last save {info.get('rdb_last_bgsave_status')}"
        + (f", last append {info.get('aof_last_write_status')}" if info.get("aof_enabled") == "1" else ""),
    }
    return f"; {words[cause]}" if cause in words else ""
