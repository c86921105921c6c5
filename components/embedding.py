"""What makes vectors of documents. One model's are noise to another: those there are must not meet a new one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DEFAULTS: Final[Mapping[str, str]] = {
    "RAG_EMBEDDING_ENGINE": "",
    "RAG_EMBEDDING_MODEL": "sentence-transformers/all-MiniLM-L6-v2",
}
"""Variables of Open WebUI that decide it: by default it embeds itself, with the model that its image brings.

Source: https://docs.openwebui.com/getting-started/env-configuration
"""


def embedding(variables: Mapping[str, str]) -> str:
    """Engine and model that an environment chooses: ``local sentence-transformers/all-MiniLM-L6-v2``.

    Args:
        variables: The environment; what is not in it has its default.
    """
    engine, model = (variables.get(name, default) for name, default in DEFAULTS.items())
    return f"{engine or LOCAL} {model}"


LOCAL: Final = "local"
"""Stands for no engine: Open WebUI's own process computes."""


def variables_of(chosen: str) -> dict[str, str]:
    """The variables that choose what :func:`embedding` named."""
    engine, _, model = chosen.partition(" ")
    return dict(zip(DEFAULTS, ("" if engine == LOCAL else engine, model), strict=True))
