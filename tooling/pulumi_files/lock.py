"""The file backend's lock: one update of a stack at a time, the embedded engine and the Pulumi CLI alike.

As the CLI does: look for locks of others, write one's own, look again. Runs of the embedded engine on one machine take
turns at that, so of several that begin at once exactly one goes on. A lock whose process on this machine is gone is
taken over; any other is refused, with who holds it since when.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/backend/diy/lock.go
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal

from docker_access.polling import poll
from docker_access.surroundings import user_name
from tooling.pulumi_files.ages import ago, seconds_since, time_of
from tooling.pulumi_files.atomic_files import write_atomically
from tooling.pulumi_files.backend import Backend
from tooling.pulumi_files.checkpoint import timestamp
from tooling.pulumi_files.errors import PulumiFilesError

_LOCAL: Final = ("ext", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "jfs", "tmpfs", "overlay", "apfs", "hfs")
"""Beginnings of the names of file systems that one machine has for itself."""
Holder = Literal["alive", "gone", "unknown"]
"""What is known of the process that holds a lock; ``unknown`` where it cannot be seen from here."""

_YIELD_SECONDS: Final = 1.0
"""How long a lock written at the same moment may take to be withdrawn by its writer, who has seen ours."""


@contextmanager
def locked(backend: Backend) -> Iterator[None]:
    """Hold the stack's lock; raises :class:`PulumiFilesError` when someone else does."""
    own = backend.locks / f"{uuid.uuid4()}.json"
    try:
        try:
            backend.locks.mkdir(parents=True, exist_ok=True)
            with _in_turn(backend.locks):
                _refuse_if_held(backend)
                _write(own)
                _refuse_if_held(backend, but=own, wait_seconds=_YIELD_SECONDS)
        except OSError as error:
            raise PulumiFilesError(
                f"The lock {own} cannot be written: {error.strerror}. Make room there, or make it writable."
            ) from None
        yield
    finally:
        _remove(own)


def release(backend: Backend) -> None:
    """Remove this process's own lock, for a run that cannot leave :func:`locked`."""
    for path, content in _locks(backend):
        if (content.get("pid"), content.get("hostname")) == (os.getpid(), socket.gethostname()):
            _remove(path)


def break_locks(backend: Backend, *, force: bool) -> list[str]:
    """Remove the stack's locks; returns a line about each.

    Args:
        backend: The stack.
        force: Also those whose process is at work, or cannot be seen from this machine.

    Raises:
        PulumiFilesError: One of those is there and ``force`` is not given; nothing has been removed.
    """
    locks = _locks(backend)
    for path, content in locks:
        holder = _holder(content, backend)
        if holder != "gone" and not force:
            raise PulumiFilesError(
                f"The lock of the stack {backend.stack} stays: {_describe(path, content)}. {_WHY[holder]} "
                f"`{_cancel(backend.stack, force=True)}` removes it all the same."
            )
    for path, _ in locks:
        _remove(path)
    return [_describe(path, content) for path, content in locks]


def held(backend: Backend) -> str:
    """Who holds the stack's lock, in words; empty for nobody, or a process that is gone."""
    return next(
        (_describe(path, content) for path, content in _locks(backend) if _holder(content, backend) != "gone"), ""
    )


_WHY: Final[dict[Holder, str]] = {
    "alive": "That process is at work: without its lock a second run would change the same resources, and lose what "
    "either one records. Wait for it, or stop it with Ctrl-C.",
    "unknown": "Whether that process still runs cannot be seen from here: ask whoever holds it.",
}


@contextmanager
def _in_turn(directory: Path) -> Iterator[None]:
    """Wait for one's turn among the runs on this machine. The system ends it with the process, however that ends."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        # Some network file systems lock no directory. What others wrote at the same moment is then seen below.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(own: Path) -> None:
    content = {
        "pid": os.getpid(),
        "username": user_name(),
        "hostname": socket.gethostname(),
        "timestamp": timestamp(),
        # The CLI reads the four above; these tell a process from a later one of the same number.
        "process": _identity(os.getpid()),
    }
    # Every file in the locks' own directory is a lock to the CLI, also one that is being written.
    temporary = own.parent.parent / f".{own.name}"
    write_atomically(temporary, json.dumps(content, separators=(",", ":")).encode())
    temporary.replace(own)


def _refuse_if_held(backend: Backend, but: Path | None = None, wait_seconds: float = 0) -> None:
    for _ in poll(wait_seconds, every_seconds=0.02):
        held = [lock for lock in _locks(backend) if lock[0] != but]
        stale = [lock for lock in held if _holder(lock[1], backend) == "gone"]
        for path, content in stale:
            sys.stderr.write(
                f"Taking over a lock left behind by a process that is gone ({_describe(path, content)}).\n"
            )
            _remove(path)
        others = [lock for lock in held if lock not in stale]
        if not others:
            return
    path, content = others[0]
    force = _holder(content, backend) != "alive"
    stack = backend.stack
    raise PulumiFilesError(
        f"The stack {stack} is locked: {_describe(path, content)}. Wait for it to end; if it is gone, remove the lock "
        f"with `{_cancel(stack, force=force)}` (or `pulumi cancel --stack {stack}`)."
    )


def _cancel(stack: str, *, force: bool) -> str:
    """What removes a lock, as whoever reads it has begun: by make, or by the engine's own command."""
    if os.environ.get("MAKELEVEL"):
        return f"make cancel STACK={stack}{' YES=1' if force else ''}"
    return f"python -m tooling.engine cancel{' --yes' if force else ''} --stack {stack}"


