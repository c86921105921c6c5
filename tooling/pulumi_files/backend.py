"""Pulumi's file backend for one stack: its state file, its history, and where its locks are.

Every save replaces the file as a whole (temporary file, fsync, rename, fsync of the directory), so it is readable at
every instant; the file before it stays as ``.bak``. History entries are written, ``.pulumi/backups`` are not (the
history keeps a copy of each checkpoint). Compressed state is not read.

Source: https://github.com/pulumi/pulumi/tree/master/pkg/backend/diy
"""

from __future__ import annotations

import errno
import glob
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tooling.pulumi_files.atomic_files import remove_files, write_atomically
from tooling.pulumi_files.checkpoint import compact
from tooling.pulumi_files.errors import PulumiFilesError

_NO_LINKS: Final = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
"""Errors of file systems without hard links, such as exFAT and SMB."""
_ABANDONED_SECONDS: Final = 60.0
"""Age from which on a file half written, that no lock guards, is taken for abandoned."""


class Backend:
    """Pulumi's file backend for one stack."""

    def __init__(self, directory: Path, project: str, stack: str) -> None:
        self._root = directory / ".pulumi"
        self._meta = self._root / "meta.yaml"
        self._history = self._root / "history" / project / stack
        self.project = project
        self.stack = stack
        self.file = self._root / "stacks" / project / f"{stack}.json"
        self.locks = self._root / "locks" / "organization" / project / stack

    @property
    def compressed(self) -> Path | None:
        """The state file, where the Pulumi CLI was told to compress it."""
        packed = (self.file.with_name(self.file.name + suffix) for suffix in (".gz", ".zst"))
        return next((file for file in packed if file.exists()), None)

    def read(self) -> dict[str, Any] | None:
        """The state file's document, None if there is none; raises :class:`PulumiFilesError` if it cannot be used."""
        if self.compressed:
            raise PulumiFilesError(f"{self.compressed}: compressed state, which the Pulumi CLI alone reads.")
        if not self._meta.exists() and any((self._root / "stacks").glob("*.json*")):
            raise PulumiFilesError(
                f"{self._root} has the layout that Pulumi had before 3.61, the stacks of all projects in one folder. "
                "Have the Pulumi CLI change it: pulumi state upgrade"
            )
        try:
            text = self.file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else error
            raise PulumiFilesError(f"The state file {self.file} cannot be read: {why}. {self._way_back()}") from None
        try:
            document = json.loads(text)
        except ValueError as error:
            raise PulumiFilesError(
                f"The state file {self.file} is not whole JSON ({error}; {len(text)} characters); it was not touched. "
                f"{self._way_back()}"
            ) from None
        if not isinstance(document, dict) or not isinstance(document.get("checkpoint"), dict):
            held = ", ".join(document) if isinstance(document, dict) else type(document).__name__
            raise PulumiFilesError(
                f"The state file {self.file} holds no checkpoint (it has {held}); it was not touched. "
                f"{self._way_back()}"
            )
        return document

    def _way_back(self) -> str:
        return (
            f"The state before the last save is {self.file.name}.bak beside it; older ones are under "
            f"{self._history}. Copy one over it."
        )

    def write(self, content: bytes) -> None:
        """Replace the state file, keeping the one before it as ``.bak``; raises :class:`PulumiFilesError`."""
        try:
            if not self._meta.exists():
                write_atomically(self._meta, b"version: 1\n")
            if self.file.exists():
                backup = self.file.with_name(self.file.name + ".bak")
                with suppress(FileNotFoundError):
                    backup.unlink()
                try:
                    os.link(self.file, backup)
                except OSError as error:
                    if error.errno not in _NO_LINKS:
                        raise
                    shutil.copyfile(self.file, backup)
            write_atomically(self.file, content)
            for sidecar in (self.file, self.file.with_name(self.file.name + ".bak")):
                # The CLI keeps an MD5 of each file beside it; ours would be stale.
                sidecar.with_name(sidecar.name + ".attrs").unlink(missing_ok=True)
        except OSError as error:
            raise PulumiFilesError(
                f"The state could not be saved to {self.file}: {error.strerror or error}. The file before this save is "
                "unharmed. Make room there, or make it writable, then run the same command again."
            ) from None

    def tidy(self) -> None:
        """Remove what runs that were killed while they wrote have left half written; the caller holds the lock."""
        remove_files(self.file.parent, f".{glob.escape(self.file.name)}.*.tmp")
        remove_files(self._history, f".{glob.escape(self.stack)}-*.tmp")
        remove_files(self._root, ".meta.yaml.*.tmp", older_than_seconds=_ABANDONED_SECONDS)
        remove_files(self.locks.parent, ".*", older_than_seconds=_ABANDONED_SECONDS)

    def history(self, most: int) -> Iterator[dict[str, Any]]:
        """The newest entries of the history, the newest first; one that cannot be read is left out."""
        found = sorted(self._history.glob(f"{glob.escape(self.stack)}-*.history.json"), reverse=True)
        for file in found[:most]:
            with suppress(OSError, ValueError):
                yield json.loads(file.read_bytes())

    def remember(self, entry: Mapping[str, Any]) -> None:
        """Add an entry to the history that ``pulumi stack history`` reads, with a copy of the checkpoint."""
        prefix = f"{self.stack}-{time.time_ns()}"
        try:
            if self.file.exists():
                write_atomically(self._history / f"{prefix}.checkpoint.json", self.file.read_bytes())
            write_atomically(self._history / f"{prefix}.history.json", compact(entry))
        except OSError as error:
            raise PulumiFilesError(
                f"The state is saved, but {self._history} cannot be written: {error.strerror}."
            ) from None
