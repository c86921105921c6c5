"""One stack of a project, as a value: found once for a command, and handed on.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/workspace/workspace.go
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tooling.errors import UsageError
from tooling.pulumi_files.backend import Backend
from tooling.pulumi_files.errors import PulumiFilesError
from tooling.pulumi_files.project import Project, backend_directory, backend_url, stack_file, stack_names


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack, and where its files are. What is in them is read when it is asked for: a command may change it.

    Attributes:
        project: Its project.
        name: Its name.
        file: Its stack file.
        backend_url: Where its state is: ``PULUMI_BACKEND_URL``, else what the project file says, else the project's
            own directory.
        backend_directory: That directory, where it is one of plain files.
        environ: The variables all this was looked up in.
    """

    project: Project
    name: str
    file: Path
    backend_url: str
    backend_directory: Path | None
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False, compare=False)

    @property
    def shared(self) -> bool:
        """Whether its state is in no plain files but in a database, a bucket, Pulumi Cloud: the CLI alone reads it."""
        return self.backend_directory is None

    @property
    def backend(self) -> Backend:
        """Its state and its locks; raises :class:`PulumiFilesError` where they are in no plain files."""
        if self.backend_directory is None:
            raise PulumiFilesError(
                f"The state of stack {self.name} is in no plain files: only the Pulumi CLI can read it."
            )
        return Backend(self.backend_directory, self.project.name, self.name)

    @property
    def state_file(self) -> Path | None:
        """Its state file, there or not; None where its state is in no plain files."""
        return None if self.shared else self.backend.file


def find_stack(project: Project, name: str | None = None, environ: Mapping[str, str] = os.environ) -> Stack:
    """A stack of a project.

    Args:
        project: The project.
        name: The stack's name; None takes that of ``PULUMI_STACK``, else the only one there is.
        environ: Where the variables are looked up.

    Raises:
        UsageError: There is no such stack, or there are several.
        PulumiFilesError: The backend is not a URL.
    """
    name = name or environ.get("PULUMI_STACK") or _only_stack(project)
    return Stack(
        project=project,
        name=name,
        file=stack_file(project, name),
        backend_url=backend_url(project, environ),
        backend_directory=backend_directory(project, environ),
        environ=environ,
    )


def _only_stack(project: Project) -> str:
    names = stack_names(project)
    if len(names) != 1:
        raise UsageError(f"Which stack? Give --stack NAME; stacks here: {', '.join(names) or 'none yet'}.")
    return names[0]
