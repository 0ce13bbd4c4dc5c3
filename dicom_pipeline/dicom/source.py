"""Bytes by offset: of a file, or of what a deflated file inflates to.

Scope: fetching only what is asked for, buffering it, and bounding what that may cost. What the bytes mean is not
known here.
"""

import time
import zlib
from typing import BinaryIO, Protocol

from dicom_pipeline.dicom.header import HeaderError
from dicom_pipeline.dicom.reasons import Reason

BLOCK_SIZE = 16 * 1024
"""Bytes fetched at once; holds the whole header of an ordinary file."""

MAX_INFLATED_BYTES = 64 * 1024 * 1024
"""Most bytes a deflated data set may inflate to on the way to its last wanted element."""

HEADER_BYTES = 12
"""Length of the longest element header (PS3.5 7.1.2)."""


class Deadline:
    """A moment after which a file has cost too much time."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        """Raise ``HeaderError`` with ``LimitExceeded`` if the moment has passed."""
        if time.monotonic() > self._end:
            raise HeaderError(Reason.LIMIT_EXCEEDED)


class OutOfTime(Exception):
    """A file takes longer than whoever reads it has; somebody with more time may."""


class Moment(Deadline):
    """A deadline that decides nothing about the file: it is to be read elsewhere."""

    def check(self) -> None:
        """Raise ``OutOfTime`` if the moment has passed."""
        try:
            super().check()
        except HeaderError:
            raise OutOfTime from None


class Source(Protocol):
    """Random access to a run of bytes whose length need not be known in advance."""

    @property
    def limited(self) -> bool:
        """Whether bytes were refused because ``MAX_INFLATED_BYTES`` was reached."""

    def peek(self, offset: int) -> bytes:
        """Return ``HEADER_BYTES`` bytes at ``offset``, fewer only where the bytes end."""

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes at ``offset``, fewer only where the bytes end."""

    def reaches(self, offset: int) -> bool:
        """Return whether at least ``offset`` bytes can be had."""

    def ends_at(self, offset: int) -> bool:
        """Return whether ``offset`` is where the bytes end as they should, not where they break off."""


class FileSource:
    """A file, of which one block at a time is held."""

    limited = False

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._size = size
        self._start = 0
        self._block = self._fetch(0, BLOCK_SIZE)

    def peek(self, offset: int) -> bytes:
        """Return ``HEADER_BYTES`` bytes at ``offset``, fewer only where the file ends."""
        begin = offset - self._start
        end = begin + HEADER_BYTES
        if begin < 0 or end > len(self._block):
            self._start = offset
            self._block = self._fetch(offset, BLOCK_SIZE)
            begin, end = 0, HEADER_BYTES
        return self._block[begin:end]

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes at ``offset``, fewer only where the file ends."""
        begin = offset - self._start
        if begin < 0 or begin + length > len(self._block):
            return self._fetch(offset, length)
        return self._block[begin : begin + length]

    def reaches(self, offset: int) -> bool:
        """Return whether the file has at least ``offset`` bytes."""
        return offset <= self._size

    def ends_at(self, offset: int) -> bool:
        """Return whether ``offset`` is the file's end."""
        return offset == self._size

    def _fetch(self, offset: int, length: int) -> bytes:
        """Read from the stream, which may be unbuffered and give less than is asked for at a time."""
        length = min(length, self._size - offset)
        if length <= 0:
            return b""
        self._stream.seek(offset)
        pieces = []
        while length > 0:
            piece = self._stream.read(length)
            if not piece:
                break
            pieces.append(piece)
            length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


class InflatedSource:
    """What a raw deflate stream (RFC 1951, PS3.5 A.5) inflates to, as far as anybody has looked."""

    def __init__(self, deflated: Source, offset: int) -> None:
        self._deflated = deflated
        self._next = offset
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._pending = b""
        self._bytes = bytearray()
        self._broken = False
        self.limited = False

    def peek(self, offset: int) -> bytes:
        """Return ``HEADER_BYTES`` bytes at ``offset``, fewer only where the bytes end."""
        return self.read(offset, HEADER_BYTES)

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes at ``offset``, fewer only where the bytes end."""
        self.reaches(offset + length)
        return bytes(self._bytes[offset : offset + length])

    def reaches(self, offset: int) -> bool:
        """Return whether at least ``offset`` bytes can be had, inflating up to there if need be."""
        while len(self._bytes) < offset and not self._broken and not self._inflater.eof:
            if len(self._bytes) >= MAX_INFLATED_BYTES:
                self.limited = True
                break
            self._inflate()
        return len(self._bytes) >= offset

    @property
    def complete(self) -> bool:
        """Whether the deflate stream has ended as it should, and all of it is inflated."""
        return self._inflater.eof

    def ends_at(self, offset: int) -> bool:
        """Return whether the deflate stream is complete and ``offset`` is the end of what it inflates to."""
        self.reaches(offset + 1)
        return self.complete and offset == len(self._bytes)

    def _inflate(self) -> None:
        compressed = self._pending or self._fetch()
        room = min(BLOCK_SIZE * 4, MAX_INFLATED_BYTES - len(self._bytes))
        try:
            piece = self._inflater.decompress(compressed, room)
        except zlib.error:
            self._broken = True
            return
        self._pending = self._inflater.unconsumed_tail
        self._bytes += piece
        self._broken = not piece and not compressed and not self._inflater.eof

    def _fetch(self) -> bytes:
        compressed = self._deflated.read(self._next, BLOCK_SIZE)
        self._next += len(compressed)
        return compressed
