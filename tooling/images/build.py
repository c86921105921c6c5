"""From a specification to an image: mmdebstrap makes the root file system, Docker imports it as it is made.

Nothing runs in a container and nothing but packages is downloaded; the root file system is never kept.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import docker
import docker.errors

from docker_access import labels
from docker_access.pulls import error_of
from settings.references import Reference
from tooling.images.debian import Distribution, Source, mmdebstrap
from tooling.images.errors import ImageError
from tooling.machine.progress import Stage

_HOOKS: Final = Path("/usr/share/mmdebstrap/hooks")
_UNWANTED: Final = (
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/info/*",
    "/usr/share/locale/*",
    "/usr/share/lintian/*",
)
# Packages are unpacked and their scripts not run: what a container needs of what those make is made here.
_FIRST_HOOKS: Final = (
    'cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"',
    'cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"',
    'rm -rf "$1/var/run" && ln -s /run "$1/var/run"',
    '[ -e "$1/etc/nsswitch.conf" ] || cp "$1/usr/share/libc-bin/nsswitch.conf" "$1/etc/nsswitch.conf"',
    '[ ! -e "$1/usr/bin/mawk" ] || ln -sf mawk "$1/usr/bin/awk"',
    '[ ! -e "$1/usr/bin/which.debianutils" ] || ln -sf which.debianutils "$1/usr/bin/which"',
)
# The addresses of this machine's mirrors and proxies are nobody else's business.
_LAST_HOOKS: Final = ('rm -rf "$1"/etc/apt/sources.list* "$1/etc/apt/apt.conf.d/99mmdebstrap"',)
_STEPS: Final = {
    "running apt-get update": "apt-get update",
    "downloading packages": "downloading packages",
    "extracting archives": "unpacking packages",
    "running --extract-hook": "completing the root file system",
}
BASE_PACKAGES: Final = (
    "base-files", "base-passwd", "dash", "coreutils", "debianutils", "findutils", "grep", "gzip", "hostname",
    "libc-bin", "mawk", "sed", "tar",
)  # fmt: skip
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, kw_only=True)
class BuildContext:
    """Where an image is being built.

    Attributes:
        distribution: Where packages come from.
        cache: Folder that stays for the next build.
        work: Folder that goes away with this build.
        stage: Tells people what is going on.
        bytecode: Python's bytecode is to be compiled into the image, which the official one has not.
    """

    distribution: Distribution
    cache: Path
    work: Path
    stage: Stage
    bytecode: bool = False


@dataclass(frozen=True, kw_only=True)
class ImageSpec:
    """Everything there is to know for building one image.

    Attributes:
        version: Version of the software in it.
        origin: What it is made from, for the label: ``PyPI open-webui 0.12.4``.
        suite: Release of the distribution under it.
        sources: Where its packages come from.
        packages: Distribution packages in it, with :data:`BASE_PACKAGES` or what stands for them; ``name=version``
            pins one.
        tree: Folder that is laid over the root file system; everything in it will belong to root.
        hooks: Shell commands run on the root file system ``$1`` after that.
        environment: Its ``ENV``.
        instructions: Other Dockerfile instructions that ``docker import --change`` takes.
        stop_signal: Its ``STOPSIGNAL``; empty leaves Docker's default.
        stands_in_for: Version that was asked for, where this is its nearest neighbour; empty where it is the one.
        image_labels: Its labels, beside those that every local build has.
    """

    version: str
    origin: str
    suite: str
    sources: tuple[Source, ...]
    packages: tuple[str, ...]
    tree: Path
    hooks: tuple[str, ...]
    environment: Mapping[str, str]
    instructions: tuple[str, ...]
    stop_signal: str = ""
    stands_in_for: str = ""
    image_labels: Mapping[str, str] = field(default_factory=dict)

    def changes(self) -> list[str]:
        """Dockerfile instructions for ``docker import``."""
        image_labels = {labels.LOCAL_BUILD: self.origin, labels.IMAGE_VERSION: self.version, **self.image_labels}
        if self.stands_in_for:
            image_labels[labels.STANDS_IN_FOR] = self.stands_in_for
        return [
            *(f"ENV {name}={json.dumps(value)}" for name, value in {"PATH": PATH, **self.environment}.items()),
            *(f"LABEL {name}={json.dumps(value)}" for name, value in image_labels.items()),
            *self.instructions,
        ]


def build(client: docker.DockerClient, context: BuildContext, spec: ImageSpec, reference: Reference) -> None:
    """Build ``spec`` and tag it ``reference``.

    Raises:
        ImageError: mmdebstrap or Docker failed; the end of what they printed is in the text.
    """
    command = _command(context, spec)
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # Files of the tree must be readable for the other user that mmdebstrap works as when we are not root.
        umask=0o022,
        # Stopped, mmdebstrap hangs up on its whole process group, which must not be ours.
        process_group=0,
    ) as process:
        if process.stdout is None or process.stderr is None:
            raise AssertionError
        log: list[str] = []
        listener = threading.Thread(target=_listen, args=(process.stderr, log, context.stage), daemon=True)
        listener.start()
        try:
            image = _import(client, _chunks(process.stdout, context.stage), spec.changes())
        except BaseException as error:
            # Not killed: it has a root file system to clean up. Under sudo it is not ours to stop; it then ends at
            # the next byte that nobody takes.
            with contextlib.suppress(PermissionError):
                process.terminate()
            if isinstance(error, docker.errors.APIError):
                raise ImageError(f"Docker could not import {reference}: {error.explanation or error}") from None
            raise
        finally:
            process.stdout.close()
            listener.join()
    if process.returncode != 0:
        client.images.remove(image)
        raise ImageError(
            f"mmdebstrap could not make the root file system of {reference} from {spec.suite} "
            f"(exit code {process.returncode}):\n  "
            + "\n  ".join(log[-8:])
            + "\nIt uses the mirrors apt is configured with here: check that `apt-get update` works. Without root it "
            "needs user namespaces and a range of ids in /etc/subuid."
        )
    if spec.stop_signal:
        _set_stop_signal(client, image, spec.stop_signal, reference)
    else:
        client.images.get(image).tag(reference.repository, reference.tag)


def _command(context: BuildContext, spec: ImageSpec) -> list[str]:
    options = context.work / "apt.conf"
    options.write_text("\n".join(context.distribution.apt_options) + "\n", encoding="utf-8")
    tree = f'cp -r --preserve=mode,links {shlex.quote(str(spec.tree))}/. "$1"'
    merged_usr = _HOOKS / "merged-usr"
    return [
        *mmdebstrap(),
        "--variant=extract",
        "--format=tar",
        # Folders that a service needs in /run are part of its image.
        "--skip=output/dev,cleanup/run",
        f"--aptopt={options}",
        *([f"--hook-dir={merged_usr}"] if merged_usr.is_dir() else []),
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _UNWANTED),
        f"--include={','.join(spec.packages)}",
        *(f"--extract-hook={hook}" for hook in (*_FIRST_HOOKS, tree, *spec.hooks, *_LAST_HOOKS)),
        spec.suite,
        "-",
        *(source.line() for source in spec.sources),
    ]


def _listen(stream: IO[bytes], log: list[str], stage: Stage) -> None:
    """Keep what mmdebstrap prints, and show its ``I: ...`` lines that name a step."""
    for raw in stream:
        line = raw.decode(errors="replace").rstrip()
        log.append(line)
        for beginning, text in _STEPS.items():
            if line.startswith(f"I: {beginning}"):
                stage.text = text


def _chunks(stream: IO[bytes], stage: Stage) -> Iterator[bytes]:
    sent = 0
    while chunk := stream.read(1 << 20):
        sent += len(chunk)
        stage.text = f"importing into Docker, {sent >> 20} MB"
        yield chunk
    stage.text = f"Docker finishes the import of {sent >> 20} MB"


def _import(client: docker.DockerClient, content: Iterator[bytes], changes: list[str]) -> str:
    """Import a tar stream; the id of the image."""
    answer: str = client.api.import_image(src=content, stream_src=True, changes=changes)
    last: dict[str, Any] = json.loads(answer.splitlines()[-1])
    if failure := error_of(last):
        raise docker.errors.APIError(failure)
    return str(last["status"])


def _set_stop_signal(client: docker.DockerClient, image: str, signal: str, reference: Reference) -> None:
    """Tag ``reference`` an image that only adds a stop signal: ``docker import`` has no change for that."""
    container = client.containers.create(image)
    try:
        container.commit(reference.repository, reference.tag, conf={"StopSignal": signal})
    finally:
        container.remove(v=True)
    # To the graph driver it is the hidden parent of the other, and stays; the containerd store would show it as <none>.
    with contextlib.suppress(docker.errors.APIError):
        client.images.remove(image)
