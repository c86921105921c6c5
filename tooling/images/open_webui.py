"""The Open WebUI image: the package of PyPI on Debian's Python, laid out as the official image is.

Left out is what computes on this machine's own processor: local embeddings, reranking, speech and OCR, 5 GB
of machine learning libraries. The features are there with a remote engine (RAG_EMBEDDING_ENGINE=openai), but for
audio that ffmpeg would have to convert. It is still the official image's main variant and not its slim one, which has
no vector store beside Postgres.
Contract: https://github.com/open-webui/open-webui/blob/v0.12.4/Dockerfile
"""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Final

from docker_access import labels
from tooling.images import pypi
from tooling.images.build import BASE_PACKAGES, PATH, BuildContext, ImageSpec
from tooling.images.errors import ImageError
from tooling.images.packages import newest
from tooling.images.version import VersionConstraint

LEFT_OUT: Final = (
    "accelerate", "ctranslate2", "faster-whisper", "kubernetes", "onnxruntime", "opencv-python",
    "opencv-python-headless", "pyarrow", "rapidocr", "scikit-learn", "scipy", "sentence-transformers", "torch",
    "transformers",
)  # fmt: skip
"""Packages imported only when one of those features is used (kubernetes: by a distributed Chroma)."""

_FILES: Final = Path(__file__).parent / "files"
_PACKAGES: Final = ("bash", "ca-certificates", "curl", "jq", "libgomp1", "libstdc++6", "openssl", "python3", "tzdata")
_PIP: Final = VersionConstraint("26")
_HEALTHCHECK: Final = (
    "curl --silent --fail http://localhost:${PORT:-8080}/health | jq -ne 'input.status == true' || exit 1"
)
# Exits with 1 for the sake of templates that are no Python.
_COMPILE: Final = (
    "python3 -m compileall -q -j 0 --invalidation-mode unchecked-hash "
    "/usr/lib/python3* /usr/local/lib /app/backend/open_webui"
)
_SITE: Final = "usr/local/lib/python{python}/dist-packages"
_PYTHONS: Final = frozenset({"3.11", "3.12"})
_SCRIPTS: Final = ("alembic", "pip", "pip3", "uvicorn")
# In the order of the Dockerfile, its arguments at their defaults; whichever the models are, none is in this image.
_ENVIRONMENT: Final = {
    "PATH": f"/usr/local/bin:{PATH}",
    "LANG": "C.UTF-8",
    "PYTHONUNBUFFERED": "1",
    "ENV": "prod",
    "PORT": "8080",
    "USE_OLLAMA_DOCKER": "false",
    "USE_CUDA_DOCKER": "false",
    "USE_SLIM_DOCKER": "false",
    "USE_CUDA_DOCKER_VER": "cu128",
    "USE_EMBEDDING_MODEL_DOCKER": "sentence-transformers/all-MiniLM-L6-v2",
    "USE_RERANKING_MODEL_DOCKER": "",
    "USE_AUXILIARY_EMBEDDING_MODEL_DOCKER": "TaylorAI/bge-micro-v2",
    "OLLAMA_BASE_URL": "/ollama",
    "OPENAI_API_BASE_URL": "",
    "OPENAI_API_KEY": "",
    "WEBUI_SECRET_KEY": "",
    "SCARF_NO_ANALYTICS": "true",
    "DO_NOT_TRACK": "true",
    "ANONYMIZED_TELEMETRY": "false",
    "WHISPER_MODEL": "base",
    "WHISPER_MODEL_DIR": "/app/backend/data/cache/whisper/models",
    "RAG_EMBEDDING_MODEL": "sentence-transformers/all-MiniLM-L6-v2",
    "RAG_RERANKING_MODEL": "",
    "AUXILIARY_EMBEDDING_MODEL": "TaylorAI/bge-micro-v2",
    "SENTENCE_TRANSFORMERS_HOME": "/app/backend/data/cache/embedding/models",
    "TIKTOKEN_ENCODING_NAME": "cl100k_base",
    "TIKTOKEN_CACHE_DIR": "/app/backend/data/cache/tiktoken",
    "HF_HOME": "/app/backend/data/cache/embedding/models",
    "HOME": "/root",
    "UV_LINK_MODE": "copy",
    "WEBUI_BUILD_HASH": "dev-build",
    "DOCKER": "true",
}


