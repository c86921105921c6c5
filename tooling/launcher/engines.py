"""The two engines and the choice between them: the Pulumi CLI where it works, else the embedded engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from docker_access.surroundings import home
from tooling.launcher import backends
from tooling.launcher.errors import LauncherError
from tooling.launcher.gate import Told, begun
from tooling.machine.negative_cache import remember, silent
from tooling.machine.progress import progress, say
from tooling.pulumi_files.go_yaml import read_yaml
from tooling.pulumi_files.project import (
    BACKEND_VARIABLE,
    Project,
    backend_directory,
    backend_url,
    environment,
    stack_file,
    state_file,
)

if TYPE_CHECKING:
    from types import FrameType

Command = Literal["up", "preview", "refresh", "destroy", "outputs"]

CHOICES: Final = ("auto", "pulumi", "embedded")
_NO_CLI: Final = "no Pulumi CLI on PATH"
_NO_STACK: Final = "no stack named"
"""What the CLI says of a stack that its backend has not."""

PLUGIN_SECONDS: Final = 120
"""How long the installation of the Docker plugin may take."""


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
        LauncherError: ``pulumi`` was asked for and cannot run it, the other would be taken on a backend that it does
            not have, or ``choice`` is none of :data:`CHOICES`.
    """
    if choice not in CHOICES:
        raise LauncherError(f"ENGINE={choice} is no engine. There are: {', '.join(CHOICES)}.")
    if choice == "embedded":
        backends.refuse_embedded(project, "ENGINE=embedded")
        return Engine(name="embedded", line="engine: embedded (ENGINE=embedded)")
    obstacle = obstacle_to_cli(project.directory, asked=choice == "pulumi")
    if not obstacle:
        where = f", state in {backends.named(project)}" if backends.is_shared(project) else ""
        return Engine(name="pulumi", line=f"engine: Pulumi CLI {_version()}{where}")
    if choice == "pulumi":
        raise LauncherError(f"ENGINE=pulumi cannot be: {obstacle}. Mend that, or leave ENGINE out.")
    backends.refuse_embedded(project, obstacle)
    return Engine(name="embedded", line=f"engine: embedded ({obstacle})")


def obstacle_to_cli(project: Path, *, asked: bool) -> str:
    """Why the Pulumi CLI cannot run this project; empty if it can.

    Args:
        project: The project's directory.
        asked: Whether somebody asked for the CLI: then the Docker plugin's source is asked again though it was silent.
    """
    if not (cli := shutil.which("pulumi")):
        return _NO_CLI
    # It looks beside itself too.
    path = os.pathsep.join([os.environ["PATH"], str(Path(cli).resolve().parent)])
    for program in ("pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python"):
        if not shutil.which(program, path=path):
            return f"the Pulumi CLI on PATH comes without {program}"
    version = docker_plugin_version((project / "requirements.txt").read_text(encoding="utf-8"))
    if _plugin_folder(version).is_dir() or shutil.which("pulumi-resource-docker"):
        return ""
    name = f"Pulumi's Docker plugin {version}"
    silence = "" if asked else silent(f"the source of {name}")
    return silence or _install_plugin(name, version)


def docker_plugin_version(requirements: str) -> str:
    """Version of the plugin that goes with the SDK pinned in a requirements file."""
    match = re.search(r"^pulumi-docker==(\S+)", requirements, re.MULTILINE)
    if match is None:
        raise LauncherError("requirements.txt has no line pulumi-docker==VERSION. Pin it.")
    return match[1]


def _plugin_folder(version: str) -> Path:
    return Path(os.environ.get("PULUMI_HOME") or home() / ".pulumi") / "plugins" / f"resource-docker-v{version}"


def _install_plugin(name: str, version: str) -> str:
    command = ["pulumi", "plugin", "install", "resource", "docker", version]
    with progress(f"installing {name}"):
        try:
            done = subprocess.run(
                command, capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=PLUGIN_SECONDS
            )
        except subprocess.TimeoutExpired:
            failure = f"no answer within {PLUGIN_SECONDS} s"
        else:
            failure = done.stderr.strip().splitlines()[-1] if done.returncode else ""
    if failure:
        remember(f"the source of {name}")
        return f"{name} is not installed and could not be: {failure}"
    return ""


def _version() -> str:
    done = subprocess.run(["pulumi", "version"], capture_output=True, encoding="utf-8", check=False, env=_variables())
    return done.stdout.strip().removeprefix("v")


