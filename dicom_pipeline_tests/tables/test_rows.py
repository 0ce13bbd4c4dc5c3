import pyarrow as pa
import pytest

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.dicom.fields import HEADER_FIELDS
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.records import Finding, Record, Rejection
from dicom_pipeline.tables.partition import reject_other_dates
from dicom_pipeline.tables.rows import metadata_batch, reject_where
from dicom_pipeline.tables.schemas import metadata_schema
from dicom_pipeline_tests.tables.made_rows import CLOCK, DATE, TENANT, entry, record

KEPT_WHEN_REJECTED = {"path", "outcome", "reason", "field", "file_size", "findings"}


def test_an_accepted_row_holds_every_value_in_its_column() -> None:
    found = record("1.2", instance_number=7, slice_thickness=1.5)
    batch = metadata_batch([entry("a/b", 99)], [Record(found.values, (Finding("Rows", Reason.INVALID_NUMBER),))])
    batch.validate(full=True)
    row = batch.to_pylist()[0]
    assert batch.schema == metadata_schema()
    assert (row["path"], row["outcome"], row["reason"], row["field"], row["file_size"]) == (
        "a/b",
        "accepted",
        None,
        None,
        99,
    )
    assert (row["tenant_id"], row["sop_uid"], row["study_date"], row["created_time"]) == (TENANT, "1.2", DATE, CLOCK)
    assert (row["instance_number"], row["slice_thickness"], row["patient_name"]) == (7, 1.5, None)
    assert row["findings"] == [{"field": "Rows", "reason": "InvalidNumber"}]


def test_a_rejected_row_has_no_value() -> None:
    batch = metadata_batch(
        [entry("a", 1), FileEntry("b", None, None)],
        [Rejection(Reason.MISSING_REQUIRED_FIELD, "PatientID"), Rejection(Reason.VANISHED)],
    )
    batch.validate(full=True)
    first, second = batch.to_pylist()
    assert {name for name, value in first.items() if value is not None} == KEPT_WHEN_REJECTED
    assert (first["outcome"], first["reason"], first["field"]) == ("rejected", "MissingRequiredField", "PatientID")
    assert first["findings"] == []
    assert (second["path"], second["reason"], second["field"], second["file_size"]) == ("b", "Vanished", None, None)


def test_no_files_are_an_empty_batch() -> None:
    assert metadata_batch([], []).num_rows == 0


def test_a_name_that_is_not_utf8_can_be_stored() -> None:
    batch = metadata_batch([entry("a\udcff\nb")], [record("1")])
    assert batch.column("path").to_pylist() == ["a\\xff\nb"]


def test_rejecting_changes_the_masked_rows_only() -> None:
    batch = metadata_batch([entry("a"), entry("b"), entry("c")], [record("1"), record("2"), record("3")])
    finding = Finding("SOPInstanceUID", Reason.IDENTICAL_COPY)
    rejected = reject_where(
        batch, pa.array([False, True, False]), Reason.DUPLICATE_INSTANCE, "SOPInstanceUID", (finding,)
    )
    rejected.validate(full=True)
    assert rejected.schema == metadata_schema()
    before, after = batch.to_pylist(), rejected.to_pylist()
    assert [after[0], after[2]] == [before[0], before[2]]
    assert {name for name, value in after[1].items() if value is not None} == KEPT_WHEN_REJECTED
    assert (after[1]["path"], after[1]["outcome"], after[1]["reason"]) == ("b", "rejected", "DuplicateInstance")
    assert after[1]["findings"] == [{"field": "SOPInstanceUID", "reason": "IdenticalCopy"}]
    # What was written here by hand is what a reader would have written.
    assert metadata_batch([entry("b")], [Rejection(Reason.CHANGED, "f")]).equals(
        reject_where(batch, pa.array([False, True, False]), Reason.CHANGED, "f").slice(1, 1)
    )


def test_rejecting_nothing_is_free() -> None:
    batch = metadata_batch([entry("a")], [record("1")])
    assert reject_where(batch, pa.array([False]), Reason.CHANGED, None) is batch


@pytest.mark.parametrize("study_date", [DATE.replace(day=16), DATE.replace(year=2023), None])
def test_rows_of_other_dates_are_rejected(study_date: object) -> None:
    earlier = Rejection(Reason.NOT_DICOM)
    batch = metadata_batch(
        [entry("a"), entry("b"), entry("c")], [record("1"), record("2", study_date=study_date), earlier]
    )
    rows = reject_other_dates(batch, DATE).to_pylist()
    assert [row["reason"] for row in rows] == [None, "StudyDateMismatch", "NotDicom"]
    assert [row["field"] for row in rows] == [None, "StudyDate", None]
    assert [rows[0], rows[2]] == [batch.to_pylist()[0], batch.to_pylist()[2]]
    assert all(rows[1][field.name] is None for field in HEADER_FIELDS)
