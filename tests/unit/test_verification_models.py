"""Which endpoints for models an app has, what they answer, and what is said of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.unit.test_verification_checks import app, evidence, probe
from verification.checks import judge
from verification.evidence.inside import ModelsEndpoint, Probe
from verification.inside.models import ask_models, endpoints

KEY = "sk-0123456789"
OLLAMA = "http://host.docker.internal:11434"


def found(table: dict[str, Any], **environment: str) -> list[str]:
    return [f"{one['list']} {one['key']}".strip() for one in endpoints(table, environment)]


@pytest.mark.parametrize(
    ("table", "environment", "asked"),
    [
        ({}, {}, ["http://localhost:11434/api/tags"]),
        ({}, {"ENABLE_OLLAMA_API": "false"}, []),
        (
            {},
            {"OPENAI_API_BASE_URLS": "https://a/v1/; https://b/v1", "OPENAI_API_KEYS": f"{KEY};",
             "ENABLE_OLLAMA_API": "0"},
            [f"https://a/v1/models {KEY}", "https://b/v1/models"],
        ),
        ({}, {"OPENAI_API_KEY": KEY, "ENABLE_OLLAMA_API": "false"}, [f"https://api.openai.com/v1/models {KEY}"]),
        ({}, {"OPENAI_API_KEY": KEY, "ENABLE_OPENAI_API": "false", "ENABLE_OLLAMA_API": "false"}, []),
        ({}, {"OLLAMA_BASE_URL": "http://gpu:11434/"}, ["http://gpu:11434/api/tags"]),
        (
            {"openai.api_base_urls": ["https://a/v1", "https://b/v1"], "openai.api_keys": ["", KEY],
             "openai.api_configs": {"0": {"enable": False}}, "ollama.enable": False},
            {"OPENAI_API_BASE_URLS": "https://from-a-variable/v1"},
            [f"https://b/v1/models {KEY}"],
        ),
        (
            {"openai.enable": False, "ollama.base_urls": ["http://a", "http://b"],
             "ollama.api_configs": {"http://b": {"enable": False}}},
            {},
            ["http://a/api/tags"],
        ),
    ],
)  # fmt: skip
def test_an_app_asks_what_its_panel_says_and_else_its_variables(
    table: dict[str, Any], environment: dict[str, str], asked: list[str]
) -> None:
    assert found(table, **environment) == asked


async def answered(environment: dict[str, str], text: str, status: int = 200) -> list[dict[str, Any]]:
    """What an endpoint is said to have, that answers all with this text; ``HERE`` in a variable is where it is."""
    keys: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        keys.append(f"{request.path} {request.headers.get('Authorization', '')}")
        return web.Response(text=text, status=status)

    application = web.Application()
    application.router.add_route("GET", "/{path:.*}", answer)
    async with TestServer(application) as server:
        here = str(server.make_url("")).rstrip("/")
        told = await ask_models({}, {name: value.replace("HERE", here) for name, value in environment.items()})
    return [{**one, "url": one["url"].replace(here, "HERE"), "asked": keys} for one in told]


def asked(environment: dict[str, str], text: str, status: int = 200) -> dict[str, Any]:
    (one,) = asyncio.run(answered(environment, text, status))
    return one


OPENAI = {"OPENAI_API_BASE_URLS": "HERE/v1", "OPENAI_API_KEYS": KEY, "ENABLE_OLLAMA_API": "false"}


def test_models_are_listed_with_the_key_and_the_key_is_not_told() -> None:
    one = asked(OPENAI, '{"object": "list", "data": [{"id": "b"}, {"id": "a"}]}')
    assert one == {"url": "HERE/v1", "models": ["a", "b"], "error": "", "asked": [f"/v1/models Bearer {KEY}"]}
    refused = asked(OPENAI, f'{{"error": "no such key: {KEY}"}}', 401)
    assert refused["error"] == '401 {"error": "no such key: ***"}'
    assert asked(OPENAI, "", 404)["error"] == "404"
    assert asked(OPENAI, "[]")["error"] == "200 []"
    assert asked(OPENAI, "<html>", 200)["error"] == "200 <html>"


def test_an_ollama_lists_its_models_and_a_default_one_that_is_not_there_is_left_out() -> None:
    there = {"OLLAMA_BASE_URLS": "HERE", "ENABLE_OPENAI_API": "false"}
    assert asked(there, '{"models": [{"name": "llama3:8b"}]}')["models"] == ["llama3:8b"]
    silent = {"OPENAI_API_KEYS": KEY, "OPENAI_API_BASE_URLS": "http://127.0.0.1:9/v1", "OLLAMA_BASE_URL": "/ollama"}
    (one,) = asyncio.run(ask_models({}, silent))
    assert one["url"] == "http://127.0.0.1:9/v1"
    assert one["models"] == []
    assert "127.0.0.1" in one["error"]


def said(*models: ModelsEndpoint, asked: bool = True) -> tuple[str, str, str]:
    seen: Probe = replace(probe(), models=models if asked else None)
    row = next(one for one in judge(evidence(apps=(app(probe=seen),))) if one.id == "models")
    return row.status, row.cause, row.evidence


def test_the_report_lists_which_models_answer_and_names_what_does_not() -> None:
    many = ModelsEndpoint(url="https://a/v1", models=("a", "b", "c", "d", "e"))
    assert said(many) == ("passed", "", "https://a/v1: a, b, c and 2 more")
    silent = ModelsEndpoint(url="https://b/v1", error="401 no such key")
    assert said(many, silent) == ("failed", "models-no-answer", "https://b/v1: 401 no such key")
    status, cause, text = said()
    assert (status, cause) == ("unknown", "no-models")
    assert "open-webui:ollama: host" in text
    assert said(asked=False)[:2] == ("unknown", "not-asked")
