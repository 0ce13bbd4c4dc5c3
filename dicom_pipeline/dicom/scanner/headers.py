"""Element headers of many files at once: what stands at one place of each.

Scope: reading by NumPy, in little endian (PS3.5 7.1), and what the data dictionary says of whole arrays of tags. Where
a walk goes from there is ``beginnings.py`` and ``lockstep.py``.
"""

from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from dicom_pipeline.dicom.dictionary import LENGTH_BYTES_32, dictionary_vr, vr_length_bytes
from dicom_pipeline.dicom.element_header import GROUP_LENGTH_BYTES, SHORT_HEADER_BYTES, TAG_BYTES
from dicom_pipeline.dicom.scanner.noted import Bytes

Places: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Words: TypeAlias = npt.NDArray[np.uint64]

_WORD = 0xFFFF_FFFF


class Headers(NamedTuple):
    """One header of each file; arrays of shape (n,).

    Attributes:
        tag: The tag.
        second: The four bytes behind the tag, as a number; all of the length, if this is an item or a delimiter.
        value: Where the value begins.
        length: Length of the value in bytes.
        by_book: Whether there is a VR if the layout has them, and none if not (PS3.5 7.1.2).
    """

    tag: Places
    second: Places
    value: Places
    length: Places
    by_book: Flags

    def which(self, chosen: Flags | Places) -> "Headers":
        """Return some of them."""
        tag, second, value, length = (column[chosen] for column in self[:4])
        return Headers(tag, second, value, length, self.by_book[chosen])

    def vr(self) -> Places:
        """Return the VRs, as ``Noted.vrs`` has them, if the layout has them."""
        return (self.second & 0xFF) << 8 | self.second >> 8 & 0xFF


def words_of(buffer: Bytes) -> Words:
    """Return any eight bytes of a buffer as a number, by the place of the first."""
    return np.ndarray((max(0, len(buffer) - 7),), "<u8", buffer, strides=(1,))


def word_at(words: Words, at: Places) -> Places:
    """Return the numbers in the four bytes at some places."""
    return words[at].view(np.int64) & _WORD


def look(words: Words, at: Places, implicit: Flags | bool) -> Headers:
    """Return the headers at some places, each of which has twelve bytes."""
    both = words[at].view(np.int64)
    tag = (both & 0xFFFF) << 16 | both >> 16 & 0xFFFF
    second = both >> 32 & _WORD
    kind = _length_bytes_of_letters()[second & 0xFFFF]
    is_long = kind == LENGTH_BYTES_32
    value = at + SHORT_HEADER_BYTES + TAG_BYTES * is_long
    length = np.where(implicit, second, second >> 16)
    np.copyto(length, words[at + TAG_BYTES].view(np.int64) >> 32 & _WORD, where=is_long)
    return Headers(tag, second, value, length, (kind == 0) == implicit)


def known(tags: Places) -> Flags:
    """Tell of each tag whether the data dictionary has it (PS3.6)."""
    distinct, which = np.unique(tags, return_inverse=True)
    return np.array([dictionary_vr(tag) is not None for tag in distinct.tolist()], np.bool_)[which]


def is_wrong_group_length(headers: Headers) -> Flags:
    """Tell of each header whether it is a group length (PS3.5 7.2) of a wrong length."""
    wrong: Flags = (headers.tag & 0xFFFF == 0) & (headers.length != GROUP_LENGTH_BYTES)
    return wrong


@cache
def _length_bytes_of_letters() -> npt.NDArray[np.uint8]:
    """Return for any two bytes, as a little-endian number, how many bytes the length takes as a VR, 0 if none."""
    kinds = np.zeros(1 << 16, np.uint8)
    for (first, second), length in vr_length_bytes().items():
        kinds[second << 8 | first] = length
    return kinds