def _locks(backend: Backend) -> list[tuple[Path, dict[str, Any]]]:
    """The stack's locks and what they say, nothing where they cannot be read."""
    locks = []
    # Sidecars of the CLI (.attrs) and files being written (hidden) are not locks.
    for path in sorted(backend.locks.glob("[!.]*.json")):
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            continue  # Its holder has ended meanwhile.
        except (OSError, ValueError):
            content = {}
        locks.append((path, content if isinstance(content, dict) else {}))
    return locks


def _describe(path: Path, content: dict[str, Any]) -> str:
    if not content:
        return f"the lock file {path} cannot be read, so whose it is is unknown"
    who = f"{content.get('username', 'someone')}@{content.get('hostname', 'an unknown host')}"
    since = content.get("timestamp", "an unknown time")
    return f"held by {who}, process {content.get('pid', 'unknown')}, since {since}{_age(content)}"


def _age(content: dict[str, Any]) -> str:
    taken = _time_of(content)
    if taken is None:
        return ""
    seconds = seconds_since(taken)
    if seconds < 0:
        return f" ({timedelta(seconds=-seconds)} ahead of this machine's clock)"
    return f" ({ago(seconds)})"


def _time_of(content: dict[str, Any]) -> datetime | None:
    return time_of(str(content.get("timestamp")))


def _holder(content: dict[str, Any], backend: Backend) -> Holder:
    """Whether the process that wrote a lock still runs.

    Copies of a machine's image have its identity and its name: where they may share the folder, a lock of another boot
    may be one of theirs.
    """
    pid, identity, here = content.get("pid"), content.get("process"), _identity(os.getpid())
    if content.get("hostname") != socket.gethostname() or not isinstance(pid, int):
        return "unknown"
    if not isinstance(identity, dict) or not (identity and here):
        return _holder_by_age(pid, _time_of(content))
    if any(identity.get(key) != here[key] for key in ("machine", "namespace")):
        return "unknown"
    if identity.get("boot") != here["boot"] and not _is_local(backend.locks):
        return "unknown"
    return "alive" if identity == _identity(pid) and not _is_zombie(pid) else "gone"


def _is_local(folder: Path) -> bool:
    """Whether a folder is on a file system that no other machine has at the same time."""
    import psutil  # noqa: PLC0415 - 30 ms that only a run that meets a lock needs

    above = {str(folder.resolve()), *map(str, folder.resolve().parents)}
    mounts = [one for one in psutil.disk_partitions(all=True) if one.mountpoint in above]
    kind = max(mounts, key=lambda one: len(one.mountpoint)).fstype if mounts else ""
    return kind.startswith(_LOCAL)


def _holder_by_age(pid: int, taken: datetime | None) -> Holder:
    """Likewise for a lock of the CLI, which records only the number of its process.

    That is another's by now if it is younger than the lock and no Pulumi. The age alone would not do: it follows the
    clock when that is set.
    """
    import psutil  # noqa: PLC0415 - 30 ms that only a run that meets a lock needs

    try:
        process = psutil.Process(pid)
        later = taken is not None and process.create_time() > taken.timestamp() + 1
        gone = _is_zombie(pid) or (later and "pulumi" not in process.name())
    except psutil.NoSuchProcess:
        return "gone"
    except psutil.AccessDenied:
        return "unknown"
    return "gone" if gone else "alive"


def _is_zombie(pid: int) -> bool:
    """Killed, and its parent has not asked: in a container nobody may ever."""
    import psutil  # noqa: PLC0415 - 30 ms that only a run that meets a lock needs

    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _identity(pid: int) -> dict[str, str]:
    """What tells a process from every other, whatever the clock says; nothing where there is no ``/proc``.

    Source: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, field 22
    """
    try:
        # The name, in brackets, may hold anything.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return {
            "machine": _first_line("/etc/machine-id"),
            "boot": _first_line("/proc/sys/kernel/random/boot_id"),
            "namespace": str(Path("/proc/self/ns/pid").readlink()),
            "started": fields[22 - 3],
        }
    except OSError:
        return {}


def _first_line(path: str) -> str:
    with suppress(OSError):
        return Path(path).read_text(encoding="ascii").strip()
    return ""


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".attrs").unlink(missing_ok=True)
