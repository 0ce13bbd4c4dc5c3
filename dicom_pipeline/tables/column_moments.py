"""Cells of date and time columns to one Arrow array, where the text is a plain DA or TM (PS3.5 6.2).

Scope: dates of eight digits and times of two, four or six, with or without a fraction. All others, leap seconds among
them, are for the reader of single values (``dicom/rules.py``), whose results these must equal.
"""

import numpy as np
import pyarrow as pa

from dicom_pipeline.dicom.scanner.noted import Bytes
from dicom_pipeline.tables.column_bytes import FIRST_BYTES, WORD, Lengths, Mask, trim_right
from dicom_pipeline.tables.column_cells import Cells
from dicom_pipeline.tables.column_texts import TEXT_VRS

_ZEROS = np.uint64(int.from_bytes(b"0" * WORD, "little"))
_DATE_LENGTH = 8
_DOT_AT, _LONGEST_TIME = 6, 13  # HHMMSS.FFFFFF
_TIME_LENGTHS = np.isin(np.arange(2 * WORD + 1), (2, 4, 6, *range(_DOT_AT + 1, _LONGEST_TIME + 1)))
_TIME_DIGITS = np.array([0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12])
_MICROSECONDS = np.array(
    [36_000_000_000, 3_600_000_000, 600_000_000, 60_000_000, 10_000_000, *(10**power for power in range(6, -1, -1))]
)


def plain_dates(cells: Cells) -> tuple[pa.Date32Array, Mask]:
    """Return each cell's date, null where there is none, and the cells this is right for, shape (r,)."""
    lengths, textual = _trimmed(cells)
    digits = _window(cells, lengths)[:, :_DATE_LENGTH] - np.uint8(ord("0"))
    numbers = digits.astype(np.int64)
    year = numbers[:, :4] @ np.array([1000, 100, 10, 1])
    month, day = numbers[:, 4] * 10 + numbers[:, 5], numbers[:, 6] * 10 + numbers[:, 7]
    months = (year - 1970) * 12 + month - 1
    days = months.view("M8[M]").astype("M8[D]") + (day - 1)
    # A day that the month doesn't have leads into another month.
    in_calendar = (days.astype("M8[M]") == months.view("M8[M]")) & (year > 0) & (month > 0) & (month <= 12)
    known = textual & (lengths == _DATE_LENGTH) & (digits <= 9).all(axis=1) & in_calendar
    dates = pa.array(np.where(known, days.view(np.int64), 0), pa.int32(), mask=~known).view(pa.date32())
    return dates, known | (textual & (lengths == 0))


def plain_times(cells: Cells) -> tuple[pa.Time64Array, Mask]:
    """Return each cell's time, null where there is none, and the cells this is right for, shape (r,)."""
    lengths, textual = _trimmed(cells)
    window = _window(cells, lengths)
    digits = window[:, _TIME_DIGITS] - np.uint8(ord("0"))
    known = textual & _TIME_LENGTHS[np.minimum(lengths, 2 * WORD)] & (digits <= 9).all(axis=1)
    known &= (lengths <= _DOT_AT) | (window[:, _DOT_AT] == ord("."))
    known &= (digits[:, 0] * np.uint8(10) + digits[:, 1] < 24) & (digits[:, 2] < 6) & (digits[:, 4] < 6)
    microseconds = digits.astype(np.int64) @ _MICROSECONDS
    times = pa.array(microseconds, pa.int64(), mask=~known).view(pa.time64("us"))
    return times, known | (textual & (lengths == 0))


def _trimmed(cells: Cells) -> tuple[Lengths, Mask]:
    lengths, padded = trim_right(cells.noted.buffer, cells.offsets, cells.lengths)
    return lengths, cells.absent | (TEXT_VRS[cells.codes] & ~padded)


def _window(cells: Cells, lengths: Lengths) -> Bytes:
    """Return the first 16 bytes of each value, shape (r, 16), with the digit 0 after its end."""
    words = np.empty((len(lengths), 2), "<u8")
    for half in range(2):
        inside = FIRST_BYTES[np.clip(lengths - half * WORD, 0, WORD)]
        words[:, half] = (cells.words.at(cells.offsets + half * WORD) & inside) | (_ZEROS & ~inside)
    return words.view(np.uint8)
