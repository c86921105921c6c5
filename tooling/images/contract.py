"""Whether an image is what the official one is, by the contract recorded from the official one's public sources.

Each contract is a file in ``contracts``; docs/images.md says how to read one. An image is looked at without running it
(its configuration, its files) and in throw-away containers without a network. `python -m tooling.images.contract
IMAGE...` is the command; :func:`check` is the function behind it.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import posixpath
import re
import stat
import struct
import sys
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import docker
import docker.errors
import requests.exceptions
import yaml

from docker_access import labels
from docker_access.client import docker_client, failure_text
from docker_access.commands import run_inside
from docker_access.surroundings import print_in_any_encoding
from tooling.images import version
from tooling.images.differences import DIFFERENCES, Difference
from tooling.images.errors import ImageError
from tooling.images.reference import Reference, parse
from tooling.machine.progress import progress, say

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from docker.models.containers import Container

    from tooling.machine.progress import Stage

CONTRACTS: Final = Path(__file__).parent / "contracts"
READY_SECONDS: Final = 60
"""How long a container may take until it answers, where its contract does not say."""
EXIT_SECONDS: Final = 30
"""How long a container may take that is to end by itself."""
DOCKER_SECONDS: Final = 300
_KINDS: Final = {stat.S_IFDIR: "directory", stat.S_IFREG: "file", stat.S_IFLNK: "link"}
_NOT_SET: Final = "not set"
_ABSENT: Final = "absent"
_CAPABILITY: Final = "SCHILY.xattr.security.capability"
_NET_BIND_SERVICE: Final = 10
_ROOT: Final = "/"


@dataclass(frozen=True, kw_only=True)
class Item:
    """One statement of a contract.

    Attributes:
        what: What it is about, for people.
        source: Where the official image's public sources say so.
        expected: What they say: text, or a regular expression for all of it.
        pattern: ``expected`` is a regular expression.
        known: Difference that a local build may have here; None where it may have none.
        local: Regular expression for what it may have instead; empty for anything.
    """

    what: str
    source: str
    expected: str
    pattern: bool
    known: Difference | None
    local: str

    def holds(self, found: str) -> bool:
        """``found`` is what the official image has."""
        return re.fullmatch(self.expected, found) is not None if self.pattern else found == self.expected

    def is_known(self, found: str, marks: Mapping[str, str]) -> bool:
        """``found`` is what an image with these labels may have instead: a local build, where it must differ."""
        return (
            self.known is not None
            and labels.LOCAL_BUILD in marks
            and (not self.known.label or bool(marks.get(self.known.label)))
            and (not self.local or re.fullmatch(self.local, found) is not None)
        )


@dataclass(frozen=True, kw_only=True)
class Finding:
    """An item that an image does not keep.

    Attributes:
        item: What the official image has.
        found: What this one has.
    """

    item: Item
    found: str

    def line(self) -> str:
        """For people."""
        item = self.item
        relation = "matches" if item.pattern else "is"
        return f"{item.what}: {_short(self.found)}. Official {relation} {_short(item.expected)} ({item.source})"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What came of checking an image.

    Attributes:
        image: Its reference.
        origin: Where it is from, for people.
        checked: Items that were looked at.
        broken: Items it does not keep, and should.
        known: Items it need not keep, being built on this machine.
    """

    image: str
    origin: str
    checked: int
    broken: tuple[Finding, ...]
    known: tuple[Finding, ...]

    def lines(self) -> Iterator[str]:
        """For people: the count, each difference once with its reason, each fault."""
        kept = self.checked - len(self.broken) - len(self.known)
        yield f"{self.image} ({self.origin}): {kept} of {self.checked} items as in the official image"
        for difference in dict.fromkeys(finding.item.known for finding in self.known):
            if difference is not None:
                items = [finding.item.what for finding in self.known if finding.item.known is difference]
                yield f"  differs, allowed: {difference.what} ({', '.join(items)}). Why: {difference.why}"
        for finding in self.broken:
            yield f"  BROKEN: {finding.line()}"


