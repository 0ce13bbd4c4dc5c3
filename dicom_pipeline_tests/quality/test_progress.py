"""The two checks of how loading goes on."""

import pytest

from dicom_pipeline.quality.catalogue import Severity
from dicom_pipeline.quality.progress import due_date_findings, failed_dates_findings


@pytest.mark.parametrize(
    ("expected", "loaded", "passed"), [(True, True, True), (True, False, False), (False, False, True)]
)
def test_a_date_that_is_due_must_be_loaded(expected: bool, loaded: bool, passed: bool) -> None:
    found = due_date_findings(expected=expected, loaded=loaded)
    assert (found.passed, found.severity, found.blocks) == (passed, Severity.ERROR, False)
    assert found.counts == {"expected": int(expected), "missing": int(not passed)}


def test_failed_dates_are_counted() -> None:
    assert failed_dates_findings(0, 7).passed
    found = failed_dates_findings(2, 5)
    assert (found.passed, found.counts) == (False, {"failed": 2, "loaded": 5})
