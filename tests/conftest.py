"""What is left out, and why."""

from pathlib import Path

import pytest

from launcher.engines import obstacle_to_cli


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the tests of the Pulumi CLI where a deployment would not run it either, and say the same reason."""
    theirs = [item for item in items if item.get_closest_marker("pulumi_cli")]
    if theirs and (obstacle := obstacle_to_cli(Path(__file__).parent.parent, asked=False)):
        for item in theirs:
            item.add_marker(pytest.mark.skip(reason=f"needs the Pulumi CLI: {obstacle}"))
