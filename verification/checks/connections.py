"""Whether the apps' own URLs connect to Valkey."""

from __future__ import annotations

from urllib.parse import urlsplit

from verification.checks.causes import OF_URL, Cause
from verification.checks.finding import Finding, combined, failed, listed, passed, unanswered, unknown
from verification.checks.name_resolution import is_loopback
from verification.checks.refusals import REFUSED, info_words, refusal_fix
from verification.checks.rights import live_events_fix
from verification.evidence import App, Evidence
from verification.evidence.inside import STATE_URL, WEBSOCKET_URL, Connection
from verification.evidence.valkey import Valkey


def connect(evidence: Evidence) -> Finding:
    """The app's own WEBSOCKET_REDIS_URL connects from inside its container, with its own library."""
    return _all_connect(evidence, WEBSOCKET_URL)


def connect_redis_url(evidence: Evidence) -> Finding:
    """The app's own REDIS_URL connects from inside its container, with its own library."""
    return _all_connect(evidence, STATE_URL)


def _all_connect(evidence: Evidence, variable: str) -> Finding:
    return combined((_connects(app, variable, evidence) for app in evidence.apps), "PONG from ")


def _connects(app: App, variable: str, evidence: Evidence) -> Finding:
    if app.probe.problem:
        return unanswered(app)
    name, connection = app.container.name, app.probe.connection(variable)
    if not connection.problem:
        primary = f", by Sentinel {connection.primary}," if connection.primary else ""
        return passed(f"{connection.url}{primary} at {name}", connection.seconds)
    if connection.problem in OF_URL:
        words = connection.error or f"{variable} is not set"
        return unknown(OF_URL[connection.problem], f"{name}: {words}")
    cause, fix = connection_fault(app, variable, connection, evidence)
    seen = f"{connection.url} from {name}: {connection.error}{info_words(evidence.valkey, cause)}"
    return failed(cause, seen, fix, connection.seconds)


def connection_fault(app: App, variable: str, connection: Connection, evidence: Evidence) -> tuple[Cause, str]:
    """Cause and fix of a connection that fails."""
    account = f"{'' if connection.user == 'default' else connection.user}:PASSWORD"
    scheme = urlsplit(connection.url).scheme or "redis"
    # With Sentinel the URL has the primary's name for a host, and is to keep it.
    host = (connection.primary and urlsplit(connection.url).hostname) or connection.host
    url = f"{scheme}://{account}@{host}:6379/{connection.database}"
    sentinel = f"{variable.partition('_')[0]}_SENTINEL"
    waited_for_answer = connection.problem == "timeout" and "connecting" not in connection.error.lower()
    valkey = evidence.valkey.container.name if evidence.valkey and evidence.valkey.container else ""
    causes: dict[str, tuple[Cause, str]] = {
        "resolve": ("name-does-not-resolve", f"docker network connect NETWORK {app.container.name}"),
        "refused": _refused_connection(variable, connection, evidence.valkey),
        "timeout": ("valkey-hung", f"docker unpause {valkey} || docker restart {valkey}")
        if waited_for_answer
        else ("valkey-unreachable", f"check host, port and networks: docker inspect {valkey}"),
        "auth": ("valkey-auth-refused", f"set {variable}={url} in the environment of {app.container.name}"),
        "acl": ("valkey-acl-denied", live_events_fix(evidence, connection.user)),
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
            problem: (refused, refusal_fix(refused, evidence.valkey) if evidence.valkey else "")
            for problem, refused in REFUSED.items()
        },
    }
    cause, fix = causes.get(connection.problem, ("valkey-connection-failed", f"docker logs {valkey}"))
    known = {"valkey-auth-refused", "valkey-acl-denied", "valkey-tls-failed", "valkey-protected-mode"}
    known |= {"sentinel-unreachable", "sentinel-knows-no-primary"}
    if not valkey and cause not in (known | set(REFUSED.values()) if evidence.valkey else known):
        fix = f"fix Valkey at {connection.host}, or correct {variable} (valkeyUrl of the stack)"
    return cause, fix


def _refused_connection(variable: str, connection: Connection, valkey: Valkey | None) -> tuple[Cause, str]:
    """The connection is refused: where it is known what Valkey listens on, that explains it."""
    container = valkey.container if valkey else None
    if not valkey or not container:
        return "valkey-unreachable", ""
    listening = [urlsplit(f"//{place}") for place in valkey.listening or ()]
    there = set(connection.addresses) <= container.addresses and connection.addresses
    on_port = [is_loopback(place.hostname or "") for place in listening if place.port == connection.port]
    if there and on_port and all(on_port):
        command = f"docker exec {valkey.name} {valkey.client or 'valkey-cli'} config set bind '* -::*'"
        fix = f"{command}    # and `bind * -::*` in its configuration; with a password, or it is in protected mode then"
        return "valkey-binds-loopback", fix
    if there and listening and not on_port:
        ports = sorted({place.port for place in listening if place.port and not is_loopback(place.hostname or "")})
        return "valkey-unreachable", f"correct the port in {variable}: {valkey.name} listens on {listed(ports)}"
    if container.status == "running" and valkey.answer:
        return "valkey-unreachable", f"check host and port in {variable}: {valkey.name} runs and answers"
    return "valkey-unreachable", f"docker start {valkey.name}; check host and port in {variable}"


def _protected_fix(variable: str, url: str, valkey: Valkey | None) -> str:
    name = valkey.name if valkey else "Valkey"
    return f"give {name} a password (requirepass PASSWORD in its configuration), and set {variable}={url}"
