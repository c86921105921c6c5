"""What people see: a real browser at the front door of dev and of prod, and events from Valkey on its page."""

from __future__ import annotations

import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.window import ADA, Account, Window, event, launch, notice, posting, publishing, window
from tests.integration.deployment import Deployment, authority, sh
from tests.packages import path_of

pytestmark = [pytest.mark.docker, pytest.mark.chained]

QUESTION: Final = "How did your answer get here?"
ANSWER: Final = "Each of these words is an event. It was published through Valkey, and this page shows what arrived."


@pytest.fixture(scope="module")
def browser(stack: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium, which does not notice what Docker does to the network meanwhile."""
    program = tmp_path_factory.mktemp("browser") / "chromium"
    wrapper = Path(__file__).with_name("without_netlink.py")
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {wrapper} {path_of("chromium")} "$@"\n')
    program.chmod(0o755)
    with sync_playwright() as playwright:
        started = launch(playwright, str(program), authority(stack, "intermediate") if "gateway" in stack.names else "")
        try:
            yield started
        finally:
            started.close()


@pytest.fixture(scope="module")
def account(stack: Deployment) -> Account:
    """Whoever is the administrator."""
    if not (email := stack.config.get("adminEmail")):
        return ADA
    return Account("Admin", email, stack.outputs("--show-secrets")["admin_password"])


@pytest.fixture(scope="module")
def first(browser: Browser, stack: Deployment, account: Account) -> Iterator[Window]:
    """The administrator's window: where the deployment names none, whoever opened it first is."""
    with window(browser, stack) as opened:
        if account is ADA:
            opened.sign_up(account)
        else:
            opened.sign_in(account)
        opened.close_release_notes()
        yield opened


@pytest.fixture
def page(first: Window, request: pytest.FixtureRequest) -> Iterator[Window]:
    """The same window, of which each test leaves a picture."""
    yield first
    first.screenshot(re.sub(r"\W+", "-", request.node.name).strip("-"))


def room_of(page: Window) -> str:
    return f"user:{page.api('GET', '/api/v1/auths/')['id']}"


def nonce() -> str:
    return secrets.token_hex(8)


def test_whoever_opens_it_first_or_is_named_its_administrator_sees_the_chat_page(page: Window) -> None:
    assert page.page.locator("#chat-input").is_visible()
    assert page.api("GET", "/api/v1/auths/")["role"] == "admin"


def test_the_pages_websocket_goes_through_the_front_door_and_frames_arrive(page: Window) -> None:
    page.open()

    line = page.line
    assert line
    assert line.url.startswith(f"{page.url.replace('http', 'ws', 1)}/ws/socket.io/?EIO=4&transport=websocket")
    assert line.received[0].startswith('0{"sid":')
    assert not page.polled


@pytest.mark.parametrize("shared", [False, True], ids=["room channel", "shared channel"])
def test_an_event_published_through_valkey_shows_on_the_page_and_one_for_somebody_else_does_not(
    page: Window,
    shared: bool,  # noqa: FBT001 - a case
) -> None:
    mine, other = nonce(), nonce()
    page.open()
    events = [
        ("user:somebody-else", notice("For somebody else", other)),
        (room_of(page), notice("An event through Valkey", mine)),
    ]

    with publishing(page.stack.apps[0], events, shared=shared):
        page.sees(mine)

    assert (page.heard(mine), page.heard(other)) == (1, 0)
    assert not page.shows(other)


def test_an_answer_streams_into_an_open_chat_word_by_word(page: Window) -> None:
    question, answer = nonce(), nonce()
    asked = {"id": question, "parentId": None, "childrenIds": [answer], "role": "user", "content": QUESTION}
    silent = {
        "id": answer,
        "parentId": question,
        "childrenIds": [],
        "role": "assistant",
        "content": "",
        "model": "a-model",
    }
    history = {"currentId": answer, "messages": {question: asked, answer: silent}}
    written = {"title": "Through Valkey", "models": ["a-model"], "history": history, "messages": [asked, silent]}
    chat = page.api("POST", "/api/v1/chats/new", {"chat": written})["id"]
    page.open(f"/c/{chat}")
    page.sees(QUESTION)
    room = room_of(page)
    words = [(room, event(chat, answer, "message", {"content": word})) for word in re.findall(r"\S+\s?", ANSWER)]

    with publishing(page.stack.apps[-1], words):
        page.sees(ANSWER)

    assert page.heard(answer) == len(words)


def test_a_second_browser_signs_in_and_an_event_reaches_both(page: Window, browser: Browser, account: Account) -> None:
    told = nonce()
    page.open()
    with window(browser, page.stack) as second:
        second.sign_in(account)
        second.open()

        with publishing(page.stack.apps[0], [(room_of(page), notice("For every window", told))]):
            page.sees(told)
            second.sees(told)


def test_what_is_posted_at_any_replica_shows_on_the_page(page: Window) -> None:
    chat = page.api("POST", "/api/v1/chats/new", {"chat": {"title": "Elsewhere"}})["id"]
    page.open()
    token = page.page.evaluate("localStorage.token")
    for app in page.stack.apps:
        told = nonce()
        body = {"type": "chat:completion", "data": {"done": True, "title": f"Posted at {app}", "content": told}}

        with posting(app, f"/api/v1/chats/{chat}/messages/{told}/event", token, body):
            page.sees(told)


def test_the_page_opens_its_websocket_again_once_open_webui_is_back(page: Window) -> None:
    told = nonce()
    page.open()
    line, room = page.line, room_of(page)
    with subprocess.Popen(["docker", "kill", *page.stack.apps], stdout=subprocess.DEVNULL) as killing:
        # It says so for a few seconds only: nothing else is waited for meanwhile.
        page.sees("Connection lost. Reconnecting...")
    assert killing.returncode == 0
    assert line
    assert line.closed

    sh("docker", "start", *page.stack.apps)
    page.until(lambda: page.line is not None, "websocket opened again")

    with publishing(page.stack.apps[0], [(room, notice("After all of Open WebUI was killed", told))]):
        page.sees(told)
