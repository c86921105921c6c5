"""The report as Markdown: warnings first, then what it means, then the table of changes."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

from tooling.preview_report.meaning import meanings, plain
from tooling.preview_report.steps import (
    CHANGES,
    CONTAINER,
    IMAGE,
    NETWORK,
    PIDS_LIMIT,
    VOLUME,
    Preview,
    Step,
    other_host_refusal,
)

WORDS: Final = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted"}
KINDS: Final = {CONTAINER: "container", IMAGE: "image", NETWORK: "network", VOLUME: "volume"}
CONSEQUENCES: Final = frozenset({"image", "labels", "networksAdvanced"})
"""Properties of a container that follow from what it depends on; one engine names them, the other does not."""

DECLARED: Final = (
    "\n\nBy the program and its stack file alone, against those of the base: what was changed by hand, or has not been "
    "deployed yet, is not in it."
)


def marker(stack: str) -> str:
    """The first line, invisible: by it the comment on a pull request is found again."""
    return f"<!-- preview_report: {plain(stack)} -->"


def markdown(preview: Preview) -> str:
    """The report, without a newline at its end."""
    title = f"### Preview of stack `{plain(preview.stack)}`"
    if preview.errors:
        body = _failed(preview)
    elif not preview.changes:
        body = "Nothing changes."
    else:
        body = "\n\n".join(part for part in (_other_host(preview), *_warnings(preview), _meaning(preview)) if part)
        body += "\n\n" + _table(preview)
    return f"{marker(preview.stack)}\n{title}\n\n{body}{DECLARED if preview.declared else ''}"


def _failed(preview: Preview) -> str:
    # Before it each engine names the resource in words of its own.
    text = "\n".join(other_host_refusal(error) or error for error in preview.errors)
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    alert = "> [!CAUTION]\n> The preview failed: this change cannot be deployed as it is."
    return f"{alert}\n\n{fence}text\n{text}\n{fence}"


def _other_host(preview: Preview) -> str:
    if not preview.on_another_host:
        return ""
    return (
        "> [!CAUTION]\n> Not one container of this stack was found where its state is known: this was most likely "
        "previewed against a Docker host that is not the stack's. Preview where DOCKER_HOST names the right one, or "
        f"against the state alone (`pulumi preview --refresh=false --stack {plain(preview.stack)}`)."
    )


def _warnings(preview: Preview) -> list[str]:
    found = meanings(preview)
    blocks = []
    for alert, hits in (("CAUTION", "data"), ("WARNING", "users")):
        lines = [f"> - {meaning.text}" for meaning in found if meaning.hits == hits]
        if lines:
            blocks.append("\n".join([f"> [!{alert}]", *lines]))
    return blocks


def _meaning(preview: Preview) -> str:
    lines = [f"- {meaning.text}" for meaning in meanings(preview) if meaning.hits == "nobody"]
    return (
        "\n".join(["What it means besides:" if _warnings(preview) else "What it means:", "", *lines]) if lines else ""
    )


def _table(preview: Preview) -> str:
    shown = [step for step in preview.changes if not _follows(step, preview)]
    counts = Counter(step.op for step in shown)
    summary = ", ".join(f"{counts[op]} {WORDS[op]}" for op in CHANGES if counts[op])
    rows = [
        f"| {_word(step)} | {_kind(step)} | `{plain(step.name)}` | {_because(step, preview)} |"
        for op in ("delete", "replace", "update", "create")
        for step in shown
        if step.op == op
    ]
    head = ["| | | resource | because of |", "|---|---|---|---|"]
    return "\n".join([f"<details open><summary>{summary}</summary>", "", *head, *rows, "", "</details>"])


def _follows(step: Step, preview: Preview) -> bool:
    """Whether a row would say nothing: a limit is put on every new container."""
    containers = {other.name: other.op for other in preview.steps if other.type == CONTAINER}
    return step.type == PIDS_LIMIT and containers.get(step.name.removesuffix("-pids")) == step.op


def _word(step: Step) -> str:
    return "leaves the stack" if step.retained and step.op == "delete" else WORDS[step.op]


def _kind(step: Step) -> str:
    return KINDS.get(step.type) or plain(step.type.rpartition(":")[2])


def _because(step: Step, preview: Preview) -> str:
    if step.op not in ("update", "replace"):
        return ""
    if step.type not in KINDS:
        return "generation" if "generation" in step.keys else ""
    reasons = [f"`{key}`" for key in step.keys if step.type != CONTAINER or key not in CONSEQUENCES]
    if step.type == CONTAINER and _has_another_image(step, preview):
        reasons.append("its image")
    return ", ".join(reasons) or "what it depends on"


def _has_another_image(container: Step, preview: Preview) -> bool:
    return any(
        step.type == IMAGE and step.component == container.component and step.op != "same" for step in preview.steps
    )
