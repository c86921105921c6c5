"""Backends that several people share (a database, a bucket, Pulumi Cloud), which only the Pulumi CLI uses.

What `make` adds to its words: who holds the lock that is in the way, and how to get past it; never a URL's password.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from tooling.errors import ToolError
from tooling.pulumi_files.project import (
    BACKEND_VARIABLE,
    PASSPHRASE_FILE_VARIABLE,
    PASSPHRASE_VARIABLE,
    passphrase,
    passphrase_file,
)
from tooling.pulumi_files.stack import Stack
from tooling.pulumi_files.stack_file import read_salt, secrets_provider

_LOCK: Final = re.compile(r"locked by \d+ lock.*?created by (\S+)@(\S+) \(pid (\d+)\) at (\S+)", re.DOTALL)
"""The CLI's words for a lock it met: whose, on which machine, of which process, since when.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/backend/diy/lock.go
"""


def described(stack: Stack) -> str:
    """The backend for people, with where it was named; without password and options."""
    parts = urlsplit(stack.backend_url)
    user, at, where = parts.netloc.rpartition("@")
    place = BACKEND_VARIABLE if stack.environ.get(BACKEND_VARIABLE) else "backend.url in Pulumi.yaml"
    return f"{parts.scheme}://{user.partition(':')[0]}{at}{where}{parts.path} ({place})"


def without_password(text: str, url: str) -> str:
    """What the CLI printed, without the password of the backend's URL: where it cannot connect it prints the URL."""
    written = urlsplit(url).netloc.rpartition("@")[0].partition(":")[2]
    for password in {written, unquote(written)} - {""}:
        text = text.replace(password, "****")
    return text


def refuse_embedded(stack: Stack, why: str) -> None:
    """Refuse to begin what the embedded engine cannot do. ``why`` it would be the one is in the text.

    Raises:
        ToolError: The backend is a shared one.
    """
    if stack.shared:
        raise ToolError(
            f"the state is in {described(stack)}, which only the Pulumi CLI can use, and it would not be used: {why}. "
            "Correct that (https://www.pulumi.com/docs/install/), or unset that backend to work on the project's "
            "own state, in .pulumi-state."
        )


def environment(stack: Stack) -> dict[str, str]:
    """Variables that lead the CLI to a shared backend, and to the passphrase that people share.

    Raises:
        ToolError: No passphrase is given: one made up here would be known to nobody else.
    """
    variables = {BACKEND_VARIABLE: stack.backend_url}
    if {PASSPHRASE_VARIABLE, PASSPHRASE_FILE_VARIABLE} & stack.environ.keys():
        return variables
    if (file := passphrase_file(stack.project)).exists():
        return {**variables, PASSPHRASE_FILE_VARIABLE: str(file)}
    if secrets_provider(stack):
        return variables
    raise ToolError(
        f"stack {stack.name} is in {described(stack)}, and no passphrase is given for its secrets. Set "
        f"{PASSPHRASE_VARIABLE} (or {PASSPHRASE_FILE_VARIABLE}, a file's name) to the one its people share; for a new "
        "stack, to one you make, as with `openssl rand -base64 32`."
    )


def refuse_wrong_passphrase(stack: Stack, export: Callable[[], Mapping[str, Any]]) -> None:
    """Try the passphrase before the CLI runs, which would write another salt into a stack file that has none.

    ``export`` asks for the document of ``pulumi stack export``, empty where the backend has no such stack.

    Raises:
        PulumiFilesError: It does not open the stack's secrets.
    """
    salt = read_salt(stack.file)
    if not salt:
        provider = (export().get("deployment") or {}).get("secrets_providers") or {}
        salt = provider["state"]["salt"] if provider.get("type") == "passphrase" else ""
    if salt:
        from tooling.pulumi_files.secrets import Secrets  # noqa: PLC0415 - a fifth of a second that other backends save

        Secrets(salt, passphrase(stack.project, stack.environ, make=False)).try_passphrase()


def way_past_a_lock(printed: str, stack: str) -> str:
    """One line about the lock that the CLI refused to pass; empty where it spoke of none."""
    lock = _LOCK.search(printed)
    if lock is None:
        return ""
    user, host, pid, since = lock.groups()
    cancel = f"make cancel STACK={stack} YES=1"
    if host == socket.gethostname() and not _runs(int(pid)):
        return (
            f"locked: process {pid} of {user} on this machine left its lock behind, of {since}, and is gone. "
            f"Remove it with: {cancel}; then run this again."
        )
    return (
        f"locked: {user} on {host} has been changing stack {stack} since {since} (process {pid} there). Wait, and run "
        f"this again. Only if that run is gone for good: {cancel}"
    )


def _runs(pid: int) -> bool:
    import psutil  # noqa: PLC0415 - 30 ms that are needed only where there is a lock

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
