"""How a failure of this project's dynamic resources reaches the user."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def message_alone() -> Iterator[None]:
    """Have what is raised inside shown without a traceback; decorates the methods of a provider.

    This sets a global of a process that is not ours alone: the host of a program's dynamic resources. There is no other
    way. The host sends on ``traceback.format_exc()`` of whatever a provider raises, frames of its own included, and a
    provider cannot fail but by raising; a report of a failed check would begin with fifteen lines of Pulumi's code. It
    is set only once something of ours has failed, so with it the update: until then, other resources of the same
    program keep their tracebacks.

    Source: https://github.com/pulumi/pulumi/blob/v3.272.0/sdk/python/lib/pulumi/dynamic/__main__.py
    (``_abort_with_traceback``)
    """
    try:
        yield
    except Exception:
        sys.tracebacklimit = 0
        raise
