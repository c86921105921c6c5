"""The two engines and the choice between them: the Pulumi CLI where it works, else the embedded engine."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final, Literal

from tooling.engine.refusals import refuse_project
from tooling.errors import ToolError
from tooling.machine.progress import say
from tooling.pulumi_cli import backends, stacks
from tooling.pulumi_cli.stacks import NO_STACK
from tooling.pulumi_cli.usable import NO_CLI, obstacle_to_cli, version
from tooling.pulumi_files.stack import Stack

Command = Literal["up", "preview", "refresh", "destroy", "outputs"]

CHOICES: Final = ("auto", "pulumi", "embedded")


@dataclass(frozen=True, kw_only=True)
class Engine:
    """An engine that can run this project.

    Attributes:
        name: ``pulumi`` or ``embedded``.
        line: Which it is and why, for people.
    """

    name: Literal["pulumi", "embedded"]
    line: str


def choose(choice: str, stack: Stack) -> Engine:
    """The engine asked for; ``auto`` takes the Pulumi CLI if it can run this project.

    Raises:
        ToolError: ``pulumi`` was asked for and cannot run it, the embedded one would be taken for what only the CLI
            does, or ``choice`` is none of :data:`CHOICES`.
    """
    if choice not in CHOICES:
        raise ToolError(f"ENGINE={choice} is no engine. There are: {', '.join(CHOICES)}.")
    if choice == "embedded":
        return _embedded_engine(stack, "ENGINE=embedded")
    obstacle = obstacle_to_cli(stack.project.directory, asked=choice == "pulumi")
    if not obstacle:
        where = f", state in {backends.described(stack)}" if stack.shared else ""
        return Engine(name="pulumi", line=f"engine: Pulumi CLI {version()}{where}")
    if choice == "pulumi":
        raise ToolError(f"ENGINE=pulumi cannot be used: {obstacle}. Correct that, or leave ENGINE out.")
    return _embedded_engine(stack, obstacle)


def _embedded_engine(stack: Stack, why: str) -> Engine:
    backends.refuse_embedded(stack, why)
    refuse_project(stack.project)
    return Engine(name="embedded", line=f"engine: embedded ({why})")


def run(engine: Engine, command: Command, stack: Stack) -> int:
    """Run a command of an engine in the foreground; its exit code."""
    if engine.name == "embedded":
        return foreground(_embedded(command, stack), stack.project.directory, stacks.variables(stack))
    if command != "outputs":
        stacks.select(stack)
    variables = stacks.variables(stack)
    if not stack.shared:
        return foreground(_pulumi(command, stack), stack.project.directory, variables)
    printed: list[str] = []

    def without_password(line: str) -> str:
        printed.append(line)
        return backends.without_password(line, stack.backend_url)

    code = foreground(_pulumi(command, stack), stack.project.directory, variables, without_password)
    if code and (way_out := backends.way_past_a_lock("".join(printed), stack.name)):
        say(way_out)
    return code


def preview_as_json(engine: Engine, stack: Stack) -> subprocess.CompletedProcess[str]:
    """Run a preview out of sight: its JSON is on its standard output, and why it failed on its standard error."""
    if engine.name == "pulumi":
        stacks.select(stack)
        return stacks.captured(["pulumi", "preview", "--json", "--stack", stack.name, "--non-interactive"], stack)
    return stacks.captured([*_EMBEDDED, "preview", "--json", "--stack", stack.name], stack)


def outputs(engine: Engine, stack: Stack, *, show_secrets: bool = False) -> str:
    """Outputs of the stack as JSON text, secrets masked unless asked for; ``{}`` of one that is not deployed.

    Raises:
        ToolError: The engine could not tell.
    """
    command = (_pulumi if engine.name == "pulumi" else _embedded)("outputs", stack)
    done = stacks.captured([*command, *(["--show-secrets"] if show_secrets else [])], stack)
    if done.returncode != 0 and NO_STACK in done.stderr:
        return "{}\n"
    if done.returncode != 0:
        raise ToolError(f"the outputs of stack {stack.name} cannot be read:\n{done.stderr}")
    return done.stdout


def cancel(stack: Stack, *, force: bool) -> int:
    """Remove the stack's lock, whichever engine locked it; the exit code.

    With ``force``, also a lock whose process runs, or cannot be seen from this machine.

    Raises:
        ToolError: The backend is a shared one, whose locks cannot be looked at, and ``force`` is not given.
    """
    words = ["cancel", "--stack", stack.name, *(["--yes"] if force else [])]
    if not stack.shared:
        return foreground([*_EMBEDDED, *words], stack.project.directory, stacks.variables(stack))
    if not shutil.which("pulumi"):
        backends.refuse_embedded(stack, NO_CLI)
    if not force:
        # The CLI removes any lock, also one of a run at work, and asks nobody where there is no terminal.
        raise ToolError(
            f"the holder of the lock cannot be seen before it is removed: the state is in {backends.described(stack)}. "
            "The run that was refused has named its holder. If that is gone for good: "
            f"make cancel STACK={stack.name} YES=1"
        )
    return foreground(["pulumi", *words], stack.project.directory, stacks.variables(stack))


def _pulumi(command: Command, stack: Stack) -> list[str]:
    if command == "outputs":
        return ["pulumi", "stack", "output", "--json", "--stack", stack.name]
    unattended = ["--yes", "--skip-preview"] if command != "preview" else []
    # Without a terminal at both ends nobody could answer a question or watch a display that redraws itself.
    plain = [] if sys.stdin.isatty() and sys.stdout.isatty() else ["--non-interactive"]
    # The CLI would print the whole report, some 170 lines; `make outputs` prints it when it is asked for.
    return ["pulumi", command, "--stack", stack.name, "--suppress-outputs", *unattended, *plain]


_EMBEDDED: Final = (sys.executable, "-m", "tooling.engine")


def _embedded(command: Command, stack: Stack) -> list[str]:
    words = ["stack", "output", "--json"] if command == "outputs" else [command]
    return [*_EMBEDDED, *words, "--stack", stack.name]


def foreground(
    command: list[str], folder: Path, variables: dict[str, str], edit: Callable[[str], str] | None = None
) -> int:
    """Run a command as if it had been called instead of us; its exit code, 128 + N if signal N ended it.

    Ctrl-C reaches it from the terminal, once; it decides what to do, and we wait for it. Its standard error is
    looked at only where there is ``edit``, which says what to print for a line.
    """
    sys.stdout.flush()

    def leave_it_to_the_child(_number: int, _frame: FrameType | None) -> None:
        pass

    before = signal.signal(signal.SIGINT, leave_it_to_the_child)
    try:
        errors = subprocess.PIPE if edit else None
        with subprocess.Popen(
            command, cwd=folder, env=variables, stderr=errors, encoding="utf-8", errors="replace"
        ) as child:
            signal.signal(signal.SIGTERM, lambda *_: child.terminate())
            if edit and child.stderr:
                for line in child.stderr:
                    say(edit(line).rstrip("\n"))
            code = child.wait()
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return code if code >= 0 else 128 - code
