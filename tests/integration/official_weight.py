"""The heavy half of Open WebUI's official image, stood in for: its memory, CPU time, threads and models, not its maths.

What a package of machine learning does when it is imported was measured on the packages of 0.12.4
(docs/images.md): some 10 s of CPU time and 480 MiB that the local build does not take. A module of the same name
takes as much here, by the app's own way to it: ``get_ef`` of open_webui/routers/retrieval.py at boot.
"""

from __future__ import annotations

import io
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import docker

CPU_SECONDS: Final = 10
MIB: Final = 480
EMBEDS: Final = "embedding"
"""What it prints when it begins to."""
HOST_CORES: Final = 64
"""Of a large host: so many threads the libraries start where nothing tells them otherwise, twice."""

MODULE: Final = f'''
"""Takes what the real one takes."""
import os, threading, time
import numpy

_weights = bytearray(b"\\x01") * ({MIB} << 20)
_end = time.thread_time() + {CPU_SECONDS}
while time.thread_time() < _end:
    pass
_computing = threading.Event()
for _ in range(2 * int(os.environ.get("OMP_NUM_THREADS") or {HOST_CORES})):
    threading.Thread(target=_computing.wait, daemon=True).start()


class SentenceTransformer:
    def __init__(self, path, **_):
        if not os.path.isdir(path):
            raise OSError(f"{{path}} is no model of this image: it would be downloaded")

    def encode(self, texts, **_):
        """Computes as long as the real one does without the GIL, deaf to SIGTERM: a text takes a second."""
        print("{EMBEDS}", flush=True)
        many = [texts] if isinstance(texts, str) else texts
        for _ in many:
            end = time.monotonic() + 1
            while time.monotonic() < end:
                numpy.ones((256, 256)) @ numpy.ones((256, 256))
        found = numpy.full((len(many), 384), 0.05)
        return found[0] if isinstance(texts, str) else found
'''

_MODEL: Final = "app/backend/data/cache/embedding/models/models--sentence-transformers--all-MiniLM-L6-v2"
_REVISION: Final = "0" * 40
MODEL_FILE: Final = f"{_MODEL}/snapshots/{_REVISION}/config.json"
"""A file of the model that the image brings: in a fresh volume, Docker copies it there."""


@contextmanager
def official_weight(client: docker.DockerClient, reference: str, name: str) -> Iterator[str]:
    """An image like ``reference``, as heavy as the official one, while the block runs.

    Args:
        client: Docker.
        reference: A local build of Open WebUI.
        name: What to call the image.
    """
    site = client.containers.run(
        reference, ["python3", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        entrypoint="", network_mode="none", remove=True,
    ).decode().strip().lstrip("/")  # fmt: skip
    files = {
        f"{site}/sentence_transformers/__init__.py": MODULE,
        MODEL_FILE: "{}",
        f"{_MODEL}/refs/main": _REVISION,
    }
    container = client.containers.create(reference)
    try:
        container.put_archive("/", _tar(files))
        container.commit(*name.rsplit(":", 1))
    finally:
        container.remove(v=True)
    try:
        yield name
    finally:
        client.images.remove(name, force=True)


def _tar(files: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(text.encode()), 0o644
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()
