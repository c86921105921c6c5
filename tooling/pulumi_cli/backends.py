"""Backends that several people share (a database, a bucket, Pulumi Cloud): the Pulumi CLI's alone.

What `make` says on top of it: whose lock is in the way and how to get past it, and never a password of the URL.
"""

from __future__ import annotations

import os
import re
import socket
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from tooling.errors import ToolError
from tooling.pulumi_files.project import (
    BACKEND_VARIABLE,
    PASSPHRASE_FILE_VARIABLE,
    PASSPHRASE_VARIABLE,
    backend_directory,
    backend_url,
    passphrase,
    passphrase_file,
)
from tooling.pulumi_files.stack import find_stack
from tooling.pulumi_files.stack_file import read_salt, secrets_provider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tooling.pulumi_files.project import Project

_LOCK: Final = re.compile(r"locked by \d+ lock.*?created by (\S+)@(\S+) \(pid (\d+)\) at (\S+)", re.DOTALL)
"""The CLI's words for a lock it met: whose, on which machine, of which process, since when.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/backend/diy/lock.go
"""


def is_shared(project: Project) -> bool:
    """Whether the state is anywhere but in a directory of files that both engines read."""
    return backend_directory(project) is None


def named(project: Project) -> str:
    """The backend for people, with where it was named; without password and options."""
    parts = urlsplit(backend_url(project))
    user, at, where = parts.netloc.rpartition("@")
    place = BACKEND_VARIABLE if os.environ.get(BACKEND_VARIABLE) else "backend.url in Pulumi.yaml"
    return f"{parts.scheme}://{user.partition(':')[0]}{at}{where}{parts.path} ({place})"


def without_password(text: str, url: str) -> str:
    """What the CLI said, without the password of the backend's URL: where it cannot connect it prints the URL."""
    written = urlsplit(url).netloc.rpartition("@")[0].partition(":")[2]
    for password in {written, unquote(written)} - {""}:
        text = text.replace(password, "****")
    return text


def refuse_embedded(project: Project, why: str) -> None:
    """Refuse to begin what the embedded engine cannot do.

    Args:
        project: The project.
        why: Why it would be the one, as in ``no Pulumi CLI on PATH``.

    Raises:
        ToolError: The backend is a shared one.
    """
    if is_shared(project):
        raise ToolError(
            f"the state is in {named(project)}, which the Pulumi CLI alone can use, and it would not be used: {why}. "
            "Mend that (https://www.pulumi.com/docs/install/), or take that backend away to work on the project's "
            "own state, in .pulumi-state."
        )


def environment(project: Project, stack: str) -> dict[str, str]:
    """Variables that lead the CLI to a shared backend, and to the passphrase that people share.

    Raises:
        ToolError: No passphrase is given: one made up here would be known to nobody else.
    """
    variables = {BACKEND_VARIABLE: backend_url(project)}
    if {PASSPHRASE_VARIABLE, PASSPHRASE_FILE_VARIABLE} & os.environ.keys():
        return variables
    if passphrase_file(project).exists():
        return {**variables, PASSPHRASE_FILE_VARIABLE: str(passphrase_file(project))}
    if secrets_provider(find_stack(project, stack)):
        return variables
    raise ToolError(
        f"stack {stack} is in {named(project)}, and no passphrase is given for its secrets. Set {PASSPHRASE_VARIABLE} "
        f"(or {PASSPHRASE_FILE_VARIABLE}, a file's name) to the one its people share; for a new stack, to one you "
        "make, as with `openssl rand -base64 32`."
    )


def refuse_wrong_passphrase(project: Project, stack: str, export: Callable[[], Mapping[str, Any]]) -> None:
    """Try the passphrase before the CLI runs, which would write another salt into a stack file that has none.

    Args:
        project: The project.
        stack: The stack.
        export: Asks for the document of ``pulumi stack export``; empty where the backend has no such stack.

    Raises:
        PulumiFilesError: It does not open the stack's secrets.
    """
    salt = read_salt(find_stack(project, stack).file)
    if not salt:
        provider = (export().get("deployment") or {}).get("secrets_providers") or {}
        salt = provider["state"]["salt"] if provider.get("type") == "passphrase" else ""
    if salt:
        from tooling.pulumi_files.secrets import Secrets  # noqa: PLC0415 - a fifth of a second that other backends save

        Secrets(salt, passphrase(project, make=False)).try_passphrase()


def way_past_a_lock(said: str, stack: str) -> str:
    """One line about the lock that the CLI refused to pass; empty where it spoke of none."""
    lock = _LOCK.search(said)
    if lock is None:
        return ""
    who, host, pid, since = lock.groups()
    cancel = f"make cancel STACK={stack} YES=1"
    if host == socket.gethostname() and not _runs(int(pid)):
        return (
            f"locked: process {pid} of {who} on this machine left its lock behind, of {since}, and is gone. "
            f"Remove it with: {cancel}; then run this again."
        )
    return (
        f"locked: {who} on {host} has been changing stack {stack} since {since} (process {pid} there). Wait, and run "
        f"this again. Only if that run is gone for good: {cancel}"
    )


def _runs(pid: int) -> bool:
    import psutil  # noqa: PLC0415 - 30 ms that only who meets a lock needs

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
