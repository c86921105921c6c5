"""The command line, ``python -m tooling.engine COMMAND``; commands and options are named after the Pulumi CLI's.

Source: https://www.pulumi.com/docs/iac/cli/commands/
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from docker_access.surroundings import print_in_any_encoding
from tooling.engine.provider import ProviderError
from tooling.pulumi_files.config import full_key, load_config, read_salt, set_value
from tooling.pulumi_files.errors import EngineError, UsageError
from tooling.pulumi_files.project import (
    BACKEND_VARIABLE,
    PASSPHRASE_FILE_VARIABLE,
    PASSPHRASE_VARIABLE,
    backend_directory,
    backend_url,
    load_project,
    passphrase_file,
    stack_names,
)
from tooling.pulumi_files.stack import Workspace
from tooling.pulumi_files.state import STACK_TYPE, Checkpoint, load, salt_of
from tooling.pulumi_files.values import mask, unwrap

if TYPE_CHECKING:
    from tooling.engine.operation import Kind

_EPILOG = """\
examples:
  python -m tooling.engine preview --stack dev             what would change, nothing is touched
  python -m tooling.engine up --stack dev                  make it so
  python -m tooling.engine stack output url --stack dev    one output of the program
  python -m tooling.engine config set uiPort 8080 --stack dev
  python -m tooling.engine destroy --stack dev             delete the stack's resources

State is Pulumi's own (PULUMI_BACKEND_URL, default file://PROJECT/.pulumi-state), so the Pulumi CLI can take over a
stack at any time, and give it back.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code: 0 done, 1 failed (or unexpected changes), 2 wrong usage, 130 interrupted."""
    print_in_any_encoding()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        options, others = _parser().parse_known_args(given)
        if others:
            raise _left_to_the_cli(others[0].partition("=")[0], given)
        return int(options.run(options))
    except _UnknownCommandError as unknown:
        sys.stderr.write(f"error: {_left_to_the_cli(str(unknown), given)}\n")
        return 2
    except UsageError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except (EngineError, ProviderError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:  # before a run was begun, which says more; see tooling.engine.interrupts
        sys.stderr.write("interrupted\n")
        return 130


class _Parser(argparse.ArgumentParser):
    """One that raises :class:`_UnknownCommandError` where argparse would list its choices."""

    def error(self, message: str) -> NoReturn:
        if unknown := re.match(r"argument COMMAND: invalid choice: '([^']*)'", message):
            raise _UnknownCommandError(" ".join([*self.prog.split()[3:], unknown[1]]))
        super().error(message)


class _UnknownCommandError(Exception):
    """A command that is not here; its argument is the command's words."""