def check(
    client: docker.DockerClient, text: str, *, software: str = "", cases: Collection[str] | None = None
) -> Report:
    """Hold an image that Docker has against the contract of its software.

    Args:
        client: The Docker daemon; its timeout should be minutes, for an image's files are read through it.
        text: Reference of the image.
        software: Name of the contract, such as ``valkey``; empty for the last part of the image's repository.
        cases: Which of the contract's containers are run, by what they are; None for all.

    Returns:
        What differs. The containers it took are gone.

    Raises:
        ImageError: There is no such image, or no contract for it.
    """
    reference = parse(text)
    name = software or reference.name
    path = CONTRACTS / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in CONTRACTS.glob("*.yaml")))
        raise ImageError(f"{text}: there is no contract for {name!r}; there is one for {known}. Name one by --as.")
    if "slim" in reference.tag.split("-"):
        raise ImageError(f"{text}: the contract records Open WebUI's main variant; none is recorded for the slim one.")
    try:
        image = client.images.get(text)
    except docker.errors.ImageNotFound:
        raise ImageError(f"{text} is not present: have it by `docker pull` or `python -m tooling.images`.") from None
    marks: dict[str, str] = image.labels or {}
    with progress(f"checking {text}") as stage:
        examination = _Examination(client, str(image.id), image.attrs["Config"], marks, stage)
        contract = _Contract(
            yaml.safe_load(path.read_text(encoding="utf-8")), _names(reference, examination.environment)
        )
        pairs = list(examination.all(contract, cases))
    failed = [Finding(item=item, found=found) for item, found in pairs if not item.holds(found)]
    allowed = [finding for finding in failed if finding.item.is_known(finding.found, marks)]
    built = marks.get(labels.LOCAL_BUILD)
    return Report(
        image=text,
        origin=f"built locally from {built}" if built else "not built here",
        checked=len(pairs),
        broken=tuple(finding for finding in failed if finding not in allowed),
        known=tuple(allowed),
    )


def _names(reference: Reference, environment: Mapping[str, str]) -> dict[str, str]:
    """What stands in braces in a contract: the tag's version, and the image's own variables."""
    # What Open WebUI calls itself when it does not know its version is none.
    any_version, any_major = r"(?!0\.0\.0)\d+(\.\d+)+", r"\d+"
    names = {"VERSION": any_version, "NEIGHBOUR": any_version, "TAG_MAJOR": any_major}
    if version.is_version(reference.tag):
        wanted = version.of_tag(reference.tag, "")
        numbers, _, major = wanted.version.partition("-pg")
        names["TAG_MAJOR"] = major or any_major
        names["VERSION"] = re.escape(numbers) + ("" if wanted.exact else r"(\.\d+)*")
        names["NEIGHBOUR"] = re.escape(".".join(numbers.split(".")[:2])) + r"\.\d+"
    return {**environment, **names}


class _Contract:
    """The content of a contract's file, with names in braces replaced."""

    def __init__(self, content: dict[str, Any], names: Mapping[str, str]) -> None:
        self.sources: dict[str, str] = content["sources"]
        self.names = names
        self.content = content

    def section(self, name: str) -> dict[str, Any]:
        """A section of the file; empty if it has none."""
        found: dict[str, Any] = self.content.get(name) or {}
        return {self.filled(key): value for key, value in found.items()}

    def item(self, what: str, entry: Mapping[str, Any], expected: str | None = None) -> Item:
        """An entry of a section; ``expected`` where the entry itself does not say it."""
        source, _, line = str(entry["source"]).partition(":")
        pattern = expected is None and "like" in entry
        said = entry["like"] if pattern else _text(entry["is"]) if expected is None else expected
        return Item(
            what=what,
            source=self.sources[source] + (f"#L{line}" if line else ""),
            expected=self.filled(said),
            pattern=pattern,
            known=DIFFERENCES[entry["known"]] if "known" in entry else None,
            local=self.filled(entry.get("local", "")),
        )

    def filled(self, text: str) -> str:
        return re.sub(r"\{([A-Z_]+)\}", lambda match: self.names.get(match[1], match[0]), text)


