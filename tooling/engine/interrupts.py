"""Ctrl-C once: the steps under way are finished and saved. Twice: the run stops at once, and they stay pending.

SIGTERM does the same. A terminal that closes (SIGHUP) counts once, however often it is said: shells say it twice.

Source: https://www.pulumi.com/docs/iac/concepts/state-and-backends/#pending-operations
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from tooling.pulumi_files.lock import release

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tooling.engine.deployment import Deployment
    from tooling.engine.display import Display
    from tooling.pulumi_files.backend import Backend


@contextmanager
def interruptible(opened: Future[Deployment], display: Display, backend: Backend) -> Iterator[None]:
    """While it lasts, the signals end a run as described above.

    Args:
        opened: The run's deployment, once its state is open: from then on steps may be under way.
        display: Knows where it stopped.
        backend: Holds the run's lock.
    """
    terminals = [number for number in (1, 2) if os.isatty(number)]

    def interrupt(*_: Any) -> None:
        deployment = _deployment_under_way(opened)
        if deployment is None or deployment.interrupted:
            _stop_at_once(display, backend, pending=deployment is not None)
        else:
            deployment.interrupted = True
            _write_error("\nStopping: steps under way are finished and saved. Ctrl-C again stops at once.\n")

    def hang_up(*_: Any) -> None:
        _write_nowhere(terminals)
        deployment = _deployment_under_way(opened)
        if deployment is None or not deployment.interrupted:
            interrupt()

    handlers = {signal.SIGINT: interrupt, signal.SIGTERM: interrupt, signal.SIGHUP: hang_up}
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # Set by nohup, on purpose.
        del handlers[signal.SIGHUP]
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _deployment_under_way(opened: Future[Deployment]) -> Deployment | None:
    return opened.result() if opened.done() and not opened.exception() else None


def _stop_at_once(display: Display, backend: Backend, *, pending: bool) -> NoReturn:
    # Not by an exception: threads may wait for a provider for minutes. The state on disk is whole at every instant.
    where = display.where_it_stopped()
    rest = "Steps under way stay pending; the next run finds out what became of them.\n" if pending else ""

    def end_display() -> None:
        with suppress(RuntimeError):  # where it was just being drawn
            display.end()

    _for_a_moment(end_display)
    _for_a_moment(lambda: _write_error(f"Stopped at once:\n{where}\n{rest}"))
    # The lock goes last: until the process ends, threads may save what their steps have come to.
    release(backend)
    os._exit(130)


def _for_a_moment(work: Callable[[], None]) -> None:
    """Do something that a terminal may hold up for ever (Ctrl-S, a pager), and wait for a second at most."""
    doing = Thread(target=work, daemon=True)
    doing.start()
    doing.join(1)


def _write_error(text: str) -> None:
    """Write to standard error, past its buffer: a signal may have come while that was being written."""
    os.write(2, text.encode())


class TerminalStream:
    """A stream to a terminal that may be gone: what it takes no more is lost, which is no error of the run.

    The signal that says so comes a moment later than the first write that fails.

    Args:
        stream: Where to write to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write; returns the number of characters taken."""
        with _ignoring_a_closed_terminal():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        with _ignoring_a_closed_terminal():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _ignoring_a_closed_terminal() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno != errno.EIO:
            raise


def _write_nowhere(descriptors: list[int]) -> None:
    """Redirect them: writing to a terminal that is gone is an error, and nobody reads it any more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in descriptors:
        os.dup2(nowhere, number)
    os.close(nowhere)