def _left_to_the_cli(what: str, arguments: list[str]) -> UsageError:
    """The error for a command or an option that is not here, with the Pulumi CLI's line for it."""
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--cwd", "-C", type=Path, default=Path())
    variables = {}
    with suppress(EngineError):
        project = load_project(where.parse_known_args(arguments)[0].cwd)
        backend_directory(project)  # Any other backend's URL may hold a password.
        variables[BACKEND_VARIABLE] = backend_url(project)
        if PASSPHRASE_VARIABLE not in os.environ and passphrase_file(project).exists():
            variables[PASSPHRASE_FILE_VARIABLE] = str(passphrase_file(project))
    named = [f"{name}={shlex.quote(value)}" for name, value in variables.items() if name not in os.environ]
    # What is written into configuration may be secret.
    plain = not {"config", "-c", "--config"} & {argument.partition("=")[0] for argument in arguments}
    words = shlex.join(arguments) if plain else f"{arguments[0]} ..."
    return UsageError(
        f"`{what}`: the embedded engine does not do that; if the Pulumi CLI does, then on the same state:\n"
        f"  {' '.join([*named, 'pulumi', words])}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        allow_abbrev=False,
        prog="python -m tooling.engine",
        description="Deploys the Pulumi program of this directory without the Pulumi CLI, on the same state.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--stack", "-s", metavar="NAME", help="the stack; needed where the project has several")
    common.add_argument("--non-interactive", action="store_true", help="accepted for the CLI's sake; likewise")
    common.add_argument("--cwd", "-C", metavar="DIR", type=Path, default=Path(), help="the project's directory")
    changing = argparse.ArgumentParser(add_help=False, parents=[common])
    for option in (("--yes", "-y"), ("--skip-preview", "-f")):
        changing.add_argument(*option, action="store_true", help="accepted for the CLI's sake; nothing is asked here")
    as_json = argparse.ArgumentParser(add_help=False)
    as_json.add_argument("--json", "-j", action="store_true", help="print one JSON document and nothing else")

    def command(
        group: Any,
        name: str,
        run: Callable[[argparse.Namespace], int],
        about: str,
        example: str,
        *parents: argparse.ArgumentParser,
    ) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = group.add_parser(
            name,
            help=about,
            description=about[0].upper() + about[1:] + ".",
            parents=list(parents),
            allow_abbrev=False,
            epilog=f"example:\n  python -m tooling.engine {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(run=run)
        return added

    command(
        commands,
        "up",
        _up,
        "create, update and delete resources until they are as the program says",
        "up --stack dev",
        changing,
        as_json,
    )
    preview = command(
        commands,
        "preview",
        _preview,
        "show what `up` would do, and touch nothing",
        "preview --stack dev --expect-no-changes",
        common,
        as_json,
    )
    preview.add_argument("--expect-no-changes", action="store_true", help="exit with 1 if anything would change")
    command(
        commands,
        "refresh",
        _refresh,
        "read the resources as they really are into the state",
        "refresh --stack dev",
        changing,
    )
    command(
        commands, "destroy", _destroy, "delete the stack's resources, dependents first", "destroy --stack dev", changing
    )
    cancel = command(
        commands,
        "cancel",
        _cancel,
        "remove the lock that an interrupted run left behind",
        "cancel --stack dev",
        common,
    )
    cancel.add_argument(
        "--yes", "-y", action="store_true", help="also the lock of a process that runs, or cannot be seen from here"
    )
    stack = commands.add_parser("stack", help="list stacks, or show a stack's outputs").add_subparsers(
        required=True, metavar="COMMAND"
    )
    command(stack, "ls", _stack_ls, "list the stacks that have a stack file", "stack ls", common)
    output = command(
        stack,
        "output",
        _stack_output,
        "show the program's exports as the last update left them",
        "stack output url --stack dev",
        common,
        as_json,
    )
    output.add_argument("name", nargs="?", metavar="NAME", help="one export; without it, all")
    output.add_argument("--show-secrets", action="store_true", help="show secret exports too")
    config = commands.add_parser("config", help="read or write a stack's configuration").add_subparsers(
        required=True, metavar="COMMAND"
    )
    setting = command(
        config,
        "set",
        _config_set,
        "write one value into the stack file, comments kept",
        "config set uiPort 8080 --stack dev",
        common,
    )
    setting.add_argument("key", metavar="KEY", help="KEY or NAMESPACE:KEY")
    setting.add_argument("value", metavar="VALUE", nargs="?", help="the value; read from standard input if left out")
    setting.add_argument("--secret", action="store_true", help="encrypt it")
    setting.add_argument("--path", action="store_true", help="KEY is KEY.KEY...: a place within an object")
    getting = command(
        config,
        "get",
        _config_get,
        "print one value, decrypted, with the project's default",
        "config get uiPort --stack dev",
        common,
    )
    getting.add_argument("key", metavar="KEY", help="KEY or NAMESPACE:KEY")
    return parser


def _up(options: argparse.Namespace) -> int:
    return _perform(options, "update", as_json=options.json)


def _preview(options: argparse.Namespace) -> int:
    return _perform(
        options,
        "update",
        preview=True,
        expect_no_changes=options.expect_no_changes,
        as_json=options.json,
    )


def _destroy(options: argparse.Namespace) -> int:
    return _perform(options, "destroy")


def _refresh(options: argparse.Namespace) -> int:
    return _perform(options, "refresh")


def _perform(options: argparse.Namespace, kind: Kind, **how: Any) -> int:
    workspace = _workspace(options)
    workspace.derive_ahead()
    from tooling.engine.operation import perform  # noqa: PLC0415 - while the key is derived

    return perform(workspace, kind, **how)


def _workspace(options: argparse.Namespace) -> Workspace:
    return Workspace(options.cwd, options.stack)


def _cancel(options: argparse.Namespace) -> int:
    from tooling.pulumi_files.lock import break_locks  # noqa: PLC0415 - of this command alone

    workspace = _workspace(options)
    lines = break_locks(workspace.backend, force=options.yes)
    for line in lines:
        print(f"Removed the lock {line}.")
    if not lines:
        print(f"The stack {workspace.stack} is not locked.")
    return 0


def _stack_ls(options: argparse.Namespace) -> int:
    project = load_project(options.cwd)
    for name in stack_names(project):
        print(name)
    return 0


def _stack_output(options: argparse.Namespace) -> int:
    workspace = _workspace(options)
    document = workspace.backend.read()
    salt = salt_of(document) if document else ""
    checkpoint = workspace.checkpoint(document, workspace.secrets(salt)) if salt else Checkpoint()
    if document and not salt:
        checkpoint = load(document, lambda *_: None)
    outputs = next((r.outputs for r in checkpoint.resources if r.type == STACK_TYPE), {})
    shown = unwrap(outputs) if options.show_secrets else mask(outputs)
    if options.name is not None:
        if options.name not in shown:
            known = ", ".join(sorted(shown)) or "none yet"
            raise EngineError(f"The stack {workspace.stack} has no output {options.name!r}. It has: {known}.")
        value = shown[options.name]
        print(json.dumps(value) if options.json or not isinstance(value, str) else value)
    elif options.json:
        print(json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=False))
    else:
        print(f"Current stack outputs ({len(shown)}):")
        width = max([len("OUTPUT"), *map(len, shown)])
        rows = [("OUTPUT", "VALUE"), *sorted(shown.items())] if shown else []
        for name, value in rows:
            text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
            print(f"    {name:<{width}}  {text}")
        if not shown:
            print("    No output values currently in this stack")
    return 0