def image_spec(constraint: VersionConstraint, context: BuildContext) -> ImageSpec:
    """Install Open WebUI into a folder by uv and say how the image is made of it.

    Raises:
        ImageError: The package index does not have the version, or uv failed.
    """
    distribution = context.distribution
    release = next((r for r in distribution.releases() if r.python in _PYTHONS), None)
    if release is None:
        raise ImageError(
            f"Open WebUI cannot be built on {distribution.name}: it needs Python {' or '.join(sorted(_PYTHONS))}. "
            "Bring the image with `docker load`."
        )
    tree = context.work / "tree"
    site = tree / _SITE.format(python=release.python)
    version = pypi.install(
        "open-webui", constraint, context, release, site, software="Open WebUI", extra="postgres", left_out=LEFT_OUT
    )
    # Tools that people add in Open WebUI name packages they need, which it installs.
    pypi.install("pip", _PIP, context, release, site, software="pip")
    unpinned = "" if pypi.is_locked("open-webui", constraint) else ", its dependencies unpinned"
    _arrange(tree, site, version)
    python = newest(context, "python3", release)
    return ImageSpec(
        version=version,
        origin=f"PyPI open-webui {version}{unpinned}",
        suite=release.codename,
        sources=tuple(distribution.sources_of(release)),
        packages=(*BASE_PACKAGES, *_PACKAGES),
        tree=tree,
        hooks=(
            'mkdir -p "$1/root/.cache/chroma"',
            'printf 00000000-0000-0000-0000-000000000000 > "$1/root/.cache/chroma/telemetry_user_id"',
            # Group 0 may write the assets, whoever it runs as.
            'chmod -R g=u "$1/app/backend/open_webui/static"',
            # Debian has pip refuse to install beside its own packages, of which there are none here.
            'rm -f "$1"/usr/lib/python3*/EXTERNALLY-MANAGED',
            'cat "$1"/usr/share/ca-certificates/mozilla/*.crt > "$1/etc/ssl/certs/ca-certificates.crt"',
            'cp "$1"/usr/share/ca-certificates/mozilla/*.crt "$1/etc/ssl/certs/"',
            'chroot "$1" openssl rehash /etc/ssl/certs',
            # What the hooks ran has compiled itself.
            'find "$1" -xdev -name __pycache__ -type d -prune -exec rm -rf {} +',
            *([f"chroot \"$1\" sh -c '{_COMPILE}' >&2 || true"] if context.bytecode else []),
        ),
        environment={**_ENVIRONMENT, "PYTHON_VERSION": python.upstream},
        instructions=(
            'CMD ["bash", "start.sh"]',
            "EXPOSE 8080",
            "USER 0:0",
            "WORKDIR /app/backend",
            f"HEALTHCHECK CMD {_HEALTHCHECK}",
        ),
        image_labels={labels.LOCAL_BYTECODE: "true"} if context.bytecode else {},
    )


def _arrange(tree: Path, site: Path, version: str) -> None:
    """Lay Open WebUI out as its Dockerfile does: in folders of its own, no package that Python finds from anywhere."""
    app = tree / "app"
    backend = app / "backend"
    # As in the official image but for the models in them. A volume that is not empty keeps the owner it is given.
    for cache in ("embedding/models", "tiktoken", "whisper/models"):
        (backend / "data/cache" / cache).mkdir(parents=True)
    shutil.move(site / "open_webui", backend / "open_webui")
    shutil.move(backend / "open_webui/frontend", app / "build")
    shutil.move(backend / "open_webui/CHANGELOG.md", app / "CHANGELOG.md")
    (app / "package.json").write_text(json.dumps({"name": "open-webui", "version": version}) + "\n", encoding="utf-8")
    shutil.copy(_FILES / "open-webui-start.sh", backend / "start.sh")
    # What else the wheel has beside its package would be found by every Python program.
    metadata = site / f"open_webui-{version}.dist-info"
    for row in csv.reader((metadata / "RECORD").read_text(encoding="utf-8").splitlines()):
        (site / row[0]).unlink(missing_ok=True)
    shutil.rmtree(metadata)
    shutil.rmtree(site / "data", ignore_errors=True)
    programs = tree / "usr/local/bin"
    programs.mkdir(parents=True)
    for name in _SCRIPTS:
        _, _, body = (site / "bin" / name).read_text(encoding="utf-8").partition("\n")
        (programs / name).write_text(f"#!/usr/bin/python3\n{body}", encoding="utf-8")
        (programs / name).chmod(0o755)
    for name in ("python", "python3"):
        (programs / name).symlink_to("/usr/bin/python3")
    shutil.rmtree(site / "bin")
