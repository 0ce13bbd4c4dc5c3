"""Distinct combinations are counted in bounded memory."""

from collections import Counter
from unittest import mock

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.tables import distinct
from dicom_pipeline.tables.digest import text_words
from dicom_pipeline.tables.distinct import DistinctRows, UniqueTexts

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


def test_columns_of_one_value_and_of_none_are_counted_too() -> None:
    rows = DistinctRows(("text", "number"))
    rows.add(batch_of([("a", None), ("a", None)]))
    rows.add(batch_of([("b", None), ("a", None)]))
    rows.add(batch_of([]))
    assert rows.table().to_pylist() == [
        {"text": "a", "number": None, "rows": 3},
        {"text": "b", "number": None, "rows": 1},
    ]


def test_memory_grows_with_combinations_not_with_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distinct, "_COMPACT_AT_LEAST", 4)
    rows = DistinctRows(("text",))
    held = []
    for _ in range(50):
        rows.add(batch_of([("a", None), ("b", None)]))
        held.append(sum(part.num_rows for part in rows._parts))
    assert max(held) <= 4 + 2
    assert rows.table().to_pylist() == [{"text": "a", "rows": 50}, {"text": "b", "rows": 50}]


texts = st.lists(st.lists(st.sampled_from(["a", "b", "ab", "", "é", None]), max_size=6), max_size=5)


@settings(deadline=None)
@given(texts, st.booleans())
def test_repeated_texts_are_those_a_counter_finds(batches, collide: bool) -> None:
    words = (lambda column: np.zeros(len(column), np.uint64)) if collide else text_words
    with mock.patch.object(distinct, "text_words", words):
        unique = UniqueTexts()
        for batch in batches:
            unique.add(pa.array([None, *batch], pa.string()).slice(1))
        counts = Counter(text for batch in batches for text in batch if text is not None)
        assert list(unique.repeated().items()) == [(text, count) for text, count in counts.items() if count > 1]


def test_watched_texts_do_not_keep_their_batch() -> None:
    before = pa.total_allocated_bytes()
    unique = UniqueTexts()
    for number in range(20):
        unique.add(pa.array([f"{number}.{row}" + "x" * 1000 for row in range(1000)]).slice(0, 1))
    assert pa.total_allocated_bytes() - before < 100_000
