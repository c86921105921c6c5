"""A browser of the tests hears of no change of network interfaces, and notices nothing else."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.without_netlink import SOCKET_CALL

WRAPPER = Path("tests/browser/without_netlink.py").resolve()
ASK = """
import errno, socket
try:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)
except OSError as error:
    print(errno.errorcode[error.errno])
with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()):
    print("connected")
"""


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in SOCKET_CALL, reason="there a browser runs as it is"
)
def test_a_program_gets_every_socket_but_those_of_netlink() -> None:
    # One more process between: what the program starts is held to it as well.
    command = [sys.executable, str(WRAPPER), "/bin/sh", "-c", '"$0" -c "$1"; exit $?', sys.executable, ASK]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout.split(), done.stderr) == (["EAFNOSUPPORT", "connected"], "")
