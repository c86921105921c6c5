"""What steps mean for the people who use the deployment and for its data, in words.

Which change replaces what, and what people notice of it, was tried: docs/architecture.md, "How a change travels".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from tooling.preview_report.steps import (
    CERTIFICATE,
    CONTAINER,
    IMAGE,
    NETWORK,
    RELOAD,
    SECRET,
    VERIFICATION,
    VOLUME,
    Preview,
    Step,
)

HOLDS: Final = {
    "open-webui-data": "uploads, and with SQLite accounts and chats",
    "postgres-data": "accounts, chats and vectors",
    "valkey-data": "sessions, and which tokens were signed out",
    "gateway-data": "certificates",
}
"""What is in the data volumes, by the name of the resource."""

APPS: Final = {"OpenWebUI": "Open WebUI", "Valkey": "Valkey", "Postgres": "Postgres", "Gateway": "the gateway"}
"""Components with a container that serves, by the name of their class."""

ONE_SHOTS: Final = ("-migration", "-setup", "-files")
"""Ends of the names of containers that serve nobody."""


@dataclass(frozen=True, kw_only=True)
class Meaning:
    """A consequence.

    Attributes:
        hits: What it hits: ``data`` and ``users`` are warned of; ``nobody``.
        text: One sentence or two, Markdown.
    """

    hits: Literal["data", "users", "nobody"]
    text: str


def meanings(preview: Preview) -> list[Meaning]:
    """All consequences, those for data first, then those for users."""
    found = list(_first_deployment(preview) if preview.first else _all(preview))
    order = ("data", "users", "nobody")
    return sorted(found, key=lambda meaning: order.index(meaning.hits))


def _first_deployment(preview: Preview) -> Iterator[Meaning]:
    containers = [step for step in preview.steps if step.type == CONTAINER]
    yield _harmless(
        f"This is the first deployment of this stack, with {len(containers)} containers. Data volumes that carry its "
        "labels already are used again, with what they hold."
    )
    yield from _verification(preview)


def _all(preview: Preview) -> Iterator[Meaning]:
    yield from _volumes(preview)
    yield from _migrations(preview)
    yield from _replicas(preview)
    yield from _services(preview)
    yield from _other_containers(preview)
    yield from _networks(preview)
    yield from _secrets(preview)
    yield from _verification(preview)


def _harmless(text: str) -> Meaning:
    return Meaning(hits="nobody", text=text)


def _steps_by_type(preview: Preview, type_: str, component: str | None = None) -> list[Step]:
    return [step for step in preview.steps if step.type == type_ and component in (None, step.component)]


def _changed(steps: Iterable[Step], *ops: str) -> list[Step]:
    return [step for step in steps if step.op in ops]


def _names(steps: Iterable[Step]) -> str:
    return ", ".join(f"`{plain(step.name)}`" for step in steps)


def plain(text: str) -> str:
    """A name as it can stand between backticks in a table."""
    return " ".join(text.replace("`", "'").replace("|", "/").split())


def has_data(volume: Step) -> bool:
    """Whether a volume holds more than what every update can create again."""
    return not volume.name.endswith(("-files-volume", "-socket"))


def _volumes(preview: Preview) -> Iterator[Meaning]:
    volumes = [step for step in _steps_by_type(preview, VOLUME) if has_data(step)]
    for volume in _changed(volumes, "delete", "replace"):
        name, holds = f"`{plain(volume.name)}`", HOLDS.get(volume.name, "data")
        if volume.op == "replace":
            text = f"**Volume {name} is replaced**: what it holds ({holds}) is lost unless it is backed up."
        elif volume.retained:
            text = f"Volume {name} leaves the stack: its data ({holds}) stays on the host, unused until asked for."
        else:
            text = f"**Volume {name} is deleted**, and with it its data ({holds}). Back it up first."
        yield Meaning(hits="data", text=text)
    if made := _changed(volumes, "create"):
        yield _harmless(
            f"Data volumes are created; those that exist are used again, with what they hold: {_names(made)}."
        )
    if preview.changes and not _changed(volumes, "delete", "replace", "create"):
        yield _harmless("No data volume is touched.")


def _serving(preview: Preview, component: str) -> list[Step]:
    containers = _steps_by_type(preview, CONTAINER, component)
    return [step for step in containers if not step.name.endswith(ONE_SHOTS)]


def _migration(preview: Preview) -> list[Step]:
    return [step for step in _steps_by_type(preview, CONTAINER, "OpenWebUI") if step.name.endswith("-migration")]


def _migrations(preview: Preview) -> Iterator[Meaning]:
    runs = _changed(_migration(preview), "create", "replace")
    if runs and _changed(_steps_by_type(preview, IMAGE, "OpenWebUI"), "create", "update", "replace"):
        yield Meaning(
            hits="data",
            text="Another image of Open WebUI migrates the database, and an older version may not read it afterwards. "
            "Back up first (docs/upgrade-and-backup.md#back-up).",
        )
    elif runs:
        yield _harmless(
            "The migration runs again before Open WebUI starts; with the same image it finds nothing to do."
        )


def _replicas(preview: Preview) -> Iterator[Meaning]:
    containers = _serving(preview, "OpenWebUI")
    staying = _changed(containers, "same", "update")
    replaced, added = _changed(containers, "replace"), _changed(containers, "create")
    gone = _changed(containers, "delete")
    if replaced and not staying:
        what = "its container is" if len(replaced) == 1 else f"all {len(replaced)} replicas are"
        migrating = "the migration, then " if _changed(_migration(preview), "create", "replace") else ""
        yield Meaning(
            hits="users",
            text=f"**Nobody reaches Open WebUI while {what} re-created**: {migrating}10 to 20 s of boot. "
            "All websockets drop; browsers connect again by themselves.",
        )
    elif replaced:
        yield Meaning(
            hits="users", text=f"Websockets on {_names(replaced)} drop; browsers connect again, to {_names(staying)}."
        )
    if added and (staying or replaced):
        yield _harmless(f"{_names(added)} is added to Open WebUI; open websockets stay.")
    elif added:
        yield Meaning(
            hits="users",
            text=f"Open WebUI's container {_names(added)} is missing and is created: nobody reaches it until it has "
            "booted, 10 to 20 s.",
        )
    if gone and _changed(_migration(preview), "delete"):
        yield Meaning(hits="users", text="**Open WebUI is removed**: nobody reaches it any more.")
    elif gone:
        text = f"{_names(gone)} is removed: browsers on it connect again, to another replica."
        yield Meaning(hits="users", text=text)
    updated = _changed(containers, "update")
    if stopped := [step for step in updated if STOPPED in step.keys]:
        yield _harmless(f"Not running, and started again: {_names(stopped)}.")
    if running := [step for step in updated if STOPPED not in step.keys]:
        yield _harmless(f"Changed while it runs: {_names(running)}. No restart, websockets stay.")


STOPPED: Final = "mustRun"
"""The property that differs where a container does not run."""

NOTICED: Final = {
    "Valkey": "live events are missing for some seconds",
    "Postgres": "nothing is loaded or saved until it answers again, and Open WebUI starts after it",
    "Gateway": "all connections and websockets drop, and are back within seconds",
}
"""What people notice when a container of a component is re-created."""


def _services(preview: Preview) -> Iterator[Meaning]:
    for component, noticed in NOTICED.items():
        subject = APPS[component][0].upper() + APPS[component][1:]
        containers = _serving(preview, component)
        for container in _changed(containers, "replace", "create"):
            how = "is re-created" if container.op == "replace" else "is missing and is created"
            yield Meaning(hits="users", text=f"{subject} (`{plain(container.name)}`) {how}: {noticed}.")
        if _changed(containers, "delete"):
            yield Meaning(hits="users", text=f"**{subject} is removed.**")
        for container in _changed(containers, "update"):
            stopped = STOPPED in container.keys
            how = "is stopped, and is started again" if stopped else "is changed while it runs, without a restart"
            yield _harmless(f"{subject} {how}.")
    if _changed(_steps_by_type(preview, RELOAD), "update") and not _changed(_serving(preview, "Gateway"), "replace"):
        yield _harmless("The gateway takes over a new configuration without dropping a connection.")


def _other_containers(preview: Preview) -> Iterator[Meaning]:
    others = [step for step in _steps_by_type(preview, CONTAINER) if step.component not in APPS]
    for op, text in (("replace", "is re-created: what it serves is interrupted"), ("delete", "is removed")):
        for container in _changed(others, op):
            yield Meaning(hits="users", text=f"Container `{plain(container.name)}` {text}.")


def _networks(preview: Preview) -> Iterator[Meaning]:
    if replaced := _changed(_steps_by_type(preview, NETWORK), "replace"):
        yield _harmless(f"Network {_names(replaced)} is re-created, and so are all containers on it.")


def _secrets(preview: Preview) -> Iterator[Meaning]:
    kinds = [*_steps_by_type(preview, SECRET), *_steps_by_type(preview, CERTIFICATE)]
    for op, done in (("create", "generated"), ("replace", "replaced"), ("delete", "deleted")):
        changed = _changed(kinds, op)
        if any(secret.name.endswith("-secret-key") for secret in changed):
            text = f"**Everybody is signed out and has to sign in again**: WEBUI_SECRET_KEY is {done}."
            yield Meaning(hits="users", text=text)
        if others := [secret for secret in changed if not secret.name.endswith("-secret-key")]:
            yield _harmless(f"Secrets {done}, with values shown nowhere: {_names(others)}.")
    files = [step for step in _changed(_steps_by_type(preview, CONTAINER), "replace") if "uploads" in step.keys]
    for container in files:
        if owner := APPS.get(container.component):
            yield _harmless(f"Files that {owner} reads change; their content is shown nowhere.")


def _verification(preview: Preview) -> Iterator[Meaning]:
    proof = _steps_by_type(preview, VERIFICATION)
    if _changed(proof, "create", "update", "replace"):
        yield _harmless("The verification runs at the end; if it fails, the update fails and says why.")
    if _changed(proof, "delete") and not _changed(_migration(preview), "delete"):
        yield _harmless("The verification leaves the stack: the next update proves nothing.")
