"""A window on the bytes of one file, and the element header at a place of it.

Scope: having bytes, and reading one header by the book (PS3.5 7.1), in pure Python. Going from header to header is
``straight.py``.
"""

from collections.abc import Callable
from struct import Struct
from typing import NamedTuple

from dicom_pipeline.dicom.dictionary import LENGTH_BYTES_16, vr_length_bytes
from dicom_pipeline.dicom.element_header import ITEM_GROUP, LONG_HEADER_BYTES, SHORT_HEADER_BYTES
from dicom_pipeline.dicom.scanner.grammar import Layout
from dicom_pipeline.dicom.source import BLOCK_SIZE

HEADERS = {False: Struct("<HH2sH"), True: Struct(">HH2sH")}
"""Group, element, VR and length of two bytes; by whether it is big endian."""
WORDS = {False: Struct("<L"), True: Struct(">L")}
"""A length of four bytes."""
_REFILLS = 4096


class Doubt(Exception):
    """The file is not ordinary here, or its bytes cannot be had: it is for the careful reader to say what it is."""


class Header(NamedTuple):
    """An element header by the book (PS3.5 7.1); ``vr`` is 0 where the stream has none, ``value`` where it begins."""

    tag: int
    vr: int
    length: int
    value: int


class Window:
    """Some bytes of a file, and the way to others of it.

    Args:
        data: Its first bytes.
        size: Its length, or that of ``data`` if no more can be had.
        whole: Whether it ends there.
        fetch: Returns so many bytes from an offset; None if there is nothing but ``data``.

    Attributes:
        data: The bytes in the window now.
        start: Where in the file they begin.
    """

    def __init__(self, data: bytes, size: int, *, whole: bool, fetch: Callable[[int, int], bytes] | None) -> None:
        self.size, self.whole = size, whole
        self.data, self.start = data, 0
        self._fetch, self._refills = fetch, 0

    def read(self, position: int, count: int) -> bytes:
        """Return exactly ``count`` bytes; raises ``Doubt`` if they cannot be had."""
        at = position - self.start
        if at < 0 or at + count > len(self.data):
            if position + count > self.size:
                raise Doubt
            at = self._move(position, count)
        return self.data[at : at + count]

    def _move(self, position: int, count: int) -> int:
        if self._fetch is None or count > BLOCK_SIZE or position + count > self.size or self._refills >= _REFILLS:
            raise Doubt
        self._refills += 1
        wanted = min(BLOCK_SIZE, self.size - position)
        self.data, self.start = self._fetch(position, wanted), position
        if len(self.data) != wanted:
            raise Doubt
        return 0


def read_header(window: Window, position: int, layout: Layout) -> Header | None:
    """Return the element header at a position; None if what is there is none, an item or a delimiter."""
    left = window.size - position
    if left < SHORT_HEADER_BYTES:
        return None
    raw = window.read(position, LONG_HEADER_BYTES if left > LONG_HEADER_BYTES else left)
    big = layout is Layout.EXPLICIT_BIG
    group, number, vr, short = HEADERS[big].unpack_from(raw)
    if group == ITEM_GROUP:
        return None
    kind = vr_length_bytes().get(vr, 0)
    if (kind == 0) is not (layout is Layout.IMPLICIT_LITTLE):
        return None
    tag = group << 16 | number
    if kind == 0:
        return Header(tag, 0, WORDS[False].unpack_from(raw, 4)[0], position + SHORT_HEADER_BYTES)
    code = vr[0] << 8 | vr[1]
    if kind == LENGTH_BYTES_16:
        return Header(tag, code, short, position + SHORT_HEADER_BYTES)
    if left < LONG_HEADER_BYTES:
        return None
    return Header(tag, code, WORDS[big].unpack_from(raw, 8)[0], position + LONG_HEADER_BYTES)
