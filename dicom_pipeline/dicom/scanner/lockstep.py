"""One walk over the first blocks of many files at once: every step passes one element of each of them.

Scope: plain elements of the top level in little endian (PS3.5 7.1), by NumPy. A file leaves when its walk is over; what
is nested in a value of undefined length is passed by ``straight.py``, which also takes over where the block ends.
"""

from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from dicom_pipeline.dicom.dictionary import LENGTH_BYTES_32, vr_length_bytes
from dicom_pipeline.dicom.element_header import (
    ITEM_GROUP,
    LONG_HEADER_BYTES,
    SHORT_HEADER_BYTES,
    TAG_BYTES,
    UNDEFINED_LENGTH,
)
from dicom_pipeline.dicom.forks import PIXEL_DATA_TAGS
from dicom_pipeline.dicom.scanner.grammar import Layout
from dicom_pipeline.dicom.scanner.noted import SLOTS, Noted, Status
from dicom_pipeline.dicom.scanner.straight import Doubt, Window, inner_layout, pass_nested
from dicom_pipeline.dicom.source import BLOCK_SIZE

_Places: TypeAlias = npt.NDArray[np.int64]
_Flags: TypeAlias = npt.NDArray[np.bool_]

_FEW = 8
"""Files for which a step together costs more than each of them alone."""

_SQ = int.from_bytes(b"SQ", "big")
_FIRST_PIXEL_TAG = 0x7FE0_0000


class Start(NamedTuple):
    """Where a walk stands: the file's number, the offset of the next header, the layout, the tag before (or -1)."""

    file: int
    position: int
    layout: Layout
    last: int


def walk_together(noted: Noted, starts: list[Start]) -> list[Start]:
    """Walk over files whose first blocks lie one behind the other in the buffer, and note their wanted values.

    Returns:
        Where the files stand that have to go on alone; all others are PLAIN or ODD.
    """
    alone = [start for start in starts if start.layout is Layout.EXPLICIT_BIG]
    for layout in (Layout.EXPLICIT_LITTLE, Layout.IMPLICIT_LITTLE):
        alone += _Lockstep(noted, layout, [start for start in starts if start.layout is layout]).run()
    return alone


class _Step(NamedTuple):
    """The headers at which the files still walking stand; arrays with one entry a file.

    Attributes:
        tag: The tag.
        vr: The VR as ``Noted.vrs`` has it.
        value: Where in the buffer the value begins.
        length: Length of the value.
        by_book: Whether it is an element header at all (PS3.5 7.1.2), above the tag before.
        plain: Whether moreover its value lies in the block and it comes before any pixel data.
    """

    tag: _Places
    vr: _Places
    value: _Places
    length: _Places
    by_book: _Flags
    plain: _Flags


