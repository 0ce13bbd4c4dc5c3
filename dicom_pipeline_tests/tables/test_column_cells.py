"""Cells: one for every stretch of files that have the same value, whatever lies around it."""

from importlib.util import find_spec

import numpy as np
import pytest

from dicom_pipeline.dicom.fields import HEADER_FIELDS
from dicom_pipeline.dicom.header import Element, Header
from dicom_pipeline.tables import column_cells
from dicom_pipeline.tables.column_bytes import Words
from dicom_pipeline.tables.column_cells import SLOT_OF, Changes, same_compiled, same_in_numpy
from dicom_pipeline_tests.tables.made_noted import noted_of

COLUMN = next(field for field in HEADER_FIELDS if field.name == "series_description")


def header_of(value: bytes | None) -> Header:
    assert COLUMN.tag is not None
    return Header(
        {} if value is None else {COLUMN.tag: Element("LO", value)}, little_endian=True, transfer_syntax_uid=None
    )


WAYS = [same_in_numpy, *([same_compiled] if find_spec("dicom_pipeline.dicom.scanner._compiled") else [])]


@pytest.fixture(params=WAYS, autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> object:
    """Compare values in compiled code, where there is some, and in NumPy."""
    monkeypatch.setattr(column_cells, "same_as_before", request.param)
    return request.param


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


def test_very_long_values_count_as_different_where_comparing_them_takes_long(way: object) -> None:
    cells = Changes(noted_of([header_of(b"a" * 257)] * 2), np.arange(2)).cells([COLUMN])
    assert cells.rows.tolist() == [[0, 1]] if way is same_in_numpy else [[0, 0]]


def test_the_same_bytes_of_another_vr_or_byte_order_are_another_value() -> None:
    noted = noted_of([header_of(b"CT")] * 4)
    noted.vrs[SLOT_OF[COLUMN.tag or 0], 1] = int.from_bytes(b"UN", "big")
    noted.big_endian[3] = True
    assert Changes(noted, np.arange(4)).cells([COLUMN]).rows.tolist() == [[0, 1, 2, 3]]


@pytest.mark.skipif(len(WAYS) < 2, reason="nothing is compiled here")
@pytest.mark.parametrize("offset", [-1, 1 << 40])
def test_compiled_code_looks_at_nothing_outside_of_the_buffer(offset: int) -> None:
    noted = noted_of([header_of(b"CT")] * 2)
    noted.offsets[SLOT_OF[COLUMN.tag or 0], 0] = offset
    with pytest.raises(IndexError, match="outside of the buffer"):
        same_compiled(noted, np.arange(2), Words(noted.buffer))


def test_one_file_has_a_cell_for_each_column() -> None:
    cells = Changes(noted_of([header_of(b"a"), header_of(b"b")]), np.array([1])).cells([COLUMN, HEADER_FIELDS[1]])
    assert cells.rows.tolist() == [[0], [1]]
    assert cells.files.tolist() == [1, 1]
