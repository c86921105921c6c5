"""What cannot work is refused here, before an image is built, a stack begun or a state written.

The program refuses the same by itself, under plain ``pulumi up`` too; but by then the engine has begun. Both engines
thereby say the same words, and an update that is refused leaves the state file as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from settings import Settings
from tooling.pulumi_cli.backends import refuse_wrong_passphrase, secrets_provider
from tooling.pulumi_files.config import Told, begun, load_config, read_salt
from tooling.pulumi_files.errors import OnlyTheCliError, only_the_cli
from tooling.pulumi_files.project import passphrase, stack_file, state_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tooling.pulumi_files.project import Project


def read_settings(project: Project, stack: str, ask_the_cli: Callable[[], Told | None] | None = None) -> Settings:
    """The settings of a stack.

    Args:
        project: The project.
        stack: The stack.
        ask_the_cli: Has the Pulumi CLI tell the configuration, where only that can read it (an environment of Pulumi
            Cloud, secrets of a key service, configuration of Pulumi itself); None where it is not the engine.

    Raises:
        EngineError: The configuration is not of the declared types, or cannot be decrypted.
        ToolError: The Pulumi CLI does not tell it.
        SettingsError: A setting cannot work.
    """
    try:
        values, secret = _written(project, stack)
    except OnlyTheCliError:
        told = ask_the_cli() if ask_the_cli else None
        if told is None:
            raise
        values, secret = told
    return Settings.of(project.name, stack, values, secret)


def _written(project: Project, stack: str) -> Told:
    file = stack_file(project, stack)
    secrets = None
    if b"secure:" in file.read_bytes():
        if provider := secrets_provider(project, stack):
            raise only_the_cli(f"{file}: secrets of {provider}")
        from tooling.pulumi_files.secrets import Secrets  # noqa: PLC0415 - a fifth of a second that most stacks save

        salt = read_salt(file)
        secrets = Secrets(salt, passphrase(project, make=False)) if salt else None
    config = load_config(project, stack, secrets)
    return config.values, [*config.secret_keys, *_secret_parts(config.sealed)]


def _secret_parts(sealed: Mapping[str, Any]) -> Iterator[str]:
    """Paths of what is encrypted within an object, which Pulumi names as a whole."""
    for key, value in sealed.items():
        for name, part in value.items() if isinstance(value, dict) else ():
            if isinstance(part, dict) and "secure" in part:
                yield f"{key}.{name}"


def refuse_unusable_state(project: Project, stack: str, export: Callable[[], Mapping[str, Any]]) -> None:
    """Have the state read and its passphrase tried, where the engine is about to be the Pulumi CLI.

    The CLI's own words name neither the file nor a way out.

    Args:
        project: The project.
        stack: The stack.
        export: Asks a shared backend for the document of ``pulumi stack export``.

    Raises:
        EngineError: The state file cannot be read, or the passphrase does not open it.
    """
    if state_file(project, stack) is None:
        refuse_wrong_passphrase(project, stack, export)
        return
    from tooling.pulumi_files.stack import Workspace  # noqa: PLC0415 - only the Pulumi CLI's users need to wait for it

    workspace = Workspace(project.directory, stack)
    document = workspace.backend.read()
    if secrets_provider(project, stack):
        return
    if begun(project, stack):
        workspace.stack_secrets(document, write=False).encrypt("")
