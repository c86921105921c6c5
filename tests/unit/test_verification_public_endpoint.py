"""Asking through the address people open, at a server that answers with recorded bytes."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from websockets.utils import accept_key

from components.authority import generate
from verification.ask import public_endpoint
from verification.ask.public_endpoint import PublicEndpoint
from verification.evidence.url import UrlEvent, origin_of
from verification.subject import PublishedPort

OPEN = b'0{"sid":"x","upgrades":[],"pingTimeout":20000,"pingInterval":25000}'
SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: ACCEPTED\r\n\r\n"
)
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10

Answering = Callable[..., "Server"]


class Server:
    """Answers every connection with the same bytes."""

    def __init__(
        self, answer: bytes, context: ssl.SSLContext | None = None, then: Callable[[socket.socket], None] | None = None
    ) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = PublishedPort(address="127.0.0.1", port=self.listener.getsockname()[1])
        self.answer, self.context, self.then = answer, context, then
        self.requests: list[str] = []
        self.names: list[str | None] = []
        Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
                if self.context:
                    connection = self.context.wrap_socket(connection, server_side=True)
                with closing(connection):
                    self.requests.append(connection.recv(4096).decode())
                    key = re.search(r"Sec-WebSocket-Key: (\S+)", self.requests[-1])
                    connection.sendall(self.answer.replace(b"ACCEPTED", accept_key(key[1]).encode() if key else b""))
                    if self.then:
                        self.then(connection)
                    with suppress(OSError):
                        # Closed with something unread, it would be reset, or would not: a race.
                        connection.shutdown(socket.SHUT_WR)
                        while connection.recv(4096):
                            pass
            except ssl.SSLError:
                continue
            except OSError:
                return


@pytest.fixture
def answering() -> Iterator[Answering]:
    servers: list[Server] = []

    def start(answer: bytes, *more: Any) -> Server:
        servers.append(Server(answer, *more))
        return servers[-1]

    yield start
    for server in servers:
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    length = bytes([len(payload)]) if len(payload) < 126 else bytes([126]) + len(payload).to_bytes(2, "big")
    return bytes([0x80 | opcode]) + length + payload


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("https://chat.example.org", "https://chat.example.org"),
        ("https://Chat.Example.org:443/", "https://chat.example.org"),
        ("http://chat.example.org:80", "http://chat.example.org"),
        ("https://chat.example.org:80", "https://chat.example.org:80"),
        ("http://[::1]:3000", "http://[::1]:3000"),
    ],
)
def test_the_origin_is_what_a_browser_sends(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def test_a_get_goes_to_the_published_port_with_the_urls_host(answering: Answering) -> None:
    server = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n" + b'{"status":true}')

    answer = PublicEndpoint(url="http://chat.test:8080", published=server.port).get("/health")

    assert (answer.status, answer.body) == (200, '{"status":true}')
    assert server.requests[0].startswith("GET /health HTTP/1.1\r\nHost: chat.test:8080\r\n")


def test_a_port_behind_the_end_of_tls_is_asked_in_plain_http(answering: Answering) -> None:
    server = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    answer = PublicEndpoint(url="https://chat.test", published=replace(server.port, tls=False)).get("/health")

    assert (answer.status, server.requests[0].splitlines()[1]) == (200, "Host: chat.test")


def test_an_upgrade_asks_as_a_page_of_that_origin_and_reads_the_first_message(answering: Answering) -> None:
    server = answering(SWITCH + frame(OPEN))

    answer = PublicEndpoint(url="http://chat.test", published=server.port).upgrade("https://chat.test")

    assert (answer.status, answer.body) == (101, OPEN.decode())
    assert server.requests[0].startswith("GET /ws/socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: chat.test\r\n")
    assert "Origin: https://chat.test\r\n" in server.requests[0]
    assert "Upgrade: websocket\r\n" in server.requests[0]


def test_a_longer_first_message_is_read_too(answering: Answering) -> None:
    message = b"0" + b"x" * 300

    assert PublicEndpoint(url="http://chat.test", published=answering(SWITCH + frame(message)).port).upgrade(
        "x"
    ).body == (message.decode())


def test_an_upgrade_that_says_nothing_has_no_message(answering: Answering) -> None:
    answer = PublicEndpoint(url="http://chat.test", published=answering(SWITCH).port).upgrade("x")

    assert (answer.status, answer.body) == (101, "")


def test_a_redirection_tells_where_to(answering: Answering) -> None:
    server = answering(b"HTTP/1.1 308 Permanent Redirect\r\nLocation: https://chat.test/\r\nContent-Length: 0\r\n\r\n")

    answer = PublicEndpoint(url="http://chat.test", published=server.port).get("/health")

    assert (answer.status, answer.location) == (308, "https://chat.test/")


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH_9.2\r\n"])
def test_what_is_not_http_is_no_answer(answering: Answering, said: bytes) -> None:
    answer = PublicEndpoint(url="http://chat.test", published=answering(said).port).get("/health")

    assert answer.status == 0
    assert answer.error


def test_nobody_there_is_no_answer() -> None:
    answer = PublicEndpoint(url="http://127.0.0.1:1").get("/health")

    assert (answer.status, answer.untrusted) == (0, False)
    assert "refused" in answer.error


@pytest.fixture
def pems() -> dict[str, str]:
    return generate("chat.test")


@pytest.fixture
def context(pems: dict[str, str], tmp_path: Path) -> ssl.SSLContext:
    for name in ("cert_pem", "key_pem"):
        (tmp_path / name).write_text(pems[name], encoding="utf-8")
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(tmp_path / "cert_pem", tmp_path / "key_pem")
    return made


def test_tls_is_verified_against_the_ca_and_the_urls_name(
    answering: Answering, pems: dict[str, str], context: ssl.SSLContext
) -> None:
    server = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", context)

    assert PublicEndpoint(url="https://chat.test", published=server.port, ca=pems["ca_pem"]).get("/").status == 200
    other_name = PublicEndpoint(url="https://other.test", published=server.port, ca=pems["ca_pem"]).get("/")
    assert (other_name.status, other_name.untrusted) == (0, True)
    assert "other.test" in other_name.error
    own_cas = PublicEndpoint(url="https://chat.test", published=server.port).get("/")
    assert (own_cas.status, own_cas.untrusted) == (0, True)


def test_a_ca_that_is_no_certificate_is_no_crash(answering: Answering, context: ssl.SSLContext) -> None:
    server = answering(b"", context)

    assert PublicEndpoint(url="https://chat.test", published=server.port, ca="not PEM").get("/").status == 0


SOON = b'0{"sid":"x","pingInterval":50,"pingTimeout":20000}'


def said(connection: socket.socket) -> tuple[int, bytes]:
    """The next frame of the client, unmasked: opcode and payload."""
    head = connection.recv(2, socket.MSG_WAITALL)
    assert head[1] & 0x80
    mask = connection.recv(4, socket.MSG_WAITALL)
    masked = connection.recv(head[1] & 0x7F, socket.MSG_WAITALL)
    return head[0] & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(masked))


def test_a_silent_websocket_joins_answers_pings_and_is_still_there_afterwards(answering: Answering) -> None:
    heard: list[tuple[int, bytes]] = []

    def app(connection: socket.socket) -> None:
        heard.append(said(connection))
        connection.sendall(frame(b'40{"sid":"y"}') + frame(b"alive?", PING))
        heard.append(said(connection))
        connection.sendall(frame(b"2"))
        heard.extend([said(connection), said(connection)])
        connection.sendall(frame(heard[-1][1], PONG))

    seen = PublicEndpoint(
        url="http://chat.test", published=answering(SWITCH + frame(SOON), None, app).port
    ).keep_silent("x")

    assert heard == [(TEXT, b"40"), (PONG, b"alive?"), (TEXT, b"3"), (PING, b"verification")]
    assert (seen.open, seen.error, seen.ping_interval) == (True, "", 0.05)
    assert seen.ping_after is not None


def after_the_join(answer: bytes) -> Callable[[socket.socket], None]:
    """What a server says once the page has joined; then it closes."""

    def then(connection: socket.socket) -> None:
        said(connection)
        connection.sendall(answer)

    return then


@pytest.mark.parametrize(
    ("last", "words"), [(frame(b"\x03\xe9idle", CLOSE), "closed 1001 idle"), (b"", "the connection ended")]
)
def test_a_silent_websocket_that_is_closed_before_its_ping_says_so(
    answering: Answering, last: bytes, words: str
) -> None:
    server = answering(SWITCH + frame(SOON), None, after_the_join(last))

    seen = PublicEndpoint(url="http://chat.test", published=server.port).keep_silent("x")

    assert (seen.open, seen.ping_after, seen.error, seen.ping_interval) == (False, None, words, 0.05)


def test_a_silent_websocket_that_nobody_speaks_on_ends_too(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_endpoint, "LATE_SECONDS", 0.1)

    def forgets(connection: socket.socket) -> None:
        while connection.recv(100):
            pass

    seen = PublicEndpoint(
        url="http://chat.test", published=answering(SWITCH + frame(SOON), None, forgets).port
    ).keep_silent("x")

    assert (seen.open, seen.ping_after, seen.error) == (False, None, "")
    assert seen.silence >= 0.1


def test_a_ping_answered_over_a_connection_that_is_gone_does_not_pass(answering: Answering) -> None:
    server = answering(SWITCH + frame(SOON), None, after_the_join(frame(b"2")))

    seen = PublicEndpoint(url="http://chat.test", published=server.port).keep_silent("x")

    assert (seen.open, seen.ping_after is not None) == (False, True)


def test_pings_that_come_too_seldom_are_not_waited_for(answering: Answering) -> None:
    seldom = frame(b'0{"pingInterval":600000}')

    seen = PublicEndpoint(url="http://chat.test", published=answering(SWITCH + seldom).port).keep_silent("x")

    assert (seen.ping_interval, seen.open, seen.silence) == (600.0, False, 0.0)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "no websocket: 403"),
        (SWITCH, "connection ended"),
        (SWITCH + frame(b"44"), "44"),
        (SWITCH + frame(b'0{"pingInterval":"soon"}'), "soon"),
        (SWITCH + b"\x81\x86" + bytes(4) + b"masked", "not of a websocket"),
        (SWITCH.replace(b"ACCEPTED", b"another's"), "Sec-WebSocket-Accept"),
        (b"", "closed"),
    ],
    ids=["refused", "silent", "no ping interval", "no number", "masked", "of another's key", "closed"],
)
def test_what_is_no_websocket_of_open_webuis_is_not_kept_silent(
    answering: Answering, answer: bytes, words: str
) -> None:
    seen = PublicEndpoint(url="http://chat.test", published=answering(answer).port).keep_silent("x")

    assert (seen.ping_interval, seen.open) == (0.0, False)
    assert words in seen.error


def events_at(server: Server, publish: Callable[[Mapping[str, str]], UrlEvent]) -> UrlEvent:
    return replace(
        PublicEndpoint(url="http://chat.test", published=server.port).receive_events("x", 1, publish), seconds=0.0
    )


def test_a_page_receives_the_event_that_was_published_for_it(answering: Answering) -> None:
    asked: dict[str, str] = {}

    def app(connection: socket.socket) -> None:
        said(connection)
        connection.sendall(frame(b"2") + frame(b'40{"sid":"y"}') + frame(b'42["verification","another"]'))
        said(connection)
        connection.sendall(frame(b"alive?", PING))
        said(connection)  # sent after the event was published
        connection.sendall(frame(b'42["verification","' + asked["y"].encode() + b'"]'))

    def publish(nonces: Mapping[str, str]) -> UrlEvent:
        asked.update(nonces)
        return UrlEvent(receivers=1)

    seen = events_at(answering(SWITCH + frame(OPEN), None, app), publish)

    assert seen == UrlEvent(joined=True, receivers=1, arrived=True)


def test_a_page_that_an_event_does_not_reach_says_so(answering: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_endpoint, "EVENT_SECONDS", 0.1)

    def app(connection: socket.socket) -> None:
        said(connection)
        connection.sendall(frame(b'40{"sid":"y"}'))
        while connection.recv(100):
            pass

    seen = events_at(answering(SWITCH + frame(OPEN), None, app), lambda _nonces: UrlEvent(receivers=0))

    assert seen == UrlEvent(joined=True, receivers=0)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "no websocket: 403"),
        (SWITCH + frame(OPEN) + frame(b"\x03\xe9bye", CLOSE), "closed 1001 bye"),
        (SWITCH + frame(OPEN), "connection ended"),
    ],
)
def test_a_page_that_is_not_taken_in_says_why(answering: Answering, answer: bytes, words: str) -> None:
    seen = events_at(answering(answer), lambda _nonces: UrlEvent(receivers=1))

    assert not seen.joined
    assert words in seen.error


def test_a_frame_that_breaks_off_is_the_end_of_the_connection(answering: Answering) -> None:
    seen = PublicEndpoint(url="http://chat.test", published=answering(SWITCH + frame(b"x" * 300)[:100]).port)

    assert seen.keep_silent("x").error == "the connection ended"


def test_a_proxy_that_sends_websockets_elsewhere_is_not_followed(answering: Answering) -> None:
    server = answering(b"HTTP/1.1 302 Found\r\nLocation: https://login.test/\r\nContent-Length: 4\r\n\r\nnope")

    answer = PublicEndpoint(url="http://chat.test", published=server.port).upgrade("x")

    assert (answer.status, answer.location, answer.body) == (302, "https://login.test/", "nope")


def test_a_server_that_takes_the_connection_and_says_nothing_is_given_a_bounded_time(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_endpoint, "SECONDS", 0.1)

    def hangs(connection: socket.socket) -> None:
        while connection.recv(100):
            pass

    answer = PublicEndpoint(url="http://chat.test", published=answering(b"", None, hangs).port).upgrade("x")

    assert (answer.status, answer.error) == (0, "timed out")
