"""A listing as Arrow batches, and what it amounts to.

Scope: from the rows of a walk to batches of ``FILES_SCHEMA`` and back to entries, and the sums over them: files, bytes,
and the fingerprint that changes when anything in the listing does. How files are found is in ``archive/``.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import TypeVar

import pyarrow as pa

from dicom_pipeline.archive.entries import EntryRow, FileEntry
from dicom_pipeline.archive.paths import from_columns
from dicom_pipeline.dicom.fields import Field, Kind, Rule, TableSpec
from dicom_pipeline.tables.digest import SliceDigester, digests_of_stretches
from dicom_pipeline.tables.schemas import FILES_SCHEMA

Key = TypeVar("Key")

_ROWS_A_BATCH = 10_000

# The fingerprint is a digest over these columns: whoever changes one marks every date of every archive as changed.
_COMPARED = TableSpec(
    "archive_files",
    (
        Field("path", Rule.LOAD, Kind.TEXT, "Path, as it is shown"),
        Field("raw_path", Rule.LOAD, Kind.TEXT, "Exact path where it is not UTF-8, in hexadecimal digits"),
        Field("size", Rule.LOAD, Kind.INT64, "Bytes"),
        Field("mtime_ns", Rule.LOAD, Kind.INT64, "Time of modification"),
        Field("problem", Rule.LOAD, Kind.TEXT, "Why the entry cannot be read at all"),
    ),
    key=("path", "raw_path"),
    date_column="",
    comment="What the fingerprint of a listing is made of",
)


def listing_batches(rows: Iterator[EntryRow]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a walk as batches of ``FILES_SCHEMA``, a few thousand at a time."""
    for path, size, time, problem in rows:
        paths, sizes, times, problems = [path], [size], [time], [problem]
        # Four lists, not one of rows: the garbage collector would look at millions of rows for nothing.
        for row in islice(rows, _ROWS_A_BATCH - 1):
            paths.append(row[0])
            sizes.append(row[1])
            times.append(row[2])
            problems.append(row[3])
        yield _batch(paths, sizes, times, problems)


def files_batch(entries: Sequence[FileEntry]) -> pa.RecordBatch:
    """Return one row of ``FILES_SCHEMA`` for each entry, in their order."""
    return _batch(
        [os.fsencode(entry.path) for entry in entries],
        [entry.size for entry in entries],
        [entry.mtime_ns for entry in entries],
        [entry.problem for entry in entries],
    )


def entries_of(files: pa.RecordBatch) -> list[FileEntry]:
    """Return the entries of a batch of ``FILES_SCHEMA``."""
    columns = (column.to_pylist() for column in files.select(FILES_SCHEMA.names).columns)
    return [
        FileEntry(from_columns(path, raw), size, mtime_ns, problem)
        for path, raw, size, mtime_ns, problem in zip(*columns, strict=True)
    ]


def _batch(
    paths: Sequence[bytes], sizes: Sequence[int | None], times: Sequence[int | None], problems: Sequence[str | None]
) -> pa.RecordBatch:
    columns = [*_path_columns(paths), sizes, times, problems]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, FILES_SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=FILES_SCHEMA)


def _path_columns(paths: Sequence[bytes]) -> tuple[pa.Array | list[str], pa.Array | list[bytes | None]]:
    """Return the columns ``path`` and ``raw_path``; see ``archive/paths.py``."""
    try:
        return pa.array(paths, pa.binary()).cast(pa.string()), pa.nulls(len(paths), pa.binary())
    except pa.ArrowInvalid:
        shown = [path.decode("utf-8", "backslashreplace") for path in paths]
        return shown, [path if path != text.encode() else None for path, text in zip(paths, shown, strict=True)]


class ListingSums:
    """Adds up a listing while its batches pass by; neither their order nor their split matters.

    Attributes:
        files: Number of entries.
        bytes: Sum of their sizes.
    """

    def __init__(self) -> None:
        self.files = 0
        self.bytes = 0
        self._digester = SliceDigester(_COMPARED)

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits over path, size, time and problem of every entry, all zero for an empty listing."""
        return self._digester.result().digest

    def watch(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Pass batches of ``FILES_SCHEMA`` on, and take them into account."""
        import pyarrow.compute as pc

        for batch in batches:
            self.files += batch.num_rows
            self.bytes += pc.sum(batch["size"]).as_py() or 0
            self._digester.update(_comparable(batch))
            yield batch


def fingerprints(listings: Iterable[tuple[Key, Iterable[EntryRow]]]) -> Iterator[tuple[Key, str]]:
    """Yield the fingerprint of each of many listings, in their order, as ``ListingSums`` would; many at a time."""
    rows: list[EntryRow] = []
    keys: list[Key] = []
    lengths: list[int] = []
    for key, listing in listings:
        entries = iter(listing)
        found = list(islice(entries, _ROWS_A_BATCH))
        if len(found) == _ROWS_A_BATCH or len(rows) + len(found) > _ROWS_A_BATCH:
            yield from zip(keys, _fingerprints(rows, lengths), strict=True)
            rows, keys, lengths = [], [], []
        if len(found) == _ROWS_A_BATCH:
            yield key, _fingerprint(chain(found, entries))
            continue
        rows += found
        keys.append(key)
        lengths.append(len(found))
    yield from zip(keys, _fingerprints(rows, lengths), strict=True)


def _fingerprint(rows: Iterator[EntryRow]) -> str:
    sums = ListingSums()
    for _ in sums.watch(listing_batches(rows)):
        pass
    return sums.fingerprint


def _fingerprints(rows: Sequence[EntryRow], lengths: Sequence[int]) -> list[str]:
    columns = list(zip(*rows, strict=True)) or [()] * len(FILES_SCHEMA)
    paths, sizes, times, problems = columns[:4]
    batch = _comparable(_batch(paths, sizes, times, problems))
    return [found.digest for found in digests_of_stretches(_COMPARED, batch, lengths)]


def _comparable(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the batch with exact paths as texts, which a digest can take."""
    raw = batch["raw_path"]
    exact = (
        pa.array([path and path.hex() for path in raw.to_pylist()], pa.string()) if len(raw) > raw.null_count else None
    )
    place = batch.schema.get_field_index("raw_path")
    return batch.set_column(place, "raw_path", pa.nulls(len(raw), pa.string()) if exact is None else exact)
