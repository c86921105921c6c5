"""The command line, ``python -m tooling.images``: have images in Docker, whatever it takes."""

from __future__ import annotations

import argparse
import sys

import docker.errors

from docker_access.client import docker_client, failure_text
from docker_access.surroundings import print_in_any_encoding
from tooling.images.ensure import BYTECODE, ensure
from tooling.images.errors import ImageError
from tooling.machine.progress import say

BUILD_SECONDS = 900


def main(arguments: list[str] | None = None) -> int:
    """Ensure each image named on the command line; its line of outcome goes to standard error."""
    print_in_any_encoding()
    parser = argparse.ArgumentParser(
        prog="python -m tooling.images",
        description="Have images in Docker: pull what is missing, or build it where no registry can be reached.",
        epilog="exit codes: 0 all are there; 1 one is not; 130 interrupted",
    )
    parser.add_argument("references", nargs="+", metavar="IMAGE", help="such as docker.io/valkey/valkey:8.0.1-alpine")
    parser.add_argument("--rebuild", action="store_true", help="build even what is there or could be pulled")
    parser.add_argument(
        "--bytecode",
        action=argparse.BooleanOptionalAction,
        help="compile Python's bytecode into a local build, which then boots quicker than the official image; "
        f"by default as {BYTECODE} says, 1 or 0",
    )
    options = parser.parse_args(arguments)
    try:
        client = docker_client(BUILD_SECONDS)
        for reference in options.references:
            say(ensure(client, reference, rebuild=options.rebuild, bytecode=options.bytecode))
        return 0
    except ImageError as error:
        say(f"error: {error}")
    except docker.errors.APIError as error:
        say(f"error: Docker refused: {error.explanation or error}")
    except docker.errors.DockerException as error:
        say(f"error: Docker does not answer: {failure_text(error)}. Start it, or set DOCKER_HOST.")
    except KeyboardInterrupt:
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
