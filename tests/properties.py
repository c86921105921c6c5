"""How properties are tried (hypothesis): the same examples each time, unless others are asked for.

``TESTS_EXAMPLES=5000 .venv/bin/python -m pytest -k properties`` draws as many others, by chance; what fails is printed
with the line that draws it again. Apply ``TRIED`` or ``TRIED_LESS`` above ``@given``.

Source: https://hypothesis.readthedocs.io/en/latest/reference/api.html#settings
"""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, settings

_ASKED: Final = int(os.environ.get("TESTS_EXAMPLES", "0"))


def _tried(examples: int) -> settings:
    return settings(
        max_examples=_ASKED or examples,
        derandomize=not _ASKED,
        print_blob=True,
        # A busy machine is no fault, and nothing is to be kept in the project's folder.
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
        database=None,
    )


TRIED: Final = _tried(50)
"""For what takes milliseconds."""

TRIED_LESS: Final = _tried(25)
"""For what takes tens of them."""
