"""What people do with an Open WebUI through its address: sign up and in, write chats, read them."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from http import HTTPStatus
from http.client import HTTPException
from ssl import SSLContext
from typing import Any

BOOT_SECONDS = 300
RATE_SECONDS = 200
EMAIL, PASSWORD = "admin@example.com", "battery-staple-4713"


def ask(
    url: str, method: str, token: str = "", content: Any = None, context: SSLContext | None = None
) -> tuple[int, Any]:
    """Status and JSON of an answer; JSON is None where it is an error's."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 - ours
    try:
        with urllib.request.urlopen(request, timeout=60, context=context) as answer:  # noqa: S310 - the same
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, None


def wait_until_it_answers(url: str) -> None:
    """Return once Open WebUI answers there."""
    end = time.monotonic() + BOOT_SECONDS
    while True:
        try:
            if ask(f"{url}/health", "GET")[0] == 200:
                return
        except (OSError, ValueError, HTTPException):
            pass
        assert time.monotonic() < end, f"{url} did not answer within {BOOT_SECONDS} s"
        time.sleep(0.2)


def sign_up(url: str) -> str:
    """Make the first account, the administrator's; its token."""
    status, account = ask(
        f"{url}/api/v1/auths/signup", "POST", "", {"name": "Admin", "email": EMAIL, "password": PASSWORD}
    )
    assert status == 200
    return str(account["token"])


def sign_in(url: str, password: str = PASSWORD, context: SSLContext | None = None) -> str:
    """Sign the administrator in; their token. Open WebUI allows 15 in three minutes: with more, it takes so long."""
    end = time.monotonic() + RATE_SECONDS
    while True:
        status, account = ask(f"{url}/api/v1/auths/signin", "POST", "", {"email": EMAIL, "password": password}, context)
        if status != HTTPStatus.TOO_MANY_REQUESTS or time.monotonic() > end:
            break
        time.sleep(5)
    assert status == HTTPStatus.OK
    return str(account["token"])


def is_signed_in(url: str, token: str) -> bool:
    return ask(f"{url}/api/v1/auths/", "GET", token)[0] == 200


def write_chat(url: str, token: str, title: str, context: SSLContext | None = None) -> None:
    chat = {"title": title, "history": {"messages": {}}, "messages": []}
    assert ask(f"{url}/api/v1/chats/new", "POST", token, {"chat": chat}, context)[0] == 200


def delete_chats(url: str, token: str, context: SSLContext | None = None) -> None:
    assert ask(f"{url}/api/v1/chats/", "DELETE", token, None, context)[0] == 200


def titles(url: str, token: str, context: SSLContext | None = None) -> set[str]:
    """Titles of the account's chats."""
    status, found = ask(f"{url}/api/v1/chats/?page=1", "GET", token, None, context)
    assert status == 200
    return {chat["title"] for chat in found}
