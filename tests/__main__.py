"""All tests, as ``make test`` runs them: two modules at a time, then alone what needs the machine to itself.

Most of a test's time is waiting: for a container to boot, for a listener that backs off, for an engine to end. Plain
``pytest`` runs the same tests one after the other.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Final

import pytest

from images.__main__ import main as ensure_images
from launcher.gate import read_settings
from launcher.stack import open_project
from tests import packages

AT_ONCE: Final = 2
FIRST: Final = (
    ("tests/engine",),  # its modules share names of containers
    ("tests/crashes",),
    ("tests/integration/test_fault_catalogue.py",),
    ("tests/integration/test_deployment.py", "tests/integration/test_tutorial.py"),  # both take the tutorial's names
    ("tests/integration/test_several_stacks.py",),
    ("tests/integration/test_replicated.py",),
)
"""What takes longest; modules in one part never run at the same time."""
LAST: Final = ("tests/unit",)

interrupted: Final = Event()


def main() -> int:
    """Run every test; 0 if all passed."""
    if code := packages.main():
        return code
    # Several modules need them, and two that build one image would each give it another id.
    stacks = ("dev", "staging", "prod")
    needed = {image for stack in stacks for image in read_settings(open_project(stack), stack).images.values()}
    if code := ensure_images(sorted(needed)):
        return code

    # Ctrl-C reaches pytest too: it removes what its tests have made, and is waited for.
    signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    with ThreadPoolExecutor(AT_ONCE) as pool:
        codes = list(pool.map(lambda part: run("not alone", *part), parts()))
    codes.append(run("alone", "tests"))
    failed = [" ".join(part) for part, code in zip([*parts(), ("alone",)], codes, strict=True) if code]
    print(f"Not passed: {', '.join(failed)}" if failed else "All tests passed.")
    return 1 if failed else 0


def parts() -> Iterator[tuple[str, ...]]:
    """What one pytest is given at a time; together, all tests."""
    named = [Path(path) for part in (*FIRST, LAST) for path in part]
    yield from FIRST
    for module in sorted(Path("tests").rglob("test_*.py")):
        if not any(module.is_relative_to(path) for path in named):
            yield (str(module),)
    yield LAST


def run(marked: str, *paths: str) -> int:
    """Run the tests of some modules that are marked like this; pytest's exit code, 0 if there are none.

    Source: https://docs.pytest.org/en/stable/reference/exit-codes.html
    """
    if interrupted.is_set():
        return pytest.ExitCode.INTERRUPTED
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--durations=5", "-m", marked, *paths]
    print(f"{' '.join(paths)}, {marked}: begun", flush=True)
    started = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    print(f"{' '.join(paths)}, {marked}: {time.monotonic() - started:.0f} s\n{done.stdout}", flush=True)
    return 0 if done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED else done.returncode


if __name__ == "__main__":
    sys.exit(main())
