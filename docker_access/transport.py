"""What makes the Docker SDK speak through the OpenSSH client; its own way needs paramiko, and has no timeouts."""

from __future__ import annotations

import errno
from http.client import HTTPException
from typing import Any

from docker.constants import DEFAULT_MAX_POOL_SIZE
from docker.transport.unixconn import UnixHTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool

from docker_access.ssh import Process, dial_stdio


class _Connection(HTTPConnection):
    """One connection to the daemon: one ssh process, kept for the requests that follow."""

    def __init__(self, address: str, seconds: int) -> None:
        super().__init__("localhost", timeout=seconds)
        self._address = address

    def connect(self) -> None:
        self._process = Process(dial_stdio(self._address), self._address)
        self.sock = self._process.socket
        self.sock.settimeout(self.timeout if isinstance(self.timeout, int | float) else None)

    def getresponse(self) -> Any:
        """The answer; where there is none, why ssh ended."""
        try:
            return super().getresponse()
        except (OSError, HTTPException) as error:
            if complaint := self._process.complaint():
                raise ConnectionAbortedError(errno.ECONNABORTED, complaint) from error
            raise


class _Pool(HTTPConnectionPool):
    def __init__(self, address: str, seconds: int) -> None:
        super().__init__("localhost", timeout=seconds, maxsize=DEFAULT_MAX_POOL_SIZE)
        self._address, self._seconds = address, seconds

    def _new_conn(self) -> Any:
        return _Connection(self._address, self._seconds)


class SshAdapter(UnixHTTPAdapter):
    """Carries requests of the Docker SDK to the daemon of another machine."""

    def __init__(self, address: str, seconds: int) -> None:
        super().__init__("http+unix:///dev/null", timeout=seconds)
        self._address, self._seconds = address, seconds

    def get_connection(self, url: str | bytes, proxies: Any = None) -> Any:  # noqa: ARG002 - the SDK's
        """The pool of connections, one for all requests."""
        with self.pools.lock:
            pool = self.pools.get(self._address)
            if pool is None:
                pool = self.pools[self._address] = _Pool(self._address, self._seconds)
        return pool
