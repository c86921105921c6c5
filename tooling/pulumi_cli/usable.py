"""Whether the Pulumi CLI on PATH can run this project: its programs, and its Docker plugin, which is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from docker_access.surroundings import home
from tooling.errors import ToolError
from tooling.machine.host import captured
from tooling.machine.negative_cache import recent_failure, remember_failure
from tooling.machine.progress import progress

NO_CLI: Final = "no Pulumi CLI on PATH"

PLUGIN_SECONDS: Final = 120
"""How long the installation of the Docker plugin may take."""


def obstacle_to_cli(project: Path, *, asked: bool) -> str:
    """Why the Pulumi CLI cannot run the project in a directory; empty if it can.

    Where the user ``asked`` for it by name, a recent failure of the Docker plugin's source is not remembered.
    """
    if not (cli := shutil.which("pulumi")):
        return NO_CLI
    # It looks beside itself too.
    path = os.pathsep.join([os.environ["PATH"], str(Path(cli).resolve().parent)])
    for program in ("pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python"):
        if not shutil.which(program, path=path):
            return f"the Pulumi CLI on PATH comes without {program}"
    version = docker_plugin_version((project / "requirements.txt").read_text(encoding="utf-8"))
    if _plugin_folder(version).is_dir() or shutil.which("pulumi-resource-docker"):
        return ""
    name = f"Pulumi's Docker plugin {version}"
    failure = "" if asked else recent_failure(f"the source of {name}")
    return failure or _install_plugin(name, version)


def docker_plugin_version(requirements: str) -> str:
    """Version of the plugin that goes with the SDK pinned in a requirements file."""
    match = re.search(r"^pulumi-docker==(\S+)", requirements, re.MULTILINE)
    if match is None:
        raise ToolError("requirements.txt has no line pulumi-docker==VERSION. Pin it.")
    return match[1]


def _plugin_folder(version: str) -> Path:
    return Path(os.environ.get("PULUMI_HOME") or home() / ".pulumi") / "plugins" / f"resource-docker-v{version}"


def _install_plugin(name: str, version: str) -> str:
    command = ["pulumi", "plugin", "install", "resource", "docker", version]
    with progress(f"installing {name}"):
        try:
            done = captured(command, timeout=PLUGIN_SECONDS)
        except subprocess.TimeoutExpired:
            failure = f"no answer within {PLUGIN_SECONDS} s"
        else:
            printed = done.stderr.strip() or f"exit code {done.returncode}"
            failure = printed.splitlines()[-1] if done.returncode else ""
    if failure:
        remember_failure(f"the source of {name}")
        return f"{name} is not installed and could not be: {failure}"
    return ""


def version() -> str:
    """Version of the Pulumi CLI, such as ``3.259.0``."""
    done = captured(["pulumi", "version"], env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"})
    return done.stdout.strip().removeprefix("v")
