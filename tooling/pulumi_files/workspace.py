"""A stack, opened for one command: the keys of its secrets, with its configuration and its state behind them.

It imports little: the key, which everything waits for, is derived while :mod:`tooling.engine.operation` is imported.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from tooling.pulumi_files.checkpoint import Checkpoint, load, salt_of
from tooling.pulumi_files.config import Config, load_config
from tooling.pulumi_files.errors import PulumiFilesError
from tooling.pulumi_files.project import passphrase
from tooling.pulumi_files.secrets import Secrets
from tooling.pulumi_files.stack import Stack
from tooling.pulumi_files.stack_file import read_salt, write_salt


class Workspace:
    """A stack, opened for one command; each key is derived once.

    Args:
        stack: The stack.

    Attributes:
        sealed: It opens nothing of the configuration; see :func:`tooling.pulumi_files.stack_file.needs_the_cli`.
    """

    sealed = False

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._passphrase: str | None = None
        self._secrets: dict[str, Secrets] = {}

    def secrets(self, salt: str) -> Secrets:
        """Secrets under a salt."""
        if salt not in self._secrets:
            if self._passphrase is None:
                self._passphrase = passphrase(self.stack.project, self.stack.environ, make=False)
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
        with suppress(PulumiFilesError):
            if salt := read_salt(self.stack.file):
                self.secrets(salt)

    def stack_secrets(self, document: dict[str, Any] | None, *, write: bool) -> Secrets:
        """The stack's secrets: under the stack file's salt, else the state's, else a new one.

        Args:
            document: The state file's document.
            write: Record the salt in the stack file where it is missing, as the CLI does.
        """
        salt = read_salt(self.stack.file) or (salt_of(document) if document else "")
        if salt:
            secrets = self.secrets(salt)
        else:
            self._passphrase = passphrase(self.stack.project, self.stack.environ)
            secrets = Secrets.new(self._passphrase)
            self._secrets[secrets.salt] = secrets
        if write:
            write_salt(self.stack.file, secrets.salt)
        return secrets

    def config(self, secrets: Secrets) -> Config:
        """The stack's configuration, its secrets opened."""
        return load_config(self.stack, secrets)

    def checkpoint(self, document: dict[str, Any] | None, secrets: Secrets) -> Checkpoint:
        """The state, its secrets opened (under the salt it was written with)."""
        if document is None:
            return Checkpoint()
        salt = salt_of(document)
        opener = secrets if salt in ("", secrets.salt) else self.secrets(salt)
        return load(document, opener.open)
