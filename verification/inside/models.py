"""Which models answer the app: its endpoints, from its database or its environment, asked for their lists."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any, Final

from verification.inside.environment import mask
from verification.inside.errors import one_line
from verification.inside.load import STRETCH

MODELS_SECONDS: Final = 4.0 * STRETCH
"""How long an endpoint may take to list its models."""
DEFAULT_SECONDS: Final = 1.0 * STRETCH
"""The same where nobody has named it: its name may lead nowhere, and be looked up for long."""
SETTINGS: Final = (
    "openai.enable", "openai.api_base_urls", "openai.api_keys", "openai.api_configs", "ollama.enable",
    "ollama.base_urls", "ollama.api_configs",
)  # fmt: skip
"""Where Open WebUI keeps its endpoints.

Source: https://github.com/open-webui/open-webui/blob/v0.12.4/backend/open_webui/config.py
"""
FINE: Final = 200
OPENAI: Final = "https://api.openai.com/v1"
"""Open WebUI's default, which answers nobody without a key."""
OLLAMA: Final = frozenset({"/ollama", "http://host.docker.internal:11434", "http://localhost:11434"})
"""Open WebUI's defaults: an Ollama that may be there."""


def endpoints(table: dict[str, Any], environment: dict[str, str]) -> list[dict[str, str]]:
    """The endpoints an app asks for models.

    Args:
        table: Settings of the admin panel, by key; empty where it keeps none.
        environment: The app's.

    Returns:
        Of each, ``url``, ``list`` (what is asked), ``key`` (empty for none), and ``optional``, where it is a default.
    """
    found = []
    keys = _listed(table, "openai.api_keys", environment, "OPENAI_API_KEYS", "OPENAI_API_KEY")
    urls = _listed(table, "openai.api_base_urls", environment, "OPENAI_API_BASE_URLS", "OPENAI_API_BASE_URL")
    for number, url in enumerate(urls if _enabled(table, "openai.enable", environment, "ENABLE_OPENAI_API") else []):
        key, place = keys[number] if number < len(keys) else "", (url or OPENAI).rstrip("/")
        if _is_on(table, "openai.api_configs", number, url) and (key or place != OPENAI):
            found.append({"url": place, "list": f"{place}/models", "key": key, "optional": ""})
    urls = _listed(table, "ollama.base_urls", environment, "OLLAMA_BASE_URLS", "OLLAMA_BASE_URL")
    for number, url in enumerate(urls if _enabled(table, "ollama.enable", environment, "ENABLE_OLLAMA_API") else []):
        place = (url if url.startswith("http") else "http://localhost:11434").rstrip("/")
        if _is_on(table, "ollama.api_configs", number, url):
            optional = "a default" if url in OLLAMA else ""
            found.append({"url": place, "list": f"{place}/api/tags", "key": "", "optional": optional})
    return found


def _listed(table: dict[str, Any], key: str, environment: dict[str, str], *names: str) -> list[str]:
    if isinstance(table.get(key), list):
        return [str(item) for item in table[key]]
    text = next((environment[name] for name in names if environment.get(name)), "")
    return [item.strip() for item in text.split(";")]


def _enabled(table: dict[str, Any], key: str, environment: dict[str, str], name: str) -> bool:
    return bool(table[key]) if key in table else environment.get(name, "true").lower() == "true"


def _is_on(table: dict[str, Any], key: str, number: int, url: str) -> bool:
    """Whether an endpoint is not switched off in the panel, which knows it by number or, before, by address."""
    known = table.get(key)
    options = known.get(str(number), known.get(url)) if isinstance(known, dict) else None
    return not isinstance(options, dict) or options.get("enable") is not False


async def ask_models(table: dict[str, Any], environment: dict[str, str]) -> list[dict[str, Any]]:
    """Ask each endpoint for its models; a default that is not there is left out. Keys are not told."""
    import aiohttp  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415 - the app's library, not ours

    proxies = {name: value for name, value in environment.items() if name.lower().endswith("_proxy")}
    os.environ.update(proxies)  # the app may have them from a file

    async def ask(session: Any, endpoint: dict[str, str]) -> dict[str, Any] | None:
        headers = {"Authorization": f"Bearer {endpoint['key']}"} if endpoint["key"] else {}
        told: dict[str, Any] = {"url": mask(endpoint["url"]), "models": [], "error": ""}
        status, said = 0, ""
        timeout = aiohttp.ClientTimeout(total=DEFAULT_SECONDS if endpoint["optional"] else MODELS_SECONDS)
        try:
            async with session.get(endpoint["list"], headers=headers, timeout=timeout) as response:
                status, said = response.status, await response.text()
            answer = json.loads(said)
            rows = answer.get("data") or answer.get("models") or [] if isinstance(answer, dict) else answer
            told["models"] = sorted(str(row.get("id") or row.get("name")) for row in rows)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong is the answer
            said = said if status else one_line(error)
        if status == FINE and told["models"]:
            return told
        if endpoint["optional"]:
            return None
        seen = " ".join(f"{status or ''} {said}".split())[:120]
        return told | {"error": seen.replace(endpoint["key"], "***") if endpoint["key"] else seen}

    async with aiohttp.ClientSession(trust_env=True) as session:
        answers = await asyncio.gather(*(ask(session, one) for one in endpoints(table, environment)))
    return [answer for answer in answers if answer]
