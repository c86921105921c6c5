"""A stack, opened for one command: its project, its stack file, its state and the key of its secrets.

It imports little: the key, which everything waits for, is derived while :mod:`tooling.engine.operation` is imported.
Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/workspace/workspace.go
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from tooling.pulumi_files.config import Config, load_config, read_salt, write_salt
from tooling.pulumi_files.errors import EngineError, UsageError
from tooling.pulumi_files.project import backend_directory, load_project, passphrase, stack_file, stack_names
from tooling.pulumi_files.secrets import Secrets
from tooling.pulumi_files.state import Backend, Checkpoint, load, salt_of


class Workspace:
    """The project, the stack and its backend, opened for one command.

    Args:
        directory: The project's directory.
        stack: The stack's name; None takes that of ``PULUMI_STACK``, else the only one there is.
    """

    def __init__(self, directory: Path, stack: str | None) -> None:
        self.project = load_project(directory)
        self.stack = stack or os.environ.get("PULUMI_STACK") or self._only_stack()
        self.stack_file = stack_file(self.project, self.stack)
        self.backend = Backend(backend_directory(self.project), self.project.name, self.stack)
        self._passphrase: str | None = None
        self._secrets: dict[str, Secrets] = {}

    def _only_stack(self) -> str:
        names = stack_names(self.project)
        if len(names) != 1:
            raise UsageError(f"Which stack? Give --stack NAME; stacks here: {', '.join(names) or 'none yet'}.")
        return names[0]

    def secrets(self, salt: str) -> Secrets:
        """Secrets under a salt."""
        if salt not in self._secrets:
            if self._passphrase is None:
                self._passphrase = passphrase(self.project, make=False)
            self._secrets[salt] = Secrets(salt, self._passphrase)
        return self._secrets[salt]

    @property
    def plaintexts(self) -> set[str]:
        """Every secret that was met so far, for masking."""
        return set[str]().union(*(secrets.plaintexts for secrets in self._secrets.values()))

    def derive_ahead(self) -> None:
        """Begin to derive the key of the stack file's salt: everything waits for it, and it is the slowest.

        What is wrong with the stack file or the passphrase is for the command to say, which asks again.
        """
        with suppress(EngineError):
            if salt := read_salt(self.stack_file):
                self.secrets(salt)

    def stack_secrets(self, document: dict[str, Any] | None, *, write: bool) -> Secrets:
        """The stack's secrets: under the stack file's salt, else the state's, else a new one.

        Args:
            document: The state file's document.
            write: Record the salt in the stack file where it is missing, as the CLI does.
        """
        salt = read_salt(self.stack_file) or (salt_of(document) if document else "")
        if salt:
            secrets = self.secrets(salt)
        else:
            self._passphrase = passphrase(self.project)
            secrets = Secrets.new(self._passphrase)
            self._secrets[secrets.salt] = secrets
        if write:
            write_salt(self.stack_file, secrets.salt)
        return secrets

    def config(self, secrets: Secrets) -> Config:
        """The stack's configuration, its secrets opened."""
        return load_config(self.project, self.stack, secrets)

    def checkpoint(self, document: dict[str, Any] | None, secrets: Secrets) -> Checkpoint:
        """The state, its secrets opened (under the salt it was written with)."""
        if document is None:
            return Checkpoint()
        salt = salt_of(document)
        opener = secrets if salt in ("", secrets.salt) else self.secrets(salt)
        return load(document, opener.open)
