"""Element headers of many files at once: what stands at one place of each.

Scope: reading by NumPy, in little endian (PS3.5 7.1), and what the data dictionary says of whole arrays of tags. Where
a walk goes from there is ``beginnings.py`` and ``lockstep.py``.
"""

from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from dicom_pipeline.dicom.dictionary import LENGTH_BYTES_32, dictionary_vr, vr_length_bytes
from dicom_pipeline.dicom.element_header import GROUP_LENGTH_BYTES, LONG_HEADER_BYTES, SHORT_HEADER_BYTES
from dicom_pipeline.dicom.scanner.noted import Bytes

Places: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
Numbers: TypeAlias = npt.NDArray[np.uint32]


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
    second: Numbers
    value: Places
    length: Places
    by_book: Flags

    def which(self, chosen: Flags | Places) -> "Headers":
        """Return some of them."""
        tag, second, value, length, by_book = self
        return Headers(tag[chosen], second[chosen], value[chosen], length[chosen], by_book[chosen])

    def vr(self) -> Places:
        """Return the VRs, as ``Noted.vrs`` has them, if the layout has them."""
        letters = self.second.astype(np.int64)
        return (letters & 0xFF) << 8 | letters >> 8 & 0xFF


class Words:
    """Any four or eight bytes of a buffer as numbers, by the place of the first."""

    def __init__(self, buffer: Bytes) -> None:
        self.four = np.ndarray((max(0, len(buffer) - 3),), "<u4", buffer, strides=(1,))
        self.eight = np.ndarray((max(0, len(buffer) - 7),), "<u8", buffer, strides=(1,))


def look(words: Words, at: Places, implicit: Flags) -> Headers:
    """Return the headers at some places, each of which has twelve bytes."""
    both = words.eight[at]
    first, second, letters = both.view("<u4")[::2], both.view("<u4")[1::2], both.view("<u2")[2::4]
    size = _header_bytes_of_letters()[letters]
    length = np.where(implicit, second, second >> 16).astype(np.int64)
    np.copyto(length, words.four[at + SHORT_HEADER_BYTES], where=size == LONG_HEADER_BYTES)
    value = at + np.where(implicit, SHORT_HEADER_BYTES, size)
    return Headers((first << 16 | first >> 16).astype(np.int64), second, value, length, (size == 0) == implicit)


def known(tags: Places) -> Flags:
    """Tell of each tag whether the data dictionary has it (PS3.6)."""
    distinct, which = np.unique(tags, return_inverse=True)
    return np.array([dictionary_vr(tag) is not None for tag in distinct.tolist()], np.bool_)[which]


def is_wrong_group_length(headers: Headers) -> Flags:
    """Tell of each header whether it is a group length (PS3.5 7.2) of a wrong length."""
    wrong: Flags = (headers.tag & 0xFFFF == 0) & (headers.length != GROUP_LENGTH_BYTES)
    return wrong


@cache
def _header_bytes_of_letters() -> npt.NDArray[np.uint8]:
    """Return for any two bytes, as a little-endian number, the bytes of a header of that VR, 0 if it is none."""
    sizes = np.zeros(1 << 16, np.uint8)
    for (first, second), length in vr_length_bytes().items():
        sizes[second << 8 | first] = LONG_HEADER_BYTES if length == LENGTH_BYTES_32 else SHORT_HEADER_BYTES
    return sizes
