"""A page in a headless Chromium, with every frame of its websockets, and events published through Valkey for it."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, WebSocket, expect

from tests.integration.deployment import Deployment

WAIT_SECONDS: Final = 180
"""How long anything may take: Chromium and Open WebUI share two cores with all that runs beside them."""
POLL_MS: Final = 50
PUBLISHER: Final = Path(__file__).with_name("publisher.py")
ARTIFACTS: Final = Path(__file__).resolve().parents[2] / ".artifacts/browser"
"""Where screenshots are kept."""
SIZE: Final = {"width": 1024, "height": 512}


@dataclass(frozen=True)
class Account:
    """Somebody's, of a deployment's."""

    name: str
    email: str
    password: str


ADA: Final = Account("Ada Lovelace", "ada@example.com", "an-account-of-a-test-9")


@dataclass
class Line:
    """One websocket of a page's.

    Attributes:
        url: Where it leads.
        sent: Frames that the page sent, oldest first.
        received: Frames that it got, oldest first.
    """

    url: str
    sent: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    closed: bool = False

    @property
    def joined(self) -> bool:
        """Whether socket.io has answered."""
        return any(frame.startswith("40{") for frame in self.received)


class Window:
    """A window of its own, with nobody's cookies, on the page of a deployment."""

    def __init__(self, context: BrowserContext, stack: Deployment) -> None:
        self.stack = stack
        self.url: str = stack.outputs()["url"]
        self.lines: list[Line] = []
        self.polled: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(WAIT_SECONDS * 1000)
        self.page.on("websocket", self._opened)
        self.page.on("request", lambda request: self.polled.append(request.url) if is_polling(request.url) else None)

    def _opened(self, socket: WebSocket) -> None:
        line = Line(socket.url)
        self.lines.append(line)
        socket.on("framesent", lambda frame: line.sent.append(as_text(frame)))
        socket.on("framereceived", lambda frame: line.received.append(as_text(frame)))
        socket.on("close", lambda _: setattr(line, "closed", True))

    @property
    def line(self) -> Line | None:
        """The websocket over which it hears events now."""
        return next((line for line in reversed(self.lines) if line.joined and not line.closed), None)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for something of the browser's, while it goes on."""
        end = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < end, (
                f"no {what} within {WAIT_SECONDS} s; frames: {[vars(it) for it in self.lines]}"
            )
            self.page.wait_for_timeout(POLL_MS)

    def _go(self, path: str) -> None:
        self.lines.clear()
        self.page.goto(f"{self.url}{path}", wait_until="commit")

    def open(self, path: str = "/") -> None:
        """Open a page as the signed-in account, and wait until it shows what arrives.

        The page begins to listen to the websocket before it has somewhere to type.
        """
        self._go(path)
        expect(self.page.locator("#chat-input")).to_be_visible(timeout=WAIT_SECONDS * 1000)
        self.until(lambda: self.line is not None, "open websocket")

    def sign_up(self, account: Account) -> None:
        """Make the first account of a fresh Open WebUI, as whoever opens it does."""
        self._go("/")
        self.page.get_by_role("button", name="Get started").click()
        self.page.locator("#name").fill(account.name)
        self._sign(account)

    def sign_in(self, account: Account) -> None:
        self._go("/")
        self._sign(account)

    def _sign(self, account: Account) -> None:
        self.page.locator("#email").fill(account.email)
        self.page.locator("#password").fill(account.password)
        self.page.locator("button[type=submit]").click()
        expect(self.page.get_by_text(f"Hello, {account.name}")).to_be_visible(timeout=WAIT_SECONDS * 1000)

    def close_release_notes(self) -> None:
        """Open WebUI shows an administrator what is new, once."""
        self.page.get_by_role("button", name="Okay, Let's Go!").click()
        expect(self.page.get_by_text("What's New in Open WebUI")).to_be_hidden(timeout=WAIT_SECONDS * 1000)

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Answer to a request as the signed-in account, through the front door."""
        done = self.page.evaluate(
            """async ([method, path, body]) => {
                const headers = {"Authorization": `Bearer ${localStorage.token}`, "Content-Type": "application/json"};
                const answer = await fetch(path, {method, headers, body: body && JSON.stringify(body)});
                return [answer.status, await answer.json()];
            }""",
            [method, path, body],
        )
        assert done[0] == 200, (method, path, done)
        return done[1]

    def sees(self, text: str) -> None:
        """Wait until the page shows a text."""
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=WAIT_SECONDS * 1000)

    def shows(self, text: str) -> bool:
        """Whether it does now."""
        return self.page.get_by_text(text).first.is_visible()

    def heard(self, text: str) -> int:
        """How many frames of its websockets brought a text."""
        return sum(text in frame for line in self.lines for frame in line.received)

    def screenshot(self, name: str) -> Path:
        path = ARTIFACTS / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, animations="disabled")
        return path


def is_polling(url: str) -> bool:
    """Whether a request is socket.io's for want of a websocket."""
    return "/ws/socket.io" in url and "transport=polling" in url


