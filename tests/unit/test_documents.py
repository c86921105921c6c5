"""Links in the documents lead somewhere, and every command in them is run by a test or marked."""

import ast
import functools
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from tests.documents import MARKS, PROJECT, SHELLS, Block, blocks, commands, documents

DOCUMENTS = documents()
LANGUAGES = {*SHELLS, "python", "yaml", "json", "mermaid", "text", "diff"}


def anchor(heading: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(document: Path) -> set[str]:
    text = re.sub(r"(?ms)^```.*?^```", "", document.read_text(encoding="utf-8"))
    return {anchor(heading) for heading in re.findall(r"(?m)^#+ (.+)$", text)}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_to_a_file_and_a_heading_that_exist(name: str) -> None:
    document = PROJECT / name
    links = re.findall(r"\]\((?!https?://)([^)#\s]*)(?:#([^)\s]+))?\)", document.read_text(encoding="utf-8"))
    for path, heading in links:
        target = document.parent / path if path else document
        assert target.exists(), path
        assert not heading or heading in anchors(target), f"{path}#{heading}"


def all_blocks() -> list[Block]:
    return [block for document in DOCUMENTS for block in blocks(document)]


@functools.cache
def run_by_tests() -> set[tuple[str, str]]:
    """Document and heading of each call of ``commands`` in the tests."""
    texts = (module.read_text(encoding="utf-8") for module in sorted((PROJECT / "tests").rglob("*.py")))
    calls = (
        node
        for text in texts
        if "commands(" in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"commands", "documents.commands"}
    )
    arguments = (node.args for node in calls)
    return {
        (str(document.value), str(heading.value))
        for document, heading, *_ in (found for found in arguments if len(found) > 1)
        if isinstance(document, ast.Constant) and isinstance(heading, ast.Constant)
    }


def test_every_fenced_block_says_what_language_it_is_in() -> None:
    wrong = [
        f"{block.document}:{block.line}: ```{block.language}"
        for block in all_blocks()
        if block.language not in LANGUAGES
    ]
    assert wrong == [], f"write one of these after the three backticks: {', '.join(sorted(LANGUAGES))}"


def test_every_mark_is_one_there_is() -> None:
    marked = [block for block in all_blocks() if block.language in SHELLS and block.mark]
    assert [f"{one.document}:{one.line}: {one.mark}" for one in marked if one.mark not in MARKS] == []


def test_every_command_is_run_by_a_test_or_marked() -> None:
    known = run_by_tests()
    left = [block for block in all_blocks() if block.is_to_be_run and (block.document, block.heading) not in known]
    assert [f"{one.document}:{one.line}, below {one.heading!r}" for one in left] == [], (
        "have a test run commands(DOCUMENT, HEADING) of tests/documents.py, or mark the block: "
        + ", ".join(f"```sh {mark}" for mark in MARKS)
    )


def test_every_command_that_a_test_runs_is_in_the_documents() -> None:
    for document, heading in sorted(run_by_tests()):
        assert commands(document, heading)


# The changelog names what is gone, too.
@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name != "CHANGELOG.md"])
def test_every_target_of_make_and_every_module_that_is_named_exists(name: str) -> None:
    makefile = (PROJECT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)^([a-z0-9-]+):", makefile))
    text = (PROJECT / name).read_text(encoding="utf-8")
    named = re.findall(r"(?:`|^|\$ )make (?:-s )?([a-z0-9-]+)(?= |`|$)", text, flags=re.MULTILINE)
    assert set(named) <= targets
    modules = set(re.findall(r"python -m ([a-z_.]+)(?<!\.)", text))
    assert [module for module in modules if not find_spec(module)] == []


ROOMS = (
    "settings", "topologies", "components", "preflight", "verification", "docker_access", "tooling", "tests", "docs",
    "examples", "plugin", "stacks", ".github",
)  # fmt: skip
# The stack file of a reader's own, and a virtual environment, are not in the tree.
PATH = re.compile(rf"`((?:{'|'.join(map(re.escape, ROOMS))})/(?!Pulumi\.|\.venv)[\w./*-]*)`")
FILE = re.compile(r"`(\w+\.(?:py|sh|yml))`")


# Records and the changelog name what was there at their time.
@pytest.mark.parametrize("name", [name for name in DOCUMENTS if "/adr/" not in name and name != "CHANGELOG.md"])
def test_every_folder_and_file_that_is_named_exists(name: str) -> None:
    named = set(PATH.findall((PROJECT / name).read_text(encoding="utf-8")))
    assert [path for path in sorted(named) if not any(PROJECT.glob(path))] == []


@functools.cache
def files_there_are() -> set[str]:
    return {file.name for room in ROOMS for file in (PROJECT / room).rglob("*.*")}


# What others' images and charts have.
OF_OTHERS = {"docs/environment.md": {"start.sh"}}


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if "/adr/" not in name and name != "CHANGELOG.md"])
def test_every_module_and_script_that_is_named_without_its_folder_exists(name: str) -> None:
    named = set(FILE.findall((PROJECT / name).read_text(encoding="utf-8"))) - OF_OTHERS.get(name, set())
    assert named <= files_there_are()


def test_every_page_that_the_code_names_exists_with_its_heading() -> None:
    """Messages send people there."""
    files = [
        file for room in ROOMS for kind in ("py", "yaml", "yml", "sh") for file in (PROJECT / room).rglob(f"*.{kind}")
    ]
    named = {
        (page, heading)
        for file in [*files, *PROJECT.glob("*.*"), PROJECT / "Makefile"]
        if file.is_file() and file.suffix != ".md" and ".venv" not in file.parts
        for page, heading in re.findall(r"(docs/[\w/-]+\.md)(?:#([\w-]+))?", file.read_text(encoding="utf-8"))
    }
    assert len(named) > 20
    missing = [page for page, _ in named if not (PROJECT / page).exists()]
    assert missing == []
    assert [link for link in sorted(named) if link[1] and link[1] not in anchors(PROJECT / link[0])] == []


@functools.cache
def settings_there_are() -> set[str]:
    return set(yaml.safe_load((PROJECT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_setting_that_is_shown_exists(name: str) -> None:
    shown = [
        key
        for block in blocks(name)
        if block.language == "yaml"
        for key in re.findall(r"^ *open-webui:(\w+): ", block.text, flags=re.MULTILINE)
    ]
    assert set(shown) <= settings_there_are()
