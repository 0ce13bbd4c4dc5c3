"""The digest: equal for equal rows however they come, different for every accident."""

import datetime as dt
import struct

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.dicom.fields import Field, Kind, Rule, TableSpec
from dicom_pipeline.tables.digest import SliceDigest, digest_batches
from dicom_pipeline.tables.schemas import table_schema

SPEC = TableSpec(
    "probe",
    (
        Field("key", Rule.LOAD, Kind.TEXT, "key"),
        Field("other", Rule.LOAD, Kind.TEXT, "text"),
        Field("day", Rule.LOAD, Kind.DATE, "date"),
        Field("hour", Rule.LOAD, Kind.TIME, "time"),
        Field("small", Rule.LOAD, Kind.INT32, "integer"),
        Field("large", Rule.LOAD, Kind.INT64, "integer"),
        Field("number", Rule.LOAD, Kind.FLOAT64, "float"),
        Field("clock", Rule.CLOCK, Kind.TIMESTAMP, "when", volatile=True),
        Field("instant", Rule.LOAD, Kind.TIMESTAMP, "when"),
    ),
    ("key",),
    "day",
    "A table with every kind of column",
)
ROW = {
    "key": "1.2.840.10008",
    "other": "Müller^Jörg",
    "day": dt.date(2024, 1, 15),
    "hour": dt.time(12, 30, 0, 5),
    "small": -7,
    "large": 2**40,
    "number": 0.1,
    "clock": dt.datetime.fromisoformat("2024-02-01T08:30:00"),
    "instant": dt.datetime.fromisoformat("2024-02-01T08:30:00.000001"),
}


def digest_of(rows: list[dict[str, object]], sizes: int = 100) -> SliceDigest:
    return digest_batches(SPEC, pa.Table.from_pylist(rows, table_schema(SPEC)).to_batches(max_chunksize=sizes))


def test_the_digest_never_changes_between_versions_and_machines() -> None:
    assert digest_of([ROW, {**ROW, "key": "x" * 65, "other": None}]) == SliceDigest(
        2, "36f45d3604643ada2388d62113c9a9ba"
    )


def test_no_rows_are_nought() -> None:
    assert digest_batches(SPEC, []) == digest_of([]) == SliceDigest(0, "0" * 32)


values = st.fixed_dictionaries(
    {
        "key": st.text(max_size=40),
        "other": st.none() | st.text(max_size=20),
        "day": st.none() | st.dates(),
        "small": st.none() | st.integers(-(2**31), 2**31 - 1),
        "number": st.none() | st.floats(),
    }
)


@settings(max_examples=60, deadline=None)
@given(st.lists(values, max_size=8), st.randoms(use_true_random=False), st.integers(1, 8))
def test_order_and_batches_do_not_matter(rows: list[dict[str, object]], random: object, size: int) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert digest_of(shuffled, size) == digest_of(rows)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_different_texts_differ(one: str, two: str) -> None:
    assert (digest_of([{**ROW, "other": one}]) == digest_of([{**ROW, "other": two}])) == (one == two)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("key", "1.2.840.10009"),
        ("key", "1.2.840.1000"),
        ("key", None),
        ("other", "Müller^Jörg\0"),
        ("other", ""),
        ("other", None),
        ("day", dt.date(2024, 1, 16)),
        ("day", dt.date(1970, 1, 1)),
        ("day", None),
        ("hour", dt.time(12, 30, 0, 6)),
        ("hour", dt.time(0)),
        ("hour", None),
        ("small", 7),
        ("small", 0),
        ("small", None),
        ("large", 0),
        ("large", None),
        ("number", 0.1 + 2**-56),
        ("number", -0.1),
        ("number", 0.0),
        ("number", float("nan")),
        ("number", None),
        ("instant", dt.datetime.fromisoformat("2024-02-01T08:30:00.000002")),
    ],
)
def test_one_altered_value_shows(column: str, value: object) -> None:
    assert digest_of([{**ROW, column: value}]) != digest_of([ROW])


@pytest.mark.parametrize("column", ["other", "day", "hour", "small", "large", "number", "instant"])
def test_null_is_not_the_empty_value(column: str) -> None:
    empty = {"other": "", "day": dt.date(1970, 1, 1), "hour": dt.time(0), "small": 0, "large": 0, "number": 0.0}
    zero = empty.get(column, dt.datetime.fromisoformat("1970-01-01T00:00:00"))
    assert digest_of([{**ROW, column: None}]) != digest_of([{**ROW, column: zero}])


def test_values_that_change_places_show() -> None:
    swapped_columns = {**ROW, "key": ROW["other"], "other": ROW["key"]}
    assert digest_of([swapped_columns]) != digest_of([ROW])
    one, two = {**ROW, "key": "a", "other": "b"}, {**ROW, "key": "c", "other": "d"}
    crossed = [{**ROW, "key": "a", "other": "d"}, {**ROW, "key": "c", "other": "b"}]
    assert digest_of(crossed) != digest_of([one, two])


def test_doubled_and_lost_rows_show() -> None:
    other = {**ROW, "key": "x"}
    digests = {digest_of(rows).digest for rows in ([ROW], [ROW, ROW], [ROW, ROW, ROW], [other, ROW], [other, other])}
    assert len(digests) == 5


def test_clocks_are_left_out() -> None:
    assert digest_of([{**ROW, "clock": dt.datetime.fromisoformat("1999-01-01T00:00:00")}]) == digest_of([ROW])


def test_a_column_added_as_null_leaves_digests_valid() -> None:
    fewer = TableSpec(SPEC.name, tuple(f for f in SPEC.fields if f.name != "other"), SPEC.key, SPEC.date_column, "")
    batches = pa.Table.from_pylist([{**ROW, "other": None}], table_schema(SPEC)).to_batches()
    assert digest_batches(fewer, batches) == digest_batches(SPEC, batches)


def test_numbers_the_database_calls_equal_are_equal() -> None:
    other_nan = struct.unpack("<d", bytes.fromhex("010000000000f8ff"))[0]
    assert digest_of([{**ROW, "number": -0.0}]) == digest_of([{**ROW, "number": 0.0}])
    assert digest_of([{**ROW, "number": other_nan}]) == digest_of([{**ROW, "number": float("nan")}])


def test_how_arrow_lays_rows_out_does_not_matter() -> None:
    content = [{**ROW, "key": str(n), "other": None if n % 2 else "é" * n} for n in range(20)]
    rows = pa.Table.from_pylist(content, table_schema(SPEC))
    sliced = rows.slice(3, 11)
    rebuilt = pa.Table.from_pylist(sliced.to_pylist(), rows.schema)
    coded = sliced.set_column(1, "other", sliced["other"].cast(pa.large_string()).dictionary_encode())
    expected = digest_batches(SPEC, rebuilt.to_batches())
    assert digest_batches(SPEC, sliced.to_batches()) == expected
    assert digest_batches(SPEC, coded.combine_chunks().to_batches()) == expected