class _Lockstep:
    """Files of one layout on their way; all arrays have one entry for each file still walking."""

    def __init__(self, noted: Noted, layout: Layout, starts: list[Start]) -> None:
        self._noted = noted
        self._layout = layout
        # Overlapping words: any four bytes of the buffer, by the place of the first.
        self._words = np.ndarray((max(0, len(noted.buffer) - 3),), "<u4", noted.buffer, strides=(1,))
        self._file = np.array([start.file for start in starts], np.int64)
        self._at = self._file * BLOCK_SIZE + np.array([start.position for start in starts], np.int64)
        self._last = np.array([start.last for start in starts], np.int64)
        self._end = self._file * BLOCK_SIZE + np.minimum(noted.sizes[self._file], BLOCK_SIZE)
        self._passed: list[_Notes] = []
        self._alone: list[Start] = []

    def run(self) -> list[Start]:
        """Walk until few are left; return where those stand that have to go on alone."""
        while len(self._file) > _FEW:
            self._leave(self._at + LONG_HEADER_BYTES > self._end)
            self._pass(self._look())
        self._leave(np.ones(len(self._file), np.bool_))
        self._note()
        return self._alone

    def _look(self) -> _Step:
        first, second = self._words[self._at], self._words[self._at + TAG_BYTES]
        tag = ((first & 0xFFFF) << 16 | first >> 16).astype(np.int64)
        kind = _length_bytes_of_letters()[second & 0xFFFF]
        vr, value, length = np.zeros(len(tag), np.int64), self._at + SHORT_HEADER_BYTES, second.astype(np.int64)
        by_book = kind == 0
        if self._layout is Layout.EXPLICIT_LITTLE:
            is_long = kind == LENGTH_BYTES_32
            length = np.where(is_long, self._words[self._at + SHORT_HEADER_BYTES], second >> 16).astype(np.int64)
            value = np.where(is_long, self._at + LONG_HEADER_BYTES, value)
            vr = ((second & 0xFF) << 8 | second >> 8 & 0xFF).astype(np.int64)
            by_book = kind != 0
        by_book = by_book & (tag > self._last) & (tag >> 16 != ITEM_GROUP)
        plain = by_book & (tag < _FIRST_PIXEL_TAG) & (value + length <= self._end)
        return _Step(tag, vr, value, length, by_book, plain)

    def _pass(self, step: _Step) -> None:
        """Move all files behind the element they stand at; those that cannot move together are looked at alone."""
        plain = step.plain
        self._passed.append(
            _Notes(self._file[plain], step.tag[plain], step.vr[plain], step.value[plain], step.length[plain])
        )
        self._at = np.where(plain, step.value + step.length, self._at)
        self._last = np.where(plain, step.tag, self._last)
        stays = plain.copy()
        for index in np.flatnonzero(~plain).tolist():
            stays[index] = self._passes_alone(index, step)
        if not stays.all():
            self._keep(stays)

    def _passes_alone(self, index: int, step: _Step) -> bool:
        """Pass what is no plain element; tell whether the file goes on with the others."""
        file, tag = int(self._file[index]), int(step.tag[index])
        if not step.by_book[index]:
            return False
        if tag in PIXEL_DATA_TAGS:
            self._noted.status[file] = Status.PLAIN
            return False
        if step.length[index] == UNDEFINED_LENGTH:
            try:
                end = self._end_of_nested(file, int(step.value[index]), int(step.vr[index]))
            except Doubt:
                pass  # Perhaps only because it goes on behind the block.
            else:
                self._at[index], self._last[index] = end, tag
                return True
        self._alone.append(self._start(index))
        return False

    def _end_of_nested(self, file: int, value: int, vr: int) -> int:
        begin, size = file * BLOCK_SIZE, int(self._noted.sizes[file])
        block = self._noted.buffer[begin : begin + min(size, BLOCK_SIZE)].tobytes()
        window = Window(block, size, whole=True, fetch=None)
        return begin + pass_nested(window, value - begin, inner_layout(vr, self._layout))

    def _leave(self, leaving: _Flags) -> None:
        """Have files go on alone."""
        if leaving.any():
            self._alone += [self._start(index) for index in np.flatnonzero(leaving).tolist()]
            self._keep(~leaving)

    def _start(self, index: int) -> Start:
        file = int(self._file[index])
        return Start(file, int(self._at[index]) - file * BLOCK_SIZE, self._layout, int(self._last[index]))

    def _keep(self, stays: _Flags) -> None:
        self._file, self._at = self._file[stays], self._at[stays]
        self._last, self._end = self._last[stays], self._end[stays]

    def _note(self) -> None:
        """Note the wanted ones of all elements that were passed; tags ascend, so none stands twice."""
        if not self._passed:
            return
        passed = _Notes(*(np.concatenate(columns) for columns in zip(*self._passed, strict=True)))
        wanted = np.array(SLOTS, np.int64)
        slot = np.searchsorted(wanted, passed.tag)
        slot[slot == len(wanted)] = 0
        hit = (wanted[slot] == passed.tag) & (slot > 0) & (passed.vr != _SQ)
        place = (slot[hit], passed.file[hit])
        self._noted.offsets[place] = passed.value[hit]
        self._noted.lengths[place] = passed.length[hit]
        self._noted.vrs[place] = passed.vr[hit]


class _Notes(NamedTuple):
    """Elements that were passed, one an entry."""

    file: _Places
    tag: _Places
    vr: _Places
    value: _Places
    length: _Places


@cache
def _length_bytes_of_letters() -> npt.NDArray[np.uint8]:
    """Return for any two bytes, as a little-endian number, how many bytes the length takes as a VR, 0 if none."""
    kinds = np.zeros(1 << 16, np.uint8)
    for (first, second), length in vr_length_bytes().items():
        kinds[second << 8 | first] = length
    return kinds
