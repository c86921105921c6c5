"""What documents have people write holds data and secrets: it is written outside the project, and git ignores it."""

import re
import shutil
import subprocess
from pathlib import Path

import pathspec
import pytest

from tests.documents import PROJECT, SHELLS, blocks, documents

COMMITTED = {"stacks/Pulumi.team.yaml"}
"""What is written into the project to be kept in git."""
INSIDE = {"preview.json", "team.json.moved"}
"""What is written into the project although it is not to be kept: the names alone of a preview, and a state beside its
own."""
WRITES = (
    r"(?<![<>&\w'])>\s*([^\s&|;)(]+)",  # a redirection
    r"\bexport .*--file\s+(\S+)",
    r"\bdocker cp \S+:\S+ (\S+)",
    r"\btar\b[^|;]*-cf\s+([^-\s]\S*)",
    r"\bcp -r \S+ (\S+)",
    r"\bmv \S+ ([^\s)']+)",
    r"\bmkdir -p (\S+)",
)
NAMED = r"`([\w./~-]*(?:\.(?:tar|dump|rdb|db|sql|crt|pem|key)|passphrase|pulumi-state))/?`"
PLANTED = (
    "open-webui.tar", "data.tar.gz", "backups/valkey.tar", "openwebui.dump", "dump.sql", "dump.sql.gz", "dump.rdb",
    "webui.db", "webui.db-wal", "vectors.sqlite3", "pulumi-state/x", "pulumi-state-2026/.pulumi/stacks/a.json",
    ".pulumi-state/x", ".pulumi-state.old/x", "team.json", "preview.json", "subject.json", "passphrase",
    "new-passphrase-twice", "docs/my-passphrase.txt", "stacks/passphrase", ".env", "prod.env", "root.crt", "ca.pem",
    "openwebui.dump.gz", "openwebui.dump.bak", "dump.zst", "data.xz", "appendonlydir/appendonly.aof.1.incr.aof",
    "webui.db.bak", ".env.prod", "server.p12", "tls/key.pem", "server.key", ".cache/x", ".artifacts/x",
)  # fmt: skip


def ignored(paths: list[str], folder: Path) -> set[str]:
    """Which of these paths git would not add, by the project's own rules alone."""
    rules = (PROJECT / ".gitignore").read_text(encoding="utf-8")
    read_here = set(pathspec.GitIgnoreSpec.from_lines(rules.splitlines()).match_files(paths))
    # A machine need not have git for the tests; where it has, git is who decides.
    if not shutil.which("git"):
        return read_here
    subprocess.run(["git", "init", "--quiet", folder], check=True)
    (folder / ".gitignore").write_text(rules, encoding="utf-8")
    asked = subprocess.run(
        ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "--stdin"], cwd=folder,
        input="\n".join(paths), capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = set(asked.stdout.splitlines())
    assert found == read_here, asked.stderr
    return found


def written() -> list[tuple[str, str]]:
    """Each path that a command of a document writes, and where it stands."""
    found = []
    for document in documents():
        for block in blocks(document):
            if block.language in SHELLS:
                lines = block.commands.replace("\\\n", " ")
                paths = [path for pattern in WRITES for path in re.findall(pattern, lines)]
                found += [(path, f"{document}:{block.line}") for path in paths if not path.startswith("/dev/")]
    return found


def test_commands_write_people_s_data_outside_of_the_project() -> None:
    found = written()
    assert len(found) > 15
    inside = {path: place for path, place in found if not path.startswith(("~", "/", "$", "open-webui/"))}
    assert inside.keys() == COMMITTED | INSIDE, inside


def test_each_file_that_a_document_names_as_written_is_ignored(tmp_path: Path) -> None:
    names = {
        name.removeprefix("~/") + ("/x" if name.endswith("pulumi-state") else "")
        for document in documents()
        for name in re.findall(NAMED, (PROJECT / document).read_text(encoding="utf-8"))
        if not name.startswith("/")
    }
    written_here = {path.rpartition("/")[2] for path, _ in written() if path not in COMMITTED}
    files = sorted(names | {name for name in written_here if "." in name} - {"team.json.moved"})
    assert {".pulumi-state/passphrase", "data.tar", "openwebui.dump", "webui.db"} <= set(files)
    assert set(files) == ignored(files, tmp_path)


def test_a_backup_or_a_secret_is_not_added(tmp_path: Path) -> None:
    assert set(PLANTED) - ignored(list(PLANTED), tmp_path) == set()


def test_what_belongs_into_the_project_is_added(tmp_path: Path) -> None:
    folders = ("docs", "stacks", "components", "tooling/images/files", "tests/engine/data")
    own = [str(path.relative_to(PROJECT)) for folder in folders for path in (PROJECT / folder).glob("*.*")]
    assert {"stacks/Pulumi.prod.yaml", "docs/operations.md", "tests/engine/data/docker_image.json"} <= set(own)
    assert ignored(own, tmp_path) == set()


CLAIM = re.compile(r"kept encrypted|stores .*encrypted|in the state, encrypted|plain text in the state|\bsealed\b")


def paragraphs(document: str) -> list[str]:
    """What stands together: a paragraph, a point of a list or a row of a table, on one line, without what is fenced."""
    text = re.sub(r"(?ms)^ *```.*?^ *```", "", (PROJECT / document).read_text(encoding="utf-8"))
    parts = re.split(r"\n\s*\n|\n(?=\s*[-*|] )", text)
    return [" ".join(part.split()) for part in parts]


@pytest.mark.parametrize("document", [name for name in documents() if "/adr/" not in name])
def test_where_encryption_is_claimed_it_is_said_where_the_passphrase_lies(document: str) -> None:
    link = "(#the-passphrase)" if document == "docs/engines.md" else "engines.md#the-passphrase)"
    silent = [part for part in paragraphs(document) if CLAIM.search(part) and link not in part]
    assert not silent
    if document == "docs/engines.md":
        assert "There it lies beside the state that it seals." in " ".join(paragraphs(document))
