"""What cannot work is refused here, before an image is built, a stack begun or a state written.

The program refuses the same by itself, under plain ``pulumi up`` too; but by then the engine has begun. Both engines
thereby say the same words, and an update that is refused leaves the state file as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from settings import Settings
from tooling.engine.errors import only_the_cli
from tooling.pulumi_cli.backends import refuse_wrong_passphrase
from tooling.pulumi_files.checkpoint import sealed_by
from tooling.pulumi_files.config import PlainConfig, load_config
from tooling.pulumi_files.project import passphrase
from tooling.pulumi_files.stack import Stack
from tooling.pulumi_files.stack_file import begun, needs_the_cli, read_salt, secrets_provider


def read_settings(stack: Stack, ask_the_cli: Callable[[], PlainConfig | None] | None = None) -> Settings:
    """The settings of a stack.

    Args:
        stack: The stack.
        ask_the_cli: Has the Pulumi CLI read the configuration, where only that can (an environment of Pulumi Cloud,
            secrets of a key service, configuration of Pulumi itself); None where it is not the engine.

    Raises:
        ToolError: The configuration is not of the declared types, or cannot be decrypted; or only the Pulumi CLI reads
            it, and is not the engine or fails.
        SettingsError: A setting cannot work.
    """
    if what := needs_the_cli(stack):
        config = ask_the_cli() if ask_the_cli else None
        if config is None:
            raise only_the_cli(what)
    else:
        config = _read(stack)
    values, secret = config
    return Settings.of(stack.project.name, stack.name, values, secret)


def _read(stack: Stack) -> PlainConfig:
    secrets = None
    if b"secure:" in stack.file.read_bytes():
        from tooling.pulumi_files.secrets import Secrets  # noqa: PLC0415 - a fifth of a second that most stacks save

        salt = read_salt(stack.file)
        secrets = Secrets(salt, passphrase(stack.project, stack.environ, make=False)) if salt else None
    config = load_config(stack, secrets)
    return config.values, [*config.secret_keys, *_secret_parts(config.sealed)]


def _secret_parts(sealed: Mapping[str, Any]) -> Iterator[str]:
    """Paths of what is encrypted within an object, which Pulumi names as a whole."""
    for key, value in sealed.items():
        for name, part in value.items() if isinstance(value, dict) else ():
            if isinstance(part, dict) and "secure" in part:
                yield f"{key}.{name}"


def refuse_unusable_state(stack: Stack, export: Callable[[], Mapping[str, Any]]) -> None:
    """Have the state read and its passphrase tried, where the engine is about to be the Pulumi CLI.

    The CLI's own words name neither the file nor a way out. ``export`` asks a shared backend for the document of
    ``pulumi stack export``.

    Raises:
        PulumiFilesError: The state file cannot be read, or the passphrase does not open it.
    """
    if stack.shared:
        refuse_wrong_passphrase(stack, export)
        return
    if stack.backend.compressed:
        return
    document = stack.backend.read()
    if secrets_provider(stack) or (document and sealed_by(document) not in {"", "passphrase"}):
        return
    if begun(stack):
        from tooling.pulumi_files.workspace import Workspace  # noqa: PLC0415 - only the Pulumi CLI's users wait for it

        Workspace(stack).stack_secrets(document, write=False).try_passphrase()
