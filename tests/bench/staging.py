"""A stack to be measured: the project's staging settings in a copy, under a name and a port of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import yaml

from tests.bench.target import Account, Target
from tests.integration.deployment import PROJECT, Deployment
from tests.lease import free_port

EMAIL: Final = "bench@example.com"


def staging(directory: Path, engine: str) -> Deployment:
    """The staging stack under another name, not deployed yet.

    Args:
        directory: An empty folder for the copy of the project.
        engine: ``embedded``, ``pulumi`` or ``auto``.
    """
    written = yaml.safe_load((PROJECT / "stacks/Pulumi.staging.yaml").read_text(encoding="utf-8"))["config"]
    config = {key.partition(":")[2]: value for key, value in written.items()}
    config |= {"uiPort": free_port(), "adminEmail": EMAIL}
    return Deployment(directory, engine, config={**config, "enableSignup": False})


def target(deployment: Deployment) -> Target:
    """What there is to measure of a stack that is deployed."""
    # Either engine's state is a file that the embedded one reads.
    command = [sys.executable, "-m", "tooling.engine", "stack", "output", "--json", "--show-secrets", "--stack"]
    done = subprocess.run(
        [*command, deployment.stack], cwd=deployment.directory, env=deployment.environment(),
        capture_output=True, encoding="utf-8", timeout=60, check=True,
    )  # fmt: skip
    outputs = json.loads(done.stdout)
    account = Account(email=EMAIL, password=outputs["admin_password"])
    return Target(
        url=outputs["url"],
        stack=deployment.stack,
        account=account,
        prove=lambda: deployment.succeed("verify", "--no-idle"),
    )
