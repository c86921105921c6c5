"""Ports, subnets and names, leased: no two processes of tests on this machine hold the same at one time.

A lease is a locked byte of one file. It ends with the process, whatever ends that; nothing has to be given back.
Source: https://man7.org/linux/man-pages/man2/fcntl.2.html, advisory record locks
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Final
from zlib import crc32

import psutil

FILE: Final = Path("/tmp/open-webui-tests.leases")
"""The same for every checkout and every user, whatever TMPDIR says."""
EPHEMERAL: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
PORTS: Final = 10_000
"""How many ports below those that the kernel gives out to anybody."""
SUBNETS: Final = list(IPv4Network("10.214.0.0/16").subnets(new_prefix=24))
"""No network of Docker's own choice is of these; nor is one that a stack draws by its name."""
FIRST_SUBNET: Final = 1 << 17
"""Bytes below it are ports."""
FIRST_NAME: Final = 1 << 18


class NothingLeft(Exception):  # noqa: N818 - it is an outcome
    """Everything of a kind is leased or in use."""


def free_port() -> int:
    """A TCP port of this machine that nobody listens on, and that nobody is given by the kernel."""
    lowest = int(EPHEMERAL.read_text(encoding="ascii").split()[0])
    for number in range(max(1024, lowest - PORTS), lowest):
        if _lock(number, fcntl.LOCK_EX | fcntl.LOCK_NB) and _is_free(number):
            return number
    raise NothingLeft(f"no port is left below {lowest}")


def free_subnet() -> str:
    """An IPv4 subnet of 256 addresses that no interface of this machine has an address in."""
    used = [IPv4Address(item.address) for items in psutil.net_if_addrs().values() for item in items if _is_ipv4(item)]
    for number, network in enumerate(SUBNETS):
        taken = any(address in network for address in used)
        if not taken and _lock(FIRST_SUBNET + number, fcntl.LOCK_EX | fcntl.LOCK_NB):
            return str(network)
    raise NothingLeft(f"no subnet is left of {SUBNETS[0].supernet(new_prefix=16)}")


@contextmanager
def only_one(name: str) -> Iterator[None]:
    """Wait until no other process uses what has a name that cannot be chosen, and keep it meanwhile."""
    place = FIRST_NAME + crc32(name.encode())
    if not _lock(place, fcntl.LOCK_EX):
        raise NothingLeft(f"this process has {name} already")
    try:
        yield
    finally:
        _held().discard(place)
        fcntl.lockf(_file(), fcntl.LOCK_UN, 1, place)


def _is_free(number: int) -> bool:
    with socket.socket() as listener:
        try:
            listener.bind(("", number))
        except OSError:
            return False
    return True


def _is_ipv4(item: object) -> bool:
    return getattr(item, "family", None) == socket.AF_INET


def _lock(place: int, how: int) -> bool:
    """Lock a byte; False where somebody has it, this process among them: to the kernel it could have it twice."""
    if place in _held():
        return False
    try:
        fcntl.lockf(_file(), how, 1, place)
    except OSError:
        return False
    _held().add(place)
    return True


@cache
def _held() -> set[int]:
    return set()


@cache
def _file() -> int:
    """Open for as long as the process lives: to close it once would end every lease."""
    try:
        return os.open(FILE, os.O_RDWR | os.O_CLOEXEC)  # the kernel lets nobody create what another user has in /tmp
    except FileNotFoundError:
        previous = os.umask(0)
        try:
            return os.open(FILE, os.O_RDWR | os.O_CLOEXEC | os.O_CREAT, 0o666)
        finally:
            os.umask(previous)
