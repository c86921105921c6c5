"""``make outdated``: which images of a stack and packages of the project have newer versions, and who says so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Final, TypeVar

import docker
import docker.errors

from docker_access import labels
from docker_access.client import docker_client
from settings import Settings
from settings.references import GATEWAY_TRIED, OPEN_WEBUI_TRIED, POSTGRES_TRIED, VALKEY_TRIED, Reference
from tooling.images import pypi, registry, version
from tooling.images.errors import ImageError, UnreachableError
from tooling.images.recipes import RECIPES
from tooling.images.reference import parse
from tooling.launcher.lines import columns
from tooling.launcher.pin import CONFIG_KEYS
from tooling.launcher.stack import PROJECT_FOLDER
from tooling.machine.negative_cache import recent_failure
from tooling.machine.progress import Stage, progress
from tooling.pulumi_files.stack import Stack

NEWEST: Final = 0
COULD_NOT_ASK: Final = 1
NEWER: Final = 2
TRIED: Final = {
    "open-webui": OPEN_WEBUI_TRIED, "valkey": VALKEY_TRIED, "postgres": POSTGRES_TRIED, "gateway": GATEWAY_TRIED,
}  # fmt: skip
"""By role, the image that this project was tried with."""
PROJECT: Final = "this project"
INDEX: Final = "the package index"
Answer = TypeVar("Answer")


@dataclass(kw_only=True)
class Finding:
    """What is newer than an image or a package.

    Attributes:
        what: Setting of the image, or name of the package.
        has: Tag of the image, with what is known of it; or version of the package.
        newer: Newer tags or versions, the newest last.
        moved: The command that takes another image, which the tag means by now; empty where it means the same.
        told_by: Who says so.
        unknown: Why nobody says it.
    """

    what: str
    has: str
    newer: list[str] = field(default_factory=list)
    moved: str = ""
    told_by: list[str] = field(default_factory=list)
    unknown: str = ""


def outdated(stack: Stack, settings: Settings, *, as_json: bool) -> int:
    """Print it.

    Returns:
        2 where something is newer, else 1 where somebody could not be asked, else 0.

    Raises:
        docker.errors.DockerException: Docker does not answer.
    """
    with closing(docker_client(registry.DIGEST_SECONDS)) as client, progress("looking for newer versions") as stage:
        asking = _Asking(client, stage, settings.stack)
        images = [asking.image(role, reference) for role, reference in settings.images.items()]
        packages = asking.packages()
    found = [*images, *packages]
    print(
        json.dumps([asdict(one) for one in found], indent=2) if as_json else "\n".join(_text(stack, images, packages))
    )
    if any(one.newer or one.moved for one in found):
        return NEWER
    return COULD_NOT_ASK if any(one.unknown for one in found) else NEWEST


class _Asking:
    """Asks registries and the package index; what does not answer is not asked again."""

    def __init__(self, client: docker.DockerClient, stage: Stage, stack: str) -> None:
        self._client, self._stage, self._stack = client, stage, stack
        self._silent: dict[str, str] = {}

    def image(self, role: str, text: str) -> Finding:
        """What is newer than an image."""
        reference, tagged = parse(text), parse(text.partition("@")[0])
        recipe = RECIPES.get(reference.name)
        marks, digests = self._here(reference)
        has = marks.get(labels.IMAGE_VERSION, "")
        notes = ["" if version.is_version(tagged.tag) else has, "built here" if labels.LOCAL_BUILD in marks else ""]
        notes = [*filter(None, notes)] if digests is not None else ["not here"]
        finding = Finding(what=CONFIG_KEYS[role], has=tagged.tag + (f" ({', '.join(notes)})" if notes else ""))
        if text.startswith(f"{tagged.repository}@"):
            finding.has, finding.unknown = f"@{reference.digest[:19]}", "a digest without a tag has nothing newer"
            return finding
        tried = parse(TRIED[role])
        known = [tried.tag] if tried.name == tagged.name else []
        try:
            known += self._ask(tagged.registry, lambda: registry.tags(tagged))
            finding.told_by.append(tagged.registry)
            if digests and registry.digest(self._client, tagged) not in digests:
                finding.moved = f"make pin STACK={self._stack}" if reference.digest else f"docker pull {tagged}"
        except ImageError as error:
            finding.unknown = str(error)
        finding.newer = registry.newer(tagged.tag, known)
        if tried.tag in finding.newer:
            finding.told_by.append(PROJECT)
        if finding.unknown and recipe and recipe.on_pypi:
            self._ask_the_index(
                finding, recipe.on_pypi, has or (tagged.tag if version.is_version(tagged.tag) else recipe.newest)
            )
        return finding

    def _ask_the_index(self, finding: Finding, package: str, has: str) -> None:
        """Have what the package index says of an image's software where its registry says nothing."""
        try:
            newest = self._ask(INDEX, lambda: pypi.newest(PROJECT_FOLDER, "-", text=package))[package]
        except ImageError as error:
            finding.unknown += f"; {error}"
            return
        finding.told_by.append(f"{INDEX}; {finding.unknown}")
        finding.unknown = ""
        if version.key(newest) > max(version.key(has), *map(version.key, finding.newer), ()):
            finding.newer.append(newest)

    def packages(self) -> list[Finding]:
        """What is newer than the packages that the project asks for by name."""
        text = (PROJECT_FOLDER / "requirements.txt").read_text(encoding="utf-8")
        pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))
        try:
            there = self._ask(INDEX, lambda: pypi.newest(PROJECT_FOLDER, "pyproject.toml", "--group", "program"))
        except ImageError as error:
            return [Finding(what="Python packages", has=f"{len(pinned)} pinned", unknown=str(error))]
        return [
            Finding(what=name, has=pinned[name], newer=[one] if version.key(one) > version.key(pinned[name]) else [],
                    told_by=[INDEX])
            for name, one in there.items() if name in pinned
        ]  # fmt: skip

    def _ask(self, whom: str, question: Callable[[], Answer]) -> Answer:
        if reason := self._silent.get(whom) or recent_failure(whom):
            raise ImageError(reason)
        self._stage.text = f"asking {whom}"
        try:
            return question()
        except UnreachableError as error:
            self._silent[whom] = str(error)
            raise

    def _here(self, reference: Reference) -> tuple[dict[str, str], set[str] | None]:
        """The labels of an image, and its digests at registries; None where it is not here."""
        try:
            image = self._client.images.get(str(reference))
        except docker.errors.ImageNotFound:
            return {}, None
        if labels.LOCAL_BUILD in (image.labels or {}):
            return image.labels, set()
        known = {str(one).rpartition("@")[2] for one in image.attrs.get("RepoDigests") or ()}
        return image.labels or {}, {reference.digest} if reference.digest else known


