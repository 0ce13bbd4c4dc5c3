"""What a scan notes: for each file whether it is ordinary, and where in the buffer its wanted values lie.

Scope: the arrays between the walk (bytes to places) and the columns (places to values), and the way back from them to
one file's ``Header`` for whoever judges a file by itself. Nothing is read or decoded here.
"""

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from dicom_pipeline.dicom.dictionary import dictionary_vr
from dicom_pipeline.dicom.encoding import TRANSFER_SYNTAX_UID
from dicom_pipeline.dicom.fields import WANTED_TAGS
from dicom_pipeline.dicom.header import Element, Header

Bytes: TypeAlias = npt.NDArray[np.uint8]

SLOTS: tuple[int, ...] = tuple(sorted(WANTED_TAGS))
"""The wanted tags in ascending order; a tag's slot is its place here. Slot 0 is (0002,0010) of the File Meta."""

DATA_SET_SLOT = 1
"""The slot whose offset tells, of a DEFLATED file, where in the file its deflated data set begins."""

ABSENT = -1
"""Length of a value whose element the file does not have."""


class Status(IntEnum):
    """What the walk says of a file."""

    PLAIN = 0
    """Read: its places are noted."""
    ODD = 1
    """Left to the careful reader, for whatever reason."""
    DEFLATED = 2
    """The File Meta names a deflated transfer syntax (PS3.5 A.5); the data set's bytes are yet to be inflated."""


@dataclass(frozen=True, slots=True)
class Noted:
    """A batch of ``n`` files after the walk; ``T`` is ``len(SLOTS)``.

    Attributes:
        buffer: The bytes all places refer to, uint8.
        status: ``Status`` of each file, uint8, shape (n,). Places of files that are not PLAIN mean nothing.
        offsets: Where in ``buffer`` each value begins, int64, shape (T, n).
        lengths: Bytes of each value, int32, shape (T, n); ``ABSENT`` where the file has no such element, or where it is
            a sequence.
        vrs: The VR as found, its two letters as ``first << 8 | second``, uint16, shape (T, n); 0 in an implicit VR
            stream. UN is not replaced yet.
        big_endian: Whether binary values are big endian, bool, shape (n,).
        sizes: Bytes of each file as the open file told, int64, shape (n,).
    """

    buffer: Bytes
    status: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int32]
    vrs: npt.NDArray[np.uint16]
    big_endian: npt.NDArray[np.bool_]
    sizes: npt.NDArray[np.int64]

    def header(self, file: int) -> Header:
        """Return what the careful reader would have returned for a PLAIN file."""
        return self.headers(np.array([file]))[0]

    def headers(self, files: npt.NDArray[np.int64]) -> list[Header]:
        """Return the headers of some PLAIN files."""
        columns = (array[:, files].T.tolist() for array in (self.offsets, self.lengths, self.vrs))
        buffer = self.buffer.data
        headers = []
        for big_endian, *row in zip(self.big_endian[files].tolist(), *columns, strict=True):
            elements = {
                tag: Element(vr_of(tag, vr), bytes(buffer[begin : begin + length]))
                for tag, begin, length, vr in zip(SLOTS, *row, strict=True)
                if length != ABSENT
            }
            syntax = elements.pop(TRANSFER_SYNTAX_UID, None)
            uid = syntax.value.decode("latin-1").rstrip(" \0") if syntax else ""
            headers.append(Header(elements, not big_endian, uid or None))
        return headers


@cache
def vr_of(tag: int, code: int) -> str:
    """Return the VR of an element: as found, or the dictionary's where there is none or UN (PS3.5 6.2.2)."""
    vr = chr(code >> 8) + chr(code & 0xFF) if code else "UN"
    return (dictionary_vr(tag) or "UN") if vr == "UN" else vr
