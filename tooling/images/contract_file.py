"""A contract as its file in ``contracts`` has it: items, each with its source; docs/images.md says how to read one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from docker_access import labels
from settings.references import Reference
from tooling.images import version
from tooling.images.differences import DIFFERENCES, Difference

CONTRACTS: Final = Path(__file__).parent / "contracts"


@dataclass(frozen=True, kw_only=True)
class Item:
    """One statement of a contract.

    Attributes:
        what: What it is about, for people.
        source: Where the official image's public sources say so.
        expected: What they say: text, or a regular expression for all of it.
        pattern: ``expected`` is a regular expression.
        known: Difference that a local build may have here; None where it may have none.
        local: Regular expression for what it may have instead; empty for anything.
    """

    what: str
    source: str
    expected: str
    pattern: bool
    known: Difference | None
    local: str

    def holds(self, found: str) -> bool:
        """``found`` is what the official image has."""
        return re.fullmatch(self.expected, found) is not None if self.pattern else found == self.expected

    def is_known(self, found: str, image_labels: Mapping[str, str]) -> bool:
        """``found`` is what an image with these labels may have instead: a local build, where it must differ."""
        return (
            self.known is not None
            and labels.LOCAL_BUILD in image_labels
            and (not self.known.label or bool(image_labels.get(self.known.label)))
            and (not self.local or re.fullmatch(self.local, found) is not None)
        )


class Contract:
    """The content of a contract's file, and what stands for the names in braces."""

    def __init__(self, content: dict[str, Any], names: Mapping[str, str]) -> None:
        self.sources: dict[str, str] = content["sources"]
        self.names = names
        self.content = content

    def section(self, name: str) -> dict[str, Any]:
        """A section of the file; empty if it has none."""
        found: dict[str, Any] = self.content.get(name) or {}
        return {self.filled(key): value for key, value in found.items()}

    def item(self, what: str, entry: Mapping[str, Any], expected: str | None = None) -> Item:
        """An entry of a section; ``expected`` where the entry itself does not say it."""
        source, _, line = str(entry["source"]).partition(":")
        pattern = expected is None and "like" in entry
        text = entry["like"] if pattern else as_text(entry["is"]) if expected is None else expected
        return Item(
            what=what,
            source=self.sources[source] + (f"#L{line}" if line else ""),
            expected=self.filled(text),
            pattern=pattern,
            known=DIFFERENCES[entry["known"]] if "known" in entry else None,
            local=self.filled(entry.get("local", "")),
        )

    def filled(self, text: str) -> str:
        """The text with the names in braces replaced."""
        return re.sub(r"\{([A-Z_]+)\}", lambda match: self.names.get(match[1], match[0]), text)


def load_contract(software: str, reference: Reference, environment: Mapping[str, str]) -> Contract:
    """The contract of a software, for the version in an image's tag and the image's own variables."""
    text = (CONTRACTS / f"{software}.yaml").read_text(encoding="utf-8")
    return Contract(yaml.safe_load(text), braced_names(reference, environment))


def braced_names(reference: Reference, environment: Mapping[str, str]) -> dict[str, str]:
    """What stands in braces in a contract: the tag's version, and the image's own variables."""
    # What Open WebUI calls itself when it does not know its version is none.
    any_version, any_major = r"(?!0\.0\.0)\d+(\.\d+)+", r"\d+"
    names = {"VERSION": any_version, "NEIGHBOUR": any_version, "TAG_MAJOR": any_major}
    if version.is_version(reference.tag):
        constraint = version.of_tag(reference.tag, "")
        numbers, _, major = constraint.version.partition("-pg")
        names["TAG_MAJOR"] = major or any_major
        names["VERSION"] = re.escape(numbers) + ("" if constraint.exact else r"(\.\d+)*")
        names["NEIGHBOUR"] = re.escape(".".join(numbers.split(".")[:2])) + r"\.\d+"
    return {**environment, **names}


def as_text(value: Any) -> str:
    """A value as it is compared: text as it is, whatever is empty as "nothing", the rest as JSON."""
    if value in (None, "", [], {}):
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