def _config_set(options: argparse.Namespace) -> int:
    workspace = _workspace(options)
    if options.path and "[" in options.key:
        raise UsageError(
            f"{options.key!r} is a place in a list, or a quoted key; this engine sets KEY.KEY only. "
            f"Write it into {workspace.stack_file} by hand, or use the Pulumi CLI."
        )
    key, *within = options.key.split(".") if options.path else [options.key]
    full_key(workspace.project, key)
    value = sys.stdin.read().rstrip("\n") if options.value is None else options.value
    secrets = workspace.stack_secrets(workspace.backend.read(), write=True) if options.secret else None
    set_value(workspace.project, workspace.stack, key, value, secrets, within=within)
    return 0


def _config_get(options: argparse.Namespace) -> int:
    workspace = _workspace(options)
    salt = read_salt(workspace.stack_file)
    config = load_config(workspace.project, workspace.stack, workspace.secrets(salt) if salt else None)
    key = full_key(workspace.project, options.key)
    if key not in config.values:
        raise EngineError(
            f"{key} has no value in the stack {workspace.stack} and no default. It has: {', '.join(config.values)}."
        )
    print(config.values[key])
    return 0


if __name__ == "__main__":
    # A run is short and leaves little garbage; looking for it while modules are imported takes a tenth of the time.
    gc.set_threshold(100_000)
    code = main()
    with suppress(OSError):
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        # All is saved and closed; taking apart what was imported takes Python another 40 ms.
        os._exit(code)
    sys.exit(code)
