"""``make release``: what a release consists of, in ``dist/``: wheel, sdist, bill of materials and their SHA-256 sums.

The tools are locked in ``release.txt`` and get an environment of their own, because nothing else needs them: hatchling
builds (https://hatch.pypa.io), cyclonedx-py writes the bill (https://github.com/CycloneDX/cyclonedx-python). The bill
lists what the program runs with, in the versions of ``requirements.txt``.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

from docker_access.surroundings import print_in_any_encoding

PROJECT: Final = Path(__file__).resolve().parents[1]
TOOLS: Final = Path(__file__).with_name("release.txt")
ENVIRONMENT: Final = Path(".cache/release")
"""Where the tools are installed, within the project."""

_SECTION: Final = r"(?ms)^## \[{version}\] - \d{{4}}-\d\d-\d\d\n(.*?)(?=^## |^\[|\Z)"


class ReleaseError(Exception):
    """No release can be made; the text is for the user: what, the value seen, the way out."""


def changes_of(version: str, changelog: str) -> str:
    """What the changelog says of a version, without its heading; empty where there is no dated section of it."""
    found = re.search(_SECTION.format(version=re.escape(version)), changelog)
    return found[1].strip() if found else ""


def commands(name: str, version: str) -> list[list[str]]:
    """What to run, one after the other, in the project's directory."""
    uv = [sys.executable, "-m", "tooling.machine.uv"]
    python = str(ENVIRONMENT / "bin/python")
    bill = f"dist/{name.replace('-', '_')}-{version}.cdx.json"
    return [
        [*uv, "venv", "--quiet", "--clear", str(ENVIRONMENT)],
        [*uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, str(TOOLS)],
        [*uv, "build", "--quiet", "--clear", "--no-build-isolation", "--python", python, "--out-dir", "dist"],
        [
            # A list of requirements does not say which needs which: it warns of that.
            python, "-W", "ignore:The Component this BOM", "-m", "cyclonedx_py", "requirements",
            "--pyproject", "pyproject.toml", "--mc-type", "library", "--output-reproducible", "--output-file", bill,
            "requirements.txt",
        ],
    ]  # fmt: skip


def write_sums(folder: Path) -> Path:
    """Write ``SHA256SUMS`` of the files in a folder, as ``sha256sum --check`` reads it; its path."""
    sums = folder / "SHA256SUMS"
    files = sorted(path for path in folder.iterdir() if path != sums and not path.name.startswith("."))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    sums.write_text("".join(lines), encoding="utf-8")
    return sums


def release(project: Path = PROJECT) -> Path:
    """Make the release of a checkout, in place of an earlier one; the folder it is in.

    Raises:
        ReleaseError: The changelog has no section of the version, or a tool failed.
    """
    about = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    name, version = about["name"], about["version"]
    if not changes_of(version, (project / "CHANGELOG.md").read_text(encoding="utf-8")):
        raise ReleaseError(
            f"CHANGELOG.md has no section `## [{version}] - YYYY-MM-DD` with changes in it, and pyproject.toml names "
            f"version {version}. Give what stands under Unreleased that heading."
        )
    for command in commands(name, version):
        done = subprocess.run(command, cwd=project, check=False)
        if done.returncode != 0:
            raise ReleaseError(f"`{' '.join(command)}` ended with {done.returncode}; its words are above.")
    write_sums(project / "dist")
    return project / "dist"


def main() -> int:
    """Make a release and print its sums; 1 if it cannot be made."""
    print_in_any_encoding()
    try:
        folder = release()
    except ReleaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print((folder / "SHA256SUMS").read_text(encoding="utf-8"), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
