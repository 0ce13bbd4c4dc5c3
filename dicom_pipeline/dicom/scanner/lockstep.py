"""One walk over the first blocks of many files at once: every step passes one header of each of them.

Scope: elements of the top level and what is nested in them, in little endian (PS3.5 7.1, 7.5), by NumPy. A file leaves
when its walk is over, or to go on by itself: where the block ends, and wherever the way is not straight.
"""

from typing import NamedTuple

import numpy as np

from dicom_pipeline.dicom.element_header import (
    ITEM,
    ITEM_DELIMITER,
    ITEM_GROUP,
    LONG_HEADER_BYTES,
    SEQUENCE_DELIMITER,
    SHORT_HEADER_BYTES,
    UNDEFINED_LENGTH,
)
from dicom_pipeline.dicom.forks import PIXEL_DATA_TAGS
from dicom_pipeline.dicom.scanner.beginnings import Beginnings, block_ends
from dicom_pipeline.dicom.scanner.grammar import Layout
from dicom_pipeline.dicom.scanner.headers import Flags, Headers, Places, Words, look
from dicom_pipeline.dicom.scanner.noted import ABSENT, SLOTS, Noted, Status
from dicom_pipeline.dicom.source import BLOCK_SIZE

_FEW = 8
"""Files for which a step together costs more than each of them alone."""

_LEVELS = 16
"""Sequences and items open at once; what is nested deeper is passed alone."""

_SQ = int.from_bytes(b"SQ", "big")
_UN = int.from_bytes(b"UN", "big")
_PIXEL_DATA = np.array(sorted(PIXEL_DATA_TAGS), np.int64)
_WANTED = np.array([-1, *SLOTS[1:], 1 << 32], np.int64)
"""The wanted tags by slot; the first is one of the File Meta Information, and behind the last is room for any other."""

# Tags below which an element is passed: before the pixel data; in an item any; between items none.
_TOP_LEVEL, _IN_ITEM, _IN_SEQUENCE = 0x7FE0_0000, ITEM_GROUP << 16, 0


class Start(NamedTuple):
    """Where a walk stands: the file's number, the offset of the next header, the layout, the tag before (or -1)."""

    file: int
    position: int
    layout: Layout
    last: int


def walk_together(noted: Noted, begun: Beginnings) -> list[Start]:
    """Walk over files whose first blocks lie one behind the other in the buffer, and note their wanted values.

    Returns:
        Where the files stand that have to go on alone; all others are PLAIN or ODD.
    """
    big = begun.layout == Layout.EXPLICIT_BIG
    alone = begun.which(big)
    starts = [
        Start(file, at - file * BLOCK_SIZE, Layout.EXPLICIT_BIG, -1)
        for file, at in zip(alone.file.tolist(), alone.at.tolist(), strict=True)
    ]
    return starts + _Lockstep(noted, begun.which(~big)).run()


