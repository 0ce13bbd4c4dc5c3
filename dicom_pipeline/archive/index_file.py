"""The date index as a file: its columns, and how it is written, ordered and checked.

Scope: one Parquet file with one row an entry of the archive, ordered by study date so that a date's entries are read
without the others. Rows come in the order of a walk; a spill file without a name holds them until all are known, so
that memory does not grow with the paths. What the rows mean and when they change is ``index.py``.
"""

import datetime as dt
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pyarrow as pa

from dicom_pipeline.archive.entries import FileEntry

if TYPE_CHECKING:
    import numpy as np
    import pyarrow.parquet as pq

VERSION = b"1"
_VERSION_KEY = b"dicom_pipeline.archive_index"
SCHEMA = pa.schema(
    [
        pa.field("path", pa.binary(), False, {"comment": "Path relative to the root, its exact bytes"}),
        pa.field("size", pa.int64(), True, {"comment": "Bytes, NULL if it could not be asked"}),
        pa.field("mtime_ns", pa.int64(), True, {"comment": "Time of modification in nanoseconds since 1970"}),
        pa.field("study_date", pa.date32(), True, {"comment": "Study Date, NULL if the file has no usable one"}),
        pa.field("problem", pa.string(), True, {"comment": "Reason code where the entry cannot be read at all"}),
    ],
    {_VERSION_KEY: VERSION},
)
# A date of a few hundred files should cost the reading of one or two groups, a date column of millions few groups.
_ROW_GROUP = 16_384
_SPILL_GROUP = 4096
# Rows ordered in memory at once: about 40 MB, and a copy, with the long paths that UIDs make.
_ROWS_AT_ONCE = 150_000
_NO_DATE = dt.date.max.toordinal() - dt.date(1970, 1, 1).toordinal() + 1


class IndexFileError(Exception):
    """The file is damaged, cut short, or of another version."""


def open_index(path: Path) -> "pq.ParquetFile":
    """Open an index file.

    Raises:
        FileNotFoundError: There is none.
        IndexFileError: It is damaged or of another version.
    """
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise IndexFileError from error
    if not file.schema_arrow.equals(SCHEMA, check_metadata=False) or file.schema_arrow.metadata != SCHEMA.metadata:
        file.close()
        raise IndexFileError
    return file


def read_batches(
    file: "pq.ParquetFile", columns: Sequence[str] | None = None, groups: Sequence[int] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows in the file's order.

    Raises:
        IndexFileError: A page is damaged.
    """
    wanted = range(file.num_row_groups) if groups is None else groups
    missing = sum(file.metadata.row_group(group).num_rows for group in wanted)
    try:
        for batch in file.iter_batches(_ROW_GROUP, row_groups=wanted, columns=columns, use_threads=False):
            missing -= batch.num_rows
            yield batch
    except (pa.ArrowException, OSError) as error:
        raise IndexFileError from error
    if missing:
        # The checksums cover the values of a page, not the number of them.
        raise IndexFileError


def groups_with(file: "pq.ParquetFile", date: dt.date | None) -> list[int]:
    """Return the row groups that may hold the date, or entries without one."""
    column = SCHEMA.get_field_index("study_date")
    found = []
    for group in range(file.num_row_groups):
        statistics = file.metadata.row_group(group).column(column).statistics
        if date is None:
            hit = statistics.null_count > 0
        else:
            hit = statistics.has_min_max and statistics.min <= date <= statistics.max
        if hit:
            found.append(group)
    return found


class IndexWriter:
    """Takes rows in any order and writes them ordered by date; of one date they keep their order.

    Rows go to the spill file in runs, each ordered by date. A stretch of the ordered file then lies together in every
    run, and is read without the rest.
    """

    def __init__(self, spill: IO[bytes]) -> None:
        import pyarrow.parquet as pq

        self._spill = spill
        self._writer = pq.ParquetWriter(spill, SCHEMA, compression="zstd", use_dictionary=False)
        self._run: list[pa.RecordBatch] = []
        self._run_rows = 0
        self._days: list[np.ndarray] = []

    def __enter__(self) -> "IndexWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def add(self, entries: Sequence[FileEntry], dates: Sequence[dt.date | None]) -> None:
        """Take entries and the date of each."""
        columns = [
            [os.fsencode(entry.path) for entry in entries],
            [entry.size for entry in entries],
            [entry.mtime_ns for entry in entries],
            dates,
            [entry.problem for entry in entries],
        ]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
        self._run.append(pa.record_batch(arrays, schema=SCHEMA))
        self._run_rows += len(entries)
        if self._run_rows >= _ROWS_AT_ONCE:
            self._spill_run()

    def _spill_run(self) -> None:
        import numpy as np

        run = pa.Table.from_batches(self._run, SCHEMA)
        days = run.column("study_date").cast(pa.int32()).fill_null(_NO_DATE).to_numpy()
        order = np.argsort(days, kind="stable")
        self._writer.write_table(run.take(order), row_group_size=_SPILL_GROUP)
        self._days.append(days[order])
        self._run, self._run_rows = [], 0

    def write(self, target: IO[bytes]) -> None:
        """Write all rows to ``target``, entries without a date last; nothing can be added afterwards."""
        import pyarrow.parquet as pq

        self._spill_run()
        self._writer.close()
        ranks = self._ranks()
        with pq.ParquetWriter(
            target,
            SCHEMA,
            compression="zstd",
            use_dictionary=["study_date", "problem"],
            column_encoding={"path": "DELTA_BYTE_ARRAY"},
            write_page_checksum=True,
        ) as writer:
            for start in range(0, len(ranks), _ROWS_AT_ONCE):
                writer.write_table(self._ranked(ranks, start), row_group_size=_ROW_GROUP)

    def _ranks(self) -> "np.ndarray":
        """Return for each row of the spill file its place in the ordered file."""
        import numpy as np

        days = np.concatenate(self._days)
        ranks = np.empty(len(days), np.int64)
        ranks[np.argsort(days, kind="stable")] = np.arange(len(days))
        return ranks

    def _ranked(self, ranks: "np.ndarray", start: int) -> pa.Table:
        """Return the rows whose places begin at ``start``, in order."""
        import numpy as np
        import pyarrow.parquet as pq

        self._spill.seek(0)
        file = pq.ParquetFile(self._spill)
        kept, row = [], 0
        for group in range(file.num_row_groups):
            here = ranks[row : row + file.metadata.row_group(group).num_rows]
            row += len(here)
            wanted = (here >= start) & (here < start + _ROWS_AT_ONCE)
            if wanted.any():
                kept.append(file.read_row_group(group, use_threads=False).filter(pa.array(wanted)))
        places = ranks[(ranks >= start) & (ranks < start + _ROWS_AT_ONCE)]
        return pa.concat_tables(kept).take(np.argsort(places))
