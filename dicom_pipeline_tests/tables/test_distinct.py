"""Distinct combinations are counted in bounded memory."""

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.tables import distinct
from dicom_pipeline.tables.distinct import DistinctRows

ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", "", None]), st.sampled_from([0.0, 1.5, None])), max_size=40)


def batch_of(rows) -> pa.RecordBatch:
    names = [pa.array([row[0] for row in rows], pa.string()), pa.array([row[1] for row in rows], pa.float64())]
    unused = pa.array([None] * len(rows), pa.int8())
    return pa.RecordBatch.from_arrays([*names, unused], ["text", "number", "unused"])


@settings(deadline=None)
@given(st.lists(ROWS, max_size=5))
def test_counts_as_a_counter_does(batches) -> None:
    rows = DistinctRows(("text", "number"))
    for batch in batches:
        rows.add(batch_of(batch))
    expected = Counter(row for batch in batches for row in batch)
    table = rows.table()
    found = {} if table is None else {(r["text"], r["number"]): r["rows"] for r in table.to_pylist()}
    assert found == expected


def test_order_is_that_of_first_appearance() -> None:
    rows = DistinctRows(("text",))
    for text in ("b", "a", "c", "a"):
        rows.add(batch_of([(text, None)]))
    assert rows.table().column("text").to_pylist() == ["b", "a", "c"]


def test_memory_grows_with_combinations_not_with_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "_COMPACT_AT_LEAST", 4)
    rows = DistinctRows(("text",))
    held = []
    for _ in range(50):
        rows.add(batch_of([("a", None), ("b", None)]))
        held.append(sum(part.num_rows for part in rows._parts))
    assert max(held) <= 4 + 2
    assert rows.table().to_pylist() == [{"text": "a", "rows": 50}, {"text": "b", "rows": 50}]
