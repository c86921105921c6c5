"""Whether an image is what the official one is, by the contract recorded from the official one's public sources.

`python -m tooling.images.contract IMAGE...` is the command; :func:`check` is the function behind it. Reading order:
``contract_file`` (what is expected), ``archive`` and ``examination`` (what an image has), this module (the report).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import docker
import docker.errors

from docker_access import labels
from docker_access.client import docker_client, failure_text
from docker_access.surroundings import print_in_any_encoding
from tooling.images.contract_file import CONTRACTS, Item, load_contract
from tooling.images.errors import ImageError
from tooling.images.examination import Examination
from tooling.images.reference import parse
from tooling.machine.progress import progress, say

DOCKER_SECONDS: Final = 300


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An item that an image does not keep, and what was found there."""

    item: Item
    found: str

    def line(self) -> str:
        """For people."""
        item = self.item
        relation = "matches" if item.pattern else "is"
        return f"{item.what}: {_short(self.found)}. Official {relation} {_short(item.expected)} ({item.source})"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of checking an image.

    Attributes:
        image: Its reference.
        origin: Where it is from, for people.
        checked: Items that were looked at.
        broken: Items it does not keep, and should.
        known: Items it need not keep, being built on this machine.
    """

    image: str
    origin: str
    checked: int
    broken: tuple[Finding, ...]
    known: tuple[Finding, ...]

    def lines(self) -> Iterator[str]:
        """For people: the count, each difference once with its reason, each fault."""
        kept = self.checked - len(self.broken) - len(self.known)
        yield f"{self.image} ({self.origin}): {kept} of {self.checked} items as in the official image"
        for difference in dict.fromkeys(finding.item.known for finding in self.known):
            if difference is not None:
                items = [finding.item.what for finding in self.known if finding.item.known is difference]
                yield f"  differs, allowed: {difference.what} ({', '.join(items)}). Why: {difference.why}"
        for finding in self.broken:
            yield f"  BROKEN: {finding.line()}"


def check(
    client: docker.DockerClient, text: str, *, software: str = "", cases: Collection[str] | None = None
) -> Report:
    """Hold an image that Docker has against the contract of its software.

    Args:
        client: The Docker daemon; its timeout should be minutes, for an image's files are read through it.
        text: Reference of the image.
        software: Name of the contract, such as ``valkey``; empty for the last part of the image's repository.
        cases: Which of the contract's containers are run, by what they are; None for all.

    Returns:
        What differs. The containers it took are gone.

    Raises:
        ImageError: There is no such image, or no contract for it.
    """
    reference = parse(text)
    name = software or reference.name
    known = sorted(file.stem for file in CONTRACTS.glob("*.yaml"))
    if name not in known:
        there = ", ".join(known)
        raise ImageError(f"{text}: there is no contract for {name!r}; there is one for {there}. Name one by --as.")
    if "slim" in reference.tag.split("-"):
        raise ImageError(f"{text}: the contract records Open WebUI's main variant; none is recorded for the slim one.")
    try:
        image = client.images.get(text)
    except docker.errors.ImageNotFound:
        raise ImageError(f"{text} is not present: have it by `docker pull` or `python -m tooling.images`.") from None
    image_labels: dict[str, str] = image.labels or {}
    with progress(f"checking {text}") as stage:
        examination = Examination(client, image, stage)
        pairs = list(examination.all(load_contract(name, reference, examination.environment), cases))
    failed = [Finding(item=item, found=found) for item, found in pairs if not item.holds(found)]
    allowed = [finding for finding in failed if finding.item.is_known(finding.found, image_labels)]
    built = image_labels.get(labels.LOCAL_BUILD)
    return Report(
        image=text,
        origin=f"built locally from {built}" if built else "not built here",
        checked=len(pairs),
        broken=tuple(finding for finding in failed if finding not in allowed),
        known=tuple(allowed),
    )


def _short(text: str) -> str:
    return repr(text if len(text) <= 300 else f"{text[:300]}...")  # noqa: PLR2004 - a line or two


def check_all(client: docker.DockerClient, references: Iterable[str], *, software: str = "") -> int:
    """Check images and print what comes of it; 1 where one breaks its contract or cannot be checked, else 0."""
    code = 0
    for reference in references:
        try:
            report = check(client, reference, software=software)
        except ImageError as error:
            say(f"error: {error}")
            code = 1
            continue
        print("\n".join(report.lines()), flush=True)
        code = code or int(bool(report.broken))
    return code


def main(arguments: list[str] | None = None) -> int:
    """Check each image named on the command line; exit code 1 where one breaks its contract."""
    print_in_any_encoding()
    parser = argparse.ArgumentParser(
        prog="python -m tooling.images.contract",
        description="Compare images with what is recorded of the official ones. docs/images.md explains the contract.",
        epilog="exit codes: 0 they are as recorded; 1 something differs that must not; 130 interrupted",
    )
    parser.add_argument("references", nargs="+", metavar="IMAGE", help="such as docker.io/valkey/valkey:8.0.1-alpine")
    parser.add_argument("--as", dest="software", default="", metavar="NAME", help="the contract to use, such as valkey")
    options = parser.parse_args(arguments)
    try:
        return check_all(docker_client(DOCKER_SECONDS), options.references, software=options.software)
    except docker.errors.APIError as error:
        say(f"error: Docker refused: {error.explanation or error}")
    except docker.errors.DockerException as error:
        say(f"error: Docker does not answer: {failure_text(error)}. Start it, or set DOCKER_HOST.")
    except KeyboardInterrupt:
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
