"""The fault catalogue produces every cause there is."""

from tests.integration.catalogue import FAULTS
from verification.causes import CAUSES
from verification.checks import CHECKS


def test_every_cause_is_produced_by_a_fault() -> None:
    produced = {cause for fault in FAULTS for cause in fault.causes.values()}
    assert set(CAUSES) - produced == set()


def test_every_fault_has_a_name_of_its_own() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names))


def test_every_fault_names_checks_that_there_are() -> None:
    named = {check for fault in FAULTS for check in fault.causes}
    assert named <= {check.id for check in CHECKS}