class _Lockstep:
    """Files on their way; all arrays but ``_outer`` and ``_frames`` have one entry for each file still walking."""

    def __init__(self, noted: Noted, begun: Beginnings) -> None:
        self._noted, self._words = noted, Words(noted.buffer)
        files, count = begun.file, len(noted.status)
        state = np.zeros((7, len(files)), np.int64)
        state[0], state[1], state[2] = files, begun.at, block_ends(noted, files)
        state[3], state[4], state[5] = -1, _TOP_LEVEL, begun.layout == Layout.IMPLICIT_LITTLE
        self._set(state)
        # By level and file: the last tag, the limit and the layout to return to when what is open there is closed.
        self._frames = np.zeros((3, _LEVELS, count), np.int64)
        # By file: where the element of the top level stands that is being passed, and the tag before.
        self._outer = np.zeros((2, count), np.int64)
        self._alone: list[Start] = []

    def _set(self, state: Places) -> None:
        self._state = state
        self._file, self._at, self._end, self._last, self._limit, self._implicit, self._level = state

    def run(self) -> list[Start]:
        """Walk until few are left; return where those stand that have to go on alone."""
        while len(self._file) > _FEW:
            self._stop_at_block_ends()
            self._step()
        self._go_alone(np.arange(len(self._file)))
        return self._alone

    def _stop_at_block_ends(self) -> None:
        """Let those go who have no whole header before them."""
        stops = np.flatnonzero(self._at + LONG_HEADER_BYTES > self._end)
        if len(stops):
            file_end = self._file[stops] * BLOCK_SIZE + self._noted.sizes[self._file[stops]]
            self._finish(stops, (self._at[stops] == file_end) & (self._level[stops] == 0))

    def _step(self) -> None:
        """Pass one header of each file."""
        found = look(self._words, self._at, self._implicit != 0)
        behind = found.value + found.length
        regular = found.by_book & (found.tag > self._last) & (found.tag < self._limit)
        plain = regular & (behind <= self._end)
        self._note(found, plain & (self._level == 0))
        np.copyto(self._at, behind, where=plain)
        np.copyto(self._last, found.tag, where=plain)
        special = np.flatnonzero(~plain)
        if len(special):
            self._pass_special(special, found.which(special), regular[special])

    def _note(self, found: Headers, passed: Flags) -> None:
        """Note the wanted ones of some elements; tags ascend, so none stands twice."""
        slot = np.searchsorted(_WANTED, found.tag)
        hit = np.flatnonzero(passed & (_WANTED[slot] == found.tag))
        if not len(hit):
            return
        place, wanted = (slot[hit], self._file[hit]), found.which(hit)
        vr = np.where(self._implicit[hit], 0, wanted.vr())
        self._noted.offsets[place], self._noted.vrs[place] = wanted.value, vr
        self._noted.lengths[place] = np.where(vr == _SQ, ABSENT, wanted.length)

    def _pass_special(self, which: Places, found: Headers, regular: Flags) -> None:
        """Open, close or pass what is nested (PS3.5 7.5); let all others go."""
        behind, limit = self._at[which] + SHORT_HEADER_BYTES, self._limit[which]
        item = (limit == _IN_SEQUENCE) & (found.tag == ITEM)
        short = item & (behind + found.second <= self._end[which])
        closes = (limit == _IN_SEQUENCE) & (found.tag == SEQUENCE_DELIMITER)
        closes |= (limit == _IN_ITEM) & (found.tag == ITEM_DELIMITER)
        room = self._level[which] < _LEVELS
        sequence = room & regular & (found.length == UNDEFINED_LENGTH)
        item &= room & (found.second == UNDEFINED_LENGTH)
        self._at[which[short]] = (behind + found.second)[short]
        if closes.any():
            self._close(which[closes])
        if sequence.any():
            self._open_sequences(which[sequence], found.which(sequence))
        if item.any():
            self._open_items(which[item])
        lost = ~(short | closes | sequence | item)
        if lost.any():
            self._finish(which[lost], self._meets_pixel_data(which[lost], found.which(lost)))

    def _open_sequences(self, which: Places, found: Headers) -> None:
        """Go into values of undefined length, in which UN holds Implicit VR Little Endian (PS3.5 6.2.2)."""
        outer = self._level[which] == 0
        self._outer[:, self._file[which[outer]]] = self._at[which[outer]], self._last[which[outer]]
        self._last[which] = found.tag
        self._open(which, _IN_SEQUENCE)
        self._at[which] = found.value
        self._implicit[which] |= found.vr() == _UN

    def _open_items(self, which: Places) -> None:
        self._open(which, _IN_ITEM)
        self._at[which] += SHORT_HEADER_BYTES
        self._last[which] = -1

    def _open(self, which: Places, limit: int) -> None:
        frame = (slice(None), self._level[which], self._file[which])
        self._frames[frame] = self._last[which], self._limit[which], self._implicit[which]
        self._level[which] += 1
        self._limit[which] = limit

    def _close(self, which: Places) -> None:
        self._level[which] -= 1
        self._at[which] += SHORT_HEADER_BYTES
        frame = (slice(None), self._level[which], self._file[which])
        self._last[which], self._limit[which], self._implicit[which] = self._frames[frame]

    def _meets_pixel_data(self, which: Places, found: Headers) -> Flags:
        ascends = found.by_book & (found.tag > self._last[which])
        meets: Flags = ascends & np.isin(found.tag, _PIXEL_DATA) & (self._level[which] == 0)
        return meets

    def _finish(self, which: Places, is_plain: Flags) -> None:
        """Take those off whose walk is over, as PLAIN, and those who go on alone."""
        self._noted.status[self._file[which[is_plain]]] = Status.PLAIN
        self._go_alone(which[~is_plain])
        stays = np.ones(len(self._file), np.bool_)
        stays[which] = False
        self._set(self._state.take(np.flatnonzero(stays), axis=1))

    def _go_alone(self, which: Places) -> None:
        """Remember where files stand at the top level: before the element in which they are."""
        for index in which.tolist():
            file, at, last, layout = (int(row[index]) for row in (self._file, self._at, self._last, self._implicit))
            if self._level[index]:
                at, last = self._outer[:, file].tolist()
                layout = int(self._frames[2, 0, file])
            self._alone.append(Start(file, at - file * BLOCK_SIZE, Layout(layout), last))
