"""The beginning of a deflated data set (PS3.5 A.5).

Scope: inflating, within bounds, as much as an ordinary header takes, so that the same walk can go over it. Which files
are deflated, and where their data sets begin, is decided by ``encoding.py`` here as everywhere.
"""

import os
from typing import NamedTuple

from dicom_pipeline.dicom.encoding import find_beginning, starts
from dicom_pipeline.dicom.header import HeaderError
from dicom_pipeline.dicom.scanner.files import FileBatch
from dicom_pipeline.dicom.source import FileSource, InflatedSource

HEADER_BYTES = 64 * 1024
"""Inflated bytes in which the header of an ordinary file ends."""


class Inflated(NamedTuple):
    """A data set, or its beginning, and whether that is all of it."""

    data: bytes
    whole: bool


def inflate_data_set(files: FileBatch, file: int) -> Inflated | None:
    """Return the inflated data set of a file; None if there is a doubt about the file, or it has changed."""
    try:
        with files.store.open(files.path(file)) as stream:
            inflated = _inflate(FileSource(stream, int(files.sizes[file])))
            found = os.fstat(stream.fileno())
    except (OSError, HeaderError):
        return None
    as_listed = (found.st_size, found.st_mtime_ns) == (files.sizes[file], files.modified[file])
    return inflated if as_listed else None


def _inflate(file: FileSource) -> Inflated | None:
    source, _ = starts(file, find_beginning(file))
    if not isinstance(source, InflatedSource):
        return None
    goes_on = source.reaches(HEADER_BYTES)
    return Inflated(source.read(0, HEADER_BYTES), not goes_on and source.complete)
