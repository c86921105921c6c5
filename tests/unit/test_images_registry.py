"""Which tags a registry lists, to whom, and which of them are newer than another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from tooling.images import pypi, registry
from tooling.images.errors import ImageError, UnreachableError
from tooling.images.reference import parse
from tooling.machine import uv


@pytest.mark.parametrize(
    ("tag", "there", "newer"),
    [
        ("v0.12.4", ["v0.12.10", "v0.12.9", "v0.12.3", "v0.13.0-slim", "0.14.0", "main"], ["v0.12.9", "v0.12.10"]),
        ("8.1.10-alpine", ["8.1.9-alpine", "9.0.0-alpine", "9.0.0-rc1-alpine", "9.1.0", "9-alpine"], ["9.0.0-alpine"]),
        ("0.8.7-pg17", ["0.8.8-pg17", "0.8.9-pg18", "0.8.7-pg17"], ["0.8.8-pg17"]),
        ("main", ["v0.12.4", "latest"], []),
        ("8-alpine", ["9-alpine", "8.1-alpine"], ["9-alpine"]),
    ],
)  # fmt: skip
def test_a_newer_tag_is_written_alike_and_has_greater_numbers(tag: str, there: list[str], newer: list[str]) -> None:
    assert registry.newer(tag, there) == newer


class Registry:
    """Stands in for a session: answers by address, of which some want a token, or a name and a password."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pages: dict[str, tuple[Any, str]] = {}
        self.challenge, self.wants, self.token = "", "", {"token": "t0ken"}
        self.failure: Exception | None = None
        self.sent: list[tuple[str, str]] = []
        monkeypatch.setattr(requests, "Session", lambda: self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def get(
        self, url: str, *, auth: Any, timeout: tuple[int, int], params: dict[str, str] | None = None
    ) -> requests.Response:
        assert timeout == registry.SECONDS
        request = auth(requests.Request("GET", url, params=params).prepare())
        said = request.headers.get("Authorization", "")
        self.sent.append((request.url, said))
        answer = requests.Response()
        answer.url, answer.status_code = request.url, 200
        if self.failure:
            raise self.failure
        if "/token" in url:
            answer._content = json.dumps(self.token).encode()
        elif self.wants and said != self.wants:
            answer.status_code = 401
            answer.headers["WWW-Authenticate"] = self.challenge
        elif url not in self.pages:
            answer.status_code, answer.reason = 404, "Not Found"
        else:
            content, link = self.pages[url]
            answer._content = json.dumps(content).encode()
            answer.headers.update({"Link": f'<{link}>; rel="next"'} if link else {})
        return answer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Registry:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return Registry(monkeypatch)


def test_all_pages_are_read(server: Registry) -> None:
    first = "https://a.example/v2/team/app/tags/list?n=1000"
    server.pages[first] = {"tags": ["1", "2"]}, "/v2/team/app/tags/list?n=1000&last=2"
    server.pages["https://a.example/v2/team/app/tags/list?n=1000&last=2"] = {"tags": ["3"]}, ""
    assert registry.tags(parse("a.example/team/app:1")) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("docker.io/library/caddy:2", "https://registry-1.docker.io/v2/library/caddy/"),
        ("caddy:2", "https://registry-1.docker.io/v2/library/caddy/"),
        ("valkey/valkey:8", "https://registry-1.docker.io/v2/valkey/valkey/"),
        ("localhost:5000/valkey:8", "http://localhost:5000/v2/valkey/"),
        ("a.example:5000/valkey:8", "https://a.example:5000/v2/valkey/"),
    ],
)
def test_a_registry_is_asked_where_docker_would_ask_it(server: Registry, name: str, first: str) -> None:
    server.pages[f"{first}tags/list?n=1000"] = {"tags": None}, ""
    assert registry.tags(parse(name)) == []


@pytest.mark.parametrize(
    ("login", "sent"), [({}, ""), ({"auths": {"a.example": {"auth": "bWU6c2VjcmV0"}}}, "Basic bWU6c2VjcmV0")]
)
@pytest.mark.parametrize("name", ["token", "access_token"])
def test_a_token_is_asked_for_with_the_login_there_is(
    server: Registry, tmp_path: Path, login: dict[str, Any], sent: str, name: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(login))
    server.challenge, server.wants = 'Bearer realm="https://b.example/token",service="it"', "Bearer t0ken"
    server.token = {name: "t0ken"}
    server.pages["https://a.example/v2/app/tags/list?n=1000"] = {"tags": ["1"]}, ""
    assert registry.tags(parse("a.example/app:1")) == ["1"]
    asked, said = server.sent[1]
    assert asked == "https://b.example/token?scope=repository%3Aapp%3Apull&service=it"
    assert said == sent


def test_a_registry_that_wants_a_password_is_sent_it_and_only_once(server: Registry, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"auths": {"a.example": {"auth": "bWU6c2VjcmV0"}}}))
    server.challenge, server.wants = 'Basic realm="it"', "Basic bWU6c2VjcmV0"
    server.pages["https://a.example/v2/app/tags/list?n=1000"] = {"tags": ["1"]}, ""
    assert registry.tags(parse("a.example/app:1")) == ["1"]
    server.wants = "another"
    with pytest.raises(ImageError, match=r"^a\.example does not list its tags \(401"):
        registry.tags(parse("a.example/app:1"))
    assert len(server.sent) == 4


def test_what_is_not_listed_and_who_does_not_answer_are_told_apart(server: Registry) -> None:
    with pytest.raises(ImageError, match=r"^a\.example does not list its tags \(404 Client Error") as refused:
        registry.tags(parse("a.example/app:1"))
    assert not isinstance(refused.value, UnreachableError)
    for server.failure in (requests.ConnectionError("Connection refused"), requests.Timeout("Connection refused")):
        with pytest.raises(UnreachableError, match=r"^a\.example does not answer \(Connection refused\)"):
            registry.tags(parse("a.example/app:1"))


def test_pages_that_never_end_are_left_after_a_while(server: Registry) -> None:
    first = "https://a.example/v2/app/tags/list?n=1000"
    server.pages[first] = {"tags": ["1"]}, first
    assert set(registry.tags(parse("a.example/app:1"))) == {"1"}


def uv_that(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    (folder / "uv").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "uv").chmod(0o755)
    monkeypatch.setattr(uv, "found", lambda: folder / "uv")


def test_the_package_index_tells_the_newest_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv_that(tmp_path, monkeypatch, "cat; echo 'pulumi[x]==3.272.0'; pwd > asked-from")
    assert pypi.newest(tmp_path, "-", text="open-webui==0.12.9\n") == {"open-webui": "0.12.9", "pulumi": "3.272.0"}
    assert (tmp_path / "asked-from").read_text().strip() == str(tmp_path)


def test_a_package_index_that_does_not_answer_is_told_with_the_last_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv_that(tmp_path, monkeypatch, "echo 'error: no way\n  ├─▶ x\n  ╰─▶ cause: no such host' >&2; exit 2")
    with pytest.raises(UnreachableError, match=r"the package index does not answer \(no such host\)$"):
        pypi.newest(tmp_path, "-")
    uv_that(tmp_path, monkeypatch, "exit 2")
    with pytest.raises(UnreachableError, match="no reason given"):
        pypi.newest(tmp_path, "-")
    monkeypatch.setattr(uv, "found", lambda: None)
    with pytest.raises(UnreachableError, match="uv is not here, which `make python` installs"):
        pypi.newest(tmp_path, "-")
