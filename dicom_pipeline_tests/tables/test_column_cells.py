"""Cells: one for every stretch of files that have the same value, whatever lies around it."""

import numpy as np
import pytest

from dicom_pipeline.dicom.fields import HEADER_FIELDS
from dicom_pipeline.dicom.header import Element, Header
from dicom_pipeline.tables.column_cells import Changes
from dicom_pipeline_tests.tables.made_noted import noted_of

COLUMN = next(field for field in HEADER_FIELDS if field.name == "series_description")


def header_of(value: bytes | None) -> Header:
    assert COLUMN.tag is not None
    return Header(
        {} if value is None else {COLUMN.tag: Element("LO", value)}, little_endian=True, transfer_syntax_uid=None
    )


@pytest.mark.parametrize("length", [0, 1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 256])
def test_a_stretch_of_equal_values_is_one_cell(length: int) -> None:
    values = [b"a" * length] * 3 + [None, None, b"b" * (length + 1), b"a" * length, b"a" * length]
    for place in range(5):  # what stands between the values differs
        noted = noted_of([header_of(value) for value in values], gap=place)
        cells = Changes(noted, np.arange(len(values))).cells([COLUMN])
        assert cells.rows.tolist() == [[0, 0, 0, 1, 1, 2, 3, 3]]
        assert cells.files.tolist() == [0, 3, 5, 6]
        assert cells.lengths.tolist() == [length, 0, length + 1, length]
        assert cells.absent.tolist() == [False, True, False, False]


def test_very_long_values_count_as_different() -> None:
    cells = Changes(noted_of([header_of(b"a" * 257)] * 2), np.arange(2)).cells([COLUMN])
    assert cells.rows.tolist() == [[0, 1]]


def test_one_file_has_a_cell_for_each_column() -> None:
    cells = Changes(noted_of([header_of(b"a"), header_of(b"b")]), np.array([1])).cells([COLUMN, HEADER_FIELDS[1]])
    assert cells.rows.tolist() == [[0], [1]]
    assert cells.files.tolist() == [1, 1]