def _variables(project: Project | None = None, stack: str = "") -> dict[str, str]:
    """Environment of an engine: the same backend and passphrase for both."""
    own = {}
    if project and backends.is_shared(project):
        own = backends.environment(project, stack)
    elif project and stack and backends.secrets_provider(project, stack):
        own = {BACKEND_VARIABLE: backend_url(project)}
    elif project:
        own = environment(project, make=not begun(project, stack))
    return {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true", **own}


def run(engine: Engine, command: Command, project: Project, stack: str) -> int:
    """Run a command of an engine in the foreground; its exit code."""
    variables = _variables(project, stack)
    if engine.name == "embedded":
        return foreground(_embedded(command, stack), project.directory, variables)
    if command != "outputs":
        _select(project, stack, variables)
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
    variables = _variables(project, stack)
    if engine.name == "pulumi":
        _select(project, stack, variables)
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
        LauncherError: The engine could not tell.
    """
    command = (_pulumi if engine.name == "pulumi" else _embedded)("outputs", stack)
    if show_secrets:
        command.append("--show-secrets")
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False, cwd=project.directory,
        env={**_variables(project, stack), "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    if done.returncode != 0 and _NO_STACK in done.stderr:
        return "{}\n"
    if done.returncode != 0:
        said = backends.without_password(done.stderr.strip(), backend_url(project))
        raise LauncherError(f"the outputs of stack {stack} cannot be read:\n{said}")
    return done.stdout


def configuration(project: Project, stack: str) -> Told:
    """The stack's configuration as the Pulumi CLI tells it, environments opened, secrets decrypted, defaults included.

    The stack is made in the backend if it is not there: the CLI tells nothing of one that is not.

    Raises:
        LauncherError: It does not tell.

    Source: https://www.pulumi.com/docs/iac/cli/commands/pulumi_config/
    """
    variables = _variables(project, stack)
    _select(project, stack, variables)
    done = subprocess.run(
        ["pulumi", "config", "--json", "--show-secrets", "--stack", stack], capture_output=True, encoding="utf-8",
        errors="replace", check=False, cwd=project.directory, env=variables,
    )  # fmt: skip
    if done.returncode != 0:
        said = backends.without_password(done.stderr.strip(), backend_url(project))
        raise LauncherError(f"the Pulumi CLI does not tell the configuration of stack {stack}:\n{said}")
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    values = {key: str(entry["value"]) for key, entry in found.items()}
    return values, {key for key, entry in found.items() if entry.get("secret")}


def exported(project: Project, stack: str, *, show_secrets: bool = False) -> dict[str, Any]:
    """The state in a backend that only the Pulumi CLI reads, as it exports it; empty where there is no such stack.

    Raises:
        LauncherError: The backend could not be asked.
    """
    if not shutil.which("pulumi"):
        backends.refuse_embedded(project, _NO_CLI)
        sealed = backends.secrets_provider(project, stack)
        raise LauncherError(
            f"the secrets of stack {stack} are sealed by {sealed}, which the Pulumi CLI alone opens: {_NO_CLI}."
        )
    command = ["pulumi", "stack", "export", "--stack", stack, *(["--show-secrets"] if show_secrets else [])]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False, cwd=project.directory,
        env={**_variables(project, stack), "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    if done.returncode == 0:
        document: dict[str, Any] = json.loads(done.stdout)
        return document
    if _NO_STACK in done.stderr:
        return {}
    said = backends.without_password(done.stderr.strip(), backend_url(project))
    raise LauncherError(f"stack {stack} cannot be read from {backends.named(project)}:\n{said}")


def cancel(project: Project, stack: str, *, force: bool) -> int:
    """Remove the stack's lock; its exit code.

    Args:
        project: The project.
        stack: The stack, whichever engine locked it.
        force: Also a lock whose process runs, or cannot be seen from this machine.

    Raises:
        LauncherError: The backend is a shared one, whose locks cannot be looked at, and ``force`` is not given.
    """
    if not backends.is_shared(project):
        words = [sys.executable, "-m", "tooling.engine", "cancel", "--stack", stack, *(["--yes"] if force else [])]
        return foreground(words, project.directory, _variables(project, stack))
    if not shutil.which("pulumi"):
        backends.refuse_embedded(project, _NO_CLI)
    if not force:
        # The CLI removes any lock, also one of a run at work, and asks nobody where there is no terminal.
        raise LauncherError(
            f"whose lock it is cannot be seen before it is removed: the state is in {backends.named(project)}. The "
            f"run that was refused has named its holder. If that is gone for good: make cancel STACK={stack} YES=1"
        )
    words = ["pulumi", "cancel", "--stack", stack, "--yes"]
    return foreground(words, project.directory, _variables(project, stack))


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


def _select(project: Project, stack: str, variables: dict[str, str]) -> None:
    """Have the stack in the backend: the first command on it makes it."""
    state = state_file(project, stack)
    if state is not None:
        if state.exists():
            return
        # The CLI wants the directory of its backend to exist.
        directory = backend_directory(project)
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LauncherError(
                f"the state cannot be kept in {directory} ({error.strerror}). Make that directory writable, or set "
                "PULUMI_BACKEND_URL to another one."
            ) from None
    file = stack_file(project, stack)
    if not os.access(file, os.W_OK):
        # The CLI would say so too, with the stack half made.
        raise LauncherError(f"{file} cannot be written; a new stack's encryption salt is kept there. Make it writable.")
    command = ["pulumi", "stack", "select", "--create", "--non-interactive", "--stack", stack]
    # A stack that is made without it would be sealed by a passphrase instead.
    if provider := read_yaml(file).get("secretsprovider"):
        command += ["--secrets-provider", str(provider)]
    done = subprocess.run(
        command, capture_output=True, encoding="utf-8", errors="replace", check=False, cwd=project.directory,
        env=variables,
    )  # fmt: skip
    if done.returncode != 0:
        raise LauncherError(
            f"stack {stack} cannot be made in the backend {backends.named(project)}:\n"
            f"{backends.without_password(done.stderr.strip(), backend_url(project))}"
        )


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
