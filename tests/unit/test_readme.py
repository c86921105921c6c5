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
