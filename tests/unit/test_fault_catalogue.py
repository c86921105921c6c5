"""The fault catalogue produces every cause there is, and docs/faults.md tells what it asserts."""

from tests.integration.catalogue import FAULTS, THEMES
from tests.integration.catalogue.page import PAGE, page
from verification.checks.causes import CAUSES


def test_every_cause_is_produced_by_a_fault() -> None:
    produced = {cause for fault in FAULTS for cause in fault.causes.values()}
    assert set(CAUSES) - produced == set()


def test_the_page_tells_what_is_asserted_of_each_fault() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(THEMES), "python -m tests.integration.catalogue.page writes it"
