"""Asks before something is interrupted, removed or taken over, where a person sits at a terminal.

Everything that a command will do of that kind is shown as one plan, and asked once, before anything is done. Without a
terminal an update goes on as it was asked for, and so does the destruction of a stack that is not in production.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

import docker

from docker_access.deployments import Owner
from settings import Settings, SettingsError
from tooling.errors import ToolError
from tooling.launcher import engines
from tooling.launcher.recovery import strays
from tooling.launcher.stack import failed_one_shots
from tooling.machine.progress import progress, say
from tooling.preview_report.meaning import HOLDS, ONE_SHOTS, has_data, meanings
from tooling.preview_report.steps import CONTAINER, NETWORK, VOLUME, Preview, PreviewError, Step, read
from tooling.pulumi_cli.stacks import deployment
from tooling.pulumi_files.stack import Stack
from tooling.pulumi_files.urns import name_of

WORDS: Final = {"delete": "deletes", "replace": "replaces", "update": "updates", "create": "creates"}


class NotAgreedError(ToolError):
    """The user was asked and did not agree, or has to agree in another way; nothing was changed."""


def confirm_update(engine: engines.Engine, client: docker.DockerClient, stack: Stack, owner: Owner) -> None:
    """Have an update that interrupts people, or cleans up after another run, agreed to at a terminal.

    Raises:
        NotAgreedError: It was not.
        ToolError: It cannot be previewed.
    """
    if not at_a_terminal():
        return
    plan = list(_left_behind(client, stack, owner))
    # A state that has made nothing replaces nothing; containers may be gone, and their data volumes not.
    if deployment(stack).get("resources"):
        with progress("plan"):
            plan += interruptions(_preview(engine, stack))
    _ask(plan, f"Update stack {stack.name}?", f"make up STACK={stack.name} YES=1")


def confirm_destroy(client: docker.DockerClient, stack: Stack, owner: Owner, settings: Callable[[], Settings]) -> None:
    """Have the end of a stack agreed to: at a terminal, and in production by ``YES=1`` alone.

    Raises:
        NotAgreedError: It was not.
        PulumiFilesError: The state cannot be read.
    """
    why, anyway = _production(settings), f"make destroy STACK={stack.name} YES=1"
    if not (why or at_a_terminal()):
        return
    plan = [*removals(deployment(stack)), *_left_behind(client, stack, owner)]
    if plan and why:
        for line in plan:
            say(f"plan: {line}")
        raise NotAgreedError(f"stack {stack.name} {why}. Nothing was changed. If that is what you want: {anyway}")
    _ask(plan, f"Destroy stack {stack.name}?", anyway)


def at_a_terminal() -> bool:
    """Whether a person can read a question and answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def agreed(question: str) -> bool:
    """Ask at the terminal; whether the answer is y or yes."""
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    try:
        answer = sys.stdin.readline().strip().lower()
    except KeyboardInterrupt:
        answer = "no"
        say("")
    return answer in {"y", "yes"}


def interruptions(preview: Preview) -> list[str]:
    """What an update means for people and data, and its steps; empty where it touches nothing that serves or holds."""
    if not any(map(_interrupts, preview.steps)):
        return []
    lines = [
        meaning.text.replace("**", "").replace("`", "") for meaning in meanings(preview) if meaning.hits != "nobody"
    ]
    for op, word in WORDS.items():
        if names := [f"{_kind(step)} {step.name}" for step in preview.changes if step.op == op]:
            lines.append(f"{word} {', '.join(names)}")
    return lines


def _interrupts(step: Step) -> bool:
    serving = step.type == CONTAINER and not step.name.endswith(ONE_SHOTS)
    return step.op in {"replace", "delete"} and (serving or (step.type == VOLUME and has_data(step)))


def _kind(step: Step) -> str:
    return step.type.rpartition(":")[2].lower()


def removals(recorded: Mapping[str, Any]) -> Iterator[str]:
    """What goes and what stays when a deployment, as ``pulumi stack export`` has it, is destroyed."""
    found: dict[str, list[Mapping[str, Any]]] = {CONTAINER: [], NETWORK: [], VOLUME: []}
    for resource in recorded.get("resources") or ():
        found.get(resource["type"], []).append(resource)
    for type_, word in ((CONTAINER, "container"), (NETWORK, "network")):
        if found[type_]:
            yield f"removes {word} {', '.join(map(_name, found[type_]))}"
    for volume in found[VOLUME]:
        name = name_of(str(volume["urn"]))
        holds = HOLDS.get(name, "")
        if holds and volume.get("retainOnDelete"):
            yield f"keeps volume {_name(volume)}: {holds}"
        elif holds:
            yield f"DELETES volume {_name(volume)}, and with it {holds}"
    if any(str(resource["urn"]).endswith("secret-key") for resource in recorded.get("resources") or ()):
        yield "deletes WEBUI_SECRET_KEY: everybody is signed out"


def _name(resource: Mapping[str, Any]) -> str:
    return str((resource.get("inputs") or {}).get("name") or resource.get("id"))


def _left_behind(client: docker.DockerClient, stack: Stack, owner: Owner) -> Iterator[str]:
    """What a run that was cut short, or a lost state, left and would be cleaned up or taken over first."""
    for one in strays(client.api, stack, owner):
        status = f" ({one.object.status})" if one.object.status else ""
        yield f"removes or takes over {one.object}{status}, {one.why}"
    for container in failed_one_shots(client, stack):
        code = container.attrs["State"]["ExitCode"]
        yield f"removes container {container.name}, which failed (exit code {code}), so that it runs again"


def _preview(engine: engines.Engine, stack: Stack) -> Preview:
    done = engines.preview_as_json(engine, stack)
    # The Pulumi CLI says why it failed in the document alone, and prints none where it could not begin.
    preview = None
    with suppress(PreviewError):
        preview = read(done.stdout, stack.name)
    if preview and not (done.returncode or preview.errors):
        return preview
    why = "\n".join(preview.errors) if preview else ""
    raise ToolError(f"the update cannot be previewed; nothing was changed:\n{why or done.stderr}")


def _production(settings: Callable[[], Settings]) -> str:
    """Why the stack is to be treated as in production; empty where it is not."""
    try:
        return "has production: true" if settings().production else ""
    except (ToolError, SettingsError) as error:
        return f"may be in production: its settings cannot be read ({str(error).splitlines()[0].rstrip(':')})"


def _ask(plan: list[str], question: str, anyway: str) -> None:
    if not plan:
        return
    for line in plan:
        say(f"plan: {line}")
    if not agreed(question):
        raise NotAgreedError(f"not agreed to; nothing was changed. To go on without the question: {anyway}")
