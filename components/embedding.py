"""Engine and model that embed documents. The vectors of one model are noise to another, so a change must be meant."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DEFAULTS: Final[Mapping[str, str]] = {
    "RAG_EMBEDDING_ENGINE": "",
    "RAG_EMBEDDING_MODEL": "sentence-transformers/all-MiniLM-L6-v2",
}
"""Variables of Open WebUI that choose them. By default it embeds by itself, with the model that its image brings.

Source: https://docs.openwebui.com/getting-started/env-configuration
"""


def embedding(variables: Mapping[str, str]) -> str:
    """Engine and model that an environment chooses: ``local sentence-transformers/all-MiniLM-L6-v2``."""
    engine, model = (variables.get(name, default) for name, default in DEFAULTS.items())
    return f"{engine or LOCAL} {model}"


LOCAL: Final = "local"
"""The name for an empty engine: Open WebUI's own process computes."""


def variables_of(chosen: str) -> dict[str, str]:
    """The variables that choose what :func:`embedding` named."""
    engine, _, model = chosen.partition(" ")
    return dict(zip(DEFAULTS, ("" if engine == LOCAL else engine, model), strict=True))
