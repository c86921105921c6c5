"""Lets a running gateway take over its changed configuration, without dropping a connection.

The provider is stored in state by reference to this module: never move or rename it.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any, Final

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from docker_access.background import bounded
from docker_access.client import api_client
from docker_access.commands import Ran, run_inside
from docker_access.provider_errors import message_alone

SECONDS: Final = 30
"""How long the command may take."""


class ReloadError(Exception):
    """The command failed; the text has its output."""


class ReloadProvider(ResourceProvider):
    """Runs a command in a container whenever what it depends on has changed."""

    serialize_as_secret_always = False
    """The state holds a reference to this module instead of the provider. It is no secret, and is not encrypted."""

    @message_alone()
    def create(self, props: dict[str, Any]) -> CreateResult:
        """Run it: a container that started before the configuration was written has another one."""
        _run(props)
        return CreateResult("reload", props)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """Any change runs it again."""
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in ("container", "command", "triggers")))

    @message_alone()
    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Run it again."""
        _run(news)
        return UpdateResult(news)


def _run(props: dict[str, Any]) -> None:
    container, command = str(props["container"]), [str(word) for word in props["command"]]
    line = f"docker exec {container} {' '.join(command)}"

    def execute() -> Ran:
        with closing(api_client(SECONDS)) as client:
            return run_inside(client, container, command)

    try:
        code, output, error = bounded(execute, SECONDS)
    except TimeoutError:
        raise ReloadError(f"{container} has not reloaded its configuration within {SECONDS} s. Try: {line}") from None
    if code:
        said = f"{output}{error}".strip()
        raise ReloadError(
            f"{container} refuses its configuration (exit code {code}) and keeps the old one:\n{said}\n{line}"
        )


class Reload(Resource, module="openwebui", name="Reload"):
    """A command run in a container after each change."""

    def __init__(
        self,
        name: str,
        *,
        container: pulumi.Input[str],
        command: list[str],
        triggers: dict[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the command.

        Args:
            name: Name of the Pulumi resource.
            container: Name of the container.
            command: The command.
            triggers: Ids and hashes: when one changes, the command runs again.
            opts: Pulumi's options.
        """
        inputs = {"container": container, "command": command, "triggers": triggers}
        # It exists in the state only: with this, Pulumi deletes it without starting its provider's process.
        own = pulumi.ResourceOptions(retain_on_delete=True)
        super().__init__(ReloadProvider(), name, inputs, pulumi.ResourceOptions.merge(opts, own))
