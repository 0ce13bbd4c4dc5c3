"""Which values of a batch need reading: each once for every stretch of files that have the same.

Scope: comparing each file's values with those of the file before, all bytes of them, and the cells that are left. Files
of a series lie together and share most values, so that few cells stand for many rows. Nothing is decoded here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import numpy.typing as npt

from dicom_pipeline.dicom.fields import SPECIFIC_CHARACTER_SET, Field
from dicom_pipeline.dicom.scanner.noted import ABSENT, SLOTS, Noted
from dicom_pipeline.tables.column_bytes import FIRST_BYTES, WORD, Lengths, Mask, Places, Words

SLOT_OF: dict[int, int] = {tag: slot for slot, tag in enumerate(SLOTS)}
_MOST_COMPARED = 256  # bytes; longer values count as different, which costs time but is never wrong
# Arrays of all slots at once are so large that the system hands their memory out anew each time.
_SLOTS_TOGETHER = 24


def vr_code(vr: str) -> int:
    """Return a VR's two letters as ``Noted.vrs`` holds them."""
    return int.from_bytes(vr.encode("ascii"), "big")


def vr_table(vrs: Sequence[str]) -> Mask:
    """Return a table that is true at the codes of these VRs, shape (65536,)."""
    table = np.zeros(1 << 16, np.bool_)
    table[[vr_code(vr) for vr in vrs]] = True
    return table


@dataclass(frozen=True, slots=True)
class Cells:
    """Values to be read, ``r`` of them, those of one column one after the other.

    Attributes:
        noted: The batch they are of.
        words: Its buffer, by words.
        fields: The columns.
        columns: Each cell's column as an index into ``fields``, shape (r,).
        files: Each cell's file as an index into ``noted``, shape (r,).
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
        np.logical_not(same_as_before(noted, files, self._words), out=self._changed[:, 1:])
        self._changed |= self._changed[SLOT_OF[SPECIFIC_CHARACTER_SET]]

    def cells(self, fields: Sequence[Field]) -> Cells:
        """Return the cells of these columns, all of which have a tag."""
        by_column = np.array([SLOT_OF[field.tag] for field in fields if field.tag is not None])
        own_vrs = np.array([vr_code(field.vr) for field in fields if field.vr is not None], np.uint16)
        changed = self._changed[by_column].ravel()
        columns, positions = np.divmod(np.flatnonzero(changed), len(self._files))
        slots, files = by_column[columns], self._files[positions]
        lengths, codes = self._noted.lengths[slots, files], self._noted.vrs[slots, files]
        unknown = (codes == 0) | (codes == vr_code("UN"))
        return Cells(
            self._noted,
            self._words,
            tuple(fields),
            columns,
            files,
            np.where(lengths == ABSENT, 0, self._noted.offsets[slots, files]),
            np.maximum(lengths, 0),
            lengths == ABSENT,
            np.where(unknown, own_vrs[columns], codes),
            (np.cumsum(changed, dtype=np.int32) - 1).reshape(len(fields), len(self._files)),
        )


def same_in_numpy(noted: Noted, files: npt.NDArray[np.int64], words: Words) -> Mask:
    """Return for each slot, and each file but the first, whether VR, byte order and bytes are the file's before.

    Long values may count as different though they are not.
    """
    firsts = range(0, len(SLOTS), _SLOTS_TOGETHER)
    return np.concatenate([_same_slots(noted, files, words, slice(first, first + _SLOTS_TOGETHER)) for first in firsts])


def same_compiled(noted: Noted, files: npt.NDArray[np.int64], words: Words) -> Mask:
    """Return the same from compiled code, of long values too."""
    from dicom_pipeline.dicom.scanner import _compiled

    del words
    same = np.empty((len(SLOTS), len(files) - 1), np.bool_)
    big_endian = noted.big_endian.view(np.uint8)
    _compiled.same_as_before(
        noted.buffer, noted.offsets, noted.lengths, noted.vrs, big_endian, files, same.view(np.uint8)
    )
    return same


same_as_before = same_compiled if find_spec("dicom_pipeline.dicom.scanner._compiled") else same_in_numpy


def _same_slots(noted: Noted, files: npt.NDArray[np.int64], words: Words, slots: slice) -> Mask:
    lengths, vrs = noted.lengths[slots].take(files, axis=1), noted.vrs[slots].take(files, axis=1)
    offsets, big = noted.offsets[slots].take(files, axis=1), noted.big_endian[files]
    offsets[lengths == ABSENT] = 0
    begins = words.at(offsets)
    begins &= FIRST_BYTES[np.clip(lengths, 0, WORD)]
    same: Mask = lengths[:, 1:] == lengths[:, :-1]
    same &= (vrs[:, 1:] == vrs[:, :-1]) & (big[1:] == big[:-1]) & (begins[:, 1:] == begins[:, :-1])
    long = np.flatnonzero(same & (lengths[:, 1:] > WORD))
    before = long + long // max(1, same.shape[1])  # there is one file more than there are pairs of them
    places = offsets.reshape(-1)
    same.reshape(-1)[long] = _same_ends(words, places[before], places[before + 1], lengths.reshape(-1)[before])
    return same


def _same_ends(words: Words, one: Places, other: Places, lengths: Lengths) -> Mask:
    """Return whether values of the same length, more than a word, have the same bytes after the first word."""
    same = np.zeros(len(lengths), np.bool_)
    left = np.arange(len(lengths))
    # The last word first: where UIDs differ, they do so at the end.
    place: int | Lengths = lengths - WORD
    for begin in range(WORD, _MOST_COMPARED, WORD):
        equal = words.at(one + place) == words.at(other + place)
        more = equal & (lengths > begin + WORD)
        same[left[equal & ~more]] = True
        left, one, other, lengths, place = left[more], one[more], other[more], lengths[more], begin
        if not left.size:
            break
    return same
