"""From staged metadata to the rows of the three tables of a slice.

Scope: which rows of ``dicom_metadata`` become rows of ``dicom_image_meta``, ``dicom_state_meta`` and
``dicom_reject``, in the schemas of the field table, and what they amount to before anybody has loaded them. Streams in,
streams out; the series of a date are ``series.py``'s.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable

import pyarrow as pa

from dicom_pipeline.dicom.fields import IMAGE, REJECT, STATE, TableSpec
from dicom_pipeline.tables.digest import SliceDigest, SliceDigester, digest_batches
from dicom_pipeline.tables.rows import ACCEPTED, REJECTED
from dicom_pipeline.tables.schemas import table_schema
from dicom_pipeline.tables.series import SeriesRows

REJECT_COLUMNS = ["outcome", "path", "file_size", "reason", "field"]
"""The columns of staged rows that rows of ``dicom_reject`` are made of."""


def image_rows(metadata: Iterable[pa.RecordBatch]) -> pa.RecordBatchReader:
    """Return the rows of ``dicom_image_meta``: the accepted files, in their order."""
    schema = table_schema(IMAGE)
    rows = (_columns_of(_with_outcome(batch, ACCEPTED), IMAGE) for batch in metadata)
    return pa.RecordBatchReader.from_batches(schema, rows)


def reject_rows(
    metadata: Iterable[pa.RecordBatch], tenant: str, date: dt.date, run_id: str, clock: dt.datetime
) -> pa.RecordBatchReader:
    """Return the rows of ``dicom_reject``: the rejected files, in their order.

    Args:
        metadata: Rows of ``metadata_schema()``, ``REJECT_COLUMNS`` of them at least.
        tenant: The archive's tenant.
        date: The partition.
        run_id: The run that stages the rows.
        clock: The run's clock reading, naive UTC.
    """
    constants, hashes = _constants(tenant, date, run_id, clock), _PathHashes()
    rows = (_reject_batch(batch, constants, hashes) for batch in metadata)
    return pa.RecordBatchReader.from_batches(table_schema(REJECT), rows)


def _constants(tenant: str, date: dt.date, run_id: str, clock: dt.datetime) -> dict[str, object]:
    return {"tenant_id": tenant, "partition_date": date, "run_id": run_id, "created_time": clock}


def _reject_batch(batch: pa.RecordBatch, constants: dict[str, object], hashes: "_PathHashes") -> pa.RecordBatch:
    schema = table_schema(REJECT)
    rejected = _with_outcome(batch.select(REJECT_COLUMNS), REJECTED)
    columns = []
    for field in schema:
        if field.name in constants:
            columns.append(pa.repeat(pa.scalar(constants[field.name], field.type), rejected.num_rows))
        elif field.name == "path_hash":
            columns.append(pa.array(map(hashes.of, rejected.column("path").to_pylist()), field.type))
        else:
            columns.append(rejected.column(field.name))
    return pa.RecordBatch.from_arrays(columns, schema=schema)


class SliceObserver:
    """Knows the rows of a slice's tables once the staged rows have passed by: digests of all, and the series.

    Args:
        tenant: See ``reject_rows``.
        date: Likewise.
        run_id: Likewise.
        clock: Likewise.
    """

    def __init__(self, tenant: str, date: dt.date, run_id: str, clock: dt.datetime) -> None:
        self._constants = _constants(tenant, date, run_id, clock)
        self.restart()

    def restart(self) -> None:
        """Forget all rows."""
        self._images, self._rejects = SliceDigester(IMAGE), SliceDigester(REJECT)
        self._series, self._hashes = SeriesRows(), _PathHashes()

    def observe(self, batch: pa.RecordBatch) -> None:
        """Look at the next rows of ``metadata_schema()``."""
        accepted = _with_outcome(batch, ACCEPTED)
        self._images.update(accepted)
        self._series.add(accepted)
        if accepted.num_rows < batch.num_rows:
            self._rejects.update(_reject_batch(batch, self._constants, self._hashes))

    def series(self) -> pa.Table:
        """Return the rows of ``dicom_state_meta``."""
        return self._series.table()

    def digests(self, series: pa.Table) -> dict[str, SliceDigest]:
        """Return count and digest of each table's rows, by table; ``series`` are those of ``dicom_state_meta``."""
        states = digest_batches(STATE, series.to_batches())
        return {IMAGE.name: self._images.result(), STATE.name: states, REJECT.name: self._rejects.result()}


class _PathHashes:
    """SHA-256 of paths, unique within a date.

    A name that is not UTF-8 is shown escaped, and another file may really bear the escaped name. The hash is part of
    a key, so the second file that looks the same is hashed together with its ordinal number.
    """

    def __init__(self) -> None:
        self._seen: dict[bytes, int] = {}

    def of(self, path: str) -> str:
        digest = hashlib.sha256(path.encode())
        before = self._seen.get(digest.digest(), 0)
        self._seen[digest.digest()] = before + 1
        if before:
            digest.update(b"\0%d" % before)
        return digest.hexdigest()


def _with_outcome(batch: pa.RecordBatch, outcome: str) -> pa.RecordBatch:
    import pyarrow.compute as pc

    wanted = pc.equal(batch.column("outcome"), outcome)
    return batch if wanted.true_count == batch.num_rows else batch.filter(wanted)


def _columns_of(batch: pa.RecordBatch, table: TableSpec) -> pa.RecordBatch:
    schema = table_schema(table)
    return pa.RecordBatch.from_arrays([batch.column(name) for name in schema.names], schema=schema)
