"""Bytes of many places in one buffer: as an Arrow array, as words of eight bytes, without their padding.

Scope: the few NumPy steps on raw bytes that all columns share. What the bytes mean is in ``column_texts.py``,
``column_numbers.py`` and ``column_moments.py``.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dicom_pipeline.dicom.scanner.noted import ABSENT, Bytes

Places: TypeAlias = npt.NDArray[np.int64]
Lengths: TypeAlias = npt.NDArray[np.int32]
Mask: TypeAlias = npt.NDArray[np.bool_]
WordArray: TypeAlias = npt.NDArray[np.uint64]

WORD = 8  # bytes
FIRST_BYTES: WordArray = np.array([(1 << 8 * count) - 1 for count in range(WORD + 1)], np.uint64)
"""At index k the mask of a little endian word's first k bytes."""

_IS_PADDING = np.isin(np.arange(256), (0, ord(" ")))
_MOST_PADDING = 64  # bytes; what is padded further is left to the reader of single values


def gather(buffer: Bytes, offsets: Places, lengths: Lengths) -> pa.BinaryArray:
    """Return the bytes of each place; null where the length is ``ABSENT``.

    Args:
        buffer: The bytes all places refer to.
        offsets: Where each value begins, shape (r,).
        lengths: Bytes of each value, shape (r,); below 2 GiB altogether.
    """
    absent = lengths == ABSENT
    sizes = np.where(absent, 0, lengths)
    ends = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=ends[1:])
    index = np.repeat(offsets - ends[:-1], sizes)
    index += np.arange(len(index))
    validity = np.packbits(~absent, bitorder="little") if absent.any() else None
    buffers = [None if validity is None else pa.py_buffer(validity), pa.py_buffer(ends), pa.py_buffer(buffer[index])]
    return pa.Array.from_buffers(pa.binary(), len(sizes), buffers)


class Words:
    """Reads eight bytes at any place of a buffer as one little endian word; bytes past the end are 0."""

    def __init__(self, buffer: Bytes) -> None:
        # Only tests have buffers this small.
        padded = buffer if len(buffer) >= WORD else np.concatenate([buffer, np.zeros(WORD, np.uint8)])
        self._last = len(padded) - WORD
        # A word at every byte: a strided view, not a copy.
        self._words: WordArray = np.ndarray((self._last + 1,), "<u8", padded, strides=(1,))

    def at(self, places: Places) -> WordArray:
        """Return the word at each place; of places past the end, any word."""
        if not places.size or int(places.max()) <= self._last:
            return self._words[places]
        inside = np.minimum(places, self._last)
        beyond = np.minimum(places - inside, WORD - 1).astype(np.uint64)
        return self._words[inside] >> (beyond << np.uint64(3))


def trim_right(buffer: Bytes, offsets: Places, lengths: Lengths) -> tuple[Lengths, Mask]:
    """Return the lengths without blanks and NULs at the end, and where that took too long and some are left.

    Args:
        buffer: The bytes all places refer to.
        offsets: Where each value begins, shape (r,).
        lengths: Bytes of each value, shape (r,), not negative.
    """
    lengths = lengths.copy()
    left = np.flatnonzero(lengths)
    for _ in range(_MOST_PADDING):
        left = left[_IS_PADDING[buffer[offsets[left] + lengths[left] - 1]]]
        lengths[left] -= 1
        left = left[lengths[left] > 0]
        if not left.size:
            break
    return lengths, _mask_of(left, len(lengths))


def trim_left(buffer: Bytes, offsets: Places, lengths: Lengths) -> tuple[Places, Lengths, Mask]:
    """Return places and lengths without blanks and NULs at the beginning, and where that took too long."""
    begins, ends = offsets.copy(), offsets + lengths
    left = np.flatnonzero(lengths)
    for _ in range(_MOST_PADDING):
        left = left[_IS_PADDING[buffer[begins[left]]]]
        begins[left] += 1
        left = left[begins[left] < ends[left]]
        if not left.size:
            break
    return begins, (ends - begins).astype(np.int32), _mask_of(left, len(lengths))


def _mask_of(indices: npt.NDArray[np.intp], count: int) -> Mask:
    mask = np.zeros(count, np.bool_)
    mask[indices] = True
    return mask
