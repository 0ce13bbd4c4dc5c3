"""The beginning of a deflated data set (PS3.5 A.5).

Scope: inflating, within bounds, as much as an ordinary header takes, so that the same walk can go over it. That the
data set is deflated indeed is for the walk over the File Meta Information to say.
"""

import os
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from dicom_pipeline.dicom.scanner.files import FileBatch
from dicom_pipeline.dicom.source import BLOCK_SIZE

HEADER_BYTES = (16 * 1024, 128 * 1024)
"""Inflated bytes in which the header of most files ends, and of nearly all."""


class Inflated(NamedTuple):
    """A data set, or its beginning, and whether that is all of it."""

    data: bytes
    whole: bool


def inflate_data_set(files: FileBatch, file: int, offset: int) -> Iterator[Inflated]:
    """Yield the inflated data set of a file, first as much as most headers take, then more.

    Nothing is yielded of a file that has changed or cannot be read, or whose data set does not inflate.

    Args:
        files: The batch.
        file: Number of the file in it.
        offset: Where in the file the deflated data set begins.
    """
    for most in HEADER_BYTES:
        try:
            inflated = _inflate(_deflated(files, file, offset, most), most)
        except (OSError, zlib.error):
            return
        yield inflated
        if inflated.whole:
            return


def _deflated(files: FileBatch, file: int, offset: int, length: int) -> bytes:
    """Return deflated bytes, of which no more than ``length`` can be needed; none if the file has changed."""
    with files.store.open(files.path(file)) as stream:
        data = os.pread(stream.fileno(), max(length, BLOCK_SIZE), offset)
        found = os.fstat(stream.fileno())
    return data if (found.st_size, found.st_mtime_ns) == (files.sizes[file], files.modified[file]) else b""


def _inflate(data: bytes, most: int) -> Inflated:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = inflater.decompress(data, most)
    return Inflated(inflated, inflater.eof)
