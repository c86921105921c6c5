"""The two engines and the choice between them: the Pulumi CLI where it works, else the embedded engine."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from tooling.engine.refusals import refuse_project
from tooling.errors import ToolError
from tooling.machine.progress import say
from tooling.pulumi_cli import backends, stacks
from tooling.pulumi_cli.stacks import NO_STACK
from tooling.pulumi_cli.usable import NO_CLI, obstacle_to_cli, version
from tooling.pulumi_files.project import Project, backend_url

if TYPE_CHECKING:
    from types import FrameType

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


def choose(choice: str, project: Project) -> Engine:
    """The engine asked for; ``auto`` takes the Pulumi CLI if it can run this project.

    Raises:
        ToolError: ``pulumi`` was asked for and cannot run it, the other would be taken on a backend that it does
            not have, or ``choice`` is none of :data:`CHOICES`.
    """
    if choice not in CHOICES:
        raise ToolError(f"ENGINE={choice} is no engine. There are: {', '.join(CHOICES)}.")
    if choice == "embedded":
        backends.refuse_embedded(project, "ENGINE=embedded")
        refuse_project(project)
        return Engine(name="embedded", line="engine: embedded (ENGINE=embedded)")
    obstacle = obstacle_to_cli(project.directory, asked=choice == "pulumi")
    if not obstacle:
        where = f", state in {backends.named(project)}" if backends.is_shared(project) else ""
        return Engine(name="pulumi", line=f"engine: Pulumi CLI {version()}{where}")
    if choice == "pulumi":
        raise ToolError(f"ENGINE=pulumi cannot be: {obstacle}. Mend that, or leave ENGINE out.")
    backends.refuse_embedded(project, obstacle)
    refuse_project(project)
    return Engine(name="embedded", line=f"engine: embedded ({obstacle})")


def run(engine: Engine, command: Command, project: Project, stack: str) -> int:
    """Run a command of an engine in the foreground; its exit code."""
    variables = stacks.variables(project, stack)
    if engine.name == "embedded":
        return foreground(_embedded(command, stack), project.directory, variables)
    if command != "outputs":
        stacks.select(project, stack, variables)
    if not backends.is_shared(project):
        return foreground(_pulumi(command, stack), project.directory, variables)
    said: list[str] = []

    def heard(line: str) -> str:
        said.append(line)
        return backends.without_password(line, backend_url(project))

    code = foreground(_pulumi(command, stack), project.directory, variables, heard)
    if code and (way_out := backends.way_past_a_lock("".join(said), stack)):
        say(way_out)
    return code


def preview_as_json(engine: Engine, project: Project, stack: str) -> subprocess.CompletedProcess[str]:
    """Run a preview out of sight: what it comes to, as JSON on its standard output, and what it says of a failure."""
    variables = stacks.variables(project, stack)
    if engine.name == "pulumi":
        stacks.select(project, stack, variables)
        command = ["pulumi", "preview", "--json", "--stack", stack, "--non-interactive"]
    else:
        command = [sys.executable, "-m", "tooling.engine", "preview", "--json", "--stack", stack]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False, cwd=project.directory,
        env={**variables, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    done.stderr = backends.without_password(done.stderr, backend_url(project))
    return done


def outputs(engine: Engine, project: Project, stack: str, *, show_secrets: bool = False) -> str:
    """Outputs of the stack as JSON text, secrets masked unless asked for; ``{}`` of one that is not deployed.

    Raises:
        ToolError: The engine could not tell.
    """
    command = (_pulumi if engine.name == "pulumi" else _embedded)("outputs", stack)
    if show_secrets:
        command.append("--show-secrets")
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False, cwd=project.directory,
        env={**stacks.variables(project, stack), "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    if done.returncode != 0 and NO_STACK in done.stderr:
        return "{}\n"
    if done.returncode != 0:
        said = backends.without_password(done.stderr.strip(), backend_url(project))
        raise ToolError(f"the outputs of stack {stack} cannot be read:\n{said}")
    return done.stdout


def cancel(project: Project, stack: str, *, force: bool) -> int:
    """Remove the stack's lock; its exit code.

    Args:
        project: The project.
        stack: The stack, whichever engine locked it.
        force: Also a lock whose process runs, or cannot be seen from this machine.

    Raises:
        ToolError: The backend is a shared one, whose locks cannot be looked at, and ``force`` is not given.
    """
    if not backends.is_shared(project):
        words = [sys.executable, "-m", "tooling.engine", "cancel", "--stack", stack, *(["--yes"] if force else [])]
        return foreground(words, project.directory, stacks.variables(project, stack))
    if not shutil.which("pulumi"):
        backends.refuse_embedded(project, NO_CLI)
    if not force:
        # The CLI removes any lock, also one of a run at work, and asks nobody where there is no terminal.
        raise ToolError(
            f"whose lock it is cannot be seen before it is removed: the state is in {backends.named(project)}. The "
            f"run that was refused has named its holder. If that is gone for good: make cancel STACK={stack} YES=1"
        )
    words = ["pulumi", "cancel", "--stack", stack, "--yes"]
    return foreground(words, project.directory, stacks.variables(project, stack))


def _pulumi(command: Command, stack: str) -> list[str]:
    if command == "outputs":
        return ["pulumi", "stack", "output", "--json", "--stack", stack]
    unattended = ["--yes", "--skip-preview"] if command != "preview" else []
    # Without a terminal at both ends nobody could answer a question or watch a display that redraws itself.
    plain = [] if sys.stdin.isatty() and sys.stdout.isatty() else ["--non-interactive"]
    # The CLI would print the whole report, some 170 lines; `make outputs` has it for who wants it.
    return ["pulumi", command, "--stack", stack, "--suppress-outputs", *unattended, *plain]


def _embedded(command: Command, stack: str) -> list[str]:
    words = ["stack", "output", "--json"] if command == "outputs" else [command]
    return [sys.executable, "-m", "tooling.engine", *words, "--stack", stack]


def foreground(
    command: list[str], folder: Path, variables: dict[str, str], heard: Callable[[str], str] | None = None
) -> int:
    """Run a command as if it had been called instead of us; its exit code, 128 + N if signal N ended it.

    Ctrl-C reaches it from the terminal, once; it decides what to do, and we wait for it.

    Args:
        command: The command.
        folder: Directory it runs in.
        variables: Its environment.
        heard: What to print for a line of its standard error; without it, that is not looked at.
    """
    sys.stdout.flush()

    def leave_it_to_the_child(_number: int, _frame: FrameType | None) -> None:
        pass

    before = signal.signal(signal.SIGINT, leave_it_to_the_child)
    try:
        errors = subprocess.PIPE if heard else None
        with subprocess.Popen(
            command, cwd=folder, env=variables, stderr=errors, encoding="utf-8", errors="replace"
        ) as child:
            signal.signal(signal.SIGTERM, lambda *_: child.terminate())
            if heard and child.stderr:
                for line in child.stderr:
                    say(heard(line).rstrip("\n"))
            code = child.wait()
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return code if code >= 0 else 128 - code
