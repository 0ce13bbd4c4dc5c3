"""Rows have the shape of the field table."""

import datetime as dt

import pytest

from dicom_pipeline.dicom.fields import HEADER_FIELDS
from dicom_pipeline.dicom.reasons import REASONS
from dicom_pipeline.quality.catalogue import Severity
from dicom_pipeline.quality.shape import rows_follow_schema
from dicom_pipeline_tests.quality.staged import DATE, TENANT, good_row, hashes, judged, rejected_row

REQUIRED = [field.name for field in HEADER_FIELDS if not field.nullable]
BOUNDED = [field for field in HEADER_FIELDS if field.bound is not None]


def found_in(*rows):
    return judged(rows_follow_schema(TENANT, DATE), rows)


def test_good_rows_pass() -> None:
    rejected = [rejected_row(n, reason.value) for n, reason in enumerate(REASONS) if REASONS[reason].rejects]
    found = found_in(good_row(1), good_row(2), *rejected)
    assert found.passed
    assert found.counts == {"rows": 2 + len(rejected), "offending": 0}


def test_no_rows_pass() -> None:
    assert found_in().passed


@pytest.mark.parametrize("name", REQUIRED)
def test_accepted_rows_need_every_required_value(name: str) -> None:
    found = found_in(good_row(1), good_row(2, **{name: None}))
    assert found.counts == {"rows": 2, f"null_{name}": 1, "offending": 1}
    assert not found.passed
    assert found.severity is Severity.ERROR


@pytest.mark.parametrize("field", BOUNDED, ids=lambda field: field.name)
def test_bounds_are_bytes_of_utf8(field) -> None:
    umlauts = "ü" * (field.bound // 2)
    at_bound = umlauts + "x" * (field.bound - 2 * len(umlauts))
    assert f"too_long_{field.name}" not in found_in(good_row(**{field.name: at_bound})).counts
    found = found_in(good_row(**{field.name: at_bound + "x"}))
    assert found.counts[f"too_long_{field.name}"] == 1
    assert not found.passed


@pytest.mark.parametrize(
    ("row", "condition"),
    [
        (good_row(tenant_id="other"), "other_tenant"),
        (good_row(study_date=DATE + dt.timedelta(1)), "other_date"),
        (good_row(reason="Unreadable"), "accepted_with_reason"),
        (good_row(path=None), "null_path"),
        (good_row(outcome="skipped"), "unknown_outcome"),
        (good_row(outcome=None), "unknown_outcome"),
        (rejected_row(reason=None), "rejected_without_known_reason"),
        (rejected_row(reason="NoSuchReason"), "rejected_without_known_reason"),
        (rejected_row(reason="LeapSecond"), "rejected_without_known_reason"),
        (rejected_row(patient_name="A"), "rejected_with_values"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_shapes_fail(row, condition: str) -> None:
    found = found_in(good_row(1), row, good_row(2))
    assert found.counts[condition] == 1
    assert found.counts["offending"] == 1
    assert not found.passed


def test_offending_series_are_named_by_hash() -> None:
    row = good_row(7, patient_id="x" * 65, series_uid="1.7")
    assert found_in(good_row(1), row).uid_hashes == hashes("1.7")
