"""Columns that hold one value in all rows of a batch, told apart at the speed of memory.

Scope: one look at Arrow's buffers. Most columns of a series are the same in all its files, and what is done once
instead of once a row costs next to nothing.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def is_flat(column: pa.Array) -> bool:
    """Tell whether all rows have the same value, NULL not being one; False also where that cannot be told cheaply.

    Args:
        column: Texts, or values of 32 or 64 bits.
    """
    if not len(column) or column.null_count:
        return False
    if pa.types.is_string(column.type):
        return _is_flat_text(column)
    if not pa.types.is_primitive(column.type) or column.type.bit_width < 32:
        return False
    values = raw_values(column)
    return bool(values[0] == values[-1] and (values == values[0]).all())


def raw_values(column: pa.Array) -> npt.NDArray[Any]:
    """Return the values of a column of 32 or 64 bits as they lie in memory; what lies under a NULL is anything."""
    bits = column.type.bit_width
    kind = "f" if pa.types.is_floating(column.type) else "i"
    return np.frombuffer(column.buffers()[1], f"<{kind}{bits // 8}", len(column), column.offset * bits // 8)


def text_places(column: pa.StringArray) -> npt.NDArray[np.int32]:
    """Return where each text begins in the column's bytes, and where the last one ends."""
    offsets = column.buffers()[1]
    # An array of no rows may have no offsets at all.
    return np.frombuffer(offsets, np.int32, len(column) + 1, column.offset * 4) if offsets else np.zeros(1, np.int32)


def _is_flat_text(column: pa.StringArray) -> bool:
    places = text_places(column)
    first, last = int(places[0]), int(places[-1])
    width = int(places[1]) - first
    if last - first != width * len(column) or (np.diff(places) != width).any():
        return False
    texts = np.frombuffer(column.buffers()[2], np.uint8, last - first, first) if last > first else places[:0]
    return bool((texts[width:] == texts[: len(texts) - width]).all())
