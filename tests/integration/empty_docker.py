"""A Docker that has nothing, with another id than the real one: what a machine sees that is not a deployment's."""

import http.client
import json
import re
import socket
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from docker.utils import parse_host

ENGINE = "OTHER:DOCKER"
NOTHING: dict[str, Any] = {
    "/containers/json": [],
    "/networks": [],
    "/images/json": [],
    "/volumes": {"Volumes": [], "Warnings": None},
}


class _Real(http.client.HTTPConnection):
    """The Docker of this machine."""

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(parse_host(None).removeprefix("http+unix://"))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = re.sub(r"^/v[\d.]+", "", self.path.partition("?")[0])
        if path in {"/_ping", "/version", "/info"}:
            self._pass_on(path)
        elif self.command == "GET" and path in NOTHING:
            self._answer(200, json.dumps(NOTHING[path]).encode())
        else:
            self._answer(404, json.dumps({"message": f"No such object: {path}"}).encode())

    do_HEAD = do_POST = do_DELETE = do_GET  # noqa: N815 - the base class finds them by name

    def _pass_on(self, path: str) -> None:
        real = _Real("docker")
        real.request("GET", self.path)
        answer = real.getresponse()
        body, version = answer.read(), answer.getheader("Api-Version", "")
        real.close()
        if path == "/info":
            body = json.dumps({**json.loads(body), "ID": ENGINE, "Name": "elsewhere"}).encode()
        self._answer(answer.status, body, {"Api-Version": version})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def address_string(self) -> str:
        return "a client"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@contextmanager
def empty_docker() -> Iterator[str]:
    """Serve it; its ``DOCKER_HOST``. The path is a short one: a socket's has at most 107 characters."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "docker.sock")
        with _Server(str(path), _Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            try:
                yield f"unix://{path}"
            finally:
                server.shutdown()
                thread.join()