class _Examination:
    """One image under examination."""

    def __init__(
        self, client: docker.DockerClient, image: str, config: dict[str, Any], marks: Mapping[str, str], stage: Stage
    ) -> None:
        self._client = client
        self._image = image
        self._config = config
        self._local = labels.LOCAL_BUILD in marks
        self._stage = stage
        self.environment = dict(entry.split("=", 1) for entry in config.get("Env") or [])

    def all(self, contract: _Contract, cases: Collection[str] | None) -> Iterator[tuple[Item, str]]:
        """Every item with what the image has."""
        yield from self._configuration(contract)
        self._stage.text = "reading its files"
        yield from self._files(contract, self._read_files())
        for case in contract.content.get("containers") or []:
            if cases is None or case["what"] in cases:
                self._stage.text = f"running it: {case['what']}"
                yield from self._container(contract, case)

    def _configuration(self, contract: _Contract) -> Iterator[tuple[Item, str]]:
        for key, entry in contract.section("config").items():
            yield contract.item(key, entry), _text(self._setting(key))
        expected = contract.section("environment")
        for name, entry in expected.items():
            yield (
                contract.item(f"variable {name}", entry),
                _text(self.environment[name]) if name in self.environment else _NOT_SET,
            )
        further = ", ".join(sorted(self.environment.keys() - expected.keys())) or "none"
        yield contract.item("further variables", {"source": next(iter(contract.sources))}, "none"), further

    def _setting(self, key: str) -> Any:
        value = self._config.get(key)
        if key == "Healthcheck":
            value = (value or {}).get("Test")
        return sorted(value) if isinstance(value, dict) else value

    def _read_files(self) -> _Files:
        container = self._client.containers.create(self._image, ["true"], network_mode="none")
        try:
            content: Any = container.export()  # typed as text, and is bytes
            files = _Files(content)
            # What stands behind the archive's end is read too: a stream that is left keeps its connection.
            for _ in content:
                pass
            return files
        finally:
            container.remove(force=True, v=True)

    def _files(self, contract: _Contract, files: _Files) -> Iterator[tuple[Item, str]]:
        for path, entry in contract.section("paths").items():
            yield contract.item(path, entry), files.describe(path)
        for what, entry in contract.section("nowhere").items():
            if entry.get("only") != "local" or self._local:
                yield contract.item(what, entry, "nowhere"), files.matching(contract.filled(entry["is"])) or "nowhere"
        folders = self.environment.get("PATH", "").split(":")
        for name, entry in contract.section("programs").items():
            there = any(files.is_program(f"{folder}/{name}") for folder in folders)
            yield contract.item(f"program {name}", entry, "on PATH"), "on PATH" if there else "not on PATH"
        for name, entry in contract.section("users").items():
            yield contract.item(f"user {name}", entry), files.users.get(name, _ABSENT)

    def _container(self, contract: _Contract, case: Mapping[str, Any]) -> Iterator[tuple[Item, str]]:
        with self._running(case) as container:
            failure = self._wait_until_ready(container, case) if "ready" in case else ""
            log = "" if "ready" in case else self._ended(container)
            for what, entry in case["asks"].items():
                found = failure or (_ask(self._client, container, entry) if "run" in entry else log)
                yield contract.item(f"{case['what']}: {what}", entry), found

    @contextlib.contextmanager
    def _running(self, case: Mapping[str, Any]) -> Iterator[Container]:
        options: dict[str, Any] = {
            "network_mode": "none",
            "entrypoint": case.get("entrypoint"),
            "environment": case.get("environment"),
            "user": case.get("user"),
            "tmpfs": case.get("tmpfs"),
            # An image's own check would only be in the way.
            "healthcheck": {"test": ["NONE"]},
        }
        if case.get("bare"):
            options |= {"cap_drop": ["ALL"], "read_only": True, "security_opt": ["no-new-privileges"]}
            options["cap_add"] = case.get("capabilities")
        container = self._client.containers.create(self._image, case.get("command"), **options)
        try:
            with contextlib.suppress(docker.errors.APIError):
                # What cannot even be started has an exit code that says so.
                container.start()
            yield container
        finally:
            container.remove(force=True, v=True)

    def _wait_until_ready(self, container: Container, case: Mapping[str, Any]) -> str:
        """Empty once the container answers; else why it does not."""
        seconds = case.get("seconds", READY_SECONDS)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            container.reload()
            if container.status != "running":
                return f"it does not run: {self._ended(container)}"
            if container.exec_run(case["ready"]).exit_code == 0:
                return ""
            time.sleep(0.2)
        return f"it did not answer within {seconds} s: {_log(container)}"

    def _ended(self, container: Container) -> str:
        try:
            code = container.wait(timeout=EXIT_SECONDS)["StatusCode"]
        except (requests.exceptions.RequestException, docker.errors.APIError):
            return f"it did not end within {EXIT_SECONDS} s: {_log(container)}"
        return f"exit {code}\n{_log(container)}"


def _ask(client: docker.DockerClient, container: Container, entry: Mapping[str, Any]) -> str:
    """What a command in a container prints; a failure of it too."""
    ran = run_inside(client.api, str(container.id), entry["run"], user=entry.get("as", ""))
    said = f"{ran.output}{ran.error}".strip()
    return said if ran.exit_code == 0 else f"exit {ran.exit_code}: {said}"


def _log(container: Container) -> str:
    return container.logs(tail=40).decode(errors="replace").strip()


