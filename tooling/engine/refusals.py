"""What of a project this engine leaves to the Pulumi CLI, decided by what its files say. Each function raises for it.

The library of Pulumi's files (:mod:`tooling.pulumi_files`) refuses none of it. What the program asks for is refused
where it is asked: ``monitor``, ``wire``, ``default_providers``, ``step_generator``.

Source: https://www.pulumi.com/docs/iac/concepts/projects/project-file/
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from tooling.engine.errors import only_the_cli
from tooling.pulumi_files.checkpoint import FEATURES, FEATURES_VERSION, PLAIN_VERSION, latest_of, sealed_by
from tooling.pulumi_files.project import PROJECT_FILE, Project, backend_place
from tooling.pulumi_files.stack import Stack
from tooling.pulumi_files.stack_file import needs_the_cli
from tooling.pulumi_files.values import SECRET, SIGNATURE

_KEYS: Final[dict[str, frozenset[str]]] = {
    "": frozenset({
        "name", "runtime", "config", "stackConfigDir", "backend", "options",
        # For people, and for `pulumi new`.
        "description", "author", "website", "license", "template",
    }),
    "runtime": frozenset({"name", "options"}),
    # Where the CLI finds Python; here the program runs in the Python that runs the engine.
    "runtime.options": frozenset({"toolchain", "virtualenv"}),
    "backend": frozenset({"url"}),
    "options": frozenset({"refresh"}),
}  # fmt: skip
"""What the project file may say, by place; ``config`` is checked where it is read.

Source: https://www.pulumi.com/docs/iac/concepts/projects/project-file/
"""


def refuse_project(project: Project) -> None:
    """Refuse another language, another ``refresh`` than ``always``, and every key that is not known here."""
    path, document = project.directory / PROJECT_FILE, project.document
    runtime, options = document.get("runtime"), document.get("options")
    language = runtime.get("name") if isinstance(runtime, dict) else runtime
    if language != "python":
        raise only_the_cli(f"{path}: `runtime` {language!r}")
    for name, held in _unknown("", document):
        raise only_the_cli(f"{path}: `{name}` {held!r}")
    refresh = options.get("refresh") if isinstance(options, dict) else None
    if refresh not in (None, "always"):
        raise only_the_cli(f"{path}: `options.refresh` {refresh!r}")


def _unknown(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    for key, held in value.items() if isinstance(value, Mapping) else ():
        name = f"{place}.{key}".removeprefix(".")
        if key not in _KEYS[place] and held:
            yield name, held
        if name in _KEYS:
            yield from _unknown(name, held)


def refuse_backend(stack: Stack) -> None:
    """Refuse every backend but a directory of files."""
    if not stack.shared:
        return
    # A database's or a bucket's URL may hold a password.
    url = re.sub(r"//[^/@]*@|[?].*", lambda found: found[0][0] + "...", stack.backend_url)
    files = urlsplit(stack.backend_url).scheme == "file"
    why = "options after '?'" if files else "this engine keeps state in files: file://DIRECTORY"
    raise only_the_cli(f"{backend_place(stack.environ)}={url} ({why})")


def refuse_stack_file(stack: Stack, *, sealed: bool = False) -> None:
    """Refuse what only the CLI reads or opens of a stack's configuration.

    Args:
        stack: The stack.
        sealed: Nothing is to be opened; see :func:`tooling.pulumi_files.stack_file.needs_the_cli`.
    """
    if what := needs_the_cli(stack, sealed=sealed):
        raise only_the_cli(what)


def refuse_state(file: Path, document: Mapping[str, Any]) -> None:
    """Refuse a state of another format, of features that are not known here, or sealed by anything but a passphrase.

    Args:
        file: The state file, for messages.
        document: What it holds.
    """
    if (version := document.get("version")) not in (PLAIN_VERSION, FEATURES_VERSION):
        raise only_the_cli(f"{file}: checkpoint version {version!r} (3 and 4 are known)")
    if foreign := sorted({*(document.get("features") or [])} - {*FEATURES}):
        raise only_the_cli(f"{file}: {', '.join(foreign)} (features of this state)")
    if (provider := sealed_by(document)) not in ("", "passphrase"):
        raise only_the_cli(f"secrets provider {provider!r}")
    if _has_plain_secret(latest_of(document)):
        raise only_the_cli(
            "a secret in plain text in the state (`pulumi stack import` of an export with secrets shown)"
        )


def _has_plain_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return (value.get(SIGNATURE) == SECRET and "ciphertext" not in value) or any(
            map(_has_plain_secret, value.values())
        )
    return isinstance(value, list) and any(map(_has_plain_secret, value))
