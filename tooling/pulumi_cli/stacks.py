"""What the Pulumi CLI is asked about a stack out of sight: to have it, its configuration, its state."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tooling.errors import ToolError
from tooling.machine import host
from tooling.pulumi_cli import backends
from tooling.pulumi_cli.usable import NO_CLI
from tooling.pulumi_files.checkpoint import latest_of
from tooling.pulumi_files.config import PlainConfig
from tooling.pulumi_files.go_yaml import read_yaml
from tooling.pulumi_files.project import BACKEND_VARIABLE, environment
from tooling.pulumi_files.stack import Stack
from tooling.pulumi_files.stack_file import begun, secrets_provider

NO_STACK: Final = "no stack named"
"""What the CLI says of a stack that its backend has not."""


def variables(stack: Stack) -> dict[str, str]:
    """Environment of an engine: the same backend and passphrase for both."""
    if stack.shared:
        own = backends.environment(stack)
    elif secrets_provider(stack):
        own = {BACKEND_VARIABLE: stack.backend_url}
    else:
        own = environment(stack.project, stack.environ, make=not begun(stack))
    return {**stack.environ, "PULUMI_SKIP_UPDATE_CHECK": "true", **own}


def captured(command: Sequence[str], stack: Stack) -> subprocess.CompletedProcess[str]:
    """What a command of an engine prints; the backend's password is taken out of its standard error."""
    own = {**variables(stack), "PYTHONIOENCODING": "utf-8"}
    done = host.captured(command, cwd=stack.project.directory, env=own)
    done.stderr = backends.without_password(done.stderr.strip(), stack.backend_url)
    return done


def configuration(stack: Stack) -> PlainConfig:
    """The stack's configuration as the Pulumi CLI reads it, environments opened, secrets decrypted, defaults included.

    The stack is made in the backend if it is not there: the CLI reads nothing of one that is not.

    Raises:
        ToolError: The CLI fails.

    Source: https://www.pulumi.com/docs/iac/cli/commands/pulumi_config/
    """
    select(stack)
    done = captured(["pulumi", "config", "--json", "--show-secrets", "--stack", stack.name], stack)
    if done.returncode != 0:
        raise ToolError(f"the Pulumi CLI cannot read the configuration of stack {stack.name}:\n{done.stderr}")
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    values = {key: str(entry["value"]) for key, entry in found.items()}
    return values, {key for key, entry in found.items() if entry.get("secret")}


def deployment(stack: Stack) -> Mapping[str, Any]:
    """What the stack's state records, as ``pulumi stack export`` has it; empty where there is none.

    Raises:
        PulumiFilesError: The state cannot be read.
        ToolError: A shared backend does not answer.
    """
    if stack.shared or stack.backend.compressed:
        return exported(stack).get("deployment") or {}
    document = stack.backend.read()
    return latest_of(document) if document else {}


def exported(stack: Stack, *, show_secrets: bool = False) -> dict[str, Any]:
    """The state in a backend that only the Pulumi CLI reads, as it exports it; empty where there is no such stack.

    Raises:
        ToolError: The backend could not be asked.
    """
    if not shutil.which("pulumi"):
        backends.refuse_embedded(stack, NO_CLI)
        provider = secrets_provider(stack)
        sealed = f"the secrets of stack {stack.name} are sealed by {provider}"
        what = sealed if provider else f"the state of stack {stack.name} is compressed"
        raise ToolError(f"{what}, which the Pulumi CLI alone opens: {NO_CLI}.")
    words = ["--show-secrets"] if show_secrets else []
    done = captured(["pulumi", "stack", "export", "--stack", stack.name, *words], stack)
    if done.returncode == 0:
        document: dict[str, Any] = json.loads(done.stdout)
        return document
    if NO_STACK in done.stderr:
        return {}
    raise ToolError(f"stack {stack.name} cannot be read from {backends.described(stack)}:\n{done.stderr}")


def select(stack: Stack) -> None:
    """Have the stack in the backend: the first command on it makes it."""
    variables(stack)  # a passphrase that is missing is refused before anything is made
    directory = stack.backend_directory
    if directory is not None:
        if stack.backend.file.exists():
            return
        # The CLI wants the directory of its backend to exist.
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ToolError(
                f"the state cannot be kept in {directory} ({error.strerror}). Make that directory writable, or set "
                "PULUMI_BACKEND_URL to another one."
            ) from None
    if not os.access(stack.file, os.W_OK):
        # The CLI would say so too, with the stack half made.
        raise ToolError(
            f"{stack.file} cannot be written; a new stack's encryption salt is kept there. Make it writable."
        )
    command = ["pulumi", "stack", "select", "--create", "--non-interactive", "--stack", stack.name]
    # A stack that is made without it would be sealed by a passphrase instead.
    if provider := read_yaml(stack.file).get("secretsprovider"):
        command += ["--secrets-provider", str(provider)]
    done = captured(command, stack)
    if done.returncode != 0:
        raise ToolError(f"stack {stack.name} cannot be made in the backend {backends.described(stack)}:\n{done.stderr}")
