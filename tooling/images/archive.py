"""The files of an image, read from the archive that Docker makes of a container."""

from __future__ import annotations

import io
import posixpath
import re
import struct
import tarfile
from collections.abc import Iterable
from typing import Any, Final

ABSENT: Final = "absent"
"""What describes a path where nothing is."""

_CAPABILITY: Final = "SCHILY.xattr.security.capability"
_NET_BIND_SERVICE: Final = 10
_ROOT: Final = "/"


class Files:
    """The files of an image.

    Args:
        archive: Chunks of the archive, which is read once.
    """

    def __init__(self, archive: Iterable[bytes]) -> None:
        self._members: dict[str, tarfile.TarInfo] = {}
        self.users: dict[str, str] = {}
        with tarfile.open(fileobj=io.BufferedReader(_Stream(archive), 1 << 20), mode="r|") as tar:
            for member in tar:
                path = posixpath.normpath(f"/{member.name}")
                if path == "/etc/passwd" and (content := tar.extractfile(member)):
                    entries = (line.split(":") for line in content.read().decode().splitlines() if line.count(":") > 3)  # noqa: PLR2004 - name, password, uid, gid
                    self.users = {entry[0]: f"{entry[2]}:{entry[3]}" for entry in entries}
                self._members[path] = member

    def describe(self, path: str) -> str:
        """Kind, owner, mode and capabilities of what is at a path, links followed; :data:`ABSENT` where nothing is."""
        member = self._found(path)
        if member is None:
            return ABSENT
        kind = "directory" if member.isdir() else "file" if member.isreg() else "special"
        parts = [kind, f"{member.uid}:{member.gid}", f"{member.mode & 0o7777:04o}"]
        if capability := member.pax_headers.get(_CAPABILITY):
            parts.append(_capabilities(capability.encode("utf-8", "surrogateescape")))
        return " ".join(parts)

    def matching(self, pattern: str) -> str:
        """Some paths that match all of ``pattern``; empty if none does."""
        compiled = re.compile(pattern)
        found = [path for path in self._members if compiled.fullmatch(path)]
        return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")  # noqa: PLR2004

    def is_program(self, path: str) -> bool:
        """There is a file that may be run."""
        member = self._found(path)
        return member is not None and member.isreg() and bool(member.mode & 0o111)

    def _found(self, path: str, links: int = 20) -> tarfile.TarInfo | None:
        """The file, folder or device at a path, with every link on the way followed."""
        at = _ROOT
        parts = [part for part in path.split("/") if part]
        for number, part in enumerate(parts):
            at = posixpath.normpath(posixpath.join(at, part))
            member = self._members.get(at)
            if member is None:
                return None
            if member.islnk():
                member = self._members.get(posixpath.normpath(f"/{member.linkname}"), member)
            if member.issym():
                if links == 0:
                    return None
                target = posixpath.join(posixpath.dirname(at), member.linkname, *parts[number + 1 :])
                return self._found(posixpath.normpath(target), links - 1)
        return member if parts else None


class _Stream(io.RawIOBase):
    """Chunks as a file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _capabilities(attribute: bytes) -> str:
    """A file's capabilities as getcap says them: struct vfs_cap_data of linux/capability.h."""
    magic, permitted, inheritable, *_ = struct.unpack_from("<III", attribute.ljust(12, b"\0"))
    flags = "".join(letter for letter, there in (("e", magic & 1), ("i", inheritable), ("p", permitted)) if there)
    name = (
        "cap_net_bind_service" if permitted | inheritable == 1 << _NET_BIND_SERVICE else f"{permitted | inheritable:#x}"
    )
    return f"{name}={flags}"
