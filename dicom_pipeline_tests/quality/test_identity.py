"""Patients, studies, series and instances keep apart."""

from collections import Counter, defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.quality.catalogue import Severity
from dicom_pipeline.quality.findings import Findings
from dicom_pipeline.quality.identity import SERIES_ATTRIBUTES, SeriesConsistent, SopInstanceUidUnique
from dicom_pipeline_tests.quality.staged import Row, all_judged, good_row, hashes, judged, rejected_row


def consistent(check: str, rows: list[Row], batch_size: int = 2) -> Findings:
    """Return what ``SeriesConsistent`` finds for one of its checks."""
    return {found.check: found for found in all_judged(SeriesConsistent(), rows, batch_size)}[check]


@pytest.mark.parametrize("rule", [SopInstanceUidUnique, SeriesConsistent])
@pytest.mark.parametrize(
    "rows",
    [
        [],
        [rejected_row(1), rejected_row(2)],
        [good_row(1), rejected_row(), good_row(2), rejected_row(1)],
    ],
    ids=["none", "rejected", "good"],
)
def test_good_rejected_and_no_rows_pass(rule, rows: list[Row]) -> None:
    assert all(found.passed for found in all_judged(rule(), rows))


def test_a_repeated_instance_is_an_error() -> None:
    found = judged(SopInstanceUidUnique(), [good_row(1), good_row(2), good_row(3), good_row(1), good_row(1)])
    assert not found.passed
    assert found.severity is Severity.ERROR
    assert found.counts == {"instances": 3, "offending": 1}
    assert found.uid_hashes == hashes(good_row(1)["sop_uid"])


def test_two_patients_in_one_study() -> None:
    other = good_row(3, study_uid="1.9", series_uid="1.9.1", patient_id="third")
    found = consistent("one_patient_per_study", [good_row(1), good_row(2, patient_id="second"), other])
    assert not found.passed
    assert found.severity is Severity.WARN
    assert found.counts == {"groups": 2, "varying_patient_id": 1, "offending": 1}
    assert found.uid_hashes == hashes(good_row()["study_uid"])


def test_one_series_in_two_studies() -> None:
    found = consistent("one_study_per_series", [good_row(1), good_row(2), good_row(3, study_uid="1.9")])
    assert found.counts == {"groups": 1, "varying_study_uid": 1, "offending": 1}
    assert found.uid_hashes == hashes(good_row()["series_uid"])


@pytest.mark.parametrize("name", SERIES_ATTRIBUTES)
def test_any_attribute_may_vary_by_being_absent(name: str) -> None:
    other = good_row(9, series_uid="1.9")
    found = consistent("series_attributes_constant", [good_row(1), other, good_row(2, **{name: None})])
    assert not found.passed
    assert found.severity is Severity.WARN
    assert found.counts == {"groups": 2, f"varying_{name}": 1, "offending": 1}
    assert found.uid_hashes == hashes(good_row()["series_uid"])


def test_attributes_absent_everywhere_are_constant() -> None:
    absent = dict.fromkeys(SERIES_ATTRIBUTES)
    assert consistent("series_attributes_constant", [good_row(1, **absent), good_row(2, **absent)]).passed


def test_a_series_in_two_studies_is_two_groups() -> None:
    rows = [good_row(1), good_row(2, study_uid="1.9", study_description="other")]
    found = consistent("series_attributes_constant", rows)
    assert found.passed
    assert found.counts["groups"] == 2


def test_what_other_rules_or_the_load_look_after_is_left_to_them() -> None:
    assert "patient_id" not in SERIES_ATTRIBUTES
    rows = [good_row(1, patient_id="one", series_related_instances=1), good_row(2, series_related_instances=9)]
    assert consistent("series_attributes_constant", rows).passed


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(*[st.sampled_from("abc")] * 4), max_size=12), st.integers(1, 5))
def test_against_a_naive_model(keys, batch_size: int) -> None:
    rows = [
        good_row(n, patient_id=patient, study_uid=study, series_uid=series, sop_uid=sop)
        for n, (patient, study, series, sop) in enumerate(keys)
    ]
    patients, studies = defaultdict(set), defaultdict(set)
    for patient, study, series, _ in keys:
        patients[study].add(patient)
        studies[series].add(study)
    repeated = sum(times > 1 for times in Counter(key[3] for key in keys).values())
    assert judged(SopInstanceUidUnique(), rows, batch_size).counts["offending"] == repeated
    expected = {
        "one_patient_per_study": sum(len(found) > 1 for found in patients.values()),
        "one_study_per_series": sum(len(found) > 1 for found in studies.values()),
    }
    for check, offending in expected.items():
        assert consistent(check, rows, batch_size).counts["offending"] == offending
