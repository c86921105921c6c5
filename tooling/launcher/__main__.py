"""``python -m tooling.launcher COMMAND``: what the targets of the Makefile do. Messages go to standard error."""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import platform
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import docker.errors
import requests.exceptions

from docker_access import daemon, labels
from docker_access.client import failure_text
from docker_access.deployments import TAKE_OVER, is_kept_here, takes_over
from docker_access.ssh import destination
from docker_access.surroundings import print_in_any_encoding, user_name
from preflight import PreflightError, look, refuse_local_build
from settings import SettingsError
from tooling.errors import ToolError
from tooling.images.ensure import ensure
from tooling.launcher import engines
from tooling.launcher.consent import NotAgreedError, confirm_destroy, confirm_update
from tooling.launcher.docker_daemon import ensure_docker
from tooling.launcher.gate import read_settings, refuse_unusable_state
from tooling.launcher.one_shots import await_one_shots
from tooling.launcher.pin import pin
from tooling.launcher.recovery import remove_strays, remove_unfinished
from tooling.launcher.rotation import listing, rotate
from tooling.launcher.stack import PROJECT_FOLDER, kept_volumes, open_project, remove_failed_one_shots
from tooling.launcher.whose import deployment_of, kept_at, owner_of
from tooling.machine.progress import say
from tooling.pulumi_cli import backends, stacks
from tooling.pulumi_files.project import load_project, stack_file, stack_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from docker_access.deployments import Owner
    from settings import Settings
    from tooling.pulumi_files.config import PlainConfig
    from tooling.pulumi_files.project import Project

