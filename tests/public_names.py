"""Every name that somebody who uses this project may have written down: in a stack file, a script, a program, a query.

``python -m tests.public_names`` records them, once a version is released; a test holds the changelog to the difference.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import yaml

from tests.documents import PROJECT, documents
from verification.checks import CHECKS
from verification.checks.causes import CAUSES

RECORDED: Final = Path(__file__).with_name("public_names.yaml")


def text_of(file: str) -> str:
    """The text of a file of the project."""
    return (PROJECT / file).read_text(encoding="utf-8")


def public_names() -> dict[str, list[str]]:
    """The names by kind, each kind in order."""
    package = re.search(r"(?m)^only-include = \[(.*)\]$", text_of("pyproject.toml"))
    assert package
    pages = "".join(text_of(document) for document in documents() if document != "CHANGELOG.md")
    found = {
        "settings": yaml.safe_load(text_of("Pulumi.yaml"))["config"],
        "targets": re.findall(r"(?m)^([a-z0-9-]+):.*##", text_of("Makefile")),
        "variables of make": re.findall(r"(?m)^# ([A-Z_]+) ", text_of("Makefile")),
        "outputs": re.findall(r'pulumi\.export\("(\w+)"', text_of("__main__.py")),
        "labels": re.findall(r'(?m)^[A-Z_\d]+: Final = "([a-z0-9.-]+)"', text_of("docker_access/labels.py")),
        "modules to run": re.findall(r"python -m ((?:tooling|verification)(?:\.[a-z_]+)*)", pages),
        "packages": re.findall(r'"(\w+)', package[1]),
        "checks": (check.id for check in CHECKS),
        "causes": CAUSES,
    }
    return {kind: sorted(set(names)) for kind, names in found.items()}


if __name__ == "__main__":
    RECORDED.write_text(yaml.safe_dump(public_names(), sort_keys=False), encoding="utf-8")
