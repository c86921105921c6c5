"""The questions Valkey is asked with the client in its own container, and how its answers are read.

A password never leaves the container: the shell there reads it from its file into the client's environment, so that
it is in no command line, neither of ``docker exec`` nor of the client.
"""

from __future__ import annotations

import json
import re
import shlex
import socket
import time
from dataclasses import replace
from typing import Final

from docker_access.polling import Clock, poll
from verification.ask.docker_view import Executed
from verification.ask.view import View
from verification.evidence.container import Container
from verification.evidence.valkey import SOCKETIO_CHANNEL, Denial, Valkey
from verification.subject import Login

VALKEY_SECONDS: Final = 8.0
"""How long a command in Valkey's container may take; each question, five seconds of it. More on a busy host."""
SETTLE_SECONDS: Final = 3.0
"""How long a number of subscribers that is not the expected one is asked again: connections close a little late."""
SEPARATOR: Final = "---"

LIMIT: Final = r"""l=0; read l _ 2>/dev/null </proc/loadavg; c=$(grep -c ^processor /proc/cpuinfo) || c=1
t=$((5 * ${l%%.*} / c)); [ $t -ge 5 ] || t=5; [ $t -le 20 ] || t=20; """
"""Shell that knows how long the client may take: five seconds, more on a busy host, as ``verification.inside.load``."""

PORT: Final = r"""p=$(cat /proc/[1-9]/cmdline 2>/dev/null | tr '\0' '\n' |
sed -nE 's/^(valkey|redis)-server .*:([0-9]+)( .*)?$/\2/p' | head -n 1); """
"""Shell that knows the port from the server's title, such as ``valkey-server *:6379``; empty where it has another.

Source: https://github.com/valkey-io/valkey/blob/8.0.1/valkey.conf (``proc-title-template``)
"""

LISTENING: Final = "sed -n '/^ *[0-9]*: [0-9A-F]*:[0-9A-F]* [0-9A-F:]* 0A /p' /proc/net/tcp /proc/net/tcp6 2>/dev/null"
"""Shell that prints the TCP sockets that listen in its container, as the kernel writes them.

Source: https://www.kernel.org/doc/html/v6.6/networking/proc_net_tcp.html
"""
SOCKET: Final = re.compile(r"^ *\d+: ([0-9A-F]{8}|[0-9A-F]{32}):([0-9A-F]{4}) [0-9A-F:]+ 0A ", re.MULTILINE)

ALL_DENIALS: Final = 128
"""Entries Valkey keeps.

Source: https://github.com/valkey-io/valkey/blob/8.0.1/valkey.conf (``acllog-max-len``)
"""


def _client(login: Login | None) -> str:
    """Shell that defines ``ask``, bounded in time; with a login also ``nobody``, which asks without an account."""
    # redis-cli first, as the tutorial asks; without -e NOAUTH exits 0, and even so it is the answer that is compared.
    client = "n=$(command -v redis-cli || command -v valkey-cli) || exit 127; " + LIMIT + PORT
    if login is None:
        return client + _function("ask", [])
    tls = ["--tls", "--cacert", login.ca_file] if login.ca_file else []
    password = f"REDISCLI_AUTH=$(cat {shlex.quote(login.password_file)}) || exit 1; export REDISCLI_AUTH; "
    functions = _function("ask", [*tls, "--user", login.user]) + _function("nobody", tls)
    return client + password + functions


def _function(name: str, options: list[str]) -> str:
    return f'{name}() {{ timeout $t "$n" -p "${{p:-6379}}" {shlex.join(["-e", *options])} "$@" 2>&1; }}; '


def ping(login: Login | None) -> str:
    """Shell that prints the client's name and what PING is answered."""
    return f"{_client(login)}echo ${{n##*/}}; ask ping"


def statistics_of(login: Login | None) -> str:
    """Shell that prints subscribers, clients, INFO, sockets; with a login also denials and PING without an account."""
    questions = [f"ask pubsub numsub {SOCKETIO_CHANNEL}", "ask client list", "ask info"]
    if login:
        # JSON, because a denied key or channel may be any text, with line breaks too.
        questions += [f"ask --json acl log {ALL_DENIALS}", "unset REDISCLI_AUTH; nobody ping"]
    questions.append(LISTENING)
    return _client(login) + f"; echo; echo {SEPARATOR}; ".join(questions)


def ask_valkey(view: View, name: str, login: Login | None) -> Valkey:
    """PING with the client in Valkey's own container."""
    started = time.monotonic()
    executed = view.execute(name, ["sh", "-c", ping(login)], seconds=VALKEY_SECONDS)
    client, _, answer = executed.output.strip().partition("\n")
    problem = executed.problem or {124: "timeout", 127: "no-client", 143: "timeout"}.get(executed.exit_code, "")
    return Valkey(
        container=Container(name=name),
        client=client,
        login=login.user if login else "",
        answer=answer or executed.error.strip(),
        problem=problem,
        seconds=time.monotonic() - started,
    )


def ask_statistics(view: View, valkey: Valkey, login: Login | None, expected: int, clock: Clock) -> Valkey:
    """Subscribers, denials and INFO, asked in Valkey's own container.

    Where the subscribers are not as many as ``expected``, it is asked again for a moment.
    """
    if valkey.problem:
        return valkey
    command = ["sh", "-c", statistics_of(login)]
    for _ in poll(SETTLE_SECONDS, clock=clock):
        found = read_statistics(valkey, view.execute(valkey.name, command, seconds=VALKEY_SECONDS * 2))
        if found.subscribers in {None, expected}:
            break
    return found


def read_statistics(valkey: Valkey, executed: Executed) -> Valkey:
    """Read the answers to :func:`statistics_of`; each part may have been refused."""
    answers = [part.strip() for part in executed.output.split(f"\n{SEPARATOR}\n")]
    numsub, clients, information, denials, nobody = (*answers, "", "", "", "", "")[:5]
    count = re.fullmatch(rf"{SOCKETIO_CHANNEL}\s+(\d+)", numsub)
    info = dict(re.findall(r"^(\w+):(.*?)\r?$", information, re.MULTILINE))
    lines = [line for line in clients.splitlines() if line.startswith("id=")]
    subscribed = (line for line in lines if re.search(r" sub=[1-9]", line))
    found = (re.search(r" addr=\[?(.+?)\]?:\d+ ", line) for line in subscribed)
    return replace(
        valkey,
        subscribers=int(count[1]) if count else None,
        subscriber_addresses=tuple(sorted(match[1] for match in found if match)) if lines else None,
        version=info.get("valkey_version") or info.get("redis_version", ""),
        info=info,
        listening=tuple(sorted({_socket_address(*found) for found in SOCKET.findall(executed.output)})) or None,
        denials=_read_denials(denials),
        nobody=nobody,
    )


def _socket_address(host: str, port: str) -> str:
    """An address as people write it: the kernel writes each four bytes of it with the last one first."""
    packed = b"".join(bytes.fromhex(host[start : start + 8])[::-1] for start in range(0, len(host), 8))
    name = socket.inet_ntop(socket.AF_INET if len(packed) == len(b"ipv4") else socket.AF_INET6, packed)
    return f"[{name}]:{int(port, 16)}" if ":" in name else f"{name}:{int(port, 16)}"


def _read_denials(text: str) -> tuple[Denial, ...] | None:
    """Entries of the ACL LOG, latest first; None when Valkey refused."""
    try:
        return tuple(map(Denial.from_entry, json.loads(text)))
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
