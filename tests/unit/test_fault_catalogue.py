"""The fault catalogue produces every cause there is, and docs/faults.md tells what it asserts."""

from tests.integration.catalogue import FAULTS, THEMES
from tests.integration.catalogue.page import PAGE, page
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


def test_the_page_tells_what_is_asserted_of_each_fault() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(THEMES), "python -m tests.integration.catalogue.page writes it"
