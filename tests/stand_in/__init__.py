"""An image that stands in for Open WebUI's: a tenth of its size, up in a second, built here and never pulled.

It has the official image's configuration, Debian's Python, the libraries that the verification uses inside of it, and
:mod:`tests.stand_in.open_webui`, which answers what the deployment and the verification ask. It is for tests about
containers, networks, state and the verification's own words. ``tests/integration/test_stand_in.py`` holds it to the
real application. It has no accounts and no pages.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

import docker
import docker.errors
import yaml

from docker_access import labels
from docker_access.client import docker_client
from tests.lease import only_one
from tooling.images import debian, pypi
from tooling.images.build import BASE_PACKAGES, BuildContext, ImageSpec, build
from tooling.images.reference import parse
from tooling.images.version import VersionConstraint
from tooling.machine.progress import progress
from tooling.machine.uv import CACHE

REPOSITORY: Final = "open-webui-stand-in"
VERSION: Final = "0.12.4"
BUILD_SECONDS: Final = 600
"""How long Docker may take to answer: an import answers only at its end."""
KEPT_DAYS: Final = 2
"""How long an image of another state of this project is kept."""

LIBRARIES: Final = {
    "aiohttp": "3.14.5",
    "psycopg2-binary": "2.9.12",
    "python-socketio": "5.16.2",
    "redis": "8.0.1",
    "uvicorn": "0.54.0",
    "websockets": "17.4",
}
"""In the versions that the real image has."""

_HERE: Final = Path(__file__).parent
_IMAGES: Final = _HERE.parents[1] / "tooling/images"
_CONTRACT: Final = _IMAGES / "contracts/open-webui.yaml"
_START: Final = _IMAGES / "files/open-webui-start.sh"
_PACKAGES: Final = ("bash", "curl", "jq", "python3", "tzdata")
# In whatever environment it is built: one that says PYTHONDONTWRITEBYTECODE, as many containers do, reaches this too.
_COMPILE: Final = "python3 -m compileall -q --invalidation-mode unchecked-hash /usr/lib/python3* /usr/local/lib /app"


def _fingerprint() -> str:
    """Hash of everything that the image is made from, but for Debian's packages."""
    content = b"".join(path.read_bytes() for path in (*sorted(_HERE.rglob("*.py")), _CONTRACT, _START))
    return hashlib.sha256(content).hexdigest()[:12]


NAME: Final = f"{REPOSITORY}:v{VERSION}-f{_fingerprint()}"
"""Another one for another content: checkouts that differ do not take it from each other."""


def ensure_stand_in() -> str:
    """Have the image in Docker; its name.

    Raises:
        ImageError: It cannot be built here.
    """
    with only_one(REPOSITORY), closing(docker_client(BUILD_SECONDS)) as client:
        try:
            client.images.get(NAME)
        except docker.errors.ImageNotFound:
            _build(client)
            _remove_old_ones(client)
    return NAME


def _remove_old_ones(client: docker.DockerClient) -> None:
    oldest = dt.datetime.now(dt.UTC) - dt.timedelta(days=KEPT_DAYS)
    for image in client.images.list(REPOSITORY):
        if dt.datetime.fromisoformat(image.attrs["Created"]) < oldest:
            with suppress(docker.errors.APIError):  # a container still needs it
                client.images.remove(image.tags[0])


def _build(client: docker.DockerClient) -> None:
    with tempfile.TemporaryDirectory(prefix="open-webui-image-") as folder, progress(f"building {NAME}") as stage:
        work = Path(folder)
        # mmdebstrap may work as another user, which must be able to read the tree.
        work.chmod(0o755)
        distribution = debian.this_machine(work)
        context = BuildContext(distribution=distribution, cache=CACHE / "images", work=work, stage=stage)
        build(client, context, _image_spec(context), parse(NAME))


class _StandInSpec(ImageSpec):
    """Without the label of a local build of Open WebUI's: `make setup` would look for that."""

    def changes(self) -> list[str]:
        return [line for line in super().changes() if not line.startswith(f"LABEL {labels.LOCAL_BUILD}=")]


def _image_spec(context: BuildContext) -> ImageSpec:
    release = context.distribution.releases()[0]
    tree = context.work / "tree"
    backend, site = tree / "app/backend", tree / f"usr/local/lib/python{release.python}/dist-packages"
    for package, version in LIBRARIES.items():
        pypi.install(package, VersionConstraint(version), context, release, site, software=package)
    shutil.rmtree(site / "bin", ignore_errors=True)
    shutil.copytree(_HERE / "open_webui", backend / "open_webui", ignore=shutil.ignore_patterns("__pycache__"))
    # Not empty, as in the official image: to each container that mounts an empty volume Docker copies the owner.
    (backend / "data/cache").mkdir(parents=True)
    shutil.copy(_START, backend / "start.sh")
    contract = yaml.safe_load(_CONTRACT.read_text(encoding="utf-8"))
    asked = {name: item["is"] for name, item in contract["config"].items()}
    return _StandInSpec(
        version=VERSION,
        origin="",
        suite=release.codename,
        sources=tuple(context.distribution.sources_of(release)),
        packages=(*BASE_PACKAGES, *_PACKAGES),
        tree=tree,
        hooks=(f"chroot \"$1\" sh -c '{_COMPILE}'",),
        environment={
            **{name: item["is"] for name, item in contract["environment"].items() if "is" in item},
            "PYTHON_VERSION": release.python,
            "WEBUI_BUILD_HASH": "dev-build",
        },
        instructions=(
            f"CMD {json.dumps(asked['Cmd'])}",
            *(f"EXPOSE {port.removesuffix('/tcp')}" for port in asked["ExposedPorts"]),
            f"USER {asked['User']}",
            f"WORKDIR {asked['WorkingDir']}",
            f"HEALTHCHECK CMD {asked['Healthcheck'][1]}",
        ),
        # As the official image has, by which the doctor knows it under any name.
        image_labels={"org.opencontainers.image.title": "open-webui"},
    )
