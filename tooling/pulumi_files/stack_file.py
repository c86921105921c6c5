"""The stack file, ``Pulumi.<stack>.yaml``: what it says of secrets and of Pulumi itself, and changes to it.

Source: https://www.pulumi.com/docs/iac/concepts/projects/stack-settings-file/
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tooling.pulumi_files.atomic_files import write_atomically
from tooling.pulumi_files.config import full_key
from tooling.pulumi_files.errors import PulumiFilesError
from tooling.pulumi_files.go_yaml import read_yaml
from tooling.pulumi_files.yaml_edit import NotABlockError, set_in

if TYPE_CHECKING:
    from tooling.pulumi_files.secrets import Secrets
    from tooling.pulumi_files.stack import Stack

_KEYS: Final = ("config", "encryptionsalt", "secretsprovider")
"""What can be read here of a stack file."""
_SEALED_KEY: Final = "encryptedkey"
"""What a key service or Pulumi Cloud sealed the stack's own key into."""
_PASSPHRASE: Final = (None, "passphrase", "default")
"""What ``secretsprovider`` is where a passphrase seals the secrets."""


def needs_the_cli(stack: Stack, *, sealed: bool = False) -> str:
    """What a stack's configuration has that only the Pulumi CLI reads, as the subject of a sentence; empty if nothing.

    That is an environment of Pulumi Cloud (ESC), what a key service or Pulumi Cloud has sealed, and the configuration
    of Pulumi itself.

    Args:
        stack: The stack.
        sealed: Nothing is to be opened: how it is sealed, and what is for Pulumi itself, does not matter.
    """
    document = read_yaml(stack.file)
    for key, value in document.items():
        if value and key not in _KEYS and not (sealed and key == _SEALED_KEY):
            # What has slipped out of `config` may be secret.
            return f"{stack.file}: `{key}`" + (f" {value!r}" if key == "environment" else "")
    if sealed:
        return ""
    provider, config = document.get("secretsprovider"), document.get("config")
    if provider not in _PASSPHRASE:
        return f"{stack.file}: `secretsprovider` {provider!r}"
    keys = map(str, config) if isinstance(config, dict) else ()
    if own := sorted(key for key in keys if key.startswith("pulumi:")):
        return f"{stack.file}: configuration of the engine itself ({', '.join(own)})"
    if b"secure:" in stack.file.read_bytes() and (sealing := secrets_provider(stack)):
        return f"{stack.file}: secrets of {sealing}"
    return ""


def secrets_provider(stack: Stack) -> str:
    """What seals a stack's secrets, where that is no passphrase: a key service, or Pulumi Cloud; else empty."""
    try:
        document = read_yaml(stack.file)
    except PulumiFilesError:  # whoever reads the settings says so
        document = {}
    provider = document.get("secretsprovider")
    if provider not in _PASSPHRASE:
        # What follows the scheme names a key, and may name an account.
        return f"{str(provider).partition('://')[0]} (secretsprovider)"
    cloud = urlsplit(stack.backend_url).scheme in {"http", "https"} and "encryptionsalt" not in document
    return "Pulumi Cloud" if cloud else ""


def read_salt(path: Path) -> str | None:
    """The stack file's salt, if it has one."""
    salt = read_yaml(path).get("encryptionsalt")
    return str(salt) if salt else None


def begun(stack: Stack) -> bool:
    """Whether something of the stack is encrypted already, so that a new passphrase could not open it."""
    return bool(read_salt(stack.file)) or (stack.state_file is not None and stack.state_file.exists())


def set_value(
    stack: Stack, key: str, value: str, secrets: Secrets | None = None, *, within: Sequence[str] = ()
) -> None:
    """Write one value into the stack file, leaving every other line and comment as it is.

    Args:
        stack: The stack.
        key: Key with or without namespace.
        value: The text; it is quoted, so that the Pulumi CLI reads the same text back.
        secrets: Given for a secret value: it is written encrypted.
        within: Keys that lead to a place within the object that ``key`` holds; whole numbers, true and false are
            written as such there, as the CLI does.

    Raises:
        PulumiFilesError: The file's ``config:`` block, or the object in it, is not one key a line.
    """
    path = stack.file
    read_yaml(path)
    full = full_key(stack.project, key)
    places = [["config"], [full, full.rpartition(":")[2]], *([name] for name in within)]
    plain = within and re.fullmatch(r"true|false|0|-?[1-9][0-9]*", value)
    written = secrets.encrypt(value) if secrets else value if plain else json.dumps(value, ensure_ascii=False)
    try:
        text = set_in(path.read_text(encoding="utf-8"), places, written, secure=secrets is not None)
    except NotABlockError as error:
        raise PulumiFilesError(
            f"{path}, line {error.line}: write {error.name} with one key a line below it, then set again."
        ) from None
    _write(path, text)


def write_salt(path: Path, salt: str) -> None:
    """Record the salt in the stack file where the CLI looks for it; every other line stays."""
    text = path.read_text(encoding="utf-8")
    if re.search(r"(?m)^encryptionsalt\s*:", text):
        return
    _write(path, text + ("\n" if text and not text.endswith("\n") else "") + f"encryptionsalt: {salt}\n")


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise PulumiFilesError(
            f"{path} cannot be written: {error.strerror}. Make it and its directory writable."
        ) from None
