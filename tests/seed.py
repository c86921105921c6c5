"""What draws the points of a sweep and the quarter of the faults that `make test` tries: another every day."""

from __future__ import annotations

import datetime as dt
import os
from typing import Final

SEED: Final = int(os.environ.get("TESTS_SEED") or dt.datetime.now(dt.UTC).date().toordinal())
"""The day, unless ``TESTS_SEED`` repeats another's."""
