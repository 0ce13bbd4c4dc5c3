"""Which values of a batch need reading: each once for every stretch of files that have the same.

Scope: comparing each file's values with those of the file before, all bytes of them, and the cells that are left. Files
of a series lie together and share most values, so that few cells stand for many rows. Nothing is decoded here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dicom_pipeline.dicom.encoding import TRANSFER_SYNTAX_UID
from dicom_pipeline.dicom.fields import SPECIFIC_CHARACTER_SET, Field
from dicom_pipeline.dicom.scanner.noted import ABSENT, SLOTS, Noted
from dicom_pipeline.tables.column_bytes import FIRST_BYTES, WORD, Lengths, Mask, Places, Words

SLOT_OF: dict[int, int] = {tag: slot for slot, tag in enumerate(SLOTS)}
_MOST_COMPARED = 256  # bytes; longer values count as different, which costs time but is never wrong


def vr_code(vr: str) -> int:
    """Return a VR's two letters as ``Noted.vrs`` holds them."""
    return ord(vr[0]) << 8 | ord(vr[1])


def vr_table(vrs: Sequence[str]) -> Mask:
    """Return a table that is true at the codes of these VRs, shape (65536,)."""
    table = np.zeros(1 << 16, np.bool_)
    table[[vr_code(vr) for vr in vrs]] = True
    return table


_UNKNOWN = vr_code("UN")


@dataclass(frozen=True, slots=True)
class Cells:
    """Values to be read, ``r`` of them, those of one column one after the other.

    Attributes:
        noted: The batch they are of.
        words: Its buffer, by words.
        fields: The columns.
        columns: Each cell's column as an index into ``fields``, shape (r,).
        files: Each cell's file as an index into ``noted``, shape (r,).
        slots: Each cell's slot, shape (r,).
        offsets: Where each value begins, shape (r,); 0 where there is none.
        lengths: Bytes of each value, shape (r,); 0 where there is none.
        absent: Whether there is none, shape (r,).
        codes: Each value's VR; UN and none are replaced by the attribute's own. Shape (r,).
        rows: For each column and file of the batch the cell that holds its value, int32, shape (len(fields), n).
    """

    noted: Noted
    words: Words
    fields: tuple[Field, ...]
    columns: npt.NDArray[np.int64]
    files: npt.NDArray[np.int64]
    slots: npt.NDArray[np.int64]
    offsets: Places
    lengths: Lengths
    absent: Mask
    codes: npt.NDArray[np.uint16]
    rows: npt.NDArray[np.int32]


class Changes:
    """Where a value, or what decides how it is read, is not that of the file before.

    Args:
        noted: The batch.
        files: The PLAIN files to look at, at least one.
    """

    def __init__(self, noted: Noted, files: npt.NDArray[np.int64]) -> None:
        self._noted, self._files = noted, files
        self._words = Words(noted.buffer)
        self._changed = np.ones((len(SLOTS), len(files)), np.bool_)
        same = _same_as_before(noted, files, self._words)
        same &= same[SLOT_OF[SPECIFIC_CHARACTER_SET]]
        np.logical_not(same, out=self._changed[:, 1:])

    def cells(self, fields: Sequence[Field]) -> Cells:
        """Return the cells of these columns, all of which have a tag."""
        by_column = np.array([SLOT_OF[field.tag] for field in fields if field.tag is not None])
        own_vrs = np.array([vr_code(field.vr) for field in fields if field.vr is not None], np.uint16)
        changed = self._changed[by_column].ravel()
        columns, positions = np.divmod(np.flatnonzero(changed), len(self._files))
        slots, files = by_column[columns], self._files[positions]
        lengths, codes = self._noted.lengths[slots, files], self._noted.vrs[slots, files]
        # The UID of the File Meta is one, whatever VR is written there.
        unknown = (codes == 0) | (codes == _UNKNOWN) | (slots == SLOT_OF[TRANSFER_SYNTAX_UID])
        return Cells(
            self._noted,
            self._words,
            tuple(fields),
            columns,
            files,
            slots,
            np.where(lengths == ABSENT, 0, self._noted.offsets[slots, files]),
            np.maximum(lengths, 0),
            lengths == ABSENT,
            np.where(unknown, own_vrs[columns], codes),
            (np.cumsum(changed, dtype=np.int32) - 1).reshape(len(fields), len(self._files)),
        )


def _same_as_before(noted: Noted, files: npt.NDArray[np.int64], words: Words) -> Mask:
    """Return for each slot and file but the first whether VR, byte order and bytes are the file's before."""
    lengths, vrs, offsets = (places.take(files, axis=1) for places in (noted.lengths, noted.vrs, noted.offsets))
    big = noted.big_endian[files]
    same = (lengths[:, 1:] == lengths[:, :-1]) & (vrs[:, 1:] == vrs[:, :-1]) & (big[1:] == big[:-1])
    left = np.flatnonzero(same & (lengths[:, 1:] > 0))
    flat = same.reshape(-1)
    here, before = offsets[:, 1:].ravel()[left], offsets[:, :-1].ravel()[left]
    size = lengths[:, 1:].ravel()[left].astype(np.int64)
    masks = FIRST_BYTES[np.minimum(size, WORD)]
    # The last word of a value ends with it, over bytes that were compared already: no mask is needed there.
    for begin in range(0, _MOST_COMPARED, WORD):
        place = np.minimum(begin, np.maximum(size - WORD, 0))
        equal = ((words.at(here + place) ^ words.at(before + place)) & masks) == 0
        flat[left[~equal]] = False
        more = np.flatnonzero(equal & (size > begin + WORD))
        left, here, before, size, masks = left[more], here[more], before[more], size[more], masks[more]
        if not left.size:
            return same
    flat[left] = False
    return same
