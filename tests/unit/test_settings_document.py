"""``docs/settings.md`` says what the project file says."""

import yaml

from tests.documents import PROJECT

PAGE = PROJECT / "docs/settings.md"
START = "<!-- settings: checked against Pulumi.yaml by tests/unit/test_settings_document.py -->\n"
END = "<!-- end of settings -->\n"


def settings_table() -> str:
    """The settings table as it follows from ``Pulumi.yaml``."""
    config = yaml.safe_load((PROJECT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    rows = (
        f"| `{key}` | `{yaml.safe_dump(declared['default']).splitlines()[0]}` | {declared['description']} |"
        for key, declared in config.items()
    )
    return "\n".join(["| key | default | what it does |", "|---|---|---|", *rows, ""])


def test_the_settings_table_is_that_of_the_project_file() -> None:
    assert PAGE.read_text(encoding="utf-8").partition(START)[2].partition(END)[0] == settings_table()
