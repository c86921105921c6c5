"""Where things are: the project file, the stack files, the state directory, and the passphrase.

The launcher exports :func:`environment` for the real CLI, so both engines work on the same state with the same key.
Not looked for: projects in parent directories, and organizations.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/workspace/paths.go and project.go
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from tooling.errors import UsageError
from tooling.pulumi_files.errors import PulumiFilesError
from tooling.pulumi_files.go_yaml import read_yaml

PROJECT_FILE: Final = "Pulumi.yaml"
STATE_DIRECTORY: Final = ".pulumi-state"
BACKEND_VARIABLE: Final = "PULUMI_BACKEND_URL"
PASSPHRASE_VARIABLE: Final = "PULUMI_CONFIG_PASSPHRASE"  # noqa: S105 - a name
PASSPHRASE_FILE_VARIABLE: Final = "PULUMI_CONFIG_PASSPHRASE_FILE"  # noqa: S105 - a name


@dataclass(frozen=True, kw_only=True)
class Project:
    """The project file.

    Attributes:
        directory: Directory of ``Pulumi.yaml``; also the program's.
        name: The project's name.
        stacks_directory: Directory of the stack files (``stackConfigDir``).
        config: The typed ``config:`` block, key to declaration.
        backend: URL of the backend (``backend: {url: ...}``), empty for the default.
        refresh: Whether every operation looks at the real resources first (``options: {refresh: always}``).
        document: The whole file, for what the others leave out.
    """

    directory: Path
    name: str
    stacks_directory: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    backend: str = ""
    refresh: bool = False
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)


def load_project(directory: Path) -> Project:
    """The project in a directory; raises :class:`PulumiFilesError`."""
    path = directory.resolve() / PROJECT_FILE
    if not path.is_file():
        raise PulumiFilesError(
            f"No {PROJECT_FILE} in {path.parent}. Run this in the project's directory or give --cwd DIR."
        )
    document = read_yaml(path)
    name = document.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", name):
        raise PulumiFilesError(
            f"{path}: `name` is {name!r}; a project is named by letters, digits, '-', '_' and '.', as in `name: web`."
        )
    config = document.get("config") or {}
    if not isinstance(config, dict):
        raise PulumiFilesError(
            f"{path}: `config` is {config!r}; it maps keys to declarations, as in `config: {{port: ...}}`."
        )
    return Project(
        directory=path.parent,
        name=name,
        stacks_directory=path.parent / str(document.get("stackConfigDir") or ""),
        config=config,
        backend=str(_section(document, "backend").get("url") or ""),
        refresh=_section(document, "options").get("refresh") == "always",
        document=document,
    )


def _section(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, Mapping) else {}


def stack_names(project: Project) -> list[str]:
    """Stacks that have a stack file, sorted."""
    files = project.stacks_directory.glob("Pulumi.*.yaml")
    return sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in files)


def stack_file(project: Project, stack: str) -> Path:
    """The stack's file; raises :class:`UsageError` listing the stacks there are."""
    path = project.stacks_directory / f"Pulumi.{stack}.yaml"
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}", stack) or not path.is_file():
        known = ", ".join(stack_names(project)) or "none yet"
        raise UsageError(
            f"No stack {stack!r}: there is no {os.path.relpath(path, project.directory)}. Stacks here: {known}. "
            "Choose one with --stack NAME, or write that file (it may be empty)."
        )
    return path


def state_directory(project: Project) -> Path:
    """The project's own directory for state and passphrase, outside version control."""
    return project.directory / STATE_DIRECTORY


def backend_url(project: Project, environ: Mapping[str, str] = os.environ) -> str:
    """``PULUMI_BACKEND_URL``, else what the project file says, else a file backend in :func:`state_directory`.

    Raises:
        PulumiFilesError: It is not a URL.
    """
    url = environ.get(BACKEND_VARIABLE) or project.backend or f"file://{state_directory(project)}"
    try:
        urlsplit(url)
    except ValueError as error:
        # It may hold a password.
        raise PulumiFilesError(
            f"{backend_place(environ)} is not a URL: {error}. Write file://DIRECTORY, or what `pulumi login` took."
        ) from None
    return url


def backend_place(environ: Mapping[str, str] = os.environ) -> str:
    """Where the backend is named, as in ``PULUMI_BACKEND_URL``."""
    return BACKEND_VARIABLE if environ.get(BACKEND_VARIABLE) else f"{PROJECT_FILE}: backend.url"


def backend_directory(project: Project, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Directory of the file backend, the parent of ``.pulumi``; None where the state is not in plain files.

    Raises:
        PulumiFilesError: The backend is not a URL.
    """
    parts = urlsplit(backend_url(project, environ))
    if parts.scheme != "file" or parts.query:
        return None
    path = unquote(parts.netloc + parts.path)
    return Path(path).expanduser() if path.startswith("~") else project.directory / path


def passphrase_file(project: Project) -> Path:
    """Where a passphrase made by this project is kept."""
    return state_directory(project) / "passphrase"


def passphrase(project: Project, environ: Mapping[str, str] = os.environ, *, make: bool = True) -> str:
    """The passphrase, from Pulumi's own variables, else from :func:`passphrase_file`, where one is made (mode 0600).

    Args:
        project: The project.
        environ: Where the variables are looked up.
        make: False where something is encrypted already, so that a new passphrase could not open it.

    Raises:
        PulumiFilesError: The file named by ``PULUMI_CONFIG_PASSPHRASE_FILE`` cannot be read, or there is no passphrase.
    """
    if PASSPHRASE_VARIABLE in environ:
        # The CLI takes its bytes, whatever the locale makes of them.
        return os.fsencode(environ[PASSPHRASE_VARIABLE]).decode("utf-8", "surrogateescape")
    path = Path(environ.get(PASSPHRASE_FILE_VARIABLE) or passphrase_file(project))
    if PASSPHRASE_FILE_VARIABLE not in environ and not path.exists():
        if not make:
            raise PulumiFilesError(
                f"The stack was begun under a passphrase, and none is given: {path} is not there. Set "
                f"{PASSPHRASE_VARIABLE} (or {PASSPHRASE_FILE_VARIABLE}) to it. To begin again instead, remove "
                "`encryptionsalt` and every `secure:` value from the stack file."
            )
        _write_new(path, secrets.token_urlsafe(32) + "\n")
        sys.stderr.write(f"Made a passphrase for this project's secrets: {path}. Keep a copy of it elsewhere.\n")
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise PulumiFilesError(
            f"The passphrase file {path} cannot be read ({why}). Correct {PASSPHRASE_FILE_VARIABLE} or set "
            f"{PASSPHRASE_VARIABLE}."
        ) from None


def _write_new(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise PulumiFilesError(
            f"A passphrase for this project's secrets cannot be kept in {path} ({error.strerror}). Make that directory "
            f"writable, or set {PASSPHRASE_VARIABLE} (or {PASSPHRASE_FILE_VARIABLE})."
        ) from None


def environment(project: Project, environ: Mapping[str, str] = os.environ, *, make: bool = True) -> dict[str, str]:
    """Variables with which every Pulumi process uses the same backend and passphrase.

    Args:
        project: The project.
        environ: Where the user's own are looked up.
        make: See :func:`passphrase`.
    """
    variables = {BACKEND_VARIABLE: backend_url(project, environ)}
    if PASSPHRASE_VARIABLE not in environ:
        passphrase(project, environ, make=make)
        variables[PASSPHRASE_FILE_VARIABLE] = environ.get(PASSPHRASE_FILE_VARIABLE) or str(passphrase_file(project))
    return variables
