"""The tests of containers on another Docker than this machine's: ``make test-docker26``.

Without arguments that is Docker 26.1 of Debian 13, started in namespaces of its own and gone at the end. Any other that
runs already is named by ``--host``, with the command that enters its network in ``--enter``: what it publishes on
127.0.0.1 is asked from there.

The images are copied into it from this machine's Docker, and built there before if need be. Exit codes: 0 all passed,
1 not all passed, 2 it could not run.
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final

from docker_access.client import api_client
from tests.integration.second_docker import carry
from tests.integration.trixie_docker import obstacle, trixie_docker
from tests.stand_in import ensure_stand_in
from tests.tiers import CONTAINERS, needed_images, pytest
from tooling.images.__main__ import main as ensure_images
from tooling.images.errors import ImageError
from tooling.machine.progress import say

CANNOT_RUN: Final = 2
INTERRUPTED: Final = 130
INSIDE: Final = (
    "tests/integration/test_deployment.py",
    "tests/integration/test_edges.py",
    "tests/integration/test_replicas.py",
    "tests/integration/test_drift.py",
    "tests/engine/test_docker_provider_on_docker.py",
    "tests/integration/test_images_from_a_registry.py",
    "tests/integration/test_pin.py",
)
"""Where Docker has a say. What needs the real application besides would take as long as all the rest."""
OUTSIDE: Final = ("tests/integration/test_images.py",)
"""It publishes no port, and builds an image, which takes this machine's network."""
DEFAULTS: Final = {"bridge": {"com.docker.network.driver.mtu": "1400"}}
"""``default-network-opts`` of the daemon that is started: what it adds to a network must be no change."""


def main(arguments: list[str] | None = None) -> int:
    """Run them; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.other_docker", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--host", help="address of a daemon that runs: unix:///run/other/docker.sock")
    parser.add_argument(
        "--enter", default="", help="command before each test's, to be where the daemon publishes ports"
    )
    parser.add_argument("paths", nargs="*", help="modules or folders instead of the usual ones, all inside")
    options = parser.parse_args(arguments)
    if options.enter and not options.host:
        parser.error("--enter needs --host")
    if not options.host and (reason := obstacle()):
        say(f"Docker 26.1 cannot be started here: {reason}. Nothing was tested.")
        return CANNOT_RUN
    inside = tuple(options.paths) or INSIDE
    outside = () if options.paths else OUTSIDE
    try:
        with other(options.host, shlex.split(options.enter)) as (host, enter):
            began = time.monotonic()
            code = run_on(host, enter, inside, outside)
            say(f"{'Not all' if code else 'All'} tests passed on it, in {time.monotonic() - began:.0f} s.")
            return code
    except (ImageError, OSError, subprocess.SubprocessError, AssertionError) as error:
        say(f"Docker could not be got ready: {error}. Nothing was tested.")
        return CANNOT_RUN
    except KeyboardInterrupt:
        return INTERRUPTED


@contextmanager
def other(host: str | None, enter: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Address of the daemon, with this machine's images, and the command that enters its network."""
    images = have_images()
    if host:
        copy(images, host)
        yield host, enter
        return
    with trixie_docker(**{"default-network-opts": DEFAULTS}) as daemon:
        copy(images, daemon.unix)
        # Not `ip netns exec`, which would hide the cgroups.
        yield daemon.unix, ["nsenter", f"--net=/proc/{daemon.process}/ns/net"]


def have_images() -> list[str]:
    """What the tests need of this machine's Docker, pulled or built if need be."""
    images = needed_images()
    if ensure_images(images):
        raise ImageError("its images are not there")
    return [*images, ensure_stand_in()]


def copy(images: Sequence[str], host: str) -> None:
    """Have this machine's images in another Docker; what it has under these names may be of an older recipe."""
    say(f"copying {len(images)} images into it: {', '.join(images)}")
    carry(images, host)


def run_on(host: str, enter: list[str], inside: Sequence[str], outside: Sequence[str]) -> int:
    """Run the tests with a daemon; 0 if all passed."""
    os.environ["DOCKER_HOST"] = host
    with closing(api_client()) as client:
        told, asked = client.version(), client.api_version
    say(
        f"testing on Docker {told['Version']}, in version {asked} of its API "
        f"({told['MinAPIVersion']} to {told['ApiVersion']})"
    )
    test = pytest(*CONTAINERS, "-m", "docker and not nightly")
    places = [([*enter, *test, *inside], inside), ([*test, *outside], outside)]
    return max(subprocess.run(command, check=False).returncode for command, paths in places if paths)


if __name__ == "__main__":
    sys.exit(main())
