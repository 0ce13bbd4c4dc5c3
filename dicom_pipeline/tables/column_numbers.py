"""Cells of number columns to one Arrow array, where the number is written in the plain way.

Scope: integers in decimal digits or in two or four bytes, decimals that Arrow reads as Python does. All others are for
the reader of single values (``dicom/rules.py``), whose results these must equal.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dicom_pipeline.tables.column_bytes import FIRST_BYTES, Mask, trim_left, trim_right
from dicom_pipeline.tables.column_cells import Cells, vr_code
from dicom_pipeline.tables.column_texts import TEXT_VRS, strings

# Nine digits always fit into 32 bits.
_INTEGER = r"\A-?[0-9]{1,9}\z"
# Arrow takes no leading plus; at this length and with two digits of exponent nothing overflows.
_DECIMAL = r"\A-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?\z"
_LONGEST_NUMBER = 64  # bytes
_BINARY = {"US": (2, False), "SS": (2, True), "UL": (4, False), "SL": (4, True)}


def plain_integers(cells: Cells) -> tuple[pa.Int32Array, Mask]:
    """Return each cell's integer, null where there is none, and the cells this is right for, shape (r,)."""
    written, plain = _written(cells, _INTEGER, pa.int32())
    numbers = written.fill_null(0).to_numpy()
    known = written.is_valid().to_numpy(zero_copy_only=False)
    binary = np.flatnonzero(~plain)
    values, fits = _binary_integers(cells, binary)
    numbers, taken = numbers.copy(), binary[fits]
    numbers[taken], known[taken], plain[taken] = values[fits], True, True
    return pa.array(numbers, pa.int32(), mask=~known), plain


def plain_decimals(cells: Cells) -> tuple[pa.DoubleArray, Mask]:
    """Return each cell's number, null where there is none, and the cells this is right for, shape (r,)."""
    return _written(cells, _DECIMAL, pa.float64())


def _written(cells: Cells, grammar: str, kind: pa.DataType) -> tuple[pa.Array, Mask]:
    """Read numbers from texts that the grammar takes."""
    buffer = cells.noted.buffer
    lengths, padded = trim_right(buffer, cells.offsets, cells.lengths)
    offsets, lengths, blank = trim_left(buffer, cells.offsets, lengths)
    textual = cells.absent | (TEXT_VRS[cells.codes] & (lengths <= _LONGEST_NUMBER) & ~padded & ~blank)
    texts = strings(buffer, offsets, lengths, textual)
    fits = pc.match_substring_regex(texts, grammar)
    numbers = pc.cast(pc.if_else(fits, texts, None), kind)
    return numbers, textual & ((lengths == 0) | fits.fill_null(False).to_numpy(zero_copy_only=False))


def _binary_integers(cells: Cells, which: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.int64], Mask]:
    """Return the first value of these cells, and where it is an integer of 32 bits in a VR of two or four bytes."""
    first = cells.words.at(cells.offsets[which])
    big = cells.noted.big_endian[cells.files[which]]
    codes, lengths = cells.codes[which], cells.lengths[which]
    values, fits = np.zeros(len(which), np.int64), np.zeros(len(which), np.bool_)
    for vr, (size, signed) in _BINARY.items():
        mine = (codes == vr_code(vr)) & (lengths >= size)
        if mine.any():
            words = np.where(big[mine], first[mine].byteswap() >> np.uint64(64 - 8 * size), first[mine])
            numbers = (words & FIRST_BYTES[size]).astype(np.int64)
            half = 1 << (8 * size - 1)
            values[mine] = (numbers ^ half) - half if signed else numbers
            fits |= mine
    return values, fits & (values < 1 << 31)
