"""What the stack file says of settings that Open WebUI's admin panel has too: it wins, at each update.

The one-shot container has written it. Somebody may have changed it in the panel since: that is seen as the state is
refreshed, shown by the preview, and undone by the update. No container restarts for it.

The provider is stored in state by reference to this module: never move or rename it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pulumi
from docker.errors import DockerException
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult
from requests import RequestException

from docker_access.background import bounded
from docker_access.client import api_client
from docker_access.commands import Ran, run_inside
from docker_access.provider_errors import message_alone

SECONDS: Final = 40
"""How long a look at the database may take; it gives up itself after ten."""


class PanelSettingsError(Exception):
    """The settings could not be written; the text has the program's output."""


class PanelSettingsProvider(ResourceProvider):
    """Runs ``components/open_webui/panel.py`` in a container of Open WebUI."""

    serialize_as_secret_always = False
    """The state holds a reference to this module instead of the provider. It is no secret, and is not encrypted."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Take them for written: the one-shot has done it before the container started."""
        return CreateResult("panel", props)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Which settings the panel has otherwise by now. Where that cannot be asked, none are known."""
        try:
            ran = _run(props, "compare")
            otherwise = json.loads(ran.output) if not ran.exit_code else []
        except (DockerException, RequestException, OSError, ValueError):
            otherwise = []
        return ReadResult(id_, {**props, "otherwise_in_panel": otherwise})

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        """They are written again where the panel has some otherwise; the rest is only noted."""
        names = ("container_id", "command", "said", "otherwise_in_panel")
        return DiffResult(changes=any(olds.get(name) != news.get(name) for name in names))

    @message_alone()
    def update(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        """Write them again, where the panel has some otherwise."""
        if olds.get("otherwise_in_panel"):
            ran = _run(news, "write")
            if ran.exit_code:
                place, said = str(news["container_id"])[:12], f"{ran.output}{ran.error}".strip()
                raise PanelSettingsError(f"{place} could not write the settings (exit code {ran.exit_code}):\n{said}")
        return UpdateResult(news)


def _run(props: dict[str, Any], verb: str) -> Ran:
    """Run the program in the container.

    Raises:
        TimeoutError: It has not ended in time.
        DockerException, RequestException: It cannot be run.
    """
    program = (Path(__file__).with_name("open_webui") / "panel.py").read_text(encoding="utf-8")

    def execute() -> Ran:
        with closing(api_client(SECONDS)) as client:
            return run_inside(client, str(props["container_id"]), [*props["command"], "python3", "-c", program, verb])

    return bounded(execute, SECONDS)


class PanelSettings(Resource, module="openwebui", name="PanelSettings"):
    """Settings of the admin panel that the stack file says."""

    def __init__(
        self,
        name: str,
        *,
        container_id: pulumi.Input[str],
        command: Sequence[str],
        said: list[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare them.

        Args:
            name: Name of the Pulumi resource.
            container_id: Id of a container of Open WebUI, in which they are compared and written.
            command: What prepares the container's environment and runs the rest of its words; empty for nothing.
            said: Names of the variables that give them their values.
            opts: Pulumi's options.
        """
        inputs = {"container_id": container_id, "command": list(command), "said": said, "otherwise_in_panel": []}
        # It exists in the state only: with this, Pulumi deletes it without starting its provider's process.
        own = pulumi.ResourceOptions(retain_on_delete=True)
        super().__init__(PanelSettingsProvider(), name, inputs, pulumi.ResourceOptions.merge(opts, own))
