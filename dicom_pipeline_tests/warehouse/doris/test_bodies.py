"""Bodies: every value as it was, in Doris's order of columns, a bounded chunk at a time."""

import datetime as dt
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dicom_pipeline.dicom.fields import ALL_TABLES, IMAGE, LOAD, STATE
from dicom_pipeline.warehouse.doris.bodies import DELETED, BodyWriter
from dicom_pipeline.warehouse.doris.url import BodyFormat
from dicom_pipeline_tests.warehouse.rows import make_rows

TIMES = [None, dt.time(0), dt.time(23, 59, 59, 999999), dt.time(12, 30, 0, 100000)]
TEXTS = [None, "00:00:00", "23:59:59.999999", "12:30:00.100000"]


def body_of(table: object, rows: pa.Table, form: BodyFormat, *, tombstones: bool = False) -> pa.Table:
    writer = BodyWriter(table, form, tombstones=tombstones)
    for batch in rows.to_batches():
        writer.write(batch)
    body = writer.finish()
    assert (body.rows, body.format) == (rows.num_rows, form)
    data = body.stream.read()
    assert body.bytes == len(data)
    if form is BodyFormat.PARQUET:
        return pq.read_table(pa.BufferReader(data))
    return pa.Table.from_pylist([json.loads(line) for line in data.splitlines()])


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda table: table.name)
def test_parquet_has_the_keys_first_plain_names_and_types_and_no_comments(table: object) -> None:
    rows = make_rows(table)
    found = body_of(table, rows, BodyFormat.PARQUET)
    assert found.column_names[: len(table.key)] == list(table.key)
    assert sorted(found.column_names) == sorted(rows.column_names)
    assert all(not field.metadata and field.nullable for field in found.schema)
    for field in rows.schema:
        if not pa.types.is_time(field.type):
            assert found.column(field.name).equals(rows.column(field.name)), field.name


@pytest.mark.parametrize("form", list(BodyFormat))
def test_a_time_of_day_is_text_with_a_fraction_only_where_it_has_one(form: BodyFormat) -> None:
    rows = make_rows(STATE, columns={"study_time": TIMES})
    assert body_of(STATE, rows, form)["study_time"].to_pylist() == TEXTS


def test_moments_stay_naive_and_a_column_of_nulls_keeps_its_type() -> None:
    rows = make_rows(IMAGE, columns={"window_width": [None] * 4})
    found = body_of(IMAGE, rows, BodyFormat.PARQUET)
    assert found.schema.field("created_time").type == pa.timestamp("us")
    assert found.schema.field("window_width").type == pa.string()


def test_json_lines_say_everything() -> None:
    rows = make_rows(
        IMAGE,
        columns={
            "patient_id": ['"\\\n', "漢字😀", "", "x"],
            "content_date": [None, dt.date(1, 1, 1), dt.date(9999, 12, 31), dt.date(2000, 2, 29)],
            "slice_thickness": [None, 5e-324, -1.7976931348623157e308, 0.1],
            "space_size": [None, -(2**63), 2**63 - 1, 1],
            "created_time": [dt.datetime(1, 1, 1), *[dt.datetime(2024, 2, 1, 8, 30, 0, 5)] * 3],  # noqa: DTZ001
        },
    )
    found = body_of(IMAGE, rows, BodyFormat.JSON).to_pydict()
    assert found["patient_id"] == rows["patient_id"].to_pylist()
    assert found["content_date"] == [None, "0001-01-01", "9999-12-31", "2000-02-29"]
    assert found["slice_thickness"] == rows["slice_thickness"].to_pylist()
    assert found["space_size"] == rows["space_size"].to_pylist()
    assert found["created_time"] == ["0001-01-01 00:00:00.000000", *["2024-02-01 08:30:00.000005"] * 3]


@pytest.mark.parametrize("form", list(BodyFormat))
def test_tombstones_are_marked_with_a_small_integer(form: BodyFormat) -> None:
    writer = BodyWriter(LOAD, form, tombstones=True)
    (batch,) = make_rows(LOAD, count=2).to_batches()
    writer.write(batch)
    writer.write(batch.slice(0, 0), deleted=True)
    writer.write(batch.slice(1), deleted=True)
    assert writer.columns[-1] == DELETED
    data = writer.finish().stream.read()
    if form is BodyFormat.PARQUET:
        found = pq.read_table(pa.BufferReader(data))
        assert found.column_names == list(writer.columns)
        assert found.schema.field(DELETED).type == pa.int8()
        marks = found[DELETED].to_pylist()
    else:
        marks = [json.loads(line)[DELETED] for line in data.splitlines()]
    assert marks == [0, 0, 1]


def test_many_rows_become_several_groups() -> None:
    (batch,) = make_rows(LOAD, count=1000).combine_chunks().to_batches()
    writer = BodyWriter(LOAD, BodyFormat.PARQUET, tombstones=False)
    for _ in range(140):
        writer.write(batch)
    found = pq.ParquetFile(writer.finish().stream)
    assert found.metadata.num_rows == 140_000
    assert [found.metadata.row_group(n).num_rows for n in range(found.num_row_groups)] == [66_000, 66_000, 8_000]


def test_a_number_that_json_cannot_say_is_refused() -> None:
    writer = BodyWriter(IMAGE, BodyFormat.JSON, tombstones=False)
    for batch in make_rows(IMAGE, columns={"slice_thickness": [float("nan"), 0.0, 0.0, 0.0]}).to_batches():
        writer.write(batch)
    with pytest.raises(ValueError, match="JSON compliant"):
        writer.finish()
