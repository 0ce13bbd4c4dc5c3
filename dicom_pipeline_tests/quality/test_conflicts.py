"""What the checks over all dates report."""

import pytest

from dicom_pipeline.quality.catalogue import PARTITIONED_CHECKS, STANDING_CHECKS, CheckSpec, Severity
from dicom_pipeline.quality.conflicts import Conflict, conflict_findings

CONFLICTS = [spec for spec in STANDING_CHECKS if spec.name in {"sop_instance_in_one_place", "study_of_one_patient"}]


@pytest.mark.parametrize("spec", CONFLICTS, ids=lambda spec: spec.name)
def test_a_conflict_is_a_warning_with_counts_and_few_hashes(spec: CheckSpec) -> None:
    found = conflict_findings(spec.name, Conflict(50, 101, tuple(map(str, range(50)))))
    assert (found.passed, found.severity, found.blocks, found.spec) == (False, Severity.WARN, False, spec)
    assert found.counts == {"offending": 50, "images": 101}
    assert found.uid_hashes == tuple(map(str, range(20)))
    assert conflict_findings(spec.name, Conflict(0, 0)).passed


def test_no_check_is_both_of_a_date_and_of_all_dates() -> None:
    assert not {spec.asset for spec in PARTITIONED_CHECKS} & {spec.asset for spec in STANDING_CHECKS}
