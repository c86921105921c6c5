"""The process of ``python -m pulumi.dynamic``, started before anything here has imported Pulumi.

It runs in a session of its own (Ctrl-C reaches the engine only) and ends when the engine does: it watches a pipe that
closes with the engine, however the engine ends. The Pulumi CLI runs the same module through a plugin's script.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/python/dist/pulumi-resource-pulumi-python
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

_HOST: Final = (
    "import gc, os, runpy, sys, threading\n"
    "gc.set_threshold(100_000)\n"
    "threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()\n"
    "runpy.run_module('pulumi.dynamic', run_name='__main__', alter_sys=True)\n"
)


def start_host(program: Path, project: str) -> subprocess.Popen[bytes]:
    """Start the host; it answers about 0.3 s later, so start it before it is needed."""
    return subprocess.Popen(
        [sys.executable, "-u", "-c", _HOST],
        cwd=program,
        env=os.environ | {"PULUMI_PROJECT": project},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def end_host(host: subprocess.Popen[bytes]) -> None:
    """End the host at once; it holds nothing worth a farewell."""
    host.kill()
    host.wait()
    for stream in (host.stdin, host.stdout, host.stderr):
        if stream is not None:
            stream.close()
