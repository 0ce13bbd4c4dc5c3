"""How the benchmarks call this project's extraction: the one place that knows its interface.

Scope: an extractor for a list of files. Loading goes through ``Warehouse`` and the whole through the command.
"""

import datetime as dt
import os
from collections.abc import Callable, Sequence
from typing import TypeAlias

import pyarrow as pa

from benchmarks.rounds import Unavailable

Extract: TypeAlias = Callable[[Sequence[pa.RecordBatch]], list[pa.RecordBatch]]
"""Takes a listing and returns rows of ``metadata_schema()``."""


_LISTED = 8192
"""Rows at a time, as a staged listing is read."""


def listing(paths: Sequence[str]) -> list[pa.RecordBatch]:
    """Return absolute paths as the pipeline's listing has them, with sizes and times: rows of ``FILES_SCHEMA``."""
    from dicom_pipeline.archive.entries import FileEntry
    from dicom_pipeline.tables.listing import files_batch

    facts = ((path, os.stat(path)) for path in paths)
    entries = [FileEntry(path.lstrip("/"), found.st_size, found.st_mtime_ns) for path, found in facts]
    return [files_batch(entries[begin : begin + _LISTED]) for begin in range(0, len(entries), _LISTED)]


def extractor(reader: str, threads: int) -> Extract:
    """Return a function that reads headers; worker processes, if the reader uses any, live from call to call.

    Args:
        reader: ``auto``, ``pure`` or ``pydicom``.
        threads: How many files are read at a time.

    Raises:
        Unavailable: This version or installation has no such reader.
    """
    from dicom_pipeline.dicom.records import OnInvalidValue
    from dicom_pipeline.errors import ConfigurationError
    from dicom_pipeline.tables.extraction import Extractor
    from dicom_pipeline.tables.readers import ReadJob

    try:
        made = Extractor(reader, workers=threads, threads=threads)
    except ConfigurationError:
        raise Unavailable("not in this installation") from None
    job = ReadJob("/", "benchmark", OnInvalidValue.REJECT, dt.datetime.now(dt.UTC).replace(tzinfo=None))

    return lambda files: list(made.extract(files, job))
