"""``make init``: five questions, and the stack file of a team's stack that comes of the answers."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from settings import Settings
from tooling.errors import ToolError
from tooling.machine.progress import say
from tooling.pulumi_files.atomic_files import write_atomically
from tooling.pulumi_files.go_yaml import read_yaml
from tooling.pulumi_files.project import Project

HEAD: Final = """\
# yaml-language-server: $schema=schema.json
# Written by `make init STACK={stack}`. All settings: docs/settings.md; what a team's stack is: docs/replicated.md
"""
MODEL: Final = "prod"
"""The stack whose images are taken: those that this project was tried with."""
NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}")
"""What Pulumi takes: https://github.com/pulumi/pulumi/blob/v3.259.0/sdk/go/common/tokens/stack_name.go."""


def init(project: Project, stack: str, *, overwrite: bool) -> int:
    """Ask, and write ``Pulumi.STACK.yaml``.

    Args:
        project: The project.
        stack: Name of the new stack.
        overwrite: A file of that name may be replaced, without a question.

    Raises:
        ToolError: That is no name, or there is a file of it that is to stay; or the answers end too early.
        SettingsError: The answers do not fit together; nothing is written.
    """
    if not NAME.fullmatch(stack):
        raise ToolError(f"{stack!r} is no name of a stack: write letters, digits, `-`, `_` and `.`, 100 at most")
    file = project.stacks_directory / f"Pulumi.{stack}.yaml"
    if file.exists() and not overwrite:
        again = f"To write it again: make init STACK={stack} YES=1"
        raise ToolError(f"{file} is there already; nothing was changed. {again}")
    given = {key: value for key, value in _answers(project, _ask) if value != ""}
    texts = {f"{project.name}:{key}": _as_text(value) for key, value in given.items()}
    Settings.of(project.name, stack, texts, secret=())
    config = {"config": {f"{project.name}:{key}": value for key, value in given.items()}}
    text = HEAD.format(stack=stack) + yaml.safe_dump(config, sort_keys=False)
    write_atomically(file, text.encode())
    file.chmod(0o644)
    say(f"wrote {file}. Look at what it makes: make preview STACK={stack}; then: make up STACK={stack}")
    return 0


def _answers(project: Project, ask: Callable[[str, str], str]) -> Iterator[tuple[str, Any]]:
    yield "topology", "replicated"
    url = urlsplit(ask("1. The URL that people will open", "http://localhost:3000"))
    is_public = url.scheme == "https" and "." in (url.hostname or "")
    yield "publicUrl", url.geturl().rstrip("/")
    yield "uiPort", url.port or (443 if url.scheme == "https" else 80)
    yield "uiBindAddress", "0.0.0.0" if "." in (url.hostname or "") else "127.0.0.1"  # noqa: S104 - what was asked for
    email = ask("2. The administrator's e-mail address (the password is generated)", "admin@example.com")
    yield "adminEmail", email
    if url.scheme == "https":
        usual = "acme" if is_public else "internal"
        tls = ask("3. Who issues the certificate: acme (Let's Encrypt) or internal", usual)
        yield "tls", tls
        yield "acmeEmail", email if tls == "acme" else ""
        yield "httpPort", 80 if tls == "acme" else ""
    replicas = ask("4. Replicas of Open WebUI (each takes 3 GiB)", "2")
    yield "replicas", int(replicas) if replicas.isdigit() else replicas
    signup = ask("5. May anybody who reaches it ask for an account: yes or no", "no")
    yield "enableSignup", signup.lower() in ("y", "yes")
    model = project.stacks_directory / f"Pulumi.{MODEL}.yaml"
    if is_public and model.exists():
        yield "production", True
        yield "acknowledged", ["open-signup"] if signup.lower() in ("y", "yes") else ""
    for key, value in ((read_yaml(model).get("config") or {}) if model.exists() else {}).items():
        if str(key).endswith("Image"):
            yield str(key).rpartition(":")[2], value


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _ask(question: str, usual: str) -> str:
    """What is typed, or comes by a pipe; nothing is the usual answer."""
    sys.stderr.write(f"{question} [{usual}]: ")
    sys.stderr.flush()
    line = sys.stdin.readline()
    if not line:
        raise ToolError("the answers ended before the questions; nothing was written")
    if not sys.stdin.isatty():
        sys.stderr.write("\n")
    return line.strip() or usual
