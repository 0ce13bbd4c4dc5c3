"""Columns of one value are told apart, whatever their type and wherever they lie in their buffers."""

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_pipeline.tables.flat import is_flat, raw_values, text_places

TYPES = {
    pa.string(): st.sampled_from(["", "a", "b", "ab", "aa", "aaa", "é", None]),
    pa.int32(): st.sampled_from([0, -1, 2**31 - 1, None]),
    pa.int64(): st.sampled_from([0, 2**40, None]),
    pa.float64(): st.sampled_from([0.0, 1.5, float("inf"), None]),
    pa.date32(): st.sampled_from([dt.date(1970, 1, 1), dt.date(2024, 2, 29), None]),
}


@pytest.mark.parametrize("arrow", TYPES, ids=str)
def test_flat_is_one_value_and_no_null(arrow: pa.DataType) -> None:
    @settings(deadline=None)
    @given(st.lists(TYPES[arrow], max_size=6), st.integers(0, 3))
    def check(values, start: int) -> None:
        column = pa.array(values, arrow).slice(start)
        rest = values[start:]
        assert is_flat(column) is (len(set(rest)) == 1 and None not in rest)

    check()


def test_types_that_cannot_be_told_cheaply_are_not_flat() -> None:
    for column in (pa.array([True, True]), pa.array([[1], [1]]), pa.array([1, 1], pa.int8())):
        assert not is_flat(column)


def test_values_and_places_are_those_of_the_slice() -> None:
    assert raw_values(pa.array([1, 2, 3], pa.int32()).slice(1)).tolist() == [2, 3]
    assert text_places(pa.array(["a", "bcd", "e"]).slice(1)).tolist() == [1, 4, 5]
    assert text_places(pa.array([], pa.string())).tolist() == [0]