def as_text(frame: str | bytes) -> str:
    return frame if isinstance(frame, str) else frame.decode(errors="replace")


def launch(playwright: Playwright, program: str, authority: str = "") -> Browser:
    """Start the distribution's Chromium, which needs no sandbox for pages that are all our own.

    Args:
        playwright: What starts it.
        program: Its path.
        authority: PEM of the one authority that it trusts beyond its own, as its user would have installed it: one of
            those that the server sends, for of others Chromium does not know the key.
    """
    trust = [f"--ignore-certificate-errors-spki-list={key_hash(authority)}"] if authority else []
    return playwright.chromium.launch(
        executable_path=program, args=["--disable-dev-shm-usage", *trust], timeout=WAIT_SECONDS * 1000
    )


def key_hash(certificate: str) -> str:
    """SHA-256 of a certificate's public key, in Base64, by which Chromium knows it anywhere in a chain."""
    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    form = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(hashlib.sha256(form).digest()).decode()


@contextmanager
def window(browser: Browser, stack: Deployment) -> Iterator[Window]:
    """A window that is closed in the end."""
    context = browser.new_context(viewport=SIZE, locale="en-US", timezone_id="UTC")  # type: ignore[arg-type]
    try:
        yield Window(context, stack)
    finally:
        context.close()


def event(chat: str, message: str, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """An event as Open WebUI emits it to an account's page.

    Source: https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/socket/main.py (get_event_emitter)
    """
    return {"chat_id": chat, "message_id": message, "data": {"type": kind, "data": data}}


def notice(title: str, content: str) -> dict[str, Any]:
    """The event that an answer in a chat which is not on the screen is complete: the page shows a notice of it."""
    return event("of-a-test", "of-a-test", "chat:completion", {"done": True, "title": title, "content": content})


@contextmanager
def inside(app: str, *command: str, text: str) -> Iterator[None]:
    """Run a command inside a container, with a text on its standard input, while the body goes on.

    What it causes is on the page for seconds only, and on a busy machine it may end later than that.
    """
    with subprocess.Popen(["docker", "exec", "-i", app, *command], stdin=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdin
            running.stdin.write(text)
            running.stdin.close()
            yield
            running.wait(timeout=WAIT_SECONDS)
        finally:
            running.kill()
    assert running.returncode == 0, f"{command[0]} in {app} ended with {running.returncode}"


def posting(app: str, path: str, token: str, body: dict[str, Any]) -> AbstractContextManager[None]:
    """Post to one Open WebUI past the front door; the token is on no command line."""
    config = f"""
        url = "http://127.0.0.1:8080{path}"
        header = "Authorization: Bearer {token}"
        header = "Content-Type: application/json"
        data = {json.dumps(json.dumps(body))}
    """
    return inside(app, "curl", "--silent", "--show-error", "--fail", "--config", "-", text=config)


def publishing(
    app: str, events: Sequence[tuple[str, dict[str, Any]]], *, shared: bool = False
) -> AbstractContextManager[None]:
    """Publish events through Valkey and past every Open WebUI, as another replica would.

    Open WebUI answers on the websocket before the account is in its room: what came in between would be lost. So an
    event that no page knows goes first, until somebody listens for the last one's room.

    Source: https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/socket/main.py (always_connect)

    Args:
        app: The container whose way to Valkey is taken.
        events: Whom each is for (``user:ID``), and the event; published in this order.
        shared: On the channel of all rooms instead of the rooms' own.
    """

    def message(room: str, name: str, data: list[Any], *, shared: bool) -> list[str]:
        emit = {
            "method": "emit", "event": name, "data": data, "binary": False, "namespace": "/", "room": room,
            "skip_sid": None, "callback": None, "host_id": "of-a-test",
        }  # fmt: skip
        return ["socketio" if shared else f"socketio#/#{room}", json.dumps(emit)]

    messages = [
        message(events[-1][0], "of-a-test", [], shared=False),
        *(message(room, "events", [one], shared=shared) for room, one in events),
    ]
    return inside(app, "python3", "-c", PUBLISHER.read_text(encoding="utf-8"), text=json.dumps(messages))
