"""What Open WebUI answers over HTTP: inside its container, and through the address people open."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from verification.checks.causes import Cause
from verification.checks.finding import UPDATE, Finding, combined, failed, listed, passed, unanswered, unknown
from verification.evidence import App, Evidence
from verification.evidence.url import UPGRADE_PATH, HttpAnswer, UrlEvent, origin_of

MINIMUM_VERSION: Final = (0, 12, 0)

NO_REPLICA: Final = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
"""What a gateway answers that has no replica to hand a request to."""


def health(evidence: Evidence) -> Finding:
    """GET /health is 200, inside the app and through the URL."""
    return _answers_200(evidence, "/health", "health-not-200")


def ready(evidence: Evidence) -> Finding:
    """GET /ready is 200, inside the app and through the URL; it asks the database and REDIS_URL."""
    return _answers_200(evidence, "/ready", "ready-not-200")


def _answers_200(evidence: Evidence, path: str, cause: Cause) -> Finding:
    findings = []
    for app in evidence.apps:
        if app.probe.problem:
            findings.append(unanswered(app))
        else:
            name, answer = app.container.name, app.probe.http.get(path, HttpAnswer(error="no answer"))
            findings.append(_http(name, answer, cause, "app-no-answer", f"docker logs {name}"))
    if path in evidence.url_answers and not evidence.url_answers[path].out_of_reach:
        findings.append(_through_url(evidence, path, evidence.url_answers[path], cause))
    return combined(findings, "200 ")


def _http(where: str, answer: HttpAnswer, cause: Cause, silent: Cause, fix: str) -> Finding:
    if answer.status == HTTPStatus.OK:
        return passed(f"at {where}", answer.seconds)
    if not answer.status:
        return failed(silent, f"{where}: {answer.error}", fix, answer.seconds)
    return failed(cause, f"{where}: {answer.status} {_body_start(answer)}", fix, answer.seconds)


def _body_start(answer: HttpAnswer) -> str:
    return " ".join(answer.body.split())[:200]


def _through_url(evidence: Evidence, path: str, answer: HttpAnswer, cause: Cause) -> Finding:
    """An answer through the URL; where a gateway is in between, its own faults are distinguished from the apps'."""
    where, gateway = evidence.url, evidence.gateway
    first = gateway.name if gateway else evidence.apps[0].container.name
    if answer.untrusted:
        return failed("gateway-tls-untrusted", f"{where}: {answer.error}", _trust_fix(evidence), answer.seconds)
    own = [app.probe.http.get(path, HttpAnswer()) for app in evidence.apps]
    if asks_for_login(answer, path) and not any(asks_for_login(item, path) for item in own):
        return _login_in_front(where, answer)
    if answer.location:
        seen = f"{where} answers {answer.status} and points to {answer.location}"
        return failed("url-redirects", seen, "give the address it points to: publicUrl of the stack, or --url")
    if gateway and not answer.status:
        fix = f"docker logs {gateway.name}; docker port {gateway.name}"
        return failed("gateway-no-answer", f"{where}: {answer.error}", fix, answer.seconds)
    if gateway and answer.status in NO_REPLICA and all(item.status == HTTPStatus.OK for item in own):
        seen = f"{where}: {answer.status} {_body_start(answer)}, while every replica answers 200 inside its container"
        return failed(
            "gateway-no-replica", seen, f"docker logs {gateway.name}    # which replicas it tries, and why not"
        )
    return _http(where, answer, cause, "url-no-answer", f"curl -i {where}{path}; docker port {first}")


def asks_for_login(answer: HttpAnswer, path: str) -> bool:
    """Whether something before Open WebUI asks for a login: by 401, or by a redirection to a page for that.

    A redirection to the same place under another scheme, host or prefix keeps the path; one to a login carries it
    along in its query, as a rule.
    """
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.PROXY_AUTHENTICATION_REQUIRED}:
        return True
    target = urlsplit(answer.location)
    if not answer.location or target.path.endswith(path.partition("?")[0]):
        return False
    return bool(target.query) or bool(LOGIN.search(f"{target.hostname or ''}{target.path}".lower()))


LOGIN: Final = re.compile(r"log-?in|sign-?in|auth|sso|oidc|saml|idp\b")
"""What is in the address of a login page."""


