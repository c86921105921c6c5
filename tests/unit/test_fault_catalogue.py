"""The fault catalogue produces every cause there is."""

from tests.integration.catalogue import FAULTS
from verification.causes import CAUSES


def test_every_cause_is_produced_by_a_fault() -> None:
    produced = {cause for fault in FAULTS for cause in fault.causes.values()}
    assert set(CAUSES) - produced == set()
