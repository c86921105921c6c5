"""What `up`, `preview`, `refresh` and `destroy` do before the engine (images, agreement) and after it (a summary)."""

from __future__ import annotations

import ipaddress
import json
import shlex
from typing import Any

import docker

from docker_access import daemon, labels
from docker_access.deployments import TAKE_OVER, Owner, is_kept_here, takes_over
from docker_access.ssh import destination
from preflight import look, refuse_local_build
from settings import Settings
from tooling.images.ensure import ensure
from tooling.launcher import engines
from tooling.launcher.consent import confirm_destroy, confirm_update
from tooling.launcher.docker_daemon import ensure_docker
from tooling.launcher.gate import read_settings
from tooling.launcher.one_shots import await_one_shots
from tooling.launcher.ownership import checked_owner, state_origin
from tooling.launcher.recovery import remove_strays
from tooling.launcher.stack import kept_volumes, remove_failed_one_shots
from tooling.machine.progress import say
from tooling.pulumi_cli import stacks
from tooling.pulumi_files.config import PlainConfig
from tooling.pulumi_files.stack import Stack


def settings_for(engine: str, stack: Stack) -> Settings:
    """The settings; what only the Pulumi CLI can read is asked of it, where it is the engine that would run."""

    def ask_the_cli() -> PlainConfig | None:
        return stacks.configuration(stack) if engines.choose(engine, stack).name == "pulumi" else None

    return read_settings(stack, ask_the_cli)


def have_images(client: docker.DockerClient, settings: Settings) -> None:
    """Have every image of the stack in Docker, and say of each how."""
    for reference in settings.images.values():
        say(f"image: {ensure(client, reference, refuse_build=refuse_local_build(settings))}")


def deploy(engine: engines.Engine, command: engines.Command, stack: Stack, *, yes: bool = False) -> int:
    """Run a command of an engine, any but ``outputs``; its exit code. With ``yes``, nobody is asked.

    Raises:
        ToolError: It cannot begin, or was not agreed to.
        PreflightError: The host lacks what the stack needs.
    """
    say(engine.line)
    settings = settings_for(engine.name, stack) if command in {"up", "preview"} else None
    client = ensure_docker()
    owner = checked_owner(stack)
    if command != "preview":
        await_one_shots(client, stack)
    if settings:
        # Its advice is the program's to give, which looks too.
        look(settings)
        have_images(client, settings)
    if not yes:
        _confirm(client, engine, command, stack, owner)
    if command in {"up", "destroy"}:
        _clear_the_way(client, engine, command, stack, owner)
    code = engines.run(engine, command, stack)
    if settings and command == "up" and code == 0:
        _say_after_update(client, engine, stack, settings)
    if command == "destroy" and code == 0:
        _say_what_was_kept(client, stack)
    return code


def _confirm(client: docker.DockerClient, engine: engines.Engine, command: str, stack: Stack, owner: Owner) -> None:
    if command == "up":
        confirm_update(engine, client, stack, owner)
    if command == "destroy":
        confirm_destroy(client, stack, owner, lambda: settings_for(engine.name, stack))


def _clear_the_way(
    client: docker.DockerClient, engine: engines.Engine, command: str, stack: Stack, owner: Owner
) -> None:
    # In an update the embedded engine takes over what it can use of what was left.
    if command == "destroy" or engine.name == "pulumi" or takes_over():
        for what in remove_strays(client, stack, owner):
            say(f"recovery: removed {what}")
    if command == "up":
        for container in remove_failed_one_shots(client, stack):
            say(f"recovery: removed {container}, so that it runs again")


def _say_after_update(client: docker.DockerClient, engine: engines.Engine, stack: Stack, settings: Settings) -> None:
    if engine.name == "pulumi":
        print(summary(json.loads(engines.outputs(engine, stack))))
    _say_how_to_sign_in(settings)
    if daemon.kind() == "ssh":
        say(where_it_listens(settings))
    if built := local_builds(client, settings):
        say(built)


def summary(outputs: dict[str, Any]) -> str:
    """What an update came to, in a few lines: where the UI answers, from which images, and the verdict."""
    lines = [f"UI: {outputs.get('url')}"]
    for container, image in sorted(outputs.get("images", {}).items()):
        lines.append(f"{container}: {image['reference']}, version {image['version']}, {image['origin']}")
    verification = outputs.get("verification", "off")
    verdict = verification["summary"] if isinstance(verification, dict) else f"verification is {verification}"
    return "\n".join([*lines, verdict])


def local_builds(client: docker.DockerClient, settings: Settings) -> str:
    """Names every image of the stack that was built on this machine, in one line; empty where none was."""
    found = {reference: client.images.get(reference).labels or {} for reference in settings.images.values()}
    built = [f"{name} (from {its[labels.LOCAL_BUILD]})" for name, its in found.items() if labels.LOCAL_BUILD in its]
    return f"built on this machine, not the official images: {', '.join(built)}" if built else ""


def _say_how_to_sign_in(settings: Settings) -> None:
    if settings.admin and settings.admin.password is None:
        show = f"make -s outputs STACK={settings.stack} SHOW_SECRETS=1"
        say(f"admin: {settings.admin.email}; the generated password is admin_password in: {show}")


def where_it_listens(settings: Settings) -> str:
    """How to open what another machine publishes for itself alone, or where it is published."""
    port, host = settings.ui_port, daemon.name()
    if not ipaddress.ip_address(settings.ui_bind_address).is_loopback:
        return f"UI: port {port} of {host}"
    at = settings.ui_bind_address if ":" not in settings.ui_bind_address else f"[{settings.ui_bind_address}]"
    forward = shlex.join(["ssh", "-N", "-L", f"{port}:{at}:{port}", *destination(daemon.address())])
    return f"UI: {host} publishes it for itself alone; to open it here too: {forward}"


def _say_what_was_kept(client: docker.DockerClient, stack: Stack) -> None:
    if kept := kept_volumes(client, stack):
        names = " ".join(volume.name for volume in kept)
        here = all(is_kept_here(volume.attrs["Labels"], state_origin(stack)) for volume in kept)
        again = f"make up STACK={stack.name}" + ("" if here else f" {TAKE_OVER}=1")
        say(f"kept the data of stack {stack.name}: {names}")
        say(f"`{again}` uses it again; to remove it: docker volume rm {names}")