def _login_in_front(where: str, answer: HttpAnswer) -> Finding:
    place = urlsplit(answer.location)
    answered = f"{answer.status}" + (f", to {place._replace(query='').geturl()}" if answer.location else "")
    return unknown(
        "login-in-front",
        f"{where}: {answered}: something before Open WebUI asks for a login",
        "let this machine's requests to /health, /ready, /api/version and /ws/socket.io through without one, "
        "or ask behind it: --url with the address that it passes requests on to",
        applies=True,
    )


def _trust_fix(evidence: Evidence) -> str:
    if evidence.gateway:
        return f"docker logs {evidence.gateway.name}    # what it says of certificates"
    return f"curl -v {evidence.url}/health    # which certificate it shows"


def public_endpoint(evidence: Evidence) -> Finding:
    """Through the URL a websocket opens for pages of that URL, and not for pages of another origin."""
    answer = evidence.upgrade
    if answer is None or answer.out_of_reach:
        return _endpoint_unasked(evidence, answer)
    origin = origin_of(evidence.url)
    allowed = {app.probe.environment.get("CORS_ALLOW_ORIGIN", "*") for app in evidence.apps if not app.probe.problem}
    if answer.status != HTTPStatus.SWITCHING_PROTOCOLS:
        return _no_upgrade(evidence, answer, origin, allowed)
    if not answer.body.startswith("0{"):
        then = f"says {answer.body!r}" if answer.body else answer.error or "says nothing"
        seen = f"{evidence.url}: the websocket opens, and then {then}"
        return failed("upgrade-blocked", seen, _upgrade_fix(evidence), answer.seconds)
    words = f"websocket opens at {evidence.url}" + (f", asked {evidence.url_asked}" if evidence.url_asked else "")
    foreign = evidence.foreign_upgrade
    if foreign is None or not allowed or "*" in allowed:
        return passed(f"{words} (any origin may: CORS_ALLOW_ORIGIN is *)" if "*" in allowed else words, answer.seconds)
    if foreign.status == HTTPStatus.SWITCHING_PROTOCOLS:
        configured = f"CORS_ALLOW_ORIGIN is {_alternatives(allowed)}"
        seen = f"{evidence.url}: a websocket opens for pages of another origin too; {configured}"
        return failed("foreign-origin-accepted", seen, "the gateway must pass the Origin header on as it came")
    return passed(f"{words}, and not for another origin ({foreign.status or foreign.error})", answer.seconds)


def _opens_inside(evidence: Evidence) -> bool:
    """No app itself is known to answer a websocket otherwise."""
    own = [app.probe.upgrade for app in evidence.apps if app.probe.upgrade]
    return all(answer.status == HTTPStatus.SWITCHING_PROTOCOLS for answer in own)


def _endpoint_unasked(evidence: Evidence, answer: HttpAnswer | None) -> Finding:
    if not evidence.url:
        return unknown("no-url", "no URL was given")
    if answer is None:
        return unknown("not-asked", f"{evidence.url}: not asked, a container does not run", applies=True)
    fix = "ask on the Docker host itself, or reach it by ssh: DOCKER_HOST=ssh://USER@HOST"
    return unknown("not-asked", f"{evidence.url}: {answer.error}", fix, applies=True)


def public_endpoint_event(evidence: Evidence) -> Finding:
    """An event published on Valkey reaches a page at the URL: it is these replicas' URL, and lets messages through."""
    event, where = evidence.url_event, evidence.url
    if event is None:
        why = "live-event or front-door says why not" if where else "no URL was given"
        return unknown("not-asked", why, applies=bool(where))
    if not event.joined:
        seen = f"{where}: websockets open, and a page cannot join: {event.error or 'nobody answers'}"
        return failed("upgrade-blocked", seen, _upgrade_fix(evidence), event.seconds)
    if event.receivers is None:
        return unknown("not-asked", event.error, applies=True)
    if event.arrived:
        each = f"each of {event.count} websockets" if event.count > 1 else "a websocket"
        return passed(f"{each} at {where} received an event that was published on Valkey", event.seconds)
    return _not_arrived(event, where)


