"""``python -m tooling.launcher COMMAND``: what the targets of the Makefile do. Messages go to standard error."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from typing import Final

import docker.errors
import requests.exceptions

from docker_access.client import failure_text
from docker_access.deployments import takes_over
from docker_access.surroundings import print_in_any_encoding, user_name
from preflight import PreflightError
from settings import SettingsError
from tooling.errors import ToolError
from tooling.launcher import engines
from tooling.launcher.consent import NotAgreedError
from tooling.launcher.deploy import deploy, have_images, settings_for
from tooling.launcher.docker_daemon import ensure_docker
from tooling.launcher.gate import refuse_unusable_state
from tooling.launcher.initial import init
from tooling.launcher.ownership import checked_owner
from tooling.launcher.pin import pin
from tooling.launcher.recovery import remove_unfinished
from tooling.launcher.rotation import listing, rotate
from tooling.launcher.stack import PROJECT_FOLDER, open_stack
from tooling.launcher.verify import verify
from tooling.machine.progress import say
from tooling.pulumi_cli import stacks
from tooling.pulumi_files.project import load_project, stack_names
from tooling.pulumi_files.stack import Stack

INTERRUPTED: Final = 130
COMMANDS: Final = (
    "setup", "image-contract", "up", "preview", "refresh", "verify", "outputs", "destroy", "pin", "rotate", "cancel",
    "drift", "status", "logs", "shell", "config", "history", "outdated", "init",
)  # fmt: skip

LOOKS: Final = ("drift", "status", "logs", "shell", "config", "history", "outdated")
EPILOG: Final = """\
example:    python -m tooling.launcher drift --stack prod
exit codes: 0 done; 1 failed; 130 interrupted. `drift`: 2 for a difference, 1 if it could not look.
            `status`: 2 where something is not well. `outdated`: 2 for something newer, 1 if it could not ask.
            `verify`: as `python -m verification`.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; its exit code, or the engine's."""
    print_in_any_encoding()
    parser = argparse.ArgumentParser(
        prog="python -m tooling.launcher",
        description="What `make` runs, for scripts: its exit codes tell more. `make` says what each command does.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=COMMANDS, metavar="COMMAND", help=", ".join(COMMANDS))
    parser.add_argument("--stack", default="dev", metavar="NAME", help="stack to work on (default: %(default)s)")
    parser.add_argument("--engine", default="auto", help="auto, pulumi or embedded (default: %(default)s)")
    parser.add_argument("--show-secrets", action="store_true", help="outputs: show secrets too")
    parser.add_argument("--json", action="store_true", help="drift, status, config, history, outdated: print JSON")
    parser.add_argument("--who", default="", metavar="NAME", help="logs, shell: a container, such as valkey or 1")
    parser.add_argument("--lines", type=int, default=100, help="logs, history: how many (default: %(default)s)")
    parser.add_argument(
        "--secret", default="", metavar="NAME", help="rotate: the secret to replace; without it, they are listed"
    )
    parser.add_argument(
        "--yes",
        action="store_true",
        help="up, rotate, destroy: ask nothing; cancel: remove the lock of a run at work or of another machine too",
    )
    parser.add_argument(
        "--idle",
        action=argparse.BooleanOptionalAction,
        help="verify: keep a websocket silent for half a minute, or do not; by default where there is a gateway",
    )
    options = parser.parse_args(arguments)
    try:
        if options.command == "init":
            return init(load_project(PROJECT_FOLDER), options.stack, overwrite=options.yes)
        return _image_contract(options.stack) if options.command == "image-contract" else _run(options)
    except (ToolError, SettingsError, PreflightError) as error:
        say(f"error: {error}")
    except docker.errors.APIError as error:
        say(f"error: Docker refused: {error.explanation or error}")
    except docker.errors.DockerException as error:
        from verification.ask.docker_view import unreachable  # noqa: PLC0415 - for an error only

        say(f"error: {unreachable(error)}")
    except requests.exceptions.RequestException as error:
        say(f"error: Docker stopped answering: {failure_text(error)}. Run it again once `docker info` answers.")
    except BrokenPipeError:  # as of `make config | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.filename is None:
            raise
        say(f"error: {error.filename}: {error.strerror}. Make it accessible to user {user_name()}.")
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    return 1


def _run(options: argparse.Namespace) -> int:  # noqa: PLR0911 - one a command
    command, stack = options.command, open_stack(options.stack)
    if command in LOOKS:
        return _look(options, stack)
    match command:
        case "setup":
            say(f"python: {platform.python_version()}, .venv is as requirements-dev.txt says")
            have_images(ensure_docker(), settings_for(options.engine, stack))
            return 0
        case "pin":
            return pin(stack, settings_for(options.engine, stack), ensure_docker())
        case "cancel":
            return _cancel(stack, force=options.yes)
        case "rotate" if not options.secret:
            print(listing(settings_for(options.engine, stack)))
            return 0
        case "rotate":
            return _rotate(options, stack)
    engine = engines.choose(options.engine, stack)
    # Before anything of another state's is removed, too.
    if engine.name == "pulumi" or takes_over():
        refuse_unusable_state(stack, lambda: stacks.exported(stack))
    match command:
        case "outputs":
            print(engines.outputs(engine, stack, show_secrets=options.show_secrets), end="")
            return 0
        case "verify":
            return verify(engine, stack, idle=options.idle)
    return deploy(engine, command, stack, yes=options.yes)


def _look(options: argparse.Namespace, stack: Stack) -> int:  # noqa: PLR0911 - one a command
    """Commands that change nothing."""
    from tooling.launcher import configuration, containers, history, status  # noqa: PLC0415 - for these commands only

    match options.command:
        case "config":
            return configuration.config(stack, settings_for(options.engine, stack), as_json=options.json)
        case "history":
            return history.history(stack, most=options.lines, as_json=options.json)
        case "outdated":
            from tooling.launcher.outdated import outdated  # noqa: PLC0415 - as above

            return outdated(stack, settings_for(options.engine, stack), as_json=options.json)
    checked_owner(stack)
    match options.command:
        case "drift":
            from tooling.launcher.drift import drift  # noqa: PLC0415 - 0.2 s that other commands save

            return drift(stack, as_json=options.json)
        case "status":
            return status.status(stack, as_json=options.json)
        case "logs":
            return containers.logs(stack, options.who, lines=options.lines, follow=sys.stdout.isatty())
    return containers.shell(stack, options.who)


def _rotate(options: argparse.Namespace, stack: Stack) -> int:
    # A rotation that is refused would happen in the next update that is not.
    checked_owner(stack)
    before = stack.file.read_bytes()
    say(rotate(stack, settings_for(options.engine, stack), options.secret))
    try:
        return _run(argparse.Namespace(**{**vars(options), "command": "up"}))
    except NotAgreedError:
        stack.file.write_bytes(before)
        raise


def _cancel(stack: Stack, *, force: bool) -> int:
    code = engines.cancel(stack, force=force)
    recorded = stacks.deployment(stack) if code == 0 and stack.shared else {}
    # Docker is looked at, and made to run, only where something was being made.
    if recorded.get("pending_operations"):
        client = ensure_docker()
        owner = checked_owner(stack)
        # No `up` may do this there: it may be what another machine's run is making.
        for what in remove_unfinished(client, stack, owner, recorded):
            say(f"recovery: removed {what}, whose creation was cut short")
    return code


def _image_contract(name: str) -> int:
    """Hold the images of a stack, or of all where none is named, against the contracts of the official ones."""
    from tooling.images import contract  # noqa: PLC0415 - for this command only

    names = [name] if name else stack_names(load_project(PROJECT_FOLDER))
    references = (image for one in names for image in settings_for("auto", open_stack(one)).images.values())
    return contract.check_all(ensure_docker(), dict.fromkeys(references))


if __name__ == "__main__":
    sys.exit(main())
