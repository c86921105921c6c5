"""``python3 without_netlink.py PROGRAM ARGUMENT...``: run a program that hears of no change of network interfaces.

Each container that starts or ends changes the host's interfaces, and Chromium then fails every request under way
with ERR_NETWORK_CHANGED: pages come up by halves whenever other tests run beside. Chromium learns of it through a
netlink socket, and takes the network for unchanging where it cannot have one.

Linux on x86-64 and arm64 only; elsewhere the program runs as it is. Standard library only.

Sources: https://chromium.googlesource.com/chromium/src/+/main/net/base/address_tracker_linux.cc
    https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from typing import Final

SOCKET_CALL: Final = {"x86_64": 41, "aarch64": 198}
"""Number of the system call ``socket``."""
NETLINK: Final = 16
FIRST_ARGUMENT: Final = 16
"""Where it lies in ``struct seccomp_data``, in bytes."""

LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EAFNOSUPPORT
NO_NEW_PRIVILEGES, SECCOMP, FILTER = 38, 22, 2


class Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


def refuse_netlink(socket_call: int) -> None:
    """Refuse netlink sockets to this process and to all that come of it.

    Raises:
        OSError: The kernel takes no filter.
    """
    instructions = (
        (LOAD, 0, 0, 0),
        (JUMP_IF_EQUAL, 0, 3, socket_call),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_IF_EQUAL, 0, 1, NETLINK),
        (RETURN, 0, 0, REFUSE),
        (RETURN, 0, 0, ALLOW),
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in instructions))
    program = Program(len(instructions), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for call in ((NO_NEW_PRIVILEGES, 1, 0, 0, 0), (SECCOMP, FILTER, ctypes.byref(program), 0, 0)):
        if libc.prctl(*call) != 0:
            raise OSError(ctypes.get_errno(), "prctl: the kernel takes no seccomp filter")


if __name__ == "__main__":
    if sys.platform == "linux" and platform.machine() in SOCKET_CALL:
        refuse_netlink(SOCKET_CALL[platform.machine()])
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - to become it is the point