def _not_arrived(event: UrlEvent, where: str) -> Finding:
    if event.error:
        seen = f"{where}: a websocket that had joined ended after {event.seconds:.0f} s ({event.error})"
        return failed("idle-timeout-too-short", seen, _patience_fix(where), event.seconds)
    if event.rooms and not event.receivers:
        which = f"at least one of {event.count} websockets" if event.count > 1 else "the websocket"
        seen = f"{where}: nobody on this Valkey knows {which} that opened there: another Open WebUI's"
        fix = "give the address of this one: publicUrl of the stack, or --url; or correct where the gateway leads to"
        return failed("url-leads-elsewhere", seen, fix, event.seconds)
    seen = f"{where}: an event that Valkey delivered to {event.receivers} did not reach the page it was for"
    fix = f"let messages through as they come (nginx: proxy_buffering off), in every proxy before {where}"
    return failed("event-not-received", seen, fix, event.seconds)


def _no_upgrade(evidence: Evidence, answer: HttpAnswer, origin: str, allowed: set[str]) -> Finding:
    """Why no websocket opens: nothing gets through the URL, the app itself refuses it, or something on the way does."""
    if asks_for_login(answer, UPGRADE_PATH) and _opens_inside(evidence):
        return _login_in_front(evidence.url, answer)
    if evidence.url_answers.get("/health", HttpAnswer()).status != HTTPStatus.OK:
        whole = _through_url(evidence, "/health", answer, "upgrade-blocked")
        if whole.cause not in {"", "upgrade-blocked"}:
            return whole
    inside = {app.container.name: app.probe.upgrade for app in evidence.apps if app.probe.upgrade}
    refusing = [name for name, own in inside.items() if own.status != HTTPStatus.SWITCHING_PROTOCOLS]
    if refusing or (not inside and answer.status == HTTPStatus.FORBIDDEN and not _origin_allowed(origin, allowed)):
        return _refused_by_the_app(evidence, refusing, origin, allowed, answer.seconds)
    answered = f"{answer.status or answer.error} {answer.location or _body_start(answer)}".rstrip()
    seen = f"no websocket: {evidence.url}: {answered}"
    opens = f"; inside {listed(inside)} it opens" if inside else ""
    return failed("upgrade-blocked", seen + opens, _upgrade_fix(evidence), answer.seconds)


def _origin_allowed(origin: str, allowed: set[str]) -> bool:
    """Whether pages of an origin may come, by CORS_ALLOW_ORIGIN; where no app could be asked, they may."""
    return not allowed or any({"*", origin} & set(value.split(";")) for value in allowed)


def _refused_by_the_app(
    evidence: Evidence, refusing: list[str], origin: str, allowed: set[str], seconds: float
) -> Finding:
    refused = [app for app in evidence.apps if app.container.name in refusing] or list(evidence.apps)
    names, own = listed(app.container.name for app in refused), refused[0].probe.upgrade
    if any(app.probe.environment.get("ENABLE_WEBSOCKET_SUPPORT", "True").lower() != "true" for app in refused):
        seen = f"{names}: refuses websockets: ENABLE_WEBSOCKET_SUPPORT is not true"
        return failed("websocket-disabled", seen, "set ENABLE_WEBSOCKET_SUPPORT=true", seconds)
    theirs = {app.probe.environment.get("CORS_ALLOW_ORIGIN", "*") for app in refused} & allowed
    if not _origin_allowed(origin, theirs):
        seen = f"a page of {origin} gets no websocket: 403 from {names}, CORS_ALLOW_ORIGIN is {_alternatives(theirs)}"
        return failed("origin-refused", seen, f"set CORS_ALLOW_ORIGIN={origin}", seconds)
    words = (own.status or own.error) if own else "not known"
    seen = f"no websocket, not even inside {names}: {words}"
    return failed("upgrade-blocked", seen, f"docker logs {refused[0].container.name}", seconds)


def idle_socket(evidence: Evidence) -> Finding:
    """A websocket through the URL that says nothing, as a browser's, outlives one ping interval of Open WebUI's."""
    idle, where = evidence.idle, evidence.url
    if idle is None:
        return unknown(
            "not-asked",
            "asked where a proxy stands before the app, or with --idle: takes a ping interval, 25 s as a rule",
        )
    if not idle.ping_interval:
        if public_endpoint(evidence).status != "passed":
            return unknown("not-asked", f"no websocket opens through {where}", applies=True)
        return failed("upgrade-blocked", f"no websocket: {where}: {idle.error}", _upgrade_fix(evidence), idle.seconds)
    pings = f"Open WebUI pings every {idle.ping_interval:g} s"
    if idle.open:
        seen = f"{where}: a silent websocket got its first ping after {idle.ping_after:.1f} s, and is open; {pings}"
        return passed(seen, idle.seconds)
    if idle.ping_after is None and not idle.silence:
        return unknown("not-asked", f"{pings}: that is not waited for", "lower WEBSOCKET_SERVER_PING_INTERVAL")
    words = f"closed after {idle.silence:.0f} s of silence ({idle.error})" if idle.error else ""
    words = words or f"not closed, and silent for {idle.silence:.0f} s: something on the way forgot the connection"
    fix = _patience_fix(where, f"{idle.ping_interval:g} s")
    return failed("idle-timeout-too-short", f"{where}: a websocket was {words}; {pings}", fix, idle.seconds)


