"""Valkey itself, and the way from the apps to it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from verification.checks.causes import OF_URL, Cause
from verification.checks.evidence import STATE_URL, WEBSOCKET_URL, App, Connection, Container, Denial, Evidence, Valkey
from verification.checks.finding import UPDATE, Finding, failed, first_failure, listed, passed, unanswered, unknown

DENIALS_SHOWN: Final = 5
VALKEY_PORT: Final = 6379

OWN_QUESTIONS: Final = frozenset({"pubsub|numsub", "client|list", "info", "acl|log"})
"""What is asked with the app's account where no other is known, or by a URL with it; Open WebUI never does."""

SIGNS: Final = {"command": "+", "key": "~", "channel": "&"}
"""How a right is written, by what was denied."""

DONE_WITHOUT: Final = frozenset({"hexpire"})
"""What Open WebUI tries and goes on without: 0.12.0, where Valkey is 9.0 or later."""


def valkey_pong(evidence: Evidence) -> Finding:
    """Valkey answers PONG to the client in its own container; one that is elsewhere, to the apps' own connections."""
    valkey = evidence.valkey
    if valkey is None:
        found = [connect(evidence), connect_redis_url(evidence)]
        seconds = max(finding.seconds for finding in found)
        return first_failure(found, passed(f"to the apps' own connections: {found[0].evidence}", seconds))
    if valkey.answer == "PONG":
        account = f" as {valkey.login}" if valkey.login else ""
        place = f"{valkey.client} in {valkey.name}" if valkey.container else f"{valkey.url} from {valkey.client}"
        return passed(f"{place}{account}: PONG", valkey.seconds)
    return _no_pong(valkey, evidence) if valkey.container else _no_pong_by_url(valkey, evidence)


def _no_pong_by_url(valkey: Valkey, evidence: Evidence) -> Finding:
    seen = f"{valkey.url} from {valkey.client}: {valkey.answer or valkey.problem}"
    refusal = refused_with(valkey)
    if refusal:
        return failed(refusal[0], seen + _told(valkey, refusal[0]), refusal[1], valkey.seconds)
    own = first_failure([connect(evidence), connect_redis_url(evidence)], passed(""))
    if own.status == "failed" and own.cause:
        return failed(own.cause, f"{seen}; {own.evidence}", own.fix, valkey.seconds)
    return unknown(
        "valkey-not-asked", seen, "correct the URL that Valkey is asked by; the apps have another", applies=True
    )


def _no_pong(valkey: Valkey, evidence: Evidence) -> Finding:  # noqa: PLR0911 - one an answer
    name = valkey.name
    causes: dict[str, Cause] = {"paused": "valkey-paused", "not-running": "valkey-exited", "timeout": "valkey-hung"}
    if valkey.problem in causes:
        fix = f"docker unpause {name}" if valkey.problem == "paused" else f"docker restart {name}"
        return failed(causes[valkey.problem], f"{name}: {valkey.problem}, no PONG", fix, valkey.seconds)
    seen = f"{valkey.client or 'neither redis-cli nor valkey-cli'} in {name}: {valkey.answer or valkey.problem}"
    refused = re.match(r"NOAUTH|WRONGPASS|NOPERM|AUTH failed", valkey.answer)
    if valkey.login and not valkey.problem and (refused or not valkey.client):
        fix = f"docker restart {name}    # it reads its users when it starts; then {UPDATE}"
        return failed("valkey-login-refused", f"{seen} (asked as {valkey.login})", fix, valkey.seconds)
    refusal = refused_with(valkey)
    answered = [not item.problem for app in evidence.apps for item in app.probe.connections.values() if item.url]
    # One that was starting may have answered since; where it has not, one URL may lead to another Valkey.
    if not valkey.login and answered and (all(answered) if refusal else any(answered)):
        return passed(f"{seen}; PONG to the app's own account", valkey.seconds)
    if refusal:
        return failed(refusal[0], seen + _told(valkey, refusal[0]), refusal[1], valkey.seconds)
    if refused:
        return unknown("valkey-needs-a-password", seen, "set REDISCLI_AUTH in Valkey's container")
    if valkey.problem:
        return unknown("valkey-not-asked", seen)
    return failed("valkey-unreachable", seen, f"docker logs {name}", valkey.seconds)


