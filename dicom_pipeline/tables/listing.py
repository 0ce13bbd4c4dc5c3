"""A listing as Arrow: entries of the archive to rows of ``FILES_SCHEMA`` and back.

Scope: the one place that knows how an entry becomes a row. Which entries there are is told by ``archive/``; what is read
of them by the readers.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import pyarrow as pa

from dicom_pipeline.archive.entries import FileEntry
from dicom_pipeline.archive.paths import display_path, from_columns, raw_path
from dicom_pipeline.tables.schemas import FILES_SCHEMA


def files_batch(entries: Sequence[FileEntry]) -> pa.RecordBatch:
    """Return one row of ``FILES_SCHEMA`` for each entry, in their order."""
    columns = [
        [display_path(e.path) for e in entries],
        [raw_path(e.path) for e in entries],
        [e.size for e in entries],
        [e.mtime_ns for e in entries],
        [e.problem for e in entries],
    ]
    arrays = [pa.array(c, f.type) for c, f in zip(columns, FILES_SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=FILES_SCHEMA)


def files_batches(entries: Iterable[FileEntry], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield entries as batches of at most ``rows`` rows."""
    source = iter(entries)
    while chunk := list(islice(source, rows)):
        yield files_batch(chunk)


def entries_of(files: pa.RecordBatch) -> list[FileEntry]:
    """Return the entries of a batch of ``FILES_SCHEMA``."""
    return [
        FileEntry(from_columns(path, raw), size, mtime_ns, problem)
        for path, raw, size, mtime_ns, problem in zip(
            *(column.to_pylist() for column in files.select(FILES_SCHEMA.names).columns), strict=True
        )
    ]