class _Files:
    """The files of an image, read once from the archive that Docker makes of them."""

    def __init__(self, archive: Iterable[bytes]) -> None:
        self._members: dict[str, tarfile.TarInfo] = {}
        self.users: dict[str, str] = {}
        with tarfile.open(fileobj=io.BufferedReader(_Stream(archive), 1 << 20), mode="r|") as tar:
            for member in tar:
                path = posixpath.normpath(f"/{member.name}")
                if path == "/etc/passwd" and (content := tar.extractfile(member)):
                    entries = (line.split(":") for line in content.read().decode().splitlines() if line.count(":") > 3)  # noqa: PLR2004 - name, password, uid, gid
                    self.users = {entry[0]: f"{entry[2]}:{entry[3]}" for entry in entries}
                self._members[path] = member

    def describe(self, path: str) -> str:
        """Kind, owner, mode and capabilities of what is at a path, links followed; :data:`_ABSENT` where nothing is."""
        member = self._found(path)
        if member is None:
            return _ABSENT
        kind = "directory" if member.isdir() else "file" if member.isreg() else "special"
        parts = [kind, f"{member.uid}:{member.gid}", f"{member.mode & 0o7777:04o}"]
        if capability := member.pax_headers.get(_CAPABILITY):
            parts.append(_capabilities(capability.encode("utf-8", "surrogateescape")))
        return " ".join(parts)

    def matching(self, pattern: str) -> str:
        """Some paths that match all of ``pattern``; empty if none does."""
        compiled = re.compile(pattern)
        found = [path for path in self._members if compiled.fullmatch(path)]
        return ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")  # noqa: PLR2004

    def is_program(self, path: str) -> bool:
        """There is a file that may be run."""
        member = self._found(path)
        return member is not None and member.isreg() and bool(member.mode & 0o111)

    def _found(self, path: str, links: int = 20) -> tarfile.TarInfo | None:
        """The file, folder or device at a path, with every link on the way followed."""
        at = _ROOT
        parts = [part for part in path.split("/") if part]
        for number, part in enumerate(parts):
            at = posixpath.normpath(posixpath.join(at, part))
            member = self._members.get(at)
            if member is None:
                return None
            if member.islnk():
                member = self._members.get(posixpath.normpath(f"/{member.linkname}"), member)
            if member.issym():
                if links == 0:
                    return None
                target = posixpath.join(posixpath.dirname(at), member.linkname, *parts[number + 1 :])
                return self._found(posixpath.normpath(target), links - 1)
        return member if parts else None


class _Stream(io.RawIOBase):
    """Chunks as a file."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _capabilities(attribute: bytes) -> str:
    """A file's capabilities as getcap says them: struct vfs_cap_data of linux/capability.h."""
    magic, permitted, inheritable, *_ = struct.unpack_from("<III", attribute.ljust(12, b"\0"))
    flags = "".join(letter for letter, there in (("e", magic & 1), ("i", inheritable), ("p", permitted)) if there)
    name = (
        "cap_net_bind_service" if permitted | inheritable == 1 << _NET_BIND_SERVICE else f"{permitted | inheritable:#x}"
    )
    return f"{name}={flags}"


def _text(value: Any) -> str:
    """A value as it is compared: text as it is, nothing as nothing however it is said, the rest as JSON."""
    if value in (None, "", [], {}):
        return "nothing"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _short(text: str) -> str:
    return repr(text if len(text) <= 300 else f"{text[:300]}...")  # noqa: PLR2004 - a line or two


def hold(client: docker.DockerClient, references: Iterable[str], *, software: str = "") -> int:
    """Check images and print what comes of it; 1 where one breaks its contract or cannot be checked, else 0."""
    code = 0
    for reference in references:
        try:
            report = check(client, reference, software=software)
        except ImageError as error:
            say(f"error: {error}")
            code = 1
            continue
        print("\n".join(report.lines()), flush=True)
        code = code or int(bool(report.broken))
    return code


def main(arguments: list[str] | None = None) -> int:
    """Check each image named on the command line; exit code 1 where one breaks its contract."""
    print_in_any_encoding()
    parser = argparse.ArgumentParser(prog="python -m tooling.images.contract", description=__doc__)
    parser.add_argument("references", nargs="+", metavar="IMAGE_REFERENCE")
    parser.add_argument("--as", dest="software", default="", help="contract to hold them against, such as valkey")
    options = parser.parse_args(arguments)
    try:
        return hold(docker_client(DOCKER_SECONDS), options.references, software=options.software)
    except docker.errors.APIError as error:
        say(f"error: Docker refused: {error.explanation or error}")
    except docker.errors.DockerException as error:
        say(f"error: Docker does not answer: {failure_text(error)}. Start it, or set DOCKER_HOST.")
    except KeyboardInterrupt:
        return 130
    return 1


if __name__ == "__main__":
    sys.exit(main())
