"""Ordinary files to rows of ``dicom_metadata``, whole columns at a time.

Scope: one batch of a listing through a scanner and into a record batch. What a scan notes is ``dicom/scanner/``, how
places become values is ``columns.py``. A row that may be refused is judged again by itself, with the rules every
reader shares, from the same bytes; a file that is not ordinary is left to whoever reads with care.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dicom_pipeline.archive.local import LocalStore
from dicom_pipeline.dicom.reasons import Reason
from dicom_pipeline.dicom.records import Rejection, build_record
from dicom_pipeline.dicom.scanner.files import UNKNOWN, FileBatch, Scanner
from dicom_pipeline.dicom.scanner.noted import Noted, Status
from dicom_pipeline.tables.columns import value_columns
from dicom_pipeline.tables.listing import entries_of
from dicom_pipeline.tables.readers import ReadJob, storable_batch
from dicom_pipeline.tables.rows import Outcome, accepted_batch, metadata_batch

Places = npt.NDArray[np.int64]


class Scanned(NamedTuple):
    """What a scan made of a batch of files.

    Attributes:
        rows: Rows of ``metadata_schema()``, of the files at ``places``.
        places: Which files of the batch these are, ascending; the others are left.
        files: How many of them were read; the rest are entries that cannot be read at all.
    """

    rows: pa.RecordBatch
    places: Places
    files: int


class ScanReader:
    """Reads batches of files with one scanner; one thread at a time."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner

    def read(self, files: pa.RecordBatch, job: ReadJob) -> Scanned:
        """Read ordinary files of a batch of ``FILES_SCHEMA``."""
        can_be_read = files.column("problem").is_null().to_numpy(zero_copy_only=False)
        readable = np.flatnonzero(can_be_read)
        noted = self._scanner.scan(file_batch(_some(files, readable), job.store()))
        plain = np.flatnonzero(noted.status == Status.PLAIN)
        columns = value_columns(noted, plain, job)
        even, odd = plain[~columns.odd], plain[columns.odd]
        arrays, findings = columns.arrays, columns.findings
        if len(odd):
            kept, place = pa.array(np.flatnonzero(~columns.odd)), np.cumsum(~columns.odd) - 1
            arrays = [array.take(kept) for array in arrays]
            findings = {int(place[row]): found for row, found in findings.items() if not columns.odd[row]}
        parts = [(readable[even], accepted_batch(_some(files, readable[even]), arrays, findings))]
        if len(odd):
            parts.append((readable[odd], _judged(noted, odd, _some(files, readable[odd]), job)))
        if len(readable) < files.num_rows:
            parts.append(_unreadable(files, np.flatnonzero(~can_be_read)))
        places, rows = _joined(parts)
        return Scanned(rows, places, len(plain))


def _some(files: pa.RecordBatch, places: Places) -> pa.RecordBatch:
    return files if len(places) == files.num_rows else files.take(pa.array(places))


def file_batch(files: pa.RecordBatch, store: LocalStore) -> FileBatch:
    """Return rows of ``FILES_SCHEMA`` as a scanner takes them."""
    import pyarrow.compute as pc

    paths = pc.coalesce(files.column("raw_path"), files.column("path").cast(pa.binary()))
    _, ends, data = paths.buffers()
    return FileBatch(
        store=store,
        paths=np.frombuffer(data or b"", np.uint8),
        ends=np.frombuffer(ends, np.int32)[paths.offset : paths.offset + len(paths) + 1],
        sizes=_numbers(files.column("size")),
        modified=_numbers(files.column("mtime_ns")),
    )


def _numbers(column: pa.Array) -> npt.NDArray[np.int64]:
    numbers: npt.NDArray[np.int64] = column.fill_null(UNKNOWN).to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(numbers)


def _judged(noted: Noted, files: Places, listed: pa.RecordBatch, job: ReadJob) -> pa.RecordBatch:
    """Return the rows of files that the columns do not decide."""
    outcomes: list[Outcome] = [
        build_record(header, tenant_id=job.tenant_id, file_size=size, policy=job.policy, clock=job.clock)
        for header, size in zip(noted.headers(files), noted.sizes[files].tolist(), strict=True)
    ]
    return storable_batch(entries_of(listed), outcomes)


def _unreadable(files: pa.RecordBatch, places: Places) -> tuple[Places, pa.RecordBatch]:
    entries = entries_of(_some(files, places))
    return places, metadata_batch(entries, [Rejection(Reason(entry.problem or "")) for entry in entries])


def _joined(parts: list[tuple[Places, pa.RecordBatch]]) -> tuple[Places, pa.RecordBatch]:
    """Join rows of one batch of files in their order."""
    if len(parts) == 1:
        return parts[0]
    places = np.concatenate([places for places, _ in parts])
    order = np.argsort(places)
    return places[order], pa.concat_batches([rows for _, rows in parts]).take(pa.array(order))
