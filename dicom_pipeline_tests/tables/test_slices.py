import hashlib
import random
from typing import Any
from unittest import mock

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.dicom.fields import IMAGE, REJECT, STATE
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.records import Rejection
from dicom_pipeline.tables import series
from dicom_pipeline.tables.digest import digest_batches
from dicom_pipeline.tables.rows import Outcome, metadata_batch
from dicom_pipeline.tables.schemas import metadata_schema, table_schema
from dicom_pipeline.tables.slices import SliceObserver, image_rows, reject_rows
from dicom_pipeline_tests.tables.made_rows import CLOCK, DATE, TENANT, entry, record

accepted = st.builds(
    record,
    st.sampled_from(["1", "2", "10", "3"]),
    study_uid=st.sampled_from(["s", "t"]),
    series_uid=st.sampled_from(["a", "b"]),
    instance_number=st.sampled_from([None, -1, 0, 2, 10]),
    patient_name=st.sampled_from([None, "A", "B"]),
    series_related_instances=st.sampled_from([None, 99]),
)
rejected = st.builds(Rejection, st.sampled_from(list(Reason)), st.sampled_from([None, "PatientID"]))
days = st.lists(st.one_of(accepted, accepted, rejected), max_size=15)


def reader_of(day: list[Outcome], rows: int = 4) -> pa.RecordBatchReader:
    batch = metadata_batch([entry(f"f{number}", number) for number in range(len(day))], day)
    return pa.RecordBatchReader.from_batches(
        metadata_schema(), [batch.slice(start, rows) for start in range(0, batch.num_rows, rows)]
    )


def state_rows(metadata: pa.RecordBatchReader) -> pa.Table:
    observer = SliceObserver(TENANT, DATE, "run", CLOCK)
    for batch in metadata:
        observer.observe(batch)
    return observer.series()


def naive_states(day: list[Outcome]) -> list[dict[str, Any]]:
    """The rule, as it is written down, one series after the other."""
    rows = [row for row in reader_of(day).read_all().to_pylist() if row["outcome"] == "accepted"]
    states = []
    for key in sorted({(row["study_uid"], row["series_uid"]) for row in rows}):
        series = [row for row in rows if (row["study_uid"], row["series_uid"]) == key]
        best = min(series, key=lambda r: (r["instance_number"] is None, r["instance_number"] or 0, r["sop_uid"]))
        count = len({row["sop_uid"] for row in series})
        states.append({field.name: best[field.name] for field in STATE.fields} | {"series_related_instances": count})
    return states


@settings(deadline=None, max_examples=60)
@given(days, st.integers(1, 6), st.integers(1, 20))
def test_one_state_row_a_series(day: list[Outcome], rows: int, compact_at: int) -> None:
    with mock.patch.object(series, "_COMPACT_AT_LEAST", compact_at):
        table = state_rows(reader_of(day, rows))
    table.validate(full=True)
    assert table.schema.equals(table_schema(STATE), check_metadata=True)
    assert table.to_pylist() == naive_states(day)


def test_a_file_without_instance_number_stands_for_no_series_that_has_numbers() -> None:
    numbers = {"A": None, "B": 7, "C": 9}
    day: list[Outcome] = [record(name, instance_number=number, patient_name=name) for name, number in numbers.items()]
    [state] = state_rows(reader_of(day)).to_pylist()
    assert (state["patient_name"], state["series_related_instances"]) == ("B", 3)


def test_counts_are_those_of_their_series_among_many() -> None:
    """Arrow's groups come in no order once there are more rows than it takes at a time, or hashes collide."""
    rng = random.Random(3)
    lengths = {(study, number): rng.randint(1, 80) for study in range(40) for number in range(rng.randint(1, 6))}
    day: list[Outcome] = [
        record(
            f"2.25.{study}.{number}.{instance}",
            study_uid=f"2.25.{study * 7919}",
            series_uid=f"2.25.{study * 7919}.{number}.{number * 104729}",
            instance_number=instance,
        )
        for (study, number), length in lengths.items()
        for instance in range(length)
    ]
    assert state_rows(reader_of(day, 500)).to_pylist() == naive_states(day)


@settings(deadline=None, max_examples=60)
@given(days, st.integers(1, 6))
def test_one_image_row_an_accepted_file(day: list[Outcome], rows: int) -> None:
    reader = image_rows(reader_of(day, rows))
    assert reader.schema.equals(table_schema(IMAGE), check_metadata=True)
    table = reader.read_all()
    table.validate(full=True)
    staged = [row for row in reader_of(day).read_all().to_pylist() if row["outcome"] == "accepted"]
    assert table.to_pylist() == [{field.name: row[field.name] for field in IMAGE.fields} for row in staged]


@settings(deadline=None, max_examples=60)
@given(days, st.integers(1, 6))
def test_one_reject_row_a_rejected_file(day: list[Outcome], rows: int) -> None:
    reader = reject_rows(reader_of(day, rows), TENANT, DATE, "run", CLOCK)
    assert reader.schema.equals(table_schema(REJECT), check_metadata=True)
    table = reader.read_all()
    table.validate(full=True)
    staged = [row for row in reader_of(day).read_all().to_pylist() if row["outcome"] == "rejected"]
    assert table.to_pylist() == [
        {
            "tenant_id": TENANT,
            "partition_date": DATE,
            "path_hash": hashlib.sha256(row["path"].encode()).hexdigest(),
            "path": row["path"],
            "file_size": row["file_size"],
            "reason": row["reason"],
            "field": row["field"],
            "run_id": "run",
            "created_time": CLOCK,
        }
        for row in staged
    ]


@settings(deadline=None, max_examples=60)
@given(days, st.integers(1, 6))
def test_an_observer_knows_what_the_rows_will_be(day: list[Outcome], rows: int) -> None:
    observer = SliceObserver(TENANT, DATE, "run", CLOCK)
    for batch in reader_of([record("9"), *day]):
        observer.observe(batch)
    observer.restart()
    for batch in reader_of(day, rows):
        observer.observe(batch)
    found = observer.series()
    assert found.equals(state_rows(reader_of(day)))
    assert observer.digests(found) == {
        IMAGE.name: digest_batches(IMAGE, image_rows(reader_of(day))),
        STATE.name: digest_batches(STATE, found.to_batches()),
        REJECT.name: digest_batches(REJECT, reject_rows(reader_of(day), TENANT, DATE, "another run", CLOCK)),
    }


def test_an_equal_choice_does_not_depend_on_the_order_of_files() -> None:
    one, other = record("1", instance_number=1, patient_name="A"), record("2", instance_number=1, patient_name="B")
    assert state_rows(reader_of([one, other])).equals(state_rows(reader_of([other, one])))


def test_files_whose_names_look_alike_have_keys_of_their_own() -> None:
    names = ["x\\xff", "x\udcff", "y"]
    batch = metadata_batch([entry(name) for name in names], [Rejection(Reason.NOT_DICOM)] * 3)
    reader = pa.RecordBatchReader.from_batches(batch.schema, [batch.slice(0, 1), batch.slice(1, 2)])
    table = reject_rows(reader, TENANT, DATE, "run", CLOCK).read_all()
    assert table.column("path").to_pylist() == ["x\\xff", "x\\xff", "y"]
    assert len(set(table.column("path_hash").to_pylist())) == 3
    assert table.column("path_hash").to_pylist()[0] == hashlib.sha256(b"x\\xff").hexdigest()
