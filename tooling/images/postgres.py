"""The Postgres image: Debian's PostgreSQL with pgvector under the contract of the official images.

Contract: https://github.com/docker-library/postgres, variant Debian, with https://github.com/pgvector/pgvector on top:
user 999:999, so that a data volume fits both images. Left out is just-in-time compilation of queries (LLVM, 150 MB).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from tooling.images.build import BASE_PACKAGES, PATH, BuildContext, ImageSpec
from tooling.images.errors import ImageError
from tooling.images.packages import choose, newest
from tooling.images.version import VersionConstraint

_FILES: Final = Path(__file__).parent / "files"
DATA: Final = "/var/lib/postgresql/data"
_LEFT_OUT: Final = (
    # Debian's way to run clusters side by side is written in Perl and of no use in a container.
    "etc/init.d",
    "etc/logrotate.d",
    "etc/postgresql-common",
    "usr/bin/perl*",
    "usr/lib/*/libperl.so*",
    "usr/lib/*/perl*",
    "usr/share/perl*",
    "usr/share/postgresql-common",
    # Without llvmjit.so the server goes on without compiling, and says nothing.
    "usr/lib/*/libLLVM*",
    "usr/lib/*/libz3*",
    "usr/lib/llvm-*",
    "usr/lib/postgresql/{major}/lib/bitcode",
    "usr/lib/postgresql/{major}/lib/llvmjit*",
    "usr/include",
    "usr/share/i18n",
)


def image_spec(constraint: VersionConstraint, context: BuildContext) -> ImageSpec:
    """Choose the packages of pgvector and PostgreSQL, and specify the image.

    Args:
        constraint: Version of pgvector and major version of PostgreSQL: ``0.8.0-pg17``.
        context: Where the image is being built.

    Raises:
        ImageError: No PostgreSQL is named, or no release on the mirror has this pgvector for it; the text names
            those there are.
    """
    distribution = context.distribution
    pgvector, _, major = constraint.version.partition("-pg")
    if not major:
        raise ImageError(
            f"pgvector {pgvector} can be built for a PostgreSQL that the tag names, and this one names none: "
            f"write {pgvector}-pg17."
        )
    software = f"PostgreSQL {major} with pgvector"
    extension = choose(context, f"postgresql-{major}-pgvector", VersionConstraint(pgvector), software)
    server = newest(context, f"postgresql-{major}", extension.release)
    gosu = newest(context, "gosu", extension.release)
    tree = context.work / "tree"
    entrypoint = tree / "usr/local/bin/docker-entrypoint.sh"
    entrypoint.parent.mkdir(parents=True)
    shutil.copy(_FILES / "postgres-entrypoint.sh", entrypoint)
    programs = f"/usr/lib/postgresql/{major}/bin"
    return ImageSpec(
        version=f"{extension.upstream}-pg{server.upstream}",
        origin=(
            f"{distribution.name.capitalize()} packages postgresql-{major} {server.package} "
            f"and postgresql-{major}-pgvector {extension.package}"
        ),
        suite=extension.release.codename,
        sources=tuple(distribution.sources_of(extension.release, backports=extension.backports)),
        packages=(
            *BASE_PACKAGES,
            f"postgresql-{major}={server.package}",
            f"postgresql-{major}-pgvector={extension.package}",
            "bash",
            "gosu",  # by which the entrypoint gives root's rights up
            "less",
            "libnss-wrapper",  # a name for a user that has none, which initdb asks for
            "xz-utils",
            "zstd",
        ),
        tree=tree,
        hooks=_hooks(major),
        environment={
            "PATH": f"{PATH}:{programs}",
            "GOSU_VERSION": gosu.upstream,
            "LANG": "en_US.utf8",
            "PG_MAJOR": major,
            "PG_VERSION": server.package,
            "PGDATA": DATA,
        },
        instructions=('ENTRYPOINT ["docker-entrypoint.sh"]', 'CMD ["postgres"]', "EXPOSE 5432", f"VOLUME {DATA}"),
        # Fast shutdown; after SIGTERM the server would wait for its clients to leave.
        stop_signal="SIGINT",
        stands_in_for="" if VersionConstraint(pgvector).matches(extension.upstream) else constraint.version,
    )


def _hooks(major: str) -> tuple[str, ...]:
    settings = "usr/share/postgresql/postgresql.conf.sample"
    left_out = " ".join(_LEFT_OUT).format(major=major)
    return (
        'echo "postgres:x:999:999::/var/lib/postgresql:/bin/bash" >> "$1/etc/passwd"',
        'echo "postgres:x:999:" >> "$1/etc/group"',
        'install -d -o 999 -g 999 -m 3777 "$1/run/postgresql"',
        'install -d -o 999 -g 999 -m 1777 "$1/var/lib/postgresql"',
        # An empty volume takes this mode over; the entrypoint narrows it to 0700.
        f'install -d -o 999 -g 999 -m 1777 "$1{DATA}"',
        'mkdir "$1/docker-entrypoint-initdb.d"',
        # Without it the server cannot list the time zones.
        'ln -sf /usr/share/zoneinfo/Etc/UTC "$1/etc/localtime"',
        'chroot "$1" localedef -i en_US -c -f UTF-8 en_US.UTF-8',
        f'mv "$1/usr/share/postgresql/{major}/postgresql.conf.sample" "$1/{settings}"',
        f'ln -s ../postgresql.conf.sample "$1/usr/share/postgresql/{major}/"',
        f"""sed -i "s/^#listen_addresses = .*/listen_addresses = '*'/" "$1/{settings}\"""",
        'find "$1/usr/bin" -lname "*/pg_wrapper" -delete',
        f'cd "$1" && rm -rf {left_out}',
    )
