"""Arrow rows into a PostgreSQL table by binary COPY.

Scope: checking that streamed rows belong to the slice, and encoding and sending them. What happens to them in the
database is ``replace.py``'s matter.

The encoder is pgpq with psycopg's COPY: one and a half times as fast as ADBC's ingest, and unlike ADBC it writes inside
the transaction and temporary table of the session that holds the slice's lock. While PostgreSQL works on one message, a
thread reads, checks and encodes the next: neither waits for the other.
"""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice

import psycopg
import pyarrow as pa

from dicom_pipeline.dicom.fields import TableSpec
from dicom_pipeline.errors import WarehouseError
from dicom_pipeline.tables.digest import SliceDigest, SliceDigester
from dicom_pipeline.tables.schemas import conformed, table_schema
from dicom_pipeline.warehouse.base import ArrowSource, Slice
from dicom_pipeline.warehouse.postgres.ddl import names, quote_name

_ROWS_A_MESSAGE = 8192
_SENT_AT_ONCE = 3  # a header, rows, an end: all of a small slice


def copy_rows(cursor: psycopg.Cursor, into: str, table: TableSpec, rows: ArrowSource, target: Slice) -> SliceDigest:
    """Stream ``rows`` into the database's table ``into`` and return their count and digest.

    Args:
        cursor: In the transaction that is to hold the rows.
        into: A table with the columns of ``table``.
        table: Which rows these are.
        rows: Of exactly the schema ``table_schema(table)``; a reader is consumed, never held in memory whole.
        target: The slice each row must belong to.

    Raises:
        WarehouseError: The columns are not the table's, or a row lies outside the slice.
    """
    check_columns(table, rows)
    digester = SliceDigester(table)
    statement = f"COPY {quote_name(into)} ({names(table.fields)}) FROM STDIN (FORMAT BINARY)"
    with (
        cursor.copy(statement.encode()) as copy,
        closing(_one_ahead(_messages(table, rows, target, digester))) as ready,
    ):
        for message in ready:
            copy.write(message)
    return digester.result()


def _messages(table: TableSpec, rows: ArrowSource, target: Slice, digester: SliceDigester) -> Iterator[bytes]:
    from pgpq import ArrowToPostgresBinaryEncoder

    encoder = ArrowToPostgresBinaryEncoder(table_schema(table).remove_metadata())
    yield encoder.write_header()
    for batch in _checked(table, rows, target):
        digester.update(batch)
        yield encoder.write_batch(batch)
    yield encoder.finish()


def _one_ahead(messages: Iterator[bytes]) -> Generator[bytes, None, None]:
    """Yield the messages, each made in a thread while the consumer is busy with the one before it.

    What a small slice amounts to is one message, made here: a thread for it would wait longer than it works.
    """
    begun = list(islice(messages, _SENT_AT_ONCE + 1))
    yield b"".join(begun)
    if len(begun) <= _SENT_AT_ONCE:
        return
    with ThreadPoolExecutor(1, "copy-encoder") as thread:
        coming = thread.submit(next, messages, None)
        while (message := coming.result()) is not None:
            coming = thread.submit(next, messages, None)
            yield message


def check_columns(table: TableSpec, rows: ArrowSource) -> None:
    """Refuse rows whose columns are not the table's, in its order; types are cast where that loses nothing.

    Raises:
        WarehouseError: Naming the first columns that differ.
    """
    expected, given = table_schema(table).names, rows.schema.names
    if expected != given:
        wrong = sorted(set(expected) ^ set(given)) or [a for a, b in zip(expected, given, strict=True) if a != b]
        raise WarehouseError(f"{table.name}: the rows have other columns than the table: {', '.join(wrong[:10])}")


def _checked(table: TableSpec, rows: ArrowSource, target: Slice) -> Iterator[pa.RecordBatch]:
    schema = table_schema(table).remove_metadata()
    for given in rows.to_batches() if isinstance(rows, pa.Table) else rows:
        for start in range(0, given.num_rows, _ROWS_A_MESSAGE):
            batch = conformed(given.slice(start, _ROWS_A_MESSAGE), schema)
            _refuse_nulls(table, batch)
            _refuse_strangers(table, batch, target)
            yield batch


def _refuse_nulls(table: TableSpec, batch: pa.RecordBatch) -> None:
    for field, column in zip(table.fields, batch.columns, strict=True):
        if column.null_count and not field.nullable:
            raise WarehouseError(f"{table.name}.{field.name}: {column.null_count} rows have no value and need one")


def _refuse_strangers(table: TableSpec, batch: pa.RecordBatch, target: Slice) -> None:
    import pyarrow.compute as pc

    tenant = pc.equal(batch.column("tenant_id"), target.tenant_id)
    date = pc.equal(batch.column(table.date_column), pa.scalar(target.date, pa.date32()))
    strangers = batch.num_rows - pc.sum(pc.and_(tenant, date)).as_py()
    if strangers:
        raise WarehouseError(f"{table.name}: {strangers} rows lie outside the slice being loaded")
