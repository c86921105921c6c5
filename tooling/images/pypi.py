"""Packages of PyPI for the image's own Python and processor, whatever this machine's are."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from tooling.images.build import BuildContext
from tooling.images.debian import Release
from tooling.images.errors import ImageError, UnreachableError
from tooling.images.version import VersionConstraint
from tooling.machine import uv
from tooling.machine.host import captured

PLATFORMS: Final = {"amd64": "x86_64", "arm64": "aarch64"}
"""Processors that wheels are taken for: Debian's name of it and Python's."""


LOCKS: Final = Path(__file__).parent / "locks"


def lock_of(package: str) -> Path:
    """The file that pins a package and all it needs, with hashes; `python -m tooling.images.lock` writes it."""
    return LOCKS / f"{package}.txt"


def overrides_without(left_out: tuple[str, ...]) -> str:
    """Overrides by which uv installs none of these packages, nor what only they need."""
    return "".join(f"{name} ; sys_platform == 'never'\n" for name in left_out)


def is_locked(package: str, constraint: VersionConstraint) -> bool:
    """Whether the constraint is met by the version whose dependencies are pinned, so that each build is the same."""
    lock = lock_of(package).read_text(encoding="utf-8") if lock_of(package).exists() else ""
    pinned = re.search(rf"^{re.escape(package)}==(\S+)", lock, re.MULTILINE)
    return pinned is not None and constraint.matches(pinned[1])


def newest(folder: Path, *sources: str, text: str = "") -> dict[str, str]:
    """The newest versions that the package index has, by package.

    Args:
        folder: Where it is asked from.
        sources: As ``uv pip compile`` takes them; ``-`` for ``text``.
        text: Requirements.

    Raises:
        UnreachableError: uv is not here, or the index does not answer, or not with these packages.
    """
    program = uv.found()
    if program is None:
        raise UnreachableError("the package index is not asked: uv is not here, which `make python` installs")
    command = [
        str(program), "pip", "compile", "--quiet", "--no-config", "--no-deps", "--no-annotate", "--no-header",
        "--only-binary", ":all:", "--python-version", "3.11", *sources,
    ]  # fmt: skip
    patience = {"UV_HTTP_TIMEOUT": "20", "UV_HTTP_RETRIES": "1"}
    done = captured(command, input=text, cwd=folder, env={**patience, **uv.environment(os.environ)})
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UnreachableError(f"the package index does not answer ({last.rpartition('cause: ')[2].strip()})")
    return dict(re.findall(r"^(\S+?)(?:\[\S*\])?==(\S+)", done.stdout, re.MULTILINE))


def install(
    package: str,
    constraint: VersionConstraint,
    context: BuildContext,
    release: Release,
    target: Path,
    *,
    software: str,
    extra: str = "",
    left_out: tuple[str, ...] = (),
) -> str:
    """Install a package into the folder ``target`` by uv, from wheels only, with the hashes of its lock if it has one.

    Args:
        package: Its name on the index, as written in its wheel's name but for hyphens: ``open-webui``.
        constraint: Version, or the beginning of one.
        context: Where the image is being built.
        release: Release of the distribution it will run on.
        target: Folder that becomes its site-packages, with programs in ``bin``.
        software: Its name for people.
        extra: Optional part of it that is installed too.
        left_out: Dependencies that are not installed.

    Returns:
        The version that was installed.

    Raises:
        ImageError: The package index does not have the version, uv failed, or the processor is not supported.
    """
    architecture = context.distribution.architecture
    if architecture not in PLATFORMS:
        raise ImageError(
            f"{software} cannot be installed for {architecture}: only for {' and '.join(PLATFORMS)}. "
            "Bring the image with `docker load`."
        )
    overrides = context.work / f"{package}-overrides.txt"
    overrides.write_text(overrides_without(left_out), encoding="utf-8")
    try:
        program = uv.uv()
    except uv.UvError as error:
        raise ImageError(str(error)) from None
    pin = f"=={constraint.version}" if constraint.exact else f"=={constraint.version}.*"
    context.stage.text = f"uv pip install {package}{pin}"
    glibc = release.glibc.replace(".", "_")
    command = [
        str(program), "pip", "install", "--no-progress", "--no-config", "--only-binary", ":all:",
        "--target", str(target),
        "--python-version", release.python,
        "--python-platform", f"{PLATFORMS[architecture]}-manylinux_{glibc}",
    ]  # fmt: skip
    if is_locked(package, constraint):
        command += ["--require-hashes", "--no-deps", "--requirements", str(lock_of(package))]
    else:
        command += ["--override", str(overrides), f"{package}{f'[{extra}]' if extra else ''}{pin}"]
    done = captured(command, env=uv.environment(os.environ), umask=0o022)
    if done.returncode != 0:
        raise ImageError(_failure(done.stderr, f"{software} {constraint.version}", package, program, release))
    (metadata,) = target.glob(f"{package.replace('-', '_')}-*.dist-info")
    return metadata.name.removesuffix(".dist-info").rpartition("-")[2]


def _failure(printed: str, what: str, package: str, program: Path, release: Release) -> str:
    if f"there is no version of {package}" in printed:
        there = _available_versions(package, program, release)
        return f"there is no {what} on the package index. {there}Ask for one, or bring the image with `docker load`."
    tail = "\n  ".join(printed.strip().splitlines()[-12:])
    return f"uv could not install {what}:\n  {tail}"


def _available_versions(package: str, program: Path, release: Release) -> str:
    """A sentence on the versions there are: uv lists them when asked for one that cannot be."""
    command = [str(program), "pip", "compile", "--no-config", "--no-deps", "--python-version", release.python, "-"]
    asked = captured(command, input=f"{package}>=99999", env=uv.environment(os.environ))
    match = re.search(r"only ([^,]*?)\s+(?:is|are) available", " ".join(asked.stderr.split()))
    return f"It has {match[1]}. " if match else ""
