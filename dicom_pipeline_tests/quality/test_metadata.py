"""All checks before the load run in one pass and tell nothing they should not."""

import datetime as dt

import pyarrow as pa
import pytest

from dicom_pipeline.dicom.fields import HEADER_FIELDS, Kind
from dicom_pipeline.quality.catalogue import METADATA_CHECKS
from dicom_pipeline_tests.quality.staged import batch_of, check_metadata, facts, good_row, rejected_row


def test_a_good_date_passes_every_check_in_the_catalogues_order() -> None:
    found = check_metadata([batch_of([good_row(1)]), batch_of([good_row(2)])], facts(2))
    assert [f.check for f in found] == [spec.name for spec in METADATA_CHECKS]
    assert [f.severity for f in found if f.check != "rejected_share_below_limit"] == [
        spec.severity for spec in METADATA_CHECKS if spec.name != "rejected_share_below_limit"
    ]
    assert all(f.passed for f in found), [f for f in found if not f.passed]


def test_an_empty_date_passes() -> None:
    assert all(f.passed for f in check_metadata([], facts(0)))
    assert all(f.passed for f in check_metadata([batch_of([])], facts(0)))


def test_the_partition_and_the_limits_reach_the_rules() -> None:
    def failed(files_listed: int = 2, **changes: object) -> set[str]:
        found = check_metadata([batch_of([good_row(1), rejected_row()])], facts(files_listed, **changes))
        return {f.check for f in found if not f.passed}

    share = {"rejected_share_below_limit"}
    assert failed() == share
    assert failed(tenant_id="other") == share | {"rows_follow_schema"}
    assert failed(date=dt.date(2020, 1, 1)) == share | {"rows_follow_schema"}
    assert failed(files_listed=3) == share | {"every_listed_file_accounted_for"}
    assert failed(today=dt.date(2020, 1, 1)) == share | {"dates_plausible"}


def test_the_default_limit_of_rejects_is_five_percent() -> None:
    def severity(accepted: int) -> str:
        rows = [good_row(n) for n in range(accepted)] + [rejected_row()]
        return check_metadata([batch_of(rows)], facts(len(rows)))[3].severity.value

    assert severity(19) == "warn"
    assert severity(18) == "error"


@pytest.mark.parametrize(
    "change",
    [
        lambda batch: batch.drop_columns(["modality"]),
        lambda batch: batch.select(reversed(batch.schema.names)),
        lambda batch: batch.set_column(
            0, pa.field("path", pa.large_string(), False), batch["path"].cast("large_string")
        ),
    ],
    ids=["column missing", "other order", "other type"],
)
def test_rows_of_another_schema_fail_every_check(change) -> None:
    found = check_metadata([batch_of([good_row(1)]), change(batch_of([good_row(2)]))], facts(2))
    assert len(found) == len(METADATA_CHECKS)
    assert not any(f.passed for f in found)
    assert all(f.counts["batches_of_another_schema"] == 1 for f in found)


def test_no_value_of_a_patient_reaches_a_finding() -> None:
    """Everything fails on rows full of canaries; nothing but the catalogue's own words and hashes come out."""
    canaries = {f.name: f"canary-{f.name}" for f in HEADER_FIELDS if f.kind is Kind.TEXT}
    number, born = 987_654_321, dt.date(1931, 7, 23)
    canary = good_row(path="canary-path.dcm", **canaries) | {"high_bit": number, "patient_birth_date": born}
    rows = [
        canary,
        canary | {"patient_id": "canary-other", "patient_name": "canary-spelt-otherwise"},
        canary | {"study_uid": "canary-study"},
        rejected_row(reason="canary-reason", path="canary-rejected.dcm"),
    ]
    found = check_metadata([batch_of(rows)], facts(99, today=dt.date(1930, 1, 1)))
    assert [f.check for f in found if f.passed] == []
    told = repr(found)
    assert "canary" not in told
    assert str(number) not in told
    assert "1931" not in told
    assert any(f.uid_hashes for f in found)