INTERRUPTED: Final = 130
COMMANDS: Final = (
    "setup",
    "image-contract",
    "up",
    "preview",
    "refresh",
    "verify",
    "outputs",
    "destroy",
    "pin",
    "rotate",
    "cancel",
    "drift",
)


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code, or the engine's."""
    print_in_any_encoding()
    parser = argparse.ArgumentParser(prog="python -m tooling.launcher", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--stack", default="dev", help="stack to work on (default: %(default)s)")
    parser.add_argument("--engine", default="auto", help="auto, pulumi or embedded (default: %(default)s)")
    parser.add_argument("--show-secrets", action="store_true", help="outputs: with the secrets among them")
    parser.add_argument("--json", action="store_true", help="drift: as JSON")
    parser.add_argument("--secret", default="", help="rotate: the secret to make anew; lists them without")
    parser.add_argument(
        "--yes",
        action="store_true",
        help="up, destroy: ask nothing; cancel: also the lock of a run at work, or of another machine",
    )
    parser.add_argument(
        "--idle",
        action=argparse.BooleanOptionalAction,
        help="verify: keep a websocket silent for a ping interval, 25 s; by default where there is a gateway",
    )
    options = parser.parse_args(arguments)
    try:
        return _image_contract(options.stack) if options.command == "image-contract" else _run(options)
    except (ToolError, SettingsError, PreflightError) as error:
        say(f"error: {error}")
        return 1
    except docker.errors.APIError as error:
        say(f"error: Docker refused: {error.explanation or error}")
        return 1
    except requests.exceptions.RequestException as error:
        say(f"error: Docker ceased to answer: {failure_text(error)}. Run it again once `docker info` answers.")
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        say(f"error: {error.filename}: {error.strerror}. Make it accessible to user {user_name()}.")
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED


def _run(options: argparse.Namespace) -> int:  # noqa: PLR0911 - one a command
    command, stack = options.command, options.stack
    project = open_project(stack)
    match command:
        case "setup":
            say(f"python: {platform.python_version()}, .venv is as requirements.txt says")
            _have_images(ensure_docker(), _settings(options.engine, project, stack))
            return 0
        case "pin":
            return pin(project, _settings(options.engine, project, stack), ensure_docker())
        case "cancel":
            return _cancel(project, stack, force=options.yes)
        case "drift":
            from tooling.launcher.drift import drift  # noqa: PLC0415 - 0.2 s that other commands save

            owner_of(project, stack)
            return drift(project, stack, json_wanted=options.json)
        case "rotate" if not options.secret:
            print(listing(_settings(options.engine, project, stack)))
            return 0
        case "rotate":
            return _rotate(options, project)
    engine = engines.choose(options.engine, project)
    # Before anything of another state's is removed, too.
    if engine.name == "pulumi" or takes_over():
        refuse_unusable_state(project, stack, lambda: stacks.exported(project, stack))
    match command:
        case "outputs":
            print(engines.outputs(engine, project, stack, show_secrets=options.show_secrets), end="")
            return 0
        case "verify":
            return _verify(engine, project, stack, idle=options.idle)
    return _operate(engine, command, project, stack, yes=options.yes)


def _rotate(options: argparse.Namespace, project: Project) -> int:
    # What is refused would rotate in the next update that is not.
    owner_of(project, options.stack)
    file = stack_file(project, options.stack)
    before = file.read_bytes()
    say(rotate(project, _settings(options.engine, project, options.stack), options.secret))
    try:
        return _run(argparse.Namespace(**{**vars(options), "command": "up"}))
    except NotAgreedError:
        file.write_bytes(before)
        raise


def _settings(engine: str, project: Project, stack: str) -> Settings:
    """The settings; what only the Pulumi CLI can read is asked of it, where it is the engine that would run."""

    def ask_the_cli() -> PlainConfig | None:
        return stacks.configuration(project, stack) if engines.choose(engine, project).name == "pulumi" else None

    return read_settings(project, stack, ask_the_cli)


def _operate(
    engine: engines.Engine, command: engines.Command, project: Project, stack: str, *, yes: bool = False
) -> int:
    say(engine.line)
    settings = _settings(engine.name, project, stack) if command in {"up", "preview"} else None
    client = ensure_docker()
    owner = owner_of(project, stack)
    if command != "preview":
        await_one_shots(client, project, stack)
    if settings:
        # Its advice is the program's to give, which looks too.
        look(settings)
        _have_images(client, settings)
    if not yes:
        _confirm(client, engine, command, project, stack, owner)
    if command in {"up", "destroy"}:
        _make_way(client, engine, command, project, stack, owner)
    code = engines.run(engine, command, project, stack)
    if settings and command == "up" and code == 0:
        if engine.name == "pulumi":
            print(closing(json.loads(engines.outputs(engine, project, stack))))
        _say_how_to_sign_in(settings)
        if daemon.kind() == "ssh":
            say(where_it_listens(settings))
        if built := local_builds(client, settings):
            say(built)
    if command == "destroy" and code == 0:
        _say_what_was_kept(client, project, stack)
    return code


def _confirm(
    client: docker.DockerClient, engine: engines.Engine, command: str, project: Project, stack: str, owner: Owner
) -> None:
    if command == "up":
        confirm_update(engine, client, project, stack, owner)
    if command == "destroy":
        confirm_destroy(client, project, stack, owner, lambda: _settings(engine.name, project, stack))


def _make_way(
    client: docker.DockerClient, engine: engines.Engine, command: str, project: Project, stack: str, owner: Owner
) -> None:
    # In an update the embedded engine takes over what it can use of what was left.
    if command == "destroy" or engine.name == "pulumi" or takes_over():
        for what in remove_strays(client, project, stack, owner):
            say(f"recovery: removed {what}")
    if command == "up":
        for container in remove_failed_one_shots(client, project, stack):
            say(f"recovery: removed {container}, so that it runs again")


def _cancel(project: Project, stack: str, *, force: bool) -> int:
    code = engines.cancel(project, stack, force=force)
    deployment = deployment_of(project, stack) if code == 0 and backends.is_shared(project) else {}
    # Docker is looked at, and made to run, only where something was being made.
    if deployment.get("pending_operations"):
        client = ensure_docker()
        owner = owner_of(project, stack)
        # No `up` may do this there: it may be what another machine's run is making.
        for what in remove_unfinished(client, project, stack, owner, deployment):
            say(f"recovery: removed {what}, whose creation was cut short")
    return code


def _image_contract(stack: str) -> int:
    """Hold the images of a stack, or of all where none is named, against the contracts of the official ones."""
    from tooling.images import contract  # noqa: PLC0415 - for this command only

    project = open_project(stack) if stack else load_project(PROJECT_FOLDER)
    stacks = [stack] if stack else stack_names(project)
    references = (image for name in stacks for image in _settings("auto", project, name).images.values())
    return contract.hold(ensure_docker(), dict.fromkeys(references))


def _have_images(client: docker.DockerClient, settings: Settings) -> None:
    for reference in settings.images.values():
        say(f"image: {ensure(client, reference, refuse_build=refuse_local_build(settings))}")


def local_builds(client: docker.DockerClient, settings: Settings) -> str:
    """Names every image of the stack that was built on this machine, in one line; empty where none was."""
    found = {reference: client.images.get(reference).labels or {} for reference in settings.images.values()}
    built = [
        f"{name} (from {marks[labels.LOCAL_BUILD]})" for name, marks in found.items() if labels.LOCAL_BUILD in marks
    ]
    return f"built on this machine, not the official images: {', '.join(built)}" if built else ""


def closing(outputs: dict[str, Any]) -> str:
    """What an update came to, in a few lines: where the UI answers, from which images, and the verdict."""
    lines = [f"UI: {outputs.get('url')}"]
    for container, image in sorted(outputs.get("images", {}).items()):
        lines.append(f"{container}: {image['reference']}, version {image['version']}, {image['origin']}")
    verification = outputs.get("verification", "off")
    summary = verification["summary"] if isinstance(verification, dict) else f"verification is {verification}"
    return "\n".join([*lines, summary])


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
    return f"UI: on {host} for itself alone; to open it here too: {forward}"


def _say_what_was_kept(client: docker.DockerClient, project: Project, stack: str) -> None:
    kept = kept_volumes(client, project, stack)
    if kept:
        names = " ".join(volume.name for volume in kept)
        here = all(is_kept_here(volume.attrs["Labels"], kept_at(project)) for volume in kept)
        again = f"make up STACK={stack}" + ("" if here else f" {TAKE_OVER}=1")
        say(f"kept the data of stack {stack}: {names}")
        say(f"`{again}` takes it up again; to remove it: docker volume rm {names}")


IDLE: Final = {None: [], True: ["--idle"], False: ["--no-idle"]}
"""Flags of the verification, by what was asked for."""


def _verify(engine: engines.Engine, project: Project, stack: str, *, idle: bool | None) -> int:
    owner_of(project, stack)
    outputs: dict[str, Any] = json.loads(engines.outputs(engine, project, stack, show_secrets=True))
    if "subject" not in outputs:
        raise ToolError(f"stack {stack} is not deployed (it has no output `subject`). Run: make up STACK={stack}")
    ensure_docker()
    # What it should find holds secrets: it is told on standard input.
    done = subprocess.run(
        [sys.executable, "-m", "verification", "--subject", "-", *IDLE[idle]],
        input=json.dumps(subject(outputs)).encode(), check=False, cwd=project.directory, env=os.environ,
    )  # fmt: skip
    return done.returncode


def subject(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """What the verification is about, from a stack's outputs, as it reads it."""
    from_outputs = {"url": outputs["url"], "expected": outputs.get("expected"), "report": outputs.get("verification")}
    return {**outputs["subject"], **from_outputs}


if __name__ == "__main__":
    sys.exit(main())
