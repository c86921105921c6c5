"""All tests, as ``make test`` runs them: two modules at a time, then alone what needs the machine to itself.

Most of a test's time is waiting: for a container to boot, for a listener that backs off, for an engine to end. Plain
``pytest`` runs the same tests one after the other.

What failed beside other tests is run once more when they have ended: see docs/adr/0017-a-second-run.md.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
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
RUN_AGAIN: Final = 3
"""From so many modules, at most, failed tests are run a second time; more have hardly failed by chance."""

interrupted: Final = Event()


@dataclass(frozen=True)
class Share:
    """What one pytest is given.

    Attributes:
        paths: Modules, or folders of them.
        marked: Which of their tests, as a marker expression.
        cache: Where that pytest notes what failed.
        within: Words before the command of that pytest: where it runs.
        seconds: How long it may take; None sets no limit.
    """

    paths: tuple[str, ...]
    marked: str
    cache: Path
    within: tuple[str, ...] = ()
    seconds: float | None = None

    def __str__(self) -> str:
        modules = dict.fromkeys(path.partition("::")[0] for path in self.paths)
        return f"{' '.join(modules)}, {self.marked}"

    def failures(self) -> list[str]:
        """The tests that failed, by what pytest calls them.

        Source: https://docs.pytest.org/en/stable/how-to/cache.html
        """
        noted = self.cache / "v/cache/lastfailed"
        return sorted(json.loads(noted.read_text(encoding="utf-8"))) if noted.exists() else []


def main() -> int:
    """Run every test; 0 if all passed."""
    if code := packages.main():
        return code
    if code := ensure_images(needed_images()):
        return code
    return run_all(list(parts()), ("tests",))


def needed_images() -> list[str]:
    """References of the images that several modules need; two that build one would each give it another id."""
    stacks = ("dev", "staging", "prod")
    return sorted({image for stack in stacks for image in read_settings(open_project(stack), stack).images.values()})


def run_all(
    parts: Sequence[tuple[str, ...]],
    everything: Sequence[str],
    within: Sequence[str] = (),
    seconds: float | None = None,
) -> int:
    """Run some parts of the tests, then alone what needs the machine to itself; 0 if all passed.

    Args:
        parts: What one pytest is given at a time.
        everything: The modules of all parts, or folders of them.
        within: Words before each command: where it runs.
        seconds: How long each pytest may take; None sets no limit.
    """
    # Ctrl-C reaches pytest too: it removes what its tests have made, and is waited for.
    signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    with tempfile.TemporaryDirectory() as folder:
        where = tuple(within)
        numbered = enumerate(parts)
        shares = [Share(part, "not alone", Path(folder, str(number)), where, seconds) for number, part in numbered]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            codes = list(pool.map(run, shares))
        shares.append(Share(tuple(everything), "alone", Path(folder, "alone"), where, seconds))
        codes.append(run(shares[-1]))
        return settle([share for share, code in zip(shares, codes, strict=True) if code])


def settle(failed: list[Share]) -> int:
    """Run a second time what failed, unless it is too much for chance; 0 if all tests have passed by then."""
    if not failed:
        print("All tests passed.")
        return 0
    tests = [name for share in failed for name in share.failures()]
    # Pytest itself failed where it names no test.
    again = len({name.split("::")[0] for name in tests}) <= RUN_AGAIN and all(share.failures() for share in failed)
    if not again or interrupted.is_set() or any(run(share, "--last-failed", "--exitfirst") for share in failed):
        print(f"Not passed: {', '.join(str(share) for share in failed)}")
        return 1
    print("All tests passed, these when they were run a second time, with nothing beside them:")
    print("".join(f"- {name}\n" for name in tests), end="")
    return 0


def parts() -> Iterator[tuple[str, ...]]:
    """What one pytest is given at a time; together, all tests."""
    named = [Path(path) for part in (*FIRST, LAST) for path in part]
    yield from FIRST
    for module in sorted(Path("tests").rglob("test_*.py")):
        if not any(module.is_relative_to(path) for path in named):
            yield (str(module),)
    yield LAST


def run(share: Share, *options: str) -> int:
    """Run a share of the tests; pytest's exit code, 0 if there are none.

    Source: https://docs.pytest.org/en/stable/reference/exit-codes.html
    """
    if interrupted.is_set():
        return pytest.ExitCode.INTERRUPTED
    command = [
        *share.within, sys.executable, "-m", "pytest", "-q", "--durations=5", "-m", share.marked,
        "-o", f"cache_dir={share.cache}", *options, *share.paths,
    ]  # fmt: skip
    again = ", once more" if options else ""
    print(f"{share}{again}: begun", flush=True)
    started = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        late = ""
        try:
            said, _ = process.communicate(timeout=share.seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            late = f": ended after {share.seconds} s, which is too long"
            said, _ = process.communicate()
    print(f"{share}{again}: {time.monotonic() - started:.0f} s{late}\n{said}", flush=True)
    if late:
        return pytest.ExitCode.INTERRUPTED
    return 0 if process.returncode == pytest.ExitCode.NO_TESTS_COLLECTED else process.returncode


if __name__ == "__main__":
    sys.exit(main())
