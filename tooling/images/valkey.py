"""The Valkey image: Debian's package under the official image's contract.

Contract: https://github.com/valkey-io/valkey-container, variant alpine. Its user is 999:1000, so that a data
volume fits both images.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from tooling.images.build import BASE_PACKAGES, BuildContext, ImageSpec
from tooling.images.packages import choose
from tooling.images.version import VersionConstraint

_FILES: Final = Path(__file__).parent / "files"
_TOOLS: Final = ("benchmark", "check-aof", "check-rdb", "cli", "server")
_HOOKS: Final = (
    'echo "valkey:x:999:1000::/home/valkey:/sbin/nologin" >> "$1/etc/passwd"',
    'echo "valkey:x:1000:" >> "$1/etc/group"',
    'install -d -o 999 -g 1000 "$1/data"',
    # Mounting over Debian's configuration folder fails for root without DAC_OVERRIDE; nothing here reads it.
    'rm -rf "$1/etc/valkey" "$1/etc/init.d" "$1/etc/logrotate.d" "$1/var/lib/valkey" "$1/var/log/valkey"',
    *(f'ln -s /usr/bin/valkey-{tool} "$1/usr/local/bin/valkey-{tool}"' for tool in _TOOLS),
    # The server under another name.
    'ln -s valkey-server "$1/usr/local/bin/valkey-sentinel"',
    *(f'ln -s valkey-{tool} "$1/usr/local/bin/redis-{tool}"' for tool in (*_TOOLS, "sentinel")),
)


def image_spec(constraint: VersionConstraint, context: BuildContext) -> ImageSpec:
    """Choose the package of an allowed version, and specify the image.

    Raises:
        ImageError: No release on the mirror has it or a neighbour; the text names those there are.
    """
    distribution = context.distribution
    package = choose(context, "valkey-server", constraint, "Valkey")
    tree = context.work / "tree"
    entrypoint = tree / "usr/local/bin/docker-entrypoint.sh"
    entrypoint.parent.mkdir(parents=True)
    shutil.copy(_FILES / "valkey-entrypoint.sh", entrypoint)
    return ImageSpec(
        version=package.upstream,
        origin=f"{distribution.name.capitalize()} package valkey-server {package.package}",
        suite=package.release.codename,
        sources=tuple(distribution.sources_of(package.release, backports=package.backports)),
        packages=(
            *BASE_PACKAGES,
            f"valkey-server={package.package}",
            f"valkey-tools={package.package}",
            "util-linux",  # setpriv, by which the entrypoint gives root's rights up
            "tzdata",
        ),
        tree=tree,
        hooks=_HOOKS,
        environment={"VALKEY_VERSION": package.upstream},
        instructions=(
            'ENTRYPOINT ["docker-entrypoint.sh"]',
            'CMD ["valkey-server"]',
            "EXPOSE 6379",
            "VOLUME /data",
            "WORKDIR /data",
        ),
        stands_in_for="" if constraint.matches(package.upstream) else constraint.version,
    )
