"""Commands and options, named after the Pulumi CLI's. For any other one the error gives the CLI's own line.

Source: https://www.pulumi.com/docs/iac/cli/commands/
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from tooling.engine import commands
from tooling.engine.opening import open_project
from tooling.errors import ToolError, UsageError
from tooling.pulumi_files.project import (
    BACKEND_VARIABLE,
    PASSPHRASE_FILE_VARIABLE,
    PASSPHRASE_VARIABLE,
    backend_directory,
    backend_url,
    passphrase_file,
)

_EPILOG = """\
examples:
  python -m tooling.engine preview --stack dev                 show what would change
  python -m tooling.engine up --stack dev                      change it
  python -m tooling.engine stack output url --stack dev        print one output of the program
  python -m tooling.engine config set uiPort 8080 --stack dev  write a setting into the stack file
  python -m tooling.engine destroy --stack dev                 delete the stack's resources

exit codes: 0 done; 1 failed, or changes that --expect-no-changes did not expect; 2 wrong usage; 130 interrupted

The state has Pulumi's own format and place (PULUMI_BACKEND_URL, default file://PROJECT/.pulumi-state). So the Pulumi
CLI can take over a stack at any time, and give it back. docs/engines.md says what only the CLI can do.
"""


class UnknownCommandError(Exception):
    """A command that is not here; its argument is the command's words."""


class _Parser(argparse.ArgumentParser):
    """One that raises :class:`UnknownCommandError` where argparse would list its choices."""

    def error(self, message: str) -> NoReturn:
        if unknown := re.match(r"argument COMMAND: invalid choice: '([^']*)'", message):
            raise UnknownCommandError(" ".join([*self.prog.split()[3:], unknown[1]]))
        super().error(message)


def left_to_the_cli(what: str, arguments: list[str]) -> UsageError:
    """The error for a command or an option that is not here, with the Pulumi CLI's line for it."""
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--cwd", "-C", type=Path, default=Path())
    variables = {}
    with suppress(ToolError):
        project = open_project(where.parse_known_args(arguments)[0].cwd)
        if backend_directory(project) is None:
            raise ToolError  # Any other backend's URL may hold a password.
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


def parser() -> argparse.ArgumentParser:
    """The parser; what it gives has ``run``, the function of :mod:`tooling.engine.commands` for the command.

    Its ``parse_known_args`` raises :class:`UnknownCommandError`.
    """
    top = _Parser(
        allow_abbrev=False,
        prog="python -m tooling.engine",
        description="Deploy the Pulumi program of this directory without the Pulumi CLI, on the same state.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    group = top.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--stack", "-s", metavar="NAME", help="the stack; else PULUMI_STACK, else the only one there is"
    )
    common.add_argument(
        "--non-interactive", action="store_true", help="as the Pulumi CLI has it; of no effect: nothing is asked"
    )
    common.add_argument("--cwd", "-C", metavar="DIR", type=Path, default=Path(), help="the project's directory")
    changing = argparse.ArgumentParser(add_help=False, parents=[common])
    for option in (("--yes", "-y"), ("--skip-preview", "-f")):
        changing.add_argument(*option, action="store_true", help="as the Pulumi CLI has it; of no effect")
    as_json = argparse.ArgumentParser(add_help=False)
    as_json.add_argument("--json", "-j", action="store_true", help="print one JSON document and nothing else")

    about = "create, update and delete resources until they are as the program says"
    _add(group, "up", commands.up, about, "up --stack dev", changing, as_json)
    about, example = "show what `up` would do, and touch nothing", "preview --stack dev --expect-no-changes"
    preview = _add(group, "preview", commands.preview, about, example, common, as_json)
    preview.add_argument("--expect-no-changes", action="store_true", help="exit with 1 if anything would change")
    about = "read into the state what the resources really are"
    _add(group, "refresh", commands.refresh, about, "refresh --stack dev", changing)
    about = "delete the stack's resources, dependents first"
    _add(group, "destroy", commands.destroy, about, "destroy --stack dev", changing)
    about = "remove the lock that a killed run left behind"
    cancel = _add(group, "cancel", commands.cancel, about, "cancel --stack dev", common)
    cancel.add_argument(
        "--yes", "-y", action="store_true", help="remove the lock of a run at work, or of another machine, too"
    )
    stack = group.add_parser("stack", help="list the stacks, or print the outputs of one")
    _add_stack(stack.add_subparsers(required=True, metavar="COMMAND"), common, as_json)
    config = group.add_parser("config", help="read or write a stack's configuration")
    _add_config(config.add_subparsers(required=True, metavar="COMMAND"), common)
    return top


def _add_stack(group: Any, common: argparse.ArgumentParser, as_json: argparse.ArgumentParser) -> None:
    _add(group, "ls", commands.stack_ls, "list the stacks that have a stack file", "stack ls", common)
    about, example = "print the program's outputs as the last update left them", "stack output url --stack dev"
    output = _add(group, "output", commands.stack_output, about, example, common, as_json)
    output.add_argument("name", nargs="?", metavar="NAME", help="one output; without it, all")
    output.add_argument("--show-secrets", action="store_true", help="show secret outputs too")


def _add_config(group: Any, common: argparse.ArgumentParser) -> None:
    about, example = "write one value into the stack file, and keep its comments", "config set uiPort 8080 --stack dev"
    setting = _add(group, "set", commands.config_set, about, example, common)
    setting.add_argument("key", metavar="KEY", help="KEY or NAMESPACE:KEY")
    setting.add_argument(
        "value", metavar="VALUE", nargs="?", help="the value; without it, standard input is read to its end"
    )
    setting.add_argument("--secret", action="store_true", help="encrypt it")
    setting.add_argument(
        "--path", action="store_true", help="KEY is a place within an object, such as limits.valkey.memory"
    )
    about, example = (
        "print one value, decrypted; the default where the stack file has none",
        "config get uiPort --stack dev",
    )
    getting = _add(group, "get", commands.config_get, about, example, common)
    getting.add_argument("key", metavar="KEY", help="KEY or NAMESPACE:KEY")


def _add(
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
