"""Arrow rows into a PostgreSQL table by binary COPY.

Scope: encoding and sending rows that passed the checks of ``incoming.py``. What happens to them in the database is
``replace.py``'s matter.

The encoder is pgpq with psycopg's COPY: one and a half times as fast as ADBC's ingest, and unlike ADBC it writes inside
the transaction and temporary table of the session that holds the slice's lock. While PostgreSQL works on one message, a
thread reads, checks and encodes the next: neither waits for the other.
"""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import islice

import psycopg

from dicom_pipeline.dicom.fields import TableSpec
from dicom_pipeline.tables.digest import SliceDigest, SliceDigester
from dicom_pipeline.tables.schemas import table_schema
from dicom_pipeline.warehouse.base import ArrowSource, Slice
from dicom_pipeline.warehouse.incoming import check_columns, checked_batches
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
    for batch in checked_batches(table, rows, target, _ROWS_A_MESSAGE):
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
