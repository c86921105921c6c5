"""The README says what the project file says."""

from pathlib import Path

import yaml

START = "<!-- settings: checked against Pulumi.yaml by tests/unit/test_readme.py -->\n"
END = "<!-- end of settings -->"


def settings_table() -> str:
    """The settings table as it follows from ``Pulumi.yaml``."""
    config = yaml.safe_load(Path("Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    rows = (
        f"| `{key}` | `{yaml.safe_dump(declared['default']).splitlines()[0]}` | {declared['description']} |"
        for key, declared in config.items()
    )
    return "\n".join(["| key | default | what it does |", "|---|---|---|", *rows, ""])


def test_the_settings_table_is_that_of_the_project_file() -> None:
    readme = Path("README.md").read_text(encoding="utf-8")
    assert readme.partition(START)[2].partition(END)[0] == settings_table()


def test_every_target_the_readme_names_exists() -> None:
    readme = Path("README.md").read_text(encoding="utf-8")
    makefile = Path("Makefile").read_text(encoding="utf-8")
    for target in ("up", "test", "preview", "refresh", "verify", "outputs", "destroy"):
        assert target in readme
        assert f"\n{target}:" in makefile


def test_every_document_the_readme_links_to_exists() -> None:
    readme = Path("README.md").read_text(encoding="utf-8")
    for link in ("docs/architecture.md", "docs/operations.md", "docs/troubleshooting.md", "docs/adr/", "LICENSE"):
        assert f"]({link})" in readme
        assert Path(link).exists()
