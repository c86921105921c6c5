"""Reads ``preview --json`` of the Pulumi CLI and of the embedded engine into the same steps.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/display/json.go (PreviewDigest)
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from docker_access.identity import LIVES_ELSEWHERE
from tooling.pulumi_files.urns import name_of, type_of, types_of

CONTAINER: Final = "docker:index/container:Container"
IMAGE: Final = "docker:index/remoteImage:RemoteImage"
NETWORK: Final = "docker:index/network:Network"
VOLUME: Final = "docker:index/volume:Volume"
DYNAMIC: Final = "pulumi-python:dynamic"
DOCKER_HOST: Final = f"{DYNAMIC}/openwebui:DockerHost"
SECRET: Final = f"{DYNAMIC}/openwebui:Secret"
CERTIFICATE: Final = f"{DYNAMIC}/openwebui:Certificate"
PIDS_LIMIT: Final = f"{DYNAMIC}/openwebui:PidsLimit"
RELOAD: Final = f"{DYNAMIC}/openwebui:Reload"
VERIFICATION: Final = f"{DYNAMIC}/verification:Verification"
STACK: Final = "pulumi:pulumi:Stack"

CHANGES: Final = ("create", "update", "replace", "delete")


class PreviewError(Exception):
    """The text is no preview."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """What happens to one resource.

    Attributes:
        op: One of :data:`CHANGES`, or ``same``.
        type: Pulumi type token, without those of its parents.
        name: Name of the resource in the program.
        component: Name of the component's class it belongs to, for example ``Valkey``; empty for none.
        keys: Top-level properties that differ, sorted; empty where the engine names none.
        retained: A deletion that only leaves the state (``retainOnDelete``).
    """

    op: str
    type: str
    name: str
    component: str = ""
    keys: tuple[str, ...] = ()
    retained: bool = False


@dataclass(frozen=True, kw_only=True)
class Preview:
    """A preview.

    Attributes:
        stack: Name of the stack.
        steps: One for each resource, components and providers left out, in an order of their own.
        first: The stack is not deployed yet.
        errors: Why it failed; empty for a preview that succeeded.
        declared: It is by the program and its stack file alone; nothing that is deployed was looked at.
    """

    stack: str
    steps: tuple[Step, ...]
    first: bool = False
    errors: tuple[str, ...] = ()
    declared: bool = False

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that change something."""
        return tuple(step for step in self.steps if step.op != "same")

    @property
    def on_another_host(self) -> bool:
        """Whether it was made on a Docker host that is not the stack's.

        The program says so; of a stack that was deployed before it could, a preview in which the state is there and
        not one of its containers is, tells.
        """
        if self.errors:
            return any(other_host_refusal(error) for error in self.errors)
        containers = {step.op for step in self.steps if step.type == CONTAINER}
        kept = {step.type for step in self.steps if step.op == "same"}
        return containers == {"create"} and SECRET in kept and DOCKER_HOST not in kept


def other_host_refusal(error: str) -> str:
    """The refusal of another Docker host, without what an engine says before it; empty for any other error."""
    found = re.search(rf"stack \S+ {LIVES_ELSEWHERE}.*", error, re.DOTALL)
    return found[0] if found else ""


def read(text: str, stack: str = "") -> Preview:
    """Read what ``pulumi preview --json`` or ``python -m tooling.engine preview --json`` printed.

    The stack's name counts where the preview names none.

    Raises:
        PreviewError: It is something else.
    """
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    is_preview = isinstance(document, dict) and not {"changeSummary", "diagnostics"}.isdisjoint(document)
    if not is_preview or not isinstance(document.get("steps", []), list):
        raise PreviewError(
            f"this is no preview as JSON, but {len(text)} other characters. Give the output of `pulumi preview --json` "
            "or `python -m tooling.engine preview --json`; if that is empty, the preview failed, and standard error "
            "says why."
        )
    raw = list(_one_step_each(document.get("steps", [])))
    return Preview(
        stack=next((step["urn"].split(":", 3)[2] for step in raw), document.get("stack") or stack),
        steps=tuple(sorted(_steps(raw), key=lambda step: (step.component, step.type, step.name))),
        first=any(step["op"] == "create" and type_of(step["urn"]) == STACK for step in raw),
        errors=tuple(_errors(document.get("diagnostics") or ())),
        declared=document.get("declared") is True,
    )


def _one_step_each(steps: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """One step for each resource.

    The CLI shows a refresh of each resource, and nothing further where it stays as it is; the embedded engine shows
    both halves of a replacement beside the replacement.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for step in steps:
        if step.get("op") in (*CHANGES, "same"):
            found[step["urn"]] = step
        elif step.get("op") == "refresh":
            found.setdefault(step["urn"], {**step, "op": "same"})
    yield from found.values()


def _steps(raw: Iterable[Mapping[str, Any]]) -> Iterator[Step]:
    for step in raw:
        type_, parents = type_of(step["urn"]), types_of(step["urn"]).split("$")[:-1]
        if type_ == STACK or type_.startswith(("pulumi:providers:", "openwebui:components:")):
            continue
        yield Step(
            op=step["op"],
            type=type_,
            name=name_of(step["urn"]),
            component=parents[-1].rpartition(":")[2] if parents else "",
            keys=tuple(sorted(set(_keys(step)))),
            retained=bool(step.get("retained") or (step.get("oldState") or {}).get("retainOnDelete")),
        )


def _keys(step: Mapping[str, Any]) -> Iterator[str]:
    """Top-level names of the properties that differ; of a path only its first name, which is no value."""
    named = [change["key"] for change in step.get("changes") or ()]
    named += [*(step.get("diffReasons") or ()), *(step.get("replaceReasons") or ()), *(step.get("detailedDiff") or ())]
    for key in named:
        if match := re.match(r"\w+", str(key)):
            yield match[0]


def _errors(diagnostics: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Messages of errors, without the CLI's own words around them."""
    for diagnostic in diagnostics:
        message = str(diagnostic.get("message", "")).strip().removeprefix("error: ").removeprefix("Preview failed: ")
        empty = message in ("preview failed", "update failed") or message.startswith("an unhandled error occurred")
        if diagnostic.get("severity") == "error" and message and not empty:
            yield message
