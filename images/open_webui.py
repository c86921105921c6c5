"""The Open WebUI image: the package of PyPI on Debian's Python under the official image's contract.

Left out is what computes on this machine's own processor: local embeddings, reranking, speech and OCR, 5 GB
of machine learning libraries. The features are there with a remote engine (RAG_EMBEDDING_ENGINE=openai).
Contract: https://github.com/open-webui/open-webui/blob/main/Dockerfile
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from images import pypi
from images.build import BASE_PACKAGES, Blueprint
from images.errors import ImageError

if TYPE_CHECKING:
    from images.build import Workshop
    from images.version import Wanted

LEFT_OUT: Final = (
    "accelerate",
    "ctranslate2",
    "faster-whisper",
    "kubernetes",
    "onnxruntime",
    "opencv-python",
    "opencv-python-headless",
    "pyarrow",
    "rapidocr",
    "scikit-learn",
    "scipy",
    "sentence-transformers",
    "torch",
    "transformers",
)
"""Packages imported only when one of those features is used (kubernetes: by a distributed Chroma)."""

_FILES: Final = Path(__file__).parent / "files"
_PACKAGES: Final = (
    "bash",
    "ca-certificates",
    "curl",
    "jq",
    "libgomp1",
    "libstdc++6",
    "openssl",
    "python3",
    "tzdata",
)
_HEALTHCHECK: Final = (
    "curl --silent --fail http://localhost:${PORT:-8080}/health | jq -ne 'input.status == true' || exit 1"
)
# Boot to healthy falls from 13 s to 8 s. Exits with 1 for the sake of templates that are no Python.
_COMPILE: Final = "python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash /usr/lib/python3* /usr/local/lib"
_SITE: Final = "usr/local/lib/python{python}/dist-packages"
_PYTHONS: Final = frozenset({"3.11", "3.12"})
_SCRIPTS: Final = ("alembic", "open-webui", "uvicorn")
_ENVIRONMENT: Final = {
    "ENV": "prod",
    "PORT": "8080",
    "HOME": "/root",
    "OLLAMA_BASE_URL": "/ollama",
    "OPENAI_API_BASE_URL": "",
    "OPENAI_API_KEY": "",
    "WEBUI_SECRET_KEY": "",
    "SCARF_NO_ANALYTICS": "true",
    "DO_NOT_TRACK": "true",
    "ANONYMIZED_TELEMETRY": "false",
    "HF_HOME": "/app/backend/data/cache/embedding/models",
    "SENTENCE_TRANSFORMERS_HOME": "/app/backend/data/cache/embedding/models",
    # What differs from the official image: data outside of the package, no local models to be had.
    "DATA_DIR": "/app/backend/data",
    "FROM_INIT_PY": "true",
    "RAG_EMBEDDING_ENGINE": "openai",
    "HF_HUB_OFFLINE": "1",
    "OFFLINE_MODE": "true",
    "PYTHONUNBUFFERED": "1",
}


def blueprint(wanted: Wanted, workshop: Workshop) -> Blueprint:
    """Install Open WebUI into a folder by uv and say how the image is made of it.

    Raises:
        ImageError: The package index does not have the version, or uv failed.
    """
    distribution = workshop.distribution
    release = next((r for r in distribution.releases() if r.python in _PYTHONS), None)
    if release is None:
        raise ImageError(
            f"Open WebUI cannot be built on {distribution.name}: it needs Python {' or '.join(sorted(_PYTHONS))}. "
            "Bring the image with `docker load`."
        )
    tree = workshop.work / "tree"
    site = tree / _SITE.format(python=release.python)
    version = pypi.install(
        "open-webui", wanted, workshop, release, site, software="Open WebUI", extra="postgres", left_out=LEFT_OUT
    )
    _arrange(tree, site)
    return Blueprint(
        version=version,
        origin=f"PyPI open-webui {version}",
        suite=release.codename,
        sources=tuple(distribution.sources_of(release)),
        packages=(*BASE_PACKAGES, *_PACKAGES),
        tree=tree,
        hooks=(
            # An empty volume takes this mode over: root without capabilities can write it, user 1000 too.
            'chmod 1777 "$1/app/backend/data"',
            'cat "$1"/usr/share/ca-certificates/mozilla/*.crt > "$1/etc/ssl/certs/ca-certificates.crt"',
            'cp "$1"/usr/share/ca-certificates/mozilla/*.crt "$1/etc/ssl/certs/"',
            'chroot "$1" openssl rehash /etc/ssl/certs',
            f"chroot \"$1\" sh -c '{_COMPILE}' >&2 || true",
        ),
        environment=_ENVIRONMENT,
        instructions=(
            'CMD ["bash", "start.sh"]',
            "EXPOSE 8080",
            "WORKDIR /app/backend",
            f"HEALTHCHECK CMD {_HEALTHCHECK}",
        ),
    )


def _arrange(tree: Path, site: Path) -> None:
    """Put scripts on PATH for the Python of the image, and start.sh and the data folder where they belong."""
    programs = tree / "usr/local/bin"
    programs.mkdir(parents=True)
    for name in _SCRIPTS:
        _, _, body = (site / "bin" / name).read_text(encoding="utf-8").partition("\n")
        (programs / name).write_text(f"#!/usr/bin/python3\n{body}", encoding="utf-8")
        (programs / name).chmod(0o755)
    (programs / "python").symlink_to("/usr/bin/python3")
    shutil.rmtree(site / "bin")
    # 80 MB that only a browser's developer tools would ask for.
    for source_map in (site / "open_webui/frontend").rglob("*.map"):
        source_map.unlink()
    app = tree / "app/backend"
    (app / "data").mkdir(parents=True)
    shutil.copy(_FILES / "open-webui-start.sh", app / "start.sh")
