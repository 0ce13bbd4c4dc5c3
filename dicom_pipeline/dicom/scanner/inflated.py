"""The beginning of a deflated data set (PS3.5 A.5).

Scope: inflating, within bounds, as much as an ordinary header takes, so that the same walk can go over it. That the
data set is deflated indeed is for the walk over the File Meta Information to say.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

from dicom_pipeline.dicom.scanner.files import FileBatch
from dicom_pipeline.dicom.source import FileSource, InflatedSource

HEADER_BYTES = (16 * 1024, 128 * 1024)
"""Inflated bytes in which the header of most files ends, and of nearly all."""


class Inflated(NamedTuple):
    """A data set, or its beginning, and whether that is all of it."""

    data: bytes
    whole: bool


def inflate_data_set(files: FileBatch, file: int, offset: int) -> Iterator[Inflated]:
    """Yield the inflated data set of a file, first as much as most headers take, then more.

    Nothing is yielded of a file that has changed or cannot be read; little of a stream that breaks off.

    Args:
        files: The batch.
        file: Number of the file in it.
        offset: Where in the file the deflated data set begins.
    """
    try:
        with files.store.open(files.path(file)) as stream:
            size = os.fstat(stream.fileno()).st_size
            # The careful reader's steps: one that breaks the stream gives nothing of what it would have inflated.
            source = InflatedSource(FileSource(stream, size), offset)
            for most in HEADER_BYTES:
                data = source.read(0, most)
                if not files.is_as_listed(file, os.fstat(stream.fileno())):
                    return
                inflated = Inflated(data, source.complete and len(data) < most)
                yield inflated
                if inflated.whole:
                    return
    except OSError:
        return
