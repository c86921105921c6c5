"""Files that are replaced as a whole: a reader, and a crash, find the old content or the new one."""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Replace a file so that either the old or the new content is there after a crash; its mode is kept."""
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def remove_files(directory: Path, pattern: str, *, older_than_seconds: float = 0) -> None:
    """Remove the files of a directory that a pattern matches, but not what another process may be writing just now."""
    for path in directory.glob(pattern):
        with suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime >= older_than_seconds:
                path.unlink()
