"""Where the data sets of many files begin, and in which layout.

Scope: preamble, prefix and File Meta Information (PS3.10 7.1) of all files together, and whether elements of the
declared layout follow. The blocks lie in the buffer of ``Noted``, one behind the other. What is told of one file at a
time is asked of ``straight.py``.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dicom_pipeline.dicom.element_header import ITEM_GROUP, LONG_HEADER_BYTES, UNDEFINED_LENGTH
from dicom_pipeline.dicom.encoding import PREAMBLE_BYTES, PREFIX, TRANSFER_SYNTAX_UID
from dicom_pipeline.dicom.scanner.grammar import Layout
from dicom_pipeline.dicom.scanner.headers import Flags, Headers, Places, Words, is_wrong_group_length, known, look
from dicom_pipeline.dicom.scanner.noted import ABSENT, SLOTS, Noted
from dicom_pipeline.dicom.scanner.straight import declared_layout
from dicom_pipeline.dicom.scanner.window import Doubt
from dicom_pipeline.dicom.source import BLOCK_SIZE

_FILE_META_GROUP = 0x0002
_COMMAND_GROUP = 0x0000
_GROUP_LENGTH = 0x0002_0000
_META_ELEMENTS = 256
_SYNTAX_SLOT = SLOTS.index(TRANSFER_SYNTAX_UID)
_SQ = int.from_bytes(b"SQ", "big")


@dataclass(frozen=True, slots=True)
class Beginnings:
    """Data sets of declared layout; arrays of shape (n,).

    Attributes:
        file: Number of the file in the batch, ascending.
        at: Where in the buffer the data set begins.
        stated: Where it begins by the length that the File Meta Information tells of itself, 0 if it tells none.
        layout: Its ``Layout``, as a number.
    """

    file: Places
    at: Places
    stated: Places
    layout: Places

    def which(self, chosen: Flags) -> "Beginnings":
        """Return some of them."""
        return Beginnings(self.file[chosen], self.at[chosen], self.stated[chosen], self.layout[chosen])


def block_ends(noted: Noted, files: Places) -> Places:
    """Return where in the buffer the first blocks of some files end."""
    return files * BLOCK_SIZE + np.minimum(noted.sizes[files], BLOCK_SIZE)


def find_beginnings(noted: Noted, files: Places) -> Beginnings:
    """Pass the File Meta Information of files, as far as it is by the book, and note their Transfer Syntax UIDs."""
    words, ends = Words(noted.buffer), block_ends(noted, files)
    at, stated, over = files * BLOCK_SIZE + PREAMBLE_BYTES, np.zeros_like(files), np.zeros(len(files), np.bool_)
    begun = np.flatnonzero(at + len(PREFIX) <= ends)
    walking = begun[words.four[at[begun]] == int.from_bytes(PREFIX, "little")]
    at += len(PREFIX)
    for number in range(_META_ELEMENTS):
        walking = walking[at[walking] + LONG_HEADER_BYTES <= ends[walking]]
        if not len(walking):
            break
        found = look(words, at[walking], np.zeros(len(walking), np.bool_))
        group, behind = found.tag >> 16, found.value + found.length
        over[walking[(group != _FILE_META_GROUP) & (group != _COMMAND_GROUP)]] = True
        passed = (group == _FILE_META_GROUP) & found.by_book & (behind <= ends[walking])
        if number:
            passed &= known(found.tag)
        walking, found = walking[passed], found.which(passed)
        at[walking] = behind[passed]
        _note_syntax(noted, files[walking], found)
        tells = (found.tag == _GROUP_LENGTH) & ~is_wrong_group_length(found)
        stated[walking[tells]] = at[walking[tells]] + words.four[found.value[tells]]
    layout = np.array([-1 if layout is None else layout for layout in _layouts(noted, files)], np.int64)
    return Beginnings(files, at, stated, layout).which(over & (layout >= 0))


def _note_syntax(noted: Noted, files: Places, found: Headers) -> None:
    """Note the Transfer Syntax UIDs among some headers; the last of a file counts, and none that is a sequence."""
    hit = found.tag == TRANSFER_SYNTAX_UID
    place, found = (_SYNTAX_SLOT, files[hit]), found.which(hit)
    noted.offsets[place], noted.vrs[place] = found.value, found.vr()
    noted.lengths[place] = np.where(found.vr() == _SQ, ABSENT, found.length)


def _layouts(noted: Noted, files: Places) -> list[Layout | None]:
    """Return the layouts that the noted Transfer Syntax UIDs mean, None where that cannot be told."""
    begins, lengths = noted.offsets[_SYNTAX_SLOT, files].tolist(), noted.lengths[_SYNTAX_SLOT, files].tolist()
    buffer = noted.buffer.data
    return [
        None if length == ABSENT else _layout(bytes(buffer[begin : begin + length]))
        for begin, length in zip(begins, lengths, strict=True)
    ]


@lru_cache(maxsize=1 << 8)
def _layout(transfer_syntax: bytes) -> Layout | None:
    try:
        return declared_layout(transfer_syntax)
    except Doubt:
        return None


def surely_begin(noted: Noted, found: Beginnings) -> Flags:
    """Tell of data sets in little endian whether a known element leads to a second one; True only where it is sure.

    ``straight.begins`` says the same of these, and has the last word on the others.
    """
    words, ends = Words(noted.buffer), block_ends(noted, found.file)
    sure: Flags = (found.layout != Layout.EXPLICIT_BIG) & (found.at + LONG_HEADER_BYTES <= ends)
    which = np.flatnonzero(sure)
    implicit = found.layout[which] == Layout.IMPLICIT_LITTLE
    first = look(words, found.at[which], implicit)
    behind = first.value + first.length
    leads = first.by_book & known(first.tag) & ~is_wrong_group_length(first)
    leads &= behind + LONG_HEADER_BYTES <= ends[which]
    which, tag = which[leads], first.tag[leads]
    second = look(words, behind[leads], implicit[leads])
    file_ends = found.file[which] * BLOCK_SIZE + noted.sizes[found.file[which]]
    follows = second.by_book & (second.tag > tag) & (second.tag >> 16 != ITEM_GROUP) & ~is_wrong_group_length(second)
    follows &= (second.length == UNDEFINED_LENGTH) | (second.value + second.length <= file_ends)
    sure[:] = False
    sure[which[follows]] = True
    return sure