def _patience_fix(where: str, interval: str = "Open WebUI's ping interval, 25 s as a rule,") -> str:
    return (
        f"raise the idle timeout of every proxy on the way to {where} above {interval} "
        "(nginx: proxy_read_timeout and proxy_send_timeout), or lower WEBSOCKET_SERVER_PING_INTERVAL"
    )


def _alternatives(values: set[str]) -> str:
    return " or ".join(repr(value) for value in sorted(values)) or "not known"


def _upgrade_fix(evidence: Evidence) -> str:
    return f"let Upgrade, Connection and Origin headers through to {evidence.url}/ws/socket.io, in every proxy"


def models(evidence: Evidence) -> Finding:
    """Open WebUI's endpoints for models list some."""
    asked = next((app.probe.models for app in evidence.apps if app.probe.models is not None), None)
    if asked is None:
        return unknown("not-asked", "no app was asked in time")
    if silent := [one for one in asked if one.error]:
        seen = "; ".join(f"{one.url}: {one.error}" for one in silent)
        fix = "correct address and key: in the admin panel under Settings > Connections, or in extraEnvironment"
        return failed("models-no-answer", seen, fix)
    if not asked:
        return unknown("no-models", f"none is configured, so nobody can chat yet. {ADD_MODELS}")
    return passed("; ".join(f"{one.url}: {_first(one.models)}" for one in asked))


MODELS_SHOWN: Final = 3
ADD_MODELS: Final = (
    "An Ollama on this host: `open-webui:ollama: host` in the stack file. Another endpoint: OPENAI_API_BASE_URLS and "
    "OPENAI_API_KEYS in extraEnvironment, or the admin panel"
)


def _first(found: tuple[str, ...]) -> str:
    """Some models, and how many there are."""
    more = f" and {len(found) - MODELS_SHOWN} more" if len(found) > MODELS_SHOWN else ""
    return f"{', '.join(found[:MODELS_SHOWN])}{more}"


def version(evidence: Evidence) -> Finding:
    """Open WebUI is 0.12.0 or later."""
    found = {app.container.name: open_webui_version(app) for app in evidence.apps if not app.probe.problem}
    if not found:
        return unanswered(evidence.apps[0])
    through_url = evidence.url_answers.get("/api/version", HttpAnswer())
    if through_url.status == HTTPStatus.OK:
        found[evidence.url] = _version_in(through_url)
    for name, text in found.items():
        numbers = tuple(int(part) for part in re.findall(r"\d+", text)[:3])
        if not text:
            return failed("version-unreadable", f"{name}: /api/version tells no version", f"docker logs {name}")
        if numbers < MINIMUM_VERSION:
            return failed(
                "version-unsupported",
                f"{name} runs Open WebUI {text}: {_reason_unsupported(numbers)}",
                f"name ghcr.io/open-webui/open-webui:v0.12.4 (openWebuiImage of the stack), then {UPDATE}",
            )
    return passed("Open WebUI " + listed(sorted(set(found.values()))))


def open_webui_version(app: App) -> str:
    """Version of Open WebUI that the app reports; empty when it reports none."""
    return _version_in(app.probe.http.get("/api/version", HttpAnswer()))


def _version_in(answer: HttpAnswer) -> str:
    try:
        return str(json.loads(answer.body)["version"])
    except (KeyError, ValueError, TypeError):
        return ""


def _reason_unsupported(numbers: tuple[int, ...]) -> str:
    if numbers < (0, 6, 41):
        return "whoever may publish on Valkey runs code in the app (CVE-2025-61765)"
    if numbers == (0, 10, 1):
        return "its listener drops off Valkey every 5 s (open-webui/open-webui#26425)"
    return "before 0.12.0 rooms have no channel of their own, and an outage of Valkey may end live events for good"
