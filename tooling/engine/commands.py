"""What each command of ``python -m tooling.engine`` does; each returns its exit code.

Source: https://www.pulumi.com/docs/iac/cli/commands/
"""

from __future__ import annotations

import argparse
import json
import sys
from getpass import getpass
from typing import TYPE_CHECKING, Any

from tooling.engine.errors import EngineError
from tooling.engine.opening import open_project, open_workspace, read_state
from tooling.engine.refusals import refuse_stack_file
from tooling.errors import UsageError
from tooling.pulumi_files.checkpoint import STACK_TYPE, Checkpoint, load, salt_of
from tooling.pulumi_files.config import full_key, load_config
from tooling.pulumi_files.project import stack_names
from tooling.pulumi_files.stack_file import read_salt, set_value
from tooling.pulumi_files.values import mask, unwrap
from tooling.pulumi_files.workspace import Workspace

if TYPE_CHECKING:
    from tooling.engine.operation import Kind


def up(options: argparse.Namespace) -> int:
    """Create, update and delete resources until they are as the program says."""
    return _perform(options, "update", as_json=options.json)


def preview(options: argparse.Namespace) -> int:
    """Show what :func:`up` would do."""
    return _perform(options, "update", preview=True, expect_no_changes=options.expect_no_changes, as_json=options.json)


def destroy(options: argparse.Namespace) -> int:
    """Delete the stack's resources."""
    return _perform(options, "destroy")


def refresh(options: argparse.Namespace) -> int:
    """Read the resources as they really are into the state."""
    return _perform(options, "refresh")


def _perform(options: argparse.Namespace, kind: Kind, **how: Any) -> int:
    workspace = _workspace(options)
    workspace.derive_ahead()
    from tooling.engine.operation import perform  # noqa: PLC0415 - while the key is derived

    return perform(workspace, kind, **how)


def _workspace(options: argparse.Namespace) -> Workspace:
    return open_workspace(options.cwd, options.stack)


def cancel(options: argparse.Namespace) -> int:
    """Remove the lock that an interrupted run left behind."""
    from tooling.pulumi_files.lock import break_locks  # noqa: PLC0415 - of this command alone

    workspace = _workspace(options)
    lines = break_locks(workspace.stack.backend, force=options.yes)
    for line in lines:
        print(f"Removed the lock {line}.")
    if not lines:
        print(f"The stack {workspace.stack.name} is not locked.")
    return 0


def stack_ls(options: argparse.Namespace) -> int:
    """List the stacks that have a stack file."""
    project = open_project(options.cwd)
    for name in stack_names(project):
        print(name)
    return 0


def stack_output(options: argparse.Namespace) -> int:
    """Show the program's exports as the last update left them."""
    workspace = _workspace(options)
    document = read_state(workspace.stack.backend)
    checkpoint = Checkpoint()
    if document:
        salt = salt_of(document)
        checkpoint = load(document, workspace.secrets(salt).open if salt else lambda *_: None)
    outputs = next((r.outputs for r in checkpoint.resources if r.type == STACK_TYPE), {})
    shown = unwrap(outputs) if options.show_secrets else mask(outputs)
    if options.name is not None:
        if options.name not in shown:
            known = ", ".join(sorted(shown)) or "none yet"
            raise EngineError(f"The stack {workspace.stack.name} has no output {options.name!r}. It has: {known}.")
        value = shown[options.name]
        print(json.dumps(value) if options.json or not isinstance(value, str) else value)
    elif options.json:
        print(json.dumps(shown, indent=2, sort_keys=True, ensure_ascii=False))
    else:
        _print_outputs(shown)
    return 0


def _print_outputs(shown: dict[str, Any]) -> None:
    print(f"Current stack outputs ({len(shown)}):")
    width = max([len("OUTPUT"), *map(len, shown)])
    rows = [("OUTPUT", "VALUE"), *sorted(shown.items())] if shown else []
    for name, value in rows:
        text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
        print(f"    {name:<{width}}  {text}")
    if not shown:
        print("    No output values currently in this stack")


def config_set(options: argparse.Namespace) -> int:
    """Write one value into the stack file."""
    workspace = _workspace(options)
    if options.path and "[" in options.key:
        raise UsageError(
            f"{options.key!r} is a place in a list, or a quoted key; the embedded engine sets KEY.KEY only. "
            f"Write it into {workspace.stack.file} by hand, or use the Pulumi CLI."
        )
    key, *within = options.key.split(".") if options.path else [options.key]
    full_key(workspace.stack.project, key)
    value = options.value
    if value is None and options.secret and sys.stdin.isatty():
        value = getpass(f"value of {full_key(workspace.stack.project, key)} (it is not shown): ")
    elif value is None:
        value = sys.stdin.read().rstrip("\n")
    secrets = workspace.stack_secrets(read_state(workspace.stack.backend), write=True) if options.secret else None
    set_value(workspace.stack, key, value, secrets, within=within)
    return 0


def config_get(options: argparse.Namespace) -> int:
    """Print one value of the configuration."""
    workspace = _workspace(options)
    refuse_stack_file(workspace.stack)
    salt = read_salt(workspace.stack.file)
    config = load_config(workspace.stack, workspace.secrets(salt) if salt else None)
    key = full_key(workspace.stack.project, options.key)
    if key not in config.values:
        raise EngineError(
            f"{key} has no value in the stack {workspace.stack.name} and no default. "
            f"It has: {', '.join(config.values)}."
        )
    print(config.values[key])
    return 0
