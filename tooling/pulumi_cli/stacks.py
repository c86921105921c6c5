"""What the Pulumi CLI is asked about a stack out of sight: to have it, its configuration, its state."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import Any, Final

from tooling.errors import ToolError
from tooling.pulumi_cli import backends
from tooling.pulumi_cli.usable import NO_CLI
from tooling.pulumi_files.config import PlainConfig
from tooling.pulumi_files.go_yaml import read_yaml
from tooling.pulumi_files.project import (
    BACKEND_VARIABLE,
    Project,
    backend_url,
    environment,
)
from tooling.pulumi_files.stack import find_stack
from tooling.pulumi_files.stack_file import begun, secrets_provider

NO_STACK: Final = "no stack named"
"""What the CLI says of a stack that its backend has not."""


def variables(project: Project | None = None, stack: str = "") -> dict[str, str]:
    """Environment of an engine: the same backend and passphrase for both."""
    own = {}
    if project and backends.is_shared(project):
        own = backends.environment(project, stack)
    elif project and stack and secrets_provider(find_stack(project, stack)):
        own = {BACKEND_VARIABLE: backend_url(project)}
    elif project:
        own = environment(project, make=not begun(find_stack(project, stack)))
    return {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true", **own}


def configuration(project: Project, stack: str) -> PlainConfig:
    """The stack's configuration as the Pulumi CLI tells it, environments opened, secrets decrypted, defaults included.

    The stack is made in the backend if it is not there: the CLI tells nothing of one that is not.

    Raises:
        ToolError: It does not tell.

    Source: https://www.pulumi.com/docs/iac/cli/commands/pulumi_config/
    """
    environ = variables(project, stack)
    select(project, stack, environ)
    done = subprocess.run(
        ["pulumi", "config", "--json", "--show-secrets", "--stack", stack], capture_output=True, encoding="utf-8",
        errors="replace", check=False, cwd=project.directory, env=environ,
    )  # fmt: skip
    if done.returncode != 0:
        said = backends.without_password(done.stderr.strip(), backend_url(project))
        raise ToolError(f"the Pulumi CLI does not tell the configuration of stack {stack}:\n{said}")
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    values = {key: str(entry["value"]) for key, entry in found.items()}
    return values, {key for key, entry in found.items() if entry.get("secret")}


def exported(project: Project, stack: str, *, show_secrets: bool = False) -> dict[str, Any]:
    """The state in a backend that only the Pulumi CLI reads, as it exports it; empty where there is no such stack.

    Raises:
        ToolError: The backend could not be asked.
    """
    if not shutil.which("pulumi"):
        backends.refuse_embedded(project, NO_CLI)
        sealed = secrets_provider(find_stack(project, stack))
        raise ToolError(
            f"the secrets of stack {stack} are sealed by {sealed}, which the Pulumi CLI alone opens: {NO_CLI}."
        )
    command = ["pulumi", "stack", "export", "--stack", stack, *(["--show-secrets"] if show_secrets else [])]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False, cwd=project.directory,
        env={**variables(project, stack), "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    if done.returncode == 0:
        document: dict[str, Any] = json.loads(done.stdout)
        return document
    if NO_STACK in done.stderr:
        return {}
    said = backends.without_password(done.stderr.strip(), backend_url(project))
    raise ToolError(f"stack {stack} cannot be read from {backends.named(project)}:\n{said}")


def select(project: Project, stack: str, environ: dict[str, str]) -> None:
    """Have the stack in the backend: the first command on it makes it."""
    found = find_stack(project, stack)
    directory = found.backend_directory
    if directory is not None:
        if found.backend.file.exists():
            return
        # The CLI wants the directory of its backend to exist.
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ToolError(
                f"the state cannot be kept in {directory} ({error.strerror}). Make that directory writable, or set "
                "PULUMI_BACKEND_URL to another one."
            ) from None
    file = found.file
    if not os.access(file, os.W_OK):
        # The CLI would say so too, with the stack half made.
        raise ToolError(f"{file} cannot be written; a new stack's encryption salt is kept there. Make it writable.")
    command = ["pulumi", "stack", "select", "--create", "--non-interactive", "--stack", stack]
    # A stack that is made without it would be sealed by a passphrase instead.
    if provider := read_yaml(file).get("secretsprovider"):
        command += ["--secrets-provider", str(provider)]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False, cwd=project.directory,
        env=environ,
    )  # fmt: skip
    if done.returncode != 0:
        raise ToolError(
            f"stack {stack} cannot be made in the backend {backends.named(project)}:\n"
            f"{backends.without_password(done.stderr.strip(), backend_url(project))}"
        )
