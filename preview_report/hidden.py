"""Takes a stack's secrets out of what an engine said: more people read a pull request than may know them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import redaction
from engine.config import load_config, read_salt
from engine.errors import EngineError
from engine.secrets import Secrets
from engine.stack import Workspace
from engine.values import SECRET, SIGNATURE
from engine.workspace import load_project, passphrase, stack_file, state_file
from launcher.engines import exported
from launcher.errors import LauncherError
from preview_report.steps import OTHER_HOST

WITHHELD: Final = (
    "What was said is not repeated here: the stack's secrets could not be looked up, to take them out of it. "
    "It is in the log of the run that previewed."
)


def without_secrets(errors: Iterable[str], stack: str) -> tuple[str, ...]:
    """The errors without the secrets of this process and of the stack; withheld where those of the stack are not known.

    Args:
        errors: What an engine said.
        stack: The stack, of the project in the current directory; empty where its secrets were not to be had.
    """
    hidden, known = of_environment(os.environ), True
    try:
        hidden |= of_stack(stack) if stack else set()
    except (EngineError, LauncherError, OSError, ValueError):
        known = False
    # All at once: a secret that is part of another one, taken out before it, would leave the rest of that.
    told = (redaction.redact(error, hidden) if known or OTHER_HOST in error else WITHHELD for error in errors)
    return tuple(dict.fromkeys(told))


def of_environment(variables: Mapping[str, str]) -> set[str]:
    """Secrets among the variables of a process, by their names."""
    return redaction.values_within([f"{name}={value}" for name, value in variables.items()])


def of_stack(stack: str) -> set[str]:
    """Every secret of a stack's configuration and state.

    Raises:
        EngineError: Some cannot be opened: the passphrase is not known, or they are another provider's.
        LauncherError: The state is in a backend that does not answer.
    """
    project = load_project(Path())
    if state_file(project, stack) is None:
        salt = read_salt(stack_file(project, stack))
        secrets = Secrets(salt, passphrase(project, make=False)) if salt else None
        load_config(project, stack, secrets)
        opened = values_of_export(exported(project, stack, show_secrets=True))
        return opened | (secrets.plaintexts if secrets else set())
    workspace = Workspace(Path(), stack)
    document = workspace.backend.read()
    if document or read_salt(workspace.stack_file):
        secrets = workspace.stack_secrets(document, write=False)
        load_config(project, stack, secrets)
        workspace.checkpoint(document, secrets)
    return workspace.plaintexts


def values_of_export(document: Any) -> set[str]:
    """Secrets of a state that the Pulumi CLI has exported with them shown."""
    return set[str]().union(*(redaction.values_of(name, value) for name, value in _shown(document)))


def _shown(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value.get(SIGNATURE) == SECRET:
        yield name, json.loads(value.get("plaintext", "null"))
    elif isinstance(value, Mapping | list):
        for key, item in value.items() if isinstance(value, Mapping) else ((name, item) for item in value):
            yield from _shown(item, key)
