"""A container registry on this machine's loopback, as small as Docker needs one for pulling.

Docker speaks plain HTTP to a registry on localhost. Specification:
https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


class Registry(ThreadingHTTPServer):
    """Serves the images that were put into it; silent, it accepts connections and answers nothing.

    One that ``refuses_logins`` gives a token to everybody who brings none, and pulls to who has a token.
    Source: https://distribution.github.io/distribution/spec/auth/token/
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.content: dict[str, tuple[str, bytes]] = {}
        self.refuses_logins = False
        self.go_on = threading.Event()
        self.go_on.set()

    @property
    def host(self) -> str:
        """What image references begin with."""
        return f"localhost:{self.server_address[1]}"

    def put(self, repository: str, tag: str, labels: Mapping[str, str]) -> str:
        """Put an image with one file in it; its reference."""
        layer = _layer(f"{repository}:{tag}")
        config = json.dumps(
            {
                "architecture": "amd64",
                "os": "linux",
                "config": {"Labels": dict(labels)},
                "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
                "history": [],
            }
        ).encode()
        packed = gzip.compress(layer)
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._blob(repository, "application/vnd.docker.container.image.v1+json", config),
            "layers": [self._blob(repository, "application/vnd.docker.image.rootfs.diff.tar.gzip", packed)],
        }
        text = json.dumps(manifest).encode()
        for name in (tag, _digest(text)):
            self.content[f"/v2/{repository}/manifests/{name}"] = (_MANIFEST, text)
        return f"{self.host}/{repository}:{tag}"

    def _blob(self, repository: str, kind: str, data: bytes) -> dict[str, Any]:
        self.content[f"/v2/{repository}/blobs/{_digest(data)}"] = ("application/octet-stream", data)
        return {"mediaType": kind, "size": len(data), "digest": _digest(data)}


class _Handler(BaseHTTPRequestHandler):
    server: Registry
    # Docker's containerd store tries TLS first, and takes a refusal for plain HTTP by its status line alone.
    default_request_version = "HTTP/1.0"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        self.server.go_on.wait()
        said = self.headers["Authorization"] or ""
        if self.path.startswith("/token") and not said:
            kind, data, code = "application/json", b'{"token": "anybody"}', 200
        elif self.server.refuses_logins and not said.startswith("Bearer"):
            error = {"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]}
            kind, data, code = "application/json", json.dumps(error).encode(), 401
        elif self.path == "/v2/":
            kind, data, code = "application/json", b"{}", 200
        elif self.path.partition("?")[0].endswith("/tags/list"):
            place = self.path.partition("tags/list")[0]
            tags = [name.rpartition("/")[2] for name in self.server.content if name.startswith(f"{place}manifests/")]
            kind, data, code = "application/json", json.dumps({"tags": tags}).encode(), 200
        elif self.path in self.server.content:
            (kind, data), code = self.server.content[self.path], 200
        else:
            error = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}
            kind, data, code = "application/json", json.dumps(error).encode(), 404
        self.send_response(code)
        if code == 401:
            realm = f"http://{self.server.host}/token"
            self.send_header("WWW-Authenticate", f'Bearer realm="{realm}",service="it"')
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Docker-Content-Digest", _digest(data))
        self.end_headers()
        if body:
            with suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _layer(text: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("name")
        member.size = len(text)
        tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


@contextmanager
def registry() -> Iterator[Registry]:
    """A registry that runs until the end of the ``with``."""
    server = Registry()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()
