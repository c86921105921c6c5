"""``python -m tooling.preview_report.declared``: what a change to the program or its stack files comes to.

The program as it was and as it is declare their resources to an engine that makes nothing. Neither Docker nor the state
is asked, and nothing is decrypted: whoever may push a branch needs no secret for it. What was changed by hand, and
what only the state has, such a preview does not show.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from contextlib import redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any, Final, cast

from docker_access import labels
from docker_access.daemon import WITHOUT_DOCKER
from docker_access.surroundings import print_in_any_encoding
from tooling.engine.docker_provider import table_of
from tooling.engine.docker_provider.recording import recorded
from tooling.engine.opening import open_project
from tooling.engine.operation import perform
from tooling.engine.provider import DYNAMIC, Provider, ProviderError, State
from tooling.engine.providers import Providers
from tooling.errors import ToolError, UsageError
from tooling.pulumi_files.checkpoint import salt_of
from tooling.pulumi_files.config import Config, load_config
from tooling.pulumi_files.project import load_project, stack_names
from tooling.pulumi_files.secrets import Secrets
from tooling.pulumi_files.stack import find_stack
from tooling.pulumi_files.urns import types_of
from tooling.pulumi_files.values import Properties
from tooling.pulumi_files.workspace import Workspace

THROWN_AWAY: Final = "what a state is sealed with that is thrown away"
MADE: Final[dict[str, Properties]] = {
    "Secret": {"value": "made-up"},
    "Certificate": {"ca_pem": "made-up", "cert_pem": "made-up", "key_pem": "made-up"},
    "DockerHost": {"engine": "", "name": "", "marks": {labels.STATE: "made-up", labels.ORIGIN: "made-up"}},
}
"""Outputs that the program reads of what it makes by itself, by the class of the resource."""

_EPILOG: Final = """\
example:
  git worktree add ../base main
  python -m tooling.preview_report.declared --base ../base --stack prod > preview.json
  python -m tooling.preview_report preview.json

exit code: 0 done, 1 one of the two programs failed, 2 wrong usage
"""


class Sealed(Secrets):
    """Opens nothing: the same ciphertext gives the same text, which may stand where an address is wanted."""

    def __init__(self) -> None:
        self.plaintexts = set()

    def decrypt(self, ciphertext: str) -> str:
        """What stands for its text."""
        return f"redis://sealed-{hashlib.sha256(ciphertext.encode()).hexdigest()[:16]}"


class Declared(Workspace):
    """A stack, with a state of what its program declares in a directory of its own."""

    sealed = True

    def __init__(self, directory: Path, stack: str, state: Path) -> None:
        super().__init__(replace(find_stack(open_project(directory), stack), backend_directory=state))

    def stack_secrets(self, document: dict[str, Any] | None, *, write: bool) -> Secrets:
        """Those of the state that is thrown away."""
        del write
        return Secrets(salt_of(document), THROWN_AWAY) if document else Secrets.new(THROWN_AWAY)

    def config(self, secrets: Secrets) -> Config:
        """The configuration; what is secret in it stays sealed."""
        del secrets
        return load_config(self.stack, Sealed())


class Declaring:
    """Plans as a provider does, and makes nothing; see :class:`tooling.engine.provider.Provider`."""

    def __init__(self, real: Provider, *, dynamic: bool) -> None:
        self._real = real
        self._dynamic = dynamic

    def __getattr__(self, name: str) -> Any:
        """What the real one does without Docker: checking of Docker's resources, comparing, closing."""
        return getattr(self._real, name)

    def check(self, urn: str, old_inputs: Properties | None, new_inputs: Properties) -> Properties:
        """Dynamic ones may look at Docker, and fill in nothing."""
        return new_inputs if self._dynamic else self._real.check(urn, old_inputs, new_inputs)

    def create(self, urn: str, inputs: Properties, timeout_seconds: float | None) -> State:
        """A resource with everything in it that was asked for, and made-up ids."""
        del timeout_seconds
        made_up = f"made-up-{hashlib.sha256(urn.encode()).hexdigest()[:12]}"
        if self._dynamic:
            outputs = inputs | MADE.get(types_of(urn).rpartition(":")[2], {})
        else:
            given = {"imageId": made_up, "exitCode": 0, "containerLogs": "", **inputs, "id": made_up}
            outputs = recorded(table_of(urn), given, settled=True, meta="{}")
        return State(id=made_up, inputs=inputs, outputs=outputs)

    def read(self, urn: str, resource_id: str, inputs: Properties, outputs: Properties) -> State:
        """The resource as it was declared."""
        del urn
        return State(id=resource_id, inputs=inputs, outputs=outputs)

    def find(self, *_: object) -> None:
        """Nothing was left behind."""

    def invoke(self, token: str, _arguments: Properties) -> Properties:
        """Refuse what only Docker knows."""
        raise ProviderError(f"the program asks {token}, which Docker alone can answer, and it is not asked here.")


class DeclaringProviders(Providers):
    """The providers of a run that makes nothing."""

    def _make(self, package: str) -> Provider:
        return cast("Provider", Declaring(super()._make(package), dynamic=package == DYNAMIC))


def declare(directory: Path, stack: str, state: Path) -> bool:
    """Have a stack's program declare its resources into a state; whether it did without an error."""
    with redirect_stdout(sys.stderr):
        return perform(Declared(directory, stack, state), "update", providers=DeclaringProviders) == 0


def compare(base: Path, directory: Path, stack: str) -> dict[str, Any]:
    """What a stack's program changes of what it was, as ``python -m tooling.engine preview --json`` has it.

    ``base`` is a checkout of the program as it was; where it has not this stack, all of it is new.

    Raises:
        ToolError: One of the two cannot be run.
    """
    printed = StringIO()
    with tempfile.TemporaryDirectory() as state:
        if stack in stack_names(load_project(base)):
            command = [sys.executable, "-m", "tooling.preview_report.declared", "--stack", stack, "--into", state]
            done = subprocess.run(command, cwd=base, check=False, capture_output=True, encoding="utf-8")
            if done.returncode:
                raise ToolError(f"the program in {base} does not say what it declares:\n{done.stderr.strip()}")
        with redirect_stdout(printed):
            workspace = Declared(directory, stack, Path(state))
            perform(workspace, "update", preview=True, as_json=True, providers=DeclaringProviders)
    return {**json.loads(printed.getvalue()), "declared": True}


def main(arguments: list[str] | None = None) -> int:
    """Print the preview as JSON; the exit code: 0 done, 1 one of the two programs failed, 2 wrong usage."""
    print_in_any_encoding()
    parser = argparse.ArgumentParser(
        prog="python -m tooling.preview_report.declared",
        description="What a change comes to by the program and its stack file alone: no Docker, no state, no secret.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--stack", "-s", metavar="NAME", required=True, help="the stack")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--base", metavar="DIR", type=Path, help="a checkout of the program as it was")
    where.add_argument("--into", metavar="DIR", type=Path, help="only declare it, into a state in this folder")
    options = parser.parse_args(arguments)
    os.environ[WITHOUT_DOCKER] = "1"
    try:
        if options.into:
            return 0 if declare(Path.cwd(), options.stack, options.into) else 1
        print(json.dumps(compare(options.base, Path.cwd(), options.stack), indent=2, ensure_ascii=False))
    except UsageError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except ToolError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