def refused_with(valkey: Valkey) -> tuple[Cause, str] | None:
    """Cause and fix when Valkey itself says why it answers no PONG."""
    causes: dict[str, Cause] = {
        "LOADING": "valkey-loading",
        "MISCONF": "valkey-persistence-failing",
        "MASTERDOWN": "valkey-read-only",
        "max number of clients": "valkey-clients-exhausted",
    }
    cause = next((cause for words, cause in causes.items() if words in valkey.answer), None)
    return (cause, _mend(cause, valkey)) if cause else None


def _mend(cause: Cause, valkey: Valkey) -> str:
    """What to do about a Valkey that answers and refuses."""
    name, info = valkey.name, valkey.info
    cli = f"docker exec {name} valkey-cli" if valkey.container else f"at {name}: valkey-cli"
    primary = f"{info['master_host']}:{info.get('master_port', 6379)}" if info.get("master_host") else ""
    limit = f"raise the memory of valkey (limits of the stack), then {UPDATE}"
    if not valkey.login:
        twice = 2 * int(info.get("maxmemory", 0))
        limit = f"{cli} config set maxmemory {twice}    # and in its configuration"
    mends: dict[Cause, str] = {
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
    return mends[cause]


def _told(valkey: Valkey | None, cause: Cause) -> str:
    """What INFO says about a refusal; empty where it says nothing."""
    info = valkey.info if valkey else {}
    if not info:
        return ""
    told: dict[Cause, str] = {
        "valkey-read-only": f"role {info.get('role')}, primary {info.get('master_host', '(none)')} "
        f"{info.get('master_link_status', '')}".rstrip(),
        "valkey-out-of-memory": f"{info.get('used_memory_human')} used, maxmemory {info.get('maxmemory_human')}, "
        f"policy {info.get('maxmemory_policy')}",
        "valkey-persistence-failing": f"last save {info.get('rdb_last_bgsave_status')}"
        + (f", last append {info.get('aof_last_write_status')}" if info.get("aof_enabled") == "1" else ""),
    }
    return f"; {told[cause]}" if cause in told else ""


# --- the way to it ----------------------------------------------------------------------------------------------------


def name_resolution(evidence: Evidence) -> Finding:
    """The host in the app's own URLs resolves, inside the app container, to Valkey; one elsewhere, to anything."""
    connections = [
        (app, variable, connection)
        for app in evidence.apps
        for variable, connection in app.probe.connections.items()
        if connection.host
    ]
    if not connections:
        return unknown("not-asked", "no URL with a host was found")
    words = sorted({f"{connection.host} -> {', '.join(connection.addresses)}" for _, _, connection in connections})
    valkey = evidence.valkey
    if valkey and valkey.container:
        container = valkey.container
        found = [_resolution(*item, container, valkey.info.get("run_id", "")) for item in connections]
        return first_failure(found, passed(listed(sorted({finding.evidence for finding in found}))))
    found = [_resolution_elsewhere(*item, valkey) for item in connections]
    there = (valkey and valkey.found) or frozenset()
    same = all(item.left in there for _, _, item in connections)
    return first_failure(found, passed(listed(words) + (": the Valkey that was asked by URL" if same else "")))


def _resolution_elsewhere(app: App, variable: str, connection: Connection, valkey: Valkey | None) -> Finding:
    host, name = connection.host, app.container.name
    if connection.problem == "resolve":
        seen = f"{host} ({variable}) does not resolve inside {name}: {connection.error}"
        return failed("name-does-not-resolve", seen, f"correct the host in {variable} (valkeyUrl of the stack)")
    if is_loopback(host) and connection.problem and app.container.addresses:
        line = ANNOUNCE if connection.primary else f"correct the host in {variable} (valkeyUrl of the stack)"
        return _loopback(app, variable, connection, line)
    if valkey and valkey.found is not None and connection.left and connection.left not in valkey.found:
        seen = f"what {name} writes over {variable} ({connection.url}) is not in the Valkey asked by {valkey.url}"
        fix = f"point {variable} at that Valkey, or ask by the URL of the one that {name} uses"
        return failed("name-resolves-elsewhere", seen, fix)
    return passed(host)


def _resolution(app: App, variable: str, connection: Connection, valkey: Container, server: str) -> Finding:
    host, name = connection.host, app.container.name
    shared = valkey.networks.keys() & app.container.networks.keys()
    # One that the app shares no network with has addresses too, and no name resolves to them.
    own = valkey.addresses_on(shared) or valkey.addresses
    line = f"set {variable}=redis://{valkey.name}:6379/{_database(connection)} in the environment of {name}"
    line = ANNOUNCE if connection.primary else line
    # Containers on the host's network, or on one another's, have no address of their own and do share the loopback.
    if is_loopback(host) and valkey.addresses and app.container.addresses:
        return _loopback(app, variable, connection, line)
    if connection.problem == "resolve":
        network = min(valkey.networks, default="NETWORK")
        fix = line if shared else f"docker network connect {network} {name}    # they share no network"
        return failed(
            "name-does-not-resolve",
            f"{host} ({variable}) does not resolve inside {name}: {connection.error}",
            fix,
        )
    if is_loopback(host) or not connection.addresses or not own:
        return unknown(
            "addresses-unknown",
            f"{host} -> {', '.join(connection.addresses) or '?'}; Valkey's own addresses are not known",
        )
    strangers = set(connection.addresses) - own
    if strangers:
        sometimes = ", only sometimes to Valkey," if set(connection.addresses) & own else ""
        seen = f"{host} ({variable}) resolves to {listed(sorted(strangers))}{sometimes} inside {name}"
        seen += f"; {valkey.name} has {listed(sorted(own))}"
        if sometimes or connection.problem:
            return failed("name-resolves-elsewhere", seen, line)
        return _by_another_address(variable, connection, seen, server, line)
    return passed(f"{host} -> {listed(connection.addresses)}", connection.seconds)


def _by_another_address(variable: str, connection: Connection, seen: str, server: str, line: str) -> Finding:
    """A port of this host's, a proxy or a service's address may lead to Valkey as well: the server itself tells."""
    known = connection.server and server
    if known and connection.server == server:
        words = f"{connection.host} -> {listed(connection.addresses)}, where the same server answers"
        return passed(words, connection.seconds)
    if known and not connection.primary and variable == WEBSOCKET_URL:
        return failed("name-resolves-elsewhere", f"{seen}, and another server answers there", line)
    why = "whether it answers there is not known"
    if known:
        why = "Sentinel names another server" if connection.primary else "sessions are kept in another Valkey"
    return unknown("addresses-unknown", f"{seen}: {why}")


def is_direct(app: App, valkey: Container) -> bool:
    """Whether an app's live events go to an address of Valkey's own, which then sees them come from the app's."""
    connection = app.probe.connections.get(WEBSOCKET_URL, Connection())
    return not set(connection.addresses) - valkey.addresses


def is_replica_of_sentinels(app: App, valkey: Valkey) -> bool:
    """Whether Sentinel sends the app to another server than the one that was named, as it may after a failover."""
    connection = app.probe.connections.get(WEBSOCKET_URL, Connection())
    if not (connection.primary and valkey.container) or is_direct(app, valkey.container):
        return False
    return not connection.server or connection.server != valkey.info.get("run_id")


ANNOUNCE: Final = "have Sentinel name an address that the apps reach: replica-announce-ip of each Valkey, or host names"
"""It takes and tells names with `resolve-hostnames yes` and `announce-hostnames yes` in its configuration."""


def _loopback(app: App, variable: str, connection: Connection, fix: str) -> Finding:
    name, host = app.container.name, connection.host
    who = f"Sentinel names {host} to {name}" if connection.primary else f"{variable} of {name} names {host}"
    seen = f"{who}: inside a container that is the container itself"
    return failed("name-is-loopback", f"{seen}, not Valkey", fix)


def _database(connection: Connection) -> str:
    return urlsplit(connection.url).path.lstrip("/") or "0"


def is_loopback(host: str) -> bool:
    """Whether a host means the container itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def connect(evidence: Evidence) -> Finding:
    """The app's own WEBSOCKET_REDIS_URL connects from inside its container, with its own library."""
    return _connects(evidence, WEBSOCKET_URL)


def connect_redis_url(evidence: Evidence) -> Finding:
    """The app's own REDIS_URL connects from inside its container, with its own library."""
    return _connects(evidence, STATE_URL)


def _connects(evidence: Evidence, variable: str) -> Finding:
    findings = [
        _connection(app, variable, app.probe.connections.get(variable, Connection(problem="unset")), evidence)
        if not app.probe.problem
        else unanswered(app)
        for app in evidence.apps
    ]
    slowest = max((finding.seconds for finding in findings), default=0.0)
    return first_failure(findings, passed("PONG from " + listed(finding.evidence for finding in findings), slowest))


def _connection(app: App, variable: str, connection: Connection, evidence: Evidence) -> Finding:
    name = app.container.name
    if not connection.problem:
        primary = f", by Sentinel {connection.primary}," if connection.primary else ""
        return passed(f"{connection.url}{primary} at {name}", connection.seconds)
    if connection.problem in OF_URL:
        words = connection.error or f"{variable} is not set"
        return unknown(OF_URL[connection.problem], f"{name}: {words}")
    cause, fix = _broken(app, variable, connection, evidence)
    seen = f"{connection.url} from {name}: {connection.error}{_told(evidence.valkey, cause)}"
    return failed(cause, seen, fix, connection.seconds)


def _broken(app: App, variable: str, connection: Connection, evidence: Evidence) -> tuple[Cause, str]:
    """Cause and fix of a connection that fails."""
    user = urlsplit(connection.url).username or "default"
    account = f"{'' if user == 'default' else user}:PASSWORD"
    scheme = urlsplit(connection.url).scheme or "redis"
    # With Sentinel the URL has the primary's name for a host, and is to keep it.
    host = (connection.primary and urlsplit(connection.url).hostname) or connection.host
    url = f"{scheme}://{account}@{host}:6379/{_database(connection)}"
    sentinel = f"{variable.partition('_')[0]}_SENTINEL"
    waited_for_answer = connection.problem == "timeout" and "connecting" not in connection.error.lower()
    valkey = evidence.valkey.container.name if evidence.valkey and evidence.valkey.container else ""
    causes: dict[str, tuple[Cause, str]] = {
        "resolve": ("name-does-not-resolve", f"docker network connect NETWORK {app.container.name}"),
        "refused": _refused_by(variable, connection, evidence.valkey),
        "timeout": ("valkey-hung", f"docker unpause {valkey} || docker restart {valkey}")
        if waited_for_answer
        else ("valkey-unreachable", f"check host, port and networks: docker inspect {valkey}"),
        "auth": ("valkey-auth-refused", f"set {variable}={url} in the environment of {app.container.name}"),
        "acl": ("valkey-acl-denied", _acl_fix(evidence, user)),
        "tls": (
            "valkey-tls-failed",
            f"make the scheme of {variable} (redis or rediss) and its certificates fit Valkey",
        ),
        "loading": ("valkey-loading", f"docker logs -f {valkey}    # until its data is loaded"),
        "protected": ("valkey-protected-mode", _protected_fix(variable, url, evidence.valkey)),
        "sentinel": (
            "sentinel-unreachable",
            f"correct {sentinel}_HOSTS (and {sentinel}_PORT, 26379), or start Sentinel",
        ),
        "no-primary": (
            "sentinel-knows-no-primary",
            f"make the host in {variable} a name that Sentinel monitors    # `sentinel masters` at Sentinel lists them",
        ),
        **{
            problem: (refused, _mend(refused, evidence.valkey) if evidence.valkey else "")
            for problem, refused in REFUSED.items()
        },
    }
    cause, fix = causes.get(connection.problem, ("valkey-connection-failed", f"docker logs {valkey}"))
    known = {"valkey-auth-refused", "valkey-acl-denied", "valkey-tls-failed", "valkey-protected-mode"}
    known |= {"sentinel-unreachable", "sentinel-knows-no-primary"}
    if not valkey and cause not in (known | set(REFUSED.values()) if evidence.valkey else known):
        fix = f"mend Valkey at {connection.host}, or correct {variable} (valkeyUrl of the stack)"
    return cause, fix


def _refused_by(variable: str, connection: Connection, valkey: Valkey | None) -> tuple[Cause, str]:
    """Nobody listens where the URL leads to: what Valkey itself listens on tells why, where that is known."""
    container = valkey.container if valkey else None
    if not valkey or not container:
        return "valkey-unreachable", ""
    port = _port_of(connection)
    listening = [urlsplit(f"//{place}") for place in valkey.listening or ()]
    there = set(connection.addresses) <= container.addresses and connection.addresses
    on_port = [is_loopback(place.hostname or "") for place in listening if place.port == port]
    if there and on_port and all(on_port):
        mend = f"docker exec {valkey.name} {valkey.client or 'valkey-cli'} config set bind '* -::*'"
        fix = f"{mend}    # and `bind * -::*` in its configuration; with a password, or it is in protected mode then"
        return "valkey-binds-loopback", fix
    if there and listening and not on_port:
        ports = sorted({place.port for place in listening if place.port and not is_loopback(place.hostname or "")})
        return "valkey-unreachable", f"correct the port in {variable}: {valkey.name} listens on {listed(ports)}"
    if container.status == "running" and valkey.answer:
        return "valkey-unreachable", f"check host and port in {variable}: {valkey.name} runs and answers"
    return "valkey-unreachable", f"docker start {valkey.name}; check host and port in {variable}"


def _port_of(connection: Connection) -> int:
    place = f"//{connection.primary}" if connection.primary else connection.url
    try:
        return urlsplit(place).port or VALKEY_PORT
    except ValueError:
        return VALKEY_PORT


def _protected_fix(variable: str, url: str, valkey: Valkey | None) -> str:
    name = valkey.name if valkey else "Valkey"
    return f"give {name} a password (requirepass PASSWORD in its configuration), and set {variable}={url}"


REFUSED: Final[Mapping[str, Cause]] = {
    "readonly": "valkey-read-only",
    "oom": "valkey-out-of-memory",
    "persistence": "valkey-persistence-failing",
    "clients": "valkey-clients-exhausted",
}
"""By the problem of a connection or of writing over it: what Valkey says of itself."""


def valkey_writes(evidence: Evidence) -> Finding:
    """Over both URLs of each app, Valkey takes a key and deletes it, and what it takes gets to its disk."""
    findings = [
        _writes(app, variable, app.probe.connections.get(variable, Connection(problem="unset")), evidence)
        if not app.probe.problem
        else unanswered(app)
        for app in evidence.apps
        for variable in (WEBSOCKET_URL, STATE_URL)
    ]
    if evidence.valkey:
        findings.append(_saves(evidence.valkey))
    slowest = max(finding.seconds for finding in findings)
    return first_failure(findings, passed(listed(item.evidence for item in findings if item.evidence), slowest))


def _writes(app: App, variable: str, connection: Connection, evidence: Evidence) -> Finding:
    name, problem = app.container.name, connection.write_problem
    if not problem:
        return passed(f"{variable} at {name}", connection.write_seconds)
    if problem == "not-asked":
        return unknown("not-connected", f"{name}: not asked over {variable}")
    cause, fix = _broken(app, variable, replace(connection, problem=problem, error=connection.write_error), evidence)
    if cause == "valkey-acl-denied":
        user = urlsplit(connection.url).username or "default"
        prefix = app.probe.environment.get("REDIS_KEY_PREFIX", "open-webui")
        fix = _granted(evidence, f"ACL SETUSER {user} '~{prefix}:*' +get +set +del +hget +hset +hdel +eval")
    seen = f"{connection.url} from {name}: {connection.write_error}{_told(evidence.valkey, cause)}"
    return failed(cause, seen, fix, connection.write_seconds)


def _saves(valkey: Valkey) -> Finding:
    """Whether what Valkey has taken gets to its disk; it may go on taking it where it does not."""
    info = valkey.info
    appends = info.get("aof_enabled") == "1" and info.get("aof_last_write_status") == "err"
    if not appends and info.get("rdb_last_bgsave_status") != "err":
        return passed("")
    cause: Cause = "valkey-persistence-failing"
    seen = f"{valkey.name} takes writes and cannot save them{_told(valkey, cause)}"
    return failed(cause, seen, _mend(cause, valkey))


# --- rights -----------------------------------------------------------------------------------------------------------


def valkey_acl(evidence: Evidence) -> Finding:
    """The app's account may do what live events need, was denied nothing else, and nobody gets in without one."""
    findings = [_rights(app, evidence) for app in evidence.apps]
    words = "the app's account was refused no channel and no command"
    if evidence.valkey and (evidence.valkey.login or not evidence.valkey.container):
        findings += list(_locked_down(evidence.valkey, evidence))
        words += "; nobody gets in without an account" if evidence.valkey.nobody else ""
        _, aside = _denials(evidence.valkey, evidence)
        words += f"; before the last proof or not for the app: {_some(aside)}" if aside else ""
    return first_failure(findings, passed(words))


def _rights(app: App, evidence: Evidence) -> Finding:
    connection = app.probe.connections.get(WEBSOCKET_URL, Connection(problem="unset"))
    if app.probe.problem or connection.problem:
        return unknown("not-connected", f"{app.container.name}: not asked")
    if app.probe.live.denied:
        user = urlsplit(connection.url).username or "default"
        seen = f"{app.container.name}: Valkey refuses {app.probe.live.denied}"
        return failed("valkey-acl-denied", seen, _acl_fix(evidence, user))
    return passed(app.container.name)


def _acl_fix(evidence: Evidence, user: str) -> str:
    return _granted(evidence, f"ACL SETUSER {user} '&socketio' '&socketio#*' +publish +subscribe +unsubscribe +ping")


def _granted(evidence: Evidence, rights: str) -> str:
    """How to bring it about that an account has these rights, written as for ``ACL SETUSER``."""
    if evidence.valkey is None or not evidence.valkey.container:
        return f"at Valkey, as its administrator: {rights}"
    if evidence.valkey.login:
        user, _, granted = rights.removeprefix("ACL SETUSER ").partition(" ")
        return f"grant {user} in the ACL file of {evidence.valkey.name}: {granted}"
    return f"docker exec {evidence.valkey.name} valkey-cli {rights}"


def _locked_down(valkey: Valkey, evidence: Evidence) -> Iterator[Finding]:
    """What the ACL LOG says of the apps, and whether Valkey answers somebody without an account."""
    name, user = valkey.name, evidence.app_user
    denials, _ = _denials(valkey, evidence)
    if denials:
        fix = f"grant it in the ACL file of {name}, and restart {name}: that empties its ACL LOG too"
        if evidence.stack and valkey.container:
            rights = " ".join(dict.fromkeys(SIGNS.get(item.reason, "") + item.what for item in denials))
            fix = f"add {rights!r} to valkeyRights of the stack, then {UPDATE}"
        yield failed("valkey-acl-log", f"{name} denied {user}: {_some(denials)}", fix)
    if valkey.nobody == "PONG":
        seen = f"{name} answers PONG to a client without an account"
        yield failed("valkey-open", seen, f"docker restart {name}    # its ACL file says `user default off`")
    if user and valkey.denials is None and not valkey.problem:
        seen = f"{name}: {valkey.login or 'its account'} may not read the ACL LOG"
        yield unknown("valkey-not-asked", seen, "grant it: +acl|log", applies=True)


def _denials(valkey: Valkey, evidence: Evidence) -> tuple[list[Denial], list[Denial]]:
    """What the apps' account was denied: first what counts, the apps' own need since the last proof; then the rest.

    Somebody else with the account, at another address, is no fault of the apps'.
    """
    # A wrong password is found by connecting; here it may be an app's from before a rotation.
    found = [
        item
        for item in valkey.denials or ()
        if item.user == evidence.app_user and item.reason != "auth" and item.what not in OWN_QUESTIONS
    ]
    addresses = [app.container.addresses for app in evidence.apps]
    # Through a router, or on the host's network, an app's own address is not known here.
    places = frozenset[str]().union(*addresses) if valkey.container and all(addresses) else None
    count = [
        item
        for item in found
        if item.what not in DONE_WITHOUT
        and (evidence.proved_ago is None or item.age_seconds < evidence.proved_ago)
        and (places is None or not item.address or item.address in places)
    ]
    return count, [item for item in found if item not in count]


def _some(denials: list[Denial]) -> str:
    """The latest of them in words."""
    more = f" and {len(denials) - DENIALS_SHOWN} more" if len(denials) > DENIALS_SHOWN else ""
    return listed(map(_said, denials[:DENIALS_SHOWN])) + more


def _said(denial: Denial) -> str:
    times = f"{denial.count} times, last " if denial.count > 1 else ""
    return f"{denial.reason} {denial.what!r} ({times}{denial.age_seconds:.0f} s ago)"
