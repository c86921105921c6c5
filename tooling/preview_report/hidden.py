"""Takes a stack's secrets out of what an engine printed: more people read a pull request than may know them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from docker_access import redaction
from tooling.errors import ToolError
from tooling.preview_report.steps import other_host_refusal
from tooling.pulumi_cli.stacks import configuration, exported
from tooling.pulumi_files.config import load_config
from tooling.pulumi_files.project import load_project, passphrase
from tooling.pulumi_files.secrets import Secrets
from tooling.pulumi_files.stack import find_stack
from tooling.pulumi_files.stack_file import needs_the_cli, read_salt
from tooling.pulumi_files.values import SECRET, SIGNATURE
from tooling.pulumi_files.workspace import Workspace

WITHHELD: Final = (
    "The error is not repeated here: the stack's secrets could not be looked up, to take them out of it. It is in the "
    "log of the run that previewed."
)


def without_secrets(errors: Iterable[str], stack: str) -> tuple[str, ...]:
    """The errors without the secrets of this process and of the stack; withheld where those of the stack are not known.

    What the program says of another Docker host is never withheld: it needs none of the stack's secrets.

    The stack is one of the project in the current directory; empty where its secrets were not to be had.
    """
    hidden, known = redaction.values_within([f"{name}={value}" for name, value in os.environ.items()]), True
    try:
        hidden |= secrets_of_stack(stack) if stack else set()
    except (ToolError, OSError, ValueError):
        known = False
    shown = (redaction.redact(error, hidden) if known or other_host_refusal(error) else WITHHELD for error in errors)
    return tuple(dict.fromkeys(shown))


def secrets_of_stack(name: str) -> set[str]:
    """Every secret of a stack's configuration and state.

    Raises:
        ToolError: Some cannot be opened: the passphrase is not known, they are another provider's and there is no
            Pulumi CLI, or the backend does not answer.
    """
    stack = find_stack(load_project(Path()), name)
    if needs_the_cli(stack):
        values, secret = configuration(stack)
        opened = set[str]().union(*(redaction.values(values[key]) for key in secret))
        return opened | secrets_of_export(exported(stack, show_secrets=True))
    if stack.shared:
        salt = read_salt(stack.file)
        secrets = Secrets(salt, passphrase(stack.project, make=False)) if salt else None
        load_config(stack, secrets)
        opened = secrets_of_export(exported(stack, show_secrets=True))
        return opened | (secrets.plaintexts if secrets else set())
    workspace = Workspace(stack)
    document = stack.backend.read()
    if document or read_salt(stack.file):
        secrets = workspace.stack_secrets(document, write=False)
        load_config(stack, secrets)
        workspace.checkpoint(document, secrets)
    return workspace.plaintexts


def secrets_of_export(document: Any) -> set[str]:
    """Secrets of a state that the Pulumi CLI has exported with them shown."""
    return set[str]().union(*(redaction.values_of(name, value) for name, value in _shown(document)))


def _shown(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value.get(SIGNATURE) == SECRET:
        yield name, json.loads(value.get("plaintext", "null"))
    elif isinstance(value, Mapping | list):
        for key, item in value.items() if isinstance(value, Mapping) else ((name, item) for item in value):
            yield from _shown(item, key)
