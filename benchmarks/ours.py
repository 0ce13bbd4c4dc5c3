"""How the benchmarks call this project's extraction: the one place that knows its interface.

Scope: an extractor for a list of files. Loading goes through ``Warehouse`` and the whole through the command.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import pyarrow as pa

from benchmarks.rounds import Unavailable

Extract: TypeAlias = Callable[[Sequence[str]], list[pa.RecordBatch]]
"""Takes absolute paths and returns rows of ``metadata_schema()``."""


def extractor(reader: str, threads: int) -> Extract:
    """Return a function that reads headers; worker processes, if the reader uses any, live from call to call.

    Args:
        reader: ``auto``, ``pure`` or ``pydicom``.
        threads: How many files are read at a time.

    Raises:
        Unavailable: This version or installation has no such reader.
    """
    from dicom_pipeline.archive.entries import FileEntry
    from dicom_pipeline.dicom.records import OnInvalidValue
    from dicom_pipeline.errors import ConfigurationError
    from dicom_pipeline.tables.extraction import Extractor
    from dicom_pipeline.tables.readers import ReadJob

    try:
        made = Extractor(reader, workers=threads)
    except ConfigurationError:
        raise Unavailable("not in this version") from None
    clock = dt.datetime.now(dt.UTC).replace(tzinfo=None)

    def extract(paths: Sequence[str]) -> list[pa.RecordBatch]:
        job = ReadJob("/", "benchmark", OnInvalidValue.REJECT, clock)
        return list(made.extract((FileEntry(str(Path(p).relative_to("/")), None, None) for p in paths), job))

    return extract
