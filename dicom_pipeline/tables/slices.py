"""From staged metadata to the rows of the three tables of a slice.

Scope: which rows of ``dicom_metadata`` become rows of ``dicom_image_meta``, ``dicom_state_meta`` and
``dicom_reject``, in the schemas of the field table. Streams in, streams out; only the series of a date are held in
memory, since the row that stands for a series may be the last one read.
"""

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator

import pyarrow as pa

from dicom_pipeline.dicom.fields import IMAGE, REJECT, STATE, TableSpec
from dicom_pipeline.tables.rows import ACCEPTED, REJECTED
from dicom_pipeline.tables.schemas import table_schema

_SERIES = ["study_uid", "series_uid"]
_COUNTED = "series_related_instances"
_ORDER = [("study_uid", "ascending"), ("series_uid", "ascending"), ("instance_number", "ascending")]
_GATHERED_ROWS = 65_536


def image_rows(metadata: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Return the rows of ``dicom_image_meta``: the accepted files, in their order."""
    schema = table_schema(IMAGE)
    rows = (_columns_of(_with_outcome(batch, ACCEPTED), IMAGE) for batch in metadata)
    return pa.RecordBatchReader.from_batches(schema, rows)


def state_rows(metadata: pa.RecordBatchReader) -> pa.Table:
    """Return the rows of ``dicom_state_meta``: one for each series with accepted files, by study and series UID.

    A series is represented by its file with the lowest instance number (files without one last), then the lowest SOP
    Instance UID, whatever the order of the files. ``series_related_instances`` is the number of its distinct SOP
    Instance UIDs.
    """
    needed = [f.name for f in STATE.fields]
    needed += [name for name in ("instance_number", "sop_uid") if name not in needed]
    accepted = (_with_outcome(batch, ACCEPTED).select(needed) for batch in metadata)
    best: pa.Table | None = None
    instances: list[pa.Table] = []
    for table in _gathered(accepted):
        instances.append(table.select([*_SERIES, "sop_uid"]))
        best = _first_of_each_series(table if best is None else pa.concat_tables([best, table]))
    if best is None:
        return table_schema(STATE).empty_table()
    return _with_counts(best, pa.concat_tables(instances))


def reject_rows(
    metadata: pa.RecordBatchReader, tenant: str, date: dt.date, run_id: str, clock: dt.datetime
) -> pa.RecordBatchReader:
    """Return the rows of ``dicom_reject``: the rejected files, in their order.

    Args:
        metadata: Rows of ``metadata_schema()``.
        tenant: The archive's tenant.
        date: The partition.
        run_id: The run that stages the rows.
        clock: The run's clock reading, naive UTC.
    """
    constants = {"tenant_id": tenant, "partition_date": date, "run_id": run_id, "created_time": clock}
    return pa.RecordBatchReader.from_batches(table_schema(REJECT), _reject_batches(metadata, constants))


def _reject_batches(metadata: Iterable[pa.RecordBatch], constants: dict[str, object]) -> Iterator[pa.RecordBatch]:
    schema = table_schema(REJECT)
    hashes = _PathHashes()
    for batch in metadata:
        rejected = _with_outcome(batch, REJECTED)
        columns = []
        for field in schema:
            if field.name in constants:
                columns.append(pa.repeat(pa.scalar(constants[field.name], field.type), rejected.num_rows))
            elif field.name == "path_hash":
                columns.append(pa.array(map(hashes.of, rejected.column("path").to_pylist()), field.type))
            else:
                columns.append(rejected.column(field.name))
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


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

    return batch.filter(pc.equal(batch.column("outcome"), outcome))


def _columns_of(batch: pa.RecordBatch, table: TableSpec) -> pa.RecordBatch:
    schema = table_schema(table)
    return pa.RecordBatch.from_arrays([batch.column(name) for name in schema.names], schema=schema)


def _gathered(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Join batches into tables worth sorting."""
    gathered: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        if batch.num_rows:
            gathered.append(batch)
            rows += batch.num_rows
        if rows >= _GATHERED_ROWS:
            yield pa.Table.from_batches(gathered)
            gathered, rows = [], 0
    if gathered:
        yield pa.Table.from_batches(gathered)


def _first_of_each_series(table: pa.Table) -> pa.Table:
    """Return the row of each series that stands for it, sorted by series."""
    import pyarrow.compute as pc

    keys = table.select([*_SERIES, "instance_number", "sop_uid"])
    order = pc.sort_indices(keys, [*_ORDER, ("sop_uid", "ascending")])  # NULLs come last
    positions = keys.select(_SERIES).take(order).append_column("position", order)
    firsts = positions.group_by(_SERIES, use_threads=False).aggregate([("position", "first")])
    return table.take(firsts.column("position_first"))


def _with_counts(best: pa.Table, instances: pa.Table) -> pa.Table:
    """Return the rows of ``dicom_state_meta`` with their number of instances; ``best`` is sorted by series."""
    schema = table_schema(STATE)
    counts = instances.group_by(_SERIES).aggregate([("sop_uid", "count_distinct")])
    counts = counts.sort_by([(name, "ascending") for name in _SERIES])
    columns = [
        counts.column("sop_uid_count_distinct").cast(field.type) if field.name == _COUNTED else best.column(field.name)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
