"""Arrow rows as the body of a Stream Load: Parquet, or JSON lines.

Scope: writing, a bounded number of rows at a time. A load is one request, so that it is atomic, and may have to be sent
again, so the body is kept until then: in memory, and beyond some size in a file without a name, which is gone with the
process. Names and order of columns are those of ``sql.ordered_fields``; a time of day is text, for which Doris has no
other type. Types are said explicitly: a column of NULLs alone would be of no type at all.
"""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import pyarrow as pa

from dicom_pipeline.dicom.fields import Kind, TableSpec
from dicom_pipeline.tables.schemas import table_schema
from dicom_pipeline.warehouse.doris import sql
from dicom_pipeline.warehouse.doris.url import BodyFormat

DELETED = "_del"
"""The column of the body, and of no table, that is 1 in rows to be deleted: an integer, which every reader knows."""
_IN_MEMORY_BYTES = 32 << 20
_ROWS_A_GROUP = 1 << 16


@dataclass(frozen=True, slots=True)
class Body:
    """What is sent: a seekable stream, its length, and what it holds."""

    stream: BinaryIO
    bytes: int
    rows: int
    format: BodyFormat


def spool() -> BinaryIO:
    """Return a stream for rows on their way: in memory as long as they are few."""
    return cast(BinaryIO, tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES))


class BodyWriter:
    """Collects rows of one table into a body.

    Args:
        table: Whose rows.
        form: Parquet or JSON lines.
        tombstones: Whether rows may be marked as deleted; then ``DELETED`` is the last column.
    """

    def __init__(self, table: TableSpec, form: BodyFormat, *, tombstones: bool) -> None:
        self.columns = (*(f.name for f in sql.ordered_fields(table)), *((DELETED,) if tombstones else ()))
        self._table, self._form, self._tombstones = table, form, tombstones
        self._schema = _body_schema(table, tombstones)
        self._stream = spool()
        self._writer: Any = None
        self._waiting: list[pa.RecordBatch] = []
        self._rows = 0

    def write(self, batch: pa.RecordBatch, *, deleted: bool = False) -> None:
        """Add rows of ``table_schema``; none is fine."""
        if batch.num_rows:
            self._waiting.append(_body_batch(batch, self._schema, deleted))
            self._rows += batch.num_rows
        if sum(waiting.num_rows for waiting in self._waiting) >= _ROWS_A_GROUP:
            self._flush()

    def finish(self) -> Body:
        """Return the body; nothing can be added any more."""
        self._flush()
        if self._writer is not None:
            self._writer.close()
        size = self._stream.tell()
        self._stream.seek(0)
        return Body(self._stream, size, self._rows, self._form)

    def _flush(self) -> None:
        rows = pa.Table.from_batches(self._waiting, self._schema)
        self._waiting = []
        if self._form is BodyFormat.JSON:
            self._stream.writelines(_json_lines(rows))
        else:
            self._parquet().write_table(rows)

    def _parquet(self) -> Any:
        import pyarrow.parquet as pq

        if self._writer is None:
            self._writer = pq.ParquetWriter(self._stream, self._schema, compression="snappy", store_schema=False)
        return self._writer


def _body_schema(table: TableSpec, tombstones: bool) -> pa.Schema:
    schema = table_schema(table)
    columns = [
        pa.field(f.name, pa.string() if f.kind is Kind.TIME else schema.field(f.name).type)
        for f in sql.ordered_fields(table)
    ]
    return pa.schema([*columns, *([pa.field(DELETED, pa.int8())] if tombstones else [])])


def _body_batch(batch: pa.RecordBatch, schema: pa.Schema, deleted: bool) -> pa.RecordBatch:
    marks = {DELETED: pa.repeat(pa.scalar(int(deleted), pa.int8()), batch.num_rows)}
    arrays = [marks.get(f.name) if f.name in marks else _sendable(batch.column(f.name)) for f in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _sendable(column: pa.Array) -> pa.Array:
    """Return a time of day as text, without a fraction that is nothing; any other column as it is."""
    import pyarrow.compute as pc

    if not pa.types.is_time(column.type):
        return column
    return pc.replace_substring_regex(column.cast(pa.string()), r"\.000000$", "")


def _json_lines(rows: pa.Table) -> Iterator[bytes]:
    """Yield a line a row: dates and moments as text, numbers with all their digits, NULL said."""
    texts = (column.cast(pa.string()) if pa.types.is_temporal(column.type) else column for column in rows.itercolumns())
    names = rows.column_names
    for values in zip(*(column.to_pylist() for column in texts), strict=True):
        line = json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False, allow_nan=False)
        yield line.encode() + b"\n"