def _text(stack: Stack, images: list[Finding], packages: list[Finding]) -> Iterator[str]:
    newer = [one for one in packages if one.newer or one.unknown]
    shown = [*images, *newer]
    if not newer:
        shown.append(Finding(what="Python packages", has=f"{len(packages)} pinned", told_by=[INDEX]))
    rows = [[one.what, one.has, _newer(one), ", ".join(filter(None, [*one.told_by, one.unknown]))] for one in shown]
    yield from columns([["what", "has", "newer", "says"], *rows])
    up = f"make up STACK={stack.name}"
    if any(one.newer for one in images):
        yield f"to take one: read docs/upgrade-and-backup.md, write its tag into {stack.file.name}, then: {up}"
    for one in images:
        if one.moved:
            yield f"{one.what}: the tag means another image now. To take it: {one.moved} && {up}"
    if any(one.newer for one in packages):
        yield "packages come with a newer version of this project, or: make lock UPGRADE=1"


def _newer(finding: Finding) -> str:
    """The newest, and the newest of the same minor version, which brings no more than repairs."""
    if not finding.newer:
        return "same tag, another image" if finding.moved else "?" if finding.unknown else "none"
    newest, minor = finding.newer[-1], version.key(finding.has)[:2]
    repaired = next((one for one in reversed(finding.newer) if version.key(one)[:2] == minor), newest)
    return newest if repaired == newest else f"{newest}; of {minor[0]}.{minor[1]}: {repaired}"
